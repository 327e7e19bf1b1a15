/* files.c: see files.h. */

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

/* A message about `path`, with the system's reason; always false. */
static bool fail(const char *what, const char *path)
{
  fprintf(stderr, "rankc: error: cannot %s %s: %s\n", what, path, strerror(errno));
  return false;
}

/* A terminated copy of the text, in a buffer of the caller's; too long is an error of the user's. */
static bool terminated(Str s, char *to)
{
  if (s.n >= PATH_ROOM) {
    fprintf(stderr, "rankc: error: the path %.60s... is too long\n", s.s);
    return false;
  }
  memcpy(to, s.s, (size_t)s.n);
  to[s.n] = '\0';
  return true;
}

/* The rest of an open file, into the arena. Sizes are not trusted: pipes have none. */
static bool read_all(Arena *a, int fd, Str *text)
{
  Buf buf = {.arena = a};
  char piece[1 << 16];
  for (;;) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return false;
    }
    if (n == 0) {
      break;
    }
    if (buf.n > INT_MAX / 4) {
      errno = EFBIG;
      return false;
    }
    buf_str(&buf, (Str){piece, (int)n});
  }
  *text = buf_take(&buf);
  return true;
}

bool file_read(Arena *a, Str path, Str *text)
{
  char name[PATH_ROOM];
  if (!terminated(path, name)) {
    return false;
  }
  bool standard = str_eq(path, S("-"));
  int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail("open", name);
  }
  bool fine = read_all(a, fd, text) || fail("read", name);
  if (!standard) {
    close(fd);
  }
  return fine;
}

bool file_read_inside(Arena *a, Str folder, Str name, Str *text)
{
  Str path = str_format(a, "%.*s%.*s", STR_ARG(folder), STR_ARG(name));
  char *top = realpath(folder.n > 0 ? str_copy(a, folder).s : ".", NULL),
       *at = realpath(path.s, NULL);
  struct stat st;
  bool found = top && at && stat(at, &st) == 0, inside = false;
  if (found) {
    size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    inside = strncmp(at, top, n) == 0 && at[n] == '/' && S_ISREG(st.st_mode);
  }
  bool fine = inside && file_read(a, str_of(at), text);
  if (!found) {
    fail("open", path.s);
  } else if (!inside) {
    fprintf(
      stderr, "rankc: error: %s leads out of the model's folder, or is no plain file\n", path.s);
  }
  free(top);
  free(at);
  return fine;
}

static bool write_all(int fd, Str text)
{
  for (int at = 0; at < text.n;) {
    ssize_t n = write(fd, text.s + at, (size_t)(text.n - at));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return false;
    }
    at += (int)n;
  }
  return fsync(fd) == 0;
}

/* Whether the file already holds just this text. */
static bool same_text(const char *path, Str text)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  char piece[1 << 16];
  int at = 0;
  ssize_t n;
  while ((n = read(fd, piece, sizeof piece)) > 0) {
    if (n > text.n - at || memcmp(piece, text.s + at, (size_t)n) != 0) {
      break;
    }
    at += (int)n;
  }
  close(fd);
  return n == 0 && at == text.n;
}

bool file_write(Str folder, Str name, Str text, bool *changed)
{
  char path[2 * PATH_ROOM + 1], temporary[2 * PATH_ROOM + 16];
  char folder_z[PATH_ROOM], name_z[PATH_ROOM];
  if (!terminated(folder, folder_z) || !terminated(name, name_z)) {
    return false;
  }
  snprintf(path, sizeof path, "%s/%s", folder_z, name_z);
  bool same = same_text(path, text);
  if (changed) {
    *changed = !same;
  }
  if (same) {
    return true;
  }
  snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) {
    return fail("write", path);
  }
  mode_t mask = umask(0);
  umask(mask);
  bool fine = write_all(fd, text) && fchmod(fd, 0666 & ~mask) == 0;
  fine = close(fd) == 0 && fine;
  if (!fine || rename(temporary, path) != 0) {
    fail("write", path);
    unlink(temporary);
    return false;
  }
  return true;
}

bool file_exists(Str path)
{
  char name[PATH_ROOM];
  return path.n < PATH_ROOM && terminated(path, name) && access(name, F_OK) == 0;
}

bool folder_make(Str path)
{
  char name[PATH_ROOM];
  if (!terminated(path, name)) {
    return false;
  }
  for (char *p = name + (name[0] != '\0'); *p; p++) {
    if (*p == '/') {
      *p = '\0';
      if (mkdir(name, 0777) != 0 && errno != EEXIST) {
        return fail("make the folder", name);
      }
      *p = '/';
    }
  }
  if (mkdir(name, 0777) != 0 && errno != EEXIST) {
    return fail("make the folder", name);
  }
  struct stat st;
  if (stat(name, &st) != 0 || !S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return fail("make the folder", name);
  }
  return true;
}

bool folder_remove(Str path)
{
  char name[PATH_ROOM], entry[2 * PATH_ROOM];
  if (!terminated(path, name)) {
    return false;
  }
  DIR *dir = opendir(name);
  if (!dir) {
    return fail("open", name);
  }
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
      snprintf(entry, sizeof entry, "%s/%s", name, e->d_name);
      unlink(entry);
    }
  }
  closedir(dir);
  return rmdir(name) == 0 || fail("remove", name);
}

bool folder_temporary(Arena *a, Str inside, Str *path)
{
  Str pattern = str_format(a, "%.*s/.objects.XXXXXX", STR_ARG(inside));
  char *name = ARENA_ARRAY(a, char, pattern.n + 1);
  memcpy(name, pattern.s, (size_t)pattern.n + 1);
  if (!mkdtemp(name)) {
    return fail("make a folder in", name);
  }
  *path = str_of(name);
  return true;
}

Str path_join(Arena *a, Str folder, Str name)
{
  return str_format(a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(name));
}

Str path_plain(Arena *a, Str path)
{
  bool odd = path.n > 0 && (path.s[0] == '-' || path.s[0] == '@');
  return odd ? str_format(a, "./%.*s", STR_ARG(path)) : path;
}

bool name_is_plain(Str name)
{
  for (int i = 0; i < name.n; i++) {
    char c = name.s[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) {
      return false;
    }
  }
  return name.n > 0 && name.n <= 64;
}

Str file_stamp(Arena *a, Str path)
{
  char name[PATH_ROOM];
  struct stat st;
  if (!terminated(path, name) || stat(name, &st) != 0) {
    return (Str){0};
  }
  return str_format(a, "%lld bytes, %lld.%09ld", (long long)st.st_size,
    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

uint64_t folder_hash(Arena *a, Str path)
{
  char name[PATH_ROOM];
  DIR *dir = terminated(path, name) ? opendir(name) : NULL;
  uint64_t sum = 0;
  for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
    Str stamp = file_stamp(a, path_join(a, path, str_of(e->d_name)));
    sum += e->d_name[0] == '.' ? 0 : text_hash(str_format(a, "%s %.*s", e->d_name, STR_ARG(stamp)));
  }
  if (dir) {
    closedir(dir);
  }
  return sum;
}

/* FNV-1a, 64 bits. */
uint64_t text_hash(Str text)
{
  uint64_t h = 0xcbf29ce484222325u;
  for (int i = 0; i < text.n; i++) {
    h = (h ^ (unsigned char)text.s[i]) * 0x100000001b3u;
  }
  return h;
}
