/* Files before they are text: opening, spooling, identity. One idea: after text_file_open there is
 * always a descriptor that can be read as often as asked for, whatever the path was. */

#define _GNU_SOURCE

#include "data_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int text_temporary(void)
{
  const char *dir = getenv("TMPDIR");
  char path[1024];
  int length = snprintf(path, sizeof path, "%s/rankc-XXXXXX", dir && *dir ? dir : "/tmp");
  int fd = length > 0 && (size_t)length < sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
  if (fd >= 0)
    unlink(path);
  return fd >= 0 ? fd : memfd_create("rankc", MFD_CLOEXEC);
}

static int copy_all(int from, int to)
{
  char block[1 << 16];
  for (;;) {
    ssize_t got = read(from, block, sizeof block);
    if (got == 0)
      return 0;
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(to, block + done, (size_t)(got - done));
      if (put < 0 && errno != EINTR)
        return -1;
      done += put < 0 ? 0 : put;
    }
  }
}

static void remember(text_file *f, const struct stat *s)
{
  f->size = S_ISREG(s->st_mode) ? (uint64_t)s->st_size : 0;
  f->seconds = (int64_t)s->st_mtim.tv_sec;
  f->nanoseconds = (int64_t)s->st_mtim.tv_nsec;
}

static int spool(text_file *f, rank_error *e)
{
  int copy = text_temporary();
  if (copy < 0 || copy_all(f->fd, copy)) {
    rank_fail(e, "%s: cannot keep a copy to read twice: %s", f->name, strerror(errno));
    if (copy >= 0)
      close(copy);
    return -1;
  }
  close(f->fd);
  f->fd = copy;
  return 0;
}

int text_file_open(text_file *f, const char *path, int again, rank_error *e)
{
  int standard = !strcmp(path, "-");
  struct stat s;
  memset(f, 0, sizeof *f);
  f->name = standard ? "standard input" : path;
  f->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
  if (f->fd < 0 || fstat(f->fd, &s)) {
    rank_fail(e, "%s: %s", f->name, strerror(errno));
    text_file_close(f);
    return -1;
  }
  if (S_ISDIR(s.st_mode)) {
    rank_fail(e, "%s: is a directory", f->name);
    text_file_close(f);
    return -1;
  }
  f->regular = !standard && S_ISREG(s.st_mode);
  remember(f, &s);
  if (!f->regular && again && spool(f, e)) {
    text_file_close(f);
    return -1;
  }
  return 0;
}

void text_file_close(text_file *f)
{
  if (f->fd >= 0)
    close(f->fd);
  f->fd = -1;
}

int text_file_changed(const text_file *f)
{
  struct stat s;
  if (!f->regular)
    return 0;
  return fstat(f->fd, &s) || (uint64_t)s.st_size != f->size ||
         (int64_t)s.st_mtim.tv_sec != f->seconds || (int64_t)s.st_mtim.tv_nsec != f->nanoseconds;
}
