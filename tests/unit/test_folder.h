#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

/* A folder of a test program's own, and whole files in it. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64] = "/tmp/rank-test-XXXXXX";

/* The file's path; stays as it is until the program ends. */
static inline const char *path_of(const char *name)
{
  static char text[32][96];
  static int n;
  char path[96];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  for (int i = 0; i < n; i++) {
    if (strcmp(text[i], path) == 0) {
      return text[i];
    }
  }
  assert_true(n < 32);
  return strcpy(text[n++], path);
}

static inline char *read_file(const char *path, size_t *n)
{
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  char *bytes = malloc(1 << 20);
  assert_non_null(bytes);
  *n = fread(bytes, 1, 1 << 20, in);
  fclose(in);
  return bytes;
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
  FILE *out = fopen(path, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, n, out), n);
  fclose(out);
}

static inline void assert_same_files(const char *a, const char *b)
{
  size_t n, k;
  char *x = read_file(a, &n), *y = read_file(b, &k);
  assert_int_equal(n, k);
  assert_memory_equal(x, y, n);
  free(x);
  free(y);
}

static inline int files_in_folder(void)
{
  DIR *d = opendir(folder);
  int n = 0;
  assert_non_null(d);
  while (readdir(d) != NULL) {
    n++;
  }
  closedir(d);
  return n;
}

static inline int set_up_folder(void **state)
{
  (void)state;
  if (access("/dev/shm", W_OK) == 0) { /* in memory: syncing costs nothing */
    strcpy(folder, "/dev/shm/rank-test-XXXXXX");
  }
  return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int tear_down_folder(void **state)
{
  (void)state;
  DIR *d = opendir(folder);
  for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    unlink(path);
  }
  closedir(d);
  return rmdir(folder);
}

#endif
