/* process.c: see process.h. */

#include "process.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOT_STARTED = 127, SIGNALLED = 128 };

double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void process_add(Arena *a, Command *c, const char *word)
{
  *VEC_PUSH(a, &c->argv) = word;
}

void process_add_words(Arena *a, Command *c, const char *words)
{
  while (words && *words) {
    size_t n = strcspn(words, " ");
    if (n > 0) {
      process_add(a, c, str_copy(a, (Str){words, (int)n}).s);
    }
    words += n + (words[n] == ' ');
  }
}

Str process_text(Arena *a, const Command *c)
{
  Buf buf = {.arena = a};
  for (int i = 0; i < c->argv.n; i++) {
    buf_format(&buf, "%s%s", i ? " " : "", c->argv.data[i]);
  }
  return buf_take(&buf);
}

/* The arguments as exec wants them. */
static char **vector(Arena *a, const Command *c)
{
  char **argv = ARENA_ARRAY(a, char *, c->argv.n + 1);
  for (int i = 0; i < c->argv.n; i++) {
    argv[i] = (char *)c->argv.data[i];
  }
  return argv;
}

static pid_t start(Arena scratch, Command *c)
{
  extern char **environ;
  pid_t pid;
  int error = posix_spawnp(&pid, c->argv.data[0], NULL, NULL, vector(&scratch, c), environ);
  if (error != 0) {
    fprintf(stderr, "rankc: error: cannot run %s: %s\n", c->argv.data[0], strerror(error));
    c->exit_code = NOT_STARTED;
    return -1;
  }
  return pid;
}

bool process_found(const char *program)
{
  const char *path = strchr(program, '/') ? NULL : getenv("PATH");
  bool found = !path && access(program, X_OK) == 0;
  while (path && *path && !found) {
    char at[4096];
    int n = (int)strcspn(path, ":");
    int written = snprintf(at, sizeof at, "%.*s/%s", n, path, program);
    found = written > 0 && written < (int)sizeof at && access(at, X_OK) == 0;
    path += path[n] == ':' ? n + 1 : n;
  }
  if (!found) {
    fprintf(stderr, "rankc: error: cannot run %s: there is no such program\n", program);
  }
  return found;
}

static double milliseconds(struct timeval t)
{
  return (double)t.tv_sec * 1e3 + (double)t.tv_usec * 1e-3;
}

static int exit_code(int status)
{
  return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

bool process_run(Arena scratch, int n, Command *commands, int together)
{
  pid_t *pids = ARENA_ARRAY(&scratch, pid_t, n);
  double *started = ARENA_ARRAY(&scratch, double, n);
  int next = 0, running = 0;
  bool fine = true;
  while (next < n || running > 0) {
    if (next < n && running < together) {
      started[next] = now_ms();
      pids[next] = start(scratch, &commands[next]);
      running += pids[next] > 0;
      fine = fine && pids[next] > 0;
      next++;
      continue;
    }
    int status;
    struct rusage used;
    pid_t pid = wait4(-1, &status, 0, &used);
    if (pid < 0 && errno != EINTR) {
      return false;
    }
    for (int i = 0; i < next; i++) {
      if (pid > 0 && pids[i] == pid) {
        commands[i].ms = now_ms() - started[i];
        commands[i].cpu_ms = milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
        commands[i].exit_code = exit_code(status);
        fine = fine && commands[i].exit_code == 0;
        running--;
      }
    }
  }
  return fine;
}

bool process_exec(Arena scratch, Command *c)
{
  fflush(NULL);
  execvp(c->argv.data[0], vector(&scratch, c));
  fprintf(stderr, "rankc: error: cannot run %s: %s\n", c->argv.data[0], strerror(errno));
  return false;
}
