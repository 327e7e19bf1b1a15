#ifndef RANK_DATA_TEXT_H
#define RANK_DATA_TEXT_H

/* Text files as records of fields, and the numbers in them. A field is a span in the reader's
 * buffer and lives until the next record is asked for. */

#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "rank_error.h"

typedef struct text_span {
  char *at;
  unsigned length;
  unsigned char quoted;
  unsigned char doubled; /* has "" inside, not yet made one */
} text_span;

/* Something to read, once or (regular files, spooled pipes) several times. */
typedef struct text_file {
  const char *name; /* as errors call it */
  int fd;
  int regular; /* has an identity: size and time */
  uint64_t size;
  int64_t seconds, nanoseconds; /* when it was last modified */
} text_file;

/* "-" is standard input. `again`: it will be read more than once, so a pipe is spooled first. */
int text_file_open(text_file *f, const char *path, int again, rank_error *e);
void text_file_close(text_file *f);
int text_file_changed(const text_file *f); /* since it was opened */
int text_temporary(void);                  /* an unlinked file in TMPDIR, else in memory; -1 */

typedef struct text_reader {
  const char *name;
  gzFile gz;     /* NULL: live */
  int fd;        /* of a live reader, which others' it is */
  uint64_t size; /* of the file, 0: not known */
  uint64_t base; /* live: where in the file buffer[0] is */
  char *buffer;  /* [start, end) is not consumed; newlines follow, always */
  size_t start, end, room;
  int begun, ended;
  long line, next_line; /* of the record, and of the one after; from 1 */
  long fills;           /* grows whenever the file is read */
  char separator;
  text_span *fields; /* of the record; in libsvm the indices */
  text_span *values; /* libsvm: one for each index */
  text_span target;  /* libsvm: at NULL when there is none */
  long nfields, room_fields;
} text_reader;

int text_start(text_reader *r, const text_file *f, char separator, rank_error *e);
/* Live: it never reads by itself, so that nobody waits who does not want to; text_more does. Plain text. */
int text_start_live(text_reader *r, const char *name, int fd, char separator, rank_error *e);
void text_stop(text_reader *r);
/* What one read gives: how many bytes, 0 when there are none (now, or ever), -1 on error. */
long text_more(text_reader *r, rank_error *e);
void text_seek(text_reader *r, uint64_t at, long line); /* the next record begins at `at` */
uint64_t text_place(const text_reader *r);              /* where the next record begins */

enum { TEXT_WAIT = 2 };
/* The next record: 1, 0 at the end, -1 on error; TEXT_WAIT: it is not whole yet (live). */
int text_csv(text_reader *r, rank_error *e);
int text_libsvm(text_reader *r, rank_error *e);
double text_fraction(const text_reader *r); /* of the file that was read, 0..1 */

/* A field for an error message, cut, with what does not print made visible. */
typedef struct text_shown {
  char text[64];
} text_shown;
text_shown text_show(const text_span *s);
text_span text_trim(text_span s); /* without blanks around it */

typedef enum number_status {
  NUMBER_OK,
  NUMBER_EMPTY,
  NUMBER_NAN,
  NUMBER_INFINITE, /* said so, or too large for a double */
  NUMBER_BAD
} number_status;

/* Decimal numbers, blanks around them allowed; the same double as strtod. */
number_status number_read(const text_span *s, double *x);
/* Whole numbers; 3.0 is one. What does not fit is cut to the ends of int64_t. */
number_status number_whole(const text_span *s, int64_t *x);

#endif
