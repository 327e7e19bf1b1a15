/* file.c: files that appear whole or not at all.
 *
 * One idea: everything is written to a temporary file in the same folder; only when its bytes are on
 * the disk does a rename put it in the place of the old one. Whatever fails before that leaves the old
 * file as it was. Pipes and devices cannot be renamed over and are written directly. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* New files get the mode any other program would give them; replaced ones keep theirs. */
static mode_t wanted_mode(const struct stat *old)
{
  if (old != NULL) {
    return old->st_mode & 07777;
  }
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

static int open_temporary(rank_file *f, const struct stat *old, rank_error *e)
{
  int fd = rank_temp_create(f->path, &f->temp);
  if (fd < 0) {
    return rank_fail(e, "%s: cannot write in its folder: %s", f->path, strerror(errno));
  }
  if (fchmod(fd, wanted_mode(old)) != 0 || (f->out = fdopen(fd, "wb")) == NULL) {
    int error = errno;
    close(fd);
    return rank_fail(e, "%s: cannot write: %s", f->path, strerror(error));
  }
  return 0;
}

int rank_file_create(rank_file *f, const char *path, rank_error *e)
{
  *f = (rank_file){0};
  struct stat old;
  int exists = stat(path, &old) == 0;
  f->path = exists ? realpath(path, NULL) : strdup(path); /* through links, to what they name */
  if (f->path == NULL) {
    return rank_fail(e, "%s: cannot write: %s", path, strerror(errno));
  }
  int failed;
  if (exists && S_ISDIR(old.st_mode)) {
    failed = rank_fail(e, "%s: cannot write: it is a folder", path);
  } else if (exists && !S_ISREG(old.st_mode)) {
    f->out = fopen(path, "wb");
    failed = f->out != NULL ? 0 : rank_fail(e, "%s: cannot write: %s", path, strerror(errno));
  } else {
    failed = open_temporary(f, exists ? &old : NULL, e);
  }
  if (failed) {
    rank_file_discard(f);
  }
  return failed;
}

static int sync_folder(const char *path)
{
  const char *slash = strrchr(path, '/');
  char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
  if (folder == NULL) {
    return -1;
  }
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (fd < 0) {
    return -1;
  }
  int failed = fsync(fd) != 0 && errno != EINVAL; /* some file systems have nothing to sync */
  close(fd);
  return failed ? -1 : 0;
}

int rank_file_commit(rank_file *f, rank_error *e)
{
  int failed = fflush(f->out) != 0 || ferror(f->out);
  if (!failed && f->temp != NULL) {
    failed = fsync(fileno(f->out)) != 0;
  }
  int error = errno;
  int renamed = 0;
  if (!failed && f->temp != NULL) { /* while it is open: closed, it would look as if it was left */
    failed = rename(f->temp, f->path) != 0;
    error = errno;
    renamed = !failed;
  }
  if (fclose(f->out) != 0 && !failed) {
    failed = 1;
    error = errno;
  }
  f->out = NULL;
  if (renamed) {
    free(f->temp);
    f->temp = NULL;
  }
  if (renamed && !failed) {
    failed = sync_folder(f->path) != 0;
    error = errno;
  }
  if (failed) {
    rank_fail(e, "%s: cannot write: %s", f->path, strerror(error));
  }
  rank_file_discard(f);
  return failed ? -1 : 0;
}

void rank_file_discard(rank_file *f)
{
  if (f->out != NULL) {
    fclose(f->out);
  }
  if (f->temp != NULL) {
    unlink(f->temp);
  }
  free(f->temp);
  free(f->path);
  *f = (rank_file){0};
}
