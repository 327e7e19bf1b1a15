#ifndef RANK_ONLINE_H
#define RANK_ONLINE_H

/* Learning from rows as they come: each is scored, then learnt, and only then is the next one looked at. */

#include "rank_runtime.h"
#include "stream.h"

typedef struct rank_online {
  const rank_model *m;
  rank_state *s;
  const rank_encoders *enc;
  rank_stream *stream;
  double lr;
  long batch;      /* rows of a step */
  long log_every;  /* rows between lines */
  long checkpoint; /* rows between saves, 0: by time alone */
  double seconds;  /* most between a row that was learnt and its save */
  int follow, ack; /* ack: how many rows are safe goes to standard output, a line after each save */
  const char *save;
  rank_log *log;
  rank_position at;
  const volatile int *stop; /* a signal's number asks to stop after the step */
} rank_online;

enum { RANK_ONLINE_BLOCK = 256 }; /* rows that are taken at once, when steps are of one */

/* 0: the stream ended, and everything is saved; 1: stopped by *stop, and saved; -1: rows before the one that
 * the error is about are saved, unless the error says otherwise. */
int rank_online_learn(rank_online *o, rank_error *e);

#endif
