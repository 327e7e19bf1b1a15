#ifndef RANK_SYNTH_H
#define RANK_SYNTH_H

/* Shared by synth.c (writing) and synth_rows.c (drawing rows and their labels). */

#include "rank_runtime.h"

enum { SYNTH_GROUPS = 8, SYNTH_PARTS = 3, SYNTH_LEARNT = 1000 /* words of an open vocabulary */ };

/* How one label value follows from a row: three parts brought to mean 0 and deviation 1, summed with
 * weights, scaled and shifted. */
typedef struct synth_teacher {
  double mean[SYNTH_PARTS], sd[SYNTH_PARTS];
  double scale, bias;
} synth_teacher;

typedef struct synth {
  const rank_model *m;
  const rank_synth *o;
  unsigned char *unseen; /* per input: its columns belong to another */
  int has_labels;
  int nlabels; /* label values: over all label inputs and their positions */
  synth_teacher *teacher;
  /* the row drawn last */
  long row;
  long *length;         /* per ragged axis */
  int64_t **id;         /* per input: [length][width] */
  double **number;      /* likewise; of an id input: what is bucketized */
  unsigned char *label; /* per label value: 0 or 1 */
  double *level;        /* per label value: its standard score, for labels of many classes */
} synth;

int synth_new(synth *s, const rank_model *m, const rank_synth *o, rank_error *e);
void synth_free(synth *s);
/* Draws row `row`: depends on nothing but the seed and the row. */
void synth_draw(synth *s, long row);
/* How large the vocabulary of an input's position is. */
long synth_universe(const rank_model *m, int input, long position);
/* Elements of the row's input: rows times width. */
long synth_elements(const synth *s, int input);
/* Uniform in (0, 1) by what it is for. */
double synth_uniform(const synth *s, int what, long row, int input, long element);

#endif
