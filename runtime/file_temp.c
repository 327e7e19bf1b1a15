/* file_temp.c: temporary files that do not outlive the program that writes them.
 *
 * One idea: a temporary file is locked as long as its writer has it open, and the lock goes with the
 * writer however that ends. So a file with such a name and without a lock was left by a program that was
 * killed, and whoever next writes beside it removes it. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rank_runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ENDING[] = ".writing-"; /* and six letters */
enum { RANDOM_LETTERS = 6, ATTEMPTS = 100 };

static int is_temporary(const char *name, const char *base)
{
  size_t n = strlen(base), ending = sizeof ENDING - 1;
  return strlen(name) == n + ending + RANDOM_LETTERS && memcmp(name, base, n) == 0 &&
         memcmp(name + n, ENDING, ending) == 0;
}

/* Removes what killed programs left. Nothing here is an error: it is only tidied. */
static void remove_left(const char *prefix)
{
  const char *slash = strrchr(prefix, '/');
  const char *base = slash == NULL ? prefix : slash + 1;
  char *folder = slash == NULL ? strdup(".") : strndup(prefix, (size_t)(slash - prefix) + 1);
  DIR *d = folder != NULL ? opendir(folder) : NULL;
  free(folder);
  for (struct dirent *f = d ? readdir(d) : NULL; f != NULL; f = readdir(d)) {
    if (!is_temporary(f->d_name, base)) {
      continue;
    }
    int fd = openat(dirfd(d), f->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
      if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlinkat(dirfd(d), f->d_name, 0);
      }
      close(fd);
    }
  }
  if (d != NULL) {
    closedir(d);
  }
}

/* Between being made and being locked a file looks as if it was left: then it is made again. */
static int lock_new(int fd)
{
  struct stat s;
  while (flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) {
      return 0; /* a file system without locks: nobody else gets one either */
    }
  }
  return fstat(fd, &s) == 0 && s.st_nlink == 0 ? -1 : 0;
}

int rank_temp_create(const char *prefix, char **name)
{
  remove_left(prefix);
  for (int i = 0; i < ATTEMPTS; i++) {
    if (asprintf(name, "%s%sXXXXXX", prefix, ENDING) < 0) {
      *name = NULL;
      errno = ENOMEM;
      return -1;
    }
    int fd = mkostemp(*name, O_CLOEXEC);
    if (fd >= 0 && lock_new(fd) == 0) {
      return fd;
    }
    int error = errno;
    free(*name);
    *name = NULL;
    if (fd < 0) {
      errno = error;
      return -1;
    }
    close(fd);
  }
  errno = EAGAIN;
  return -1;
}
