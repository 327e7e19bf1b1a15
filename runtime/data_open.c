/* Opening data: learn, encode, map. One idea: both passes over the text are the same loop over
 * rows, and each is skipped when the cache has what it would give. */

#define _GNU_SOURCE

#include "data.h"
#include "data_rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct opening {
  const rank_model *m;
  rank_encoders *enc;
  const rank_data_options *o;
  const char *cache_dir; /* NULL: nothing to find again */
  text_file file;
  int pass, passes; /* over the text */
  rank_error *e;
} opening;

static void tell(const opening *x, double fraction)
{
  if (x->o->progress)
    x->o->progress(x->o->progress_arg, (x->pass + fraction) / x->passes);
}

/* The values of one input of a row: counted, or (w) encoded. */
static int take_input(const opening *x, data_rows *rows, int input, cache_writer *w)
{
  const text_span *cells;
  rank_error why;
  long bad = 0;
  long n = rows_cells(rows, input, &cells, x->e);
  if (n < 0)
    return -1;
  int failed;
  if (w) {
    void *room = cache_room(w, input, n);
    failed = room ? encode_cells(x->enc, input, cells, n, room, &bad, &why)
                  : rank_fail(&why, "out of memory");
  } else {
    failed = encode_count(x->enc, input, cells, n, &bad, &why);
  }
  return failed ? rows_fail(rows, input, bad, &why, x->e) : 0;
}

static int wants_input(const opening *x, int input, const cache_writer *w)
{
  int root = x->enc->inputs[input].root;
  return cache_has(x->m, input, x->o->labels) &&
         (w || encode_learns(x->enc, input) || encode_learns(x->enc, root));
}

static int read_rows(opening *x, cache_writer *w)
{
  data_rows rows;
  long fills = 0;
  int got = 0, failed = rows_open(&rows, x->m, &x->file, x->o->labels, x->e);
  if (failed)
    return -1;
  tell(x, 0);
  while (!failed && (got = rows_next(&rows, x->e)) > 0) {
    for (int i = 0; i < x->m->ninputs && !failed; i++)
      failed = wants_input(x, i, w) && take_input(x, &rows, i, w);
    if (!failed && w)
      failed = cache_row(w, rows.length, x->e);
    if (rows.text.fills != fills) {
      fills = rows.text.fills;
      tell(x, text_fraction(&rows.text));
    }
  }
  rows_close(&rows);
  if (!failed && got == 0 && text_file_changed(&x->file))
    failed = rank_fail(x->e, "%s: was changed while it was read", x->file.name);
  x->pass++;
  if (!failed && got == 0)
    tell(x, 0);
  return failed || got < 0 ? -1 : 0;
}

static int learn(opening *x)
{
  cache_path path = {{0}};
  size_t n = 0;
  if (x->cache_dir) {
    path =
      cache_path_of(x->cache_dir, data_key(x->m, &x->file, x->o->labels, "learnt", ""), "learnt");
    char *json = cache_load(path.text, &n);
    int found = json && !rank_encoders_from_json(x->enc, json, n, NULL);
    free(json);
    if (found) {
      x->passes = 1;
      return 0;
    }
  }
  encode_forget(x->enc);
  if (read_rows(x, NULL) || encode_finish(x->enc, x->e))
    return -1;
  if (!x->cache_dir)
    return 0;
  char *json = rank_encoders_json(x->enc);
  int failed = !json ? rank_fail(x->e, "out of memory")
                     : cache_store(x->cache_dir, path.text, json, strlen(json), x->e);
  free(json);
  return failed;
}

static cache *encode(opening *x, cache_key key)
{
  cache_writer *w = cache_create(x->m, x->o->labels, key, x->cache_dir, x->e);
  if (!w)
    return NULL;
  if (read_rows(x, w)) {
    cache_abandon(w);
    return NULL;
  }
  return cache_finish(w, x->e);
}

static int ids_within(const int32_t *id, uint64_t n, long width, long low, long high)
{
  int bad = 0;
  for (uint64_t i = 0; i < n; i++)
    bad |= (id[i * (uint64_t)width] < low) | (id[i * (uint64_t)width] >= high);
  return !bad;
}

int data_ids_fit(const rank_encoders *enc, const cache *c)
{
  const rank_model *m = c->m;
  for (uint64_t g = 0; g < c->groups; g++) {
    const cache_column *columns = c->columns + g * (uint64_t)(m->ndims + m->ninputs);
    uint64_t group = (uint64_t)1 << c->shift;
    uint64_t rows = g + 1 < c->groups ? group : c->rows - g * group;
    for (int i = 0; i < m->ninputs; i++) {
      const rank_input *in = &m->inputs[i];
      const long *offset = enc->inputs[enc->inputs[i].root].offset;
      int nvocab = m->inputs[enc->inputs[i].root].nvocab;
      if (!in->is_id || !offset || !cache_has(m, i, c->labels))
        continue;
      const int32_t *id = columns[m->ndims + i].at;
      uint64_t n = in->dim < 0 ? rows : ((const uint32_t *)columns[in->dim].at)[rows];
      long step = nvocab > 1 ? in->width : 1;
      n = nvocab > 1 ? n : n * (uint64_t)in->width;
      for (int k = 0; k < nvocab; k++)
        if (!ids_within(id + k, n, step, offset[k], offset[k + 1]))
          return 0;
    }
  }
  return 1;
}

static cache *find_or_encode(opening *x)
{
  cache_key key = {{0}};
  if (!x->cache_dir)
    return encode(x, key);
  char *json = rank_encoders_json(x->enc);
  if (!json) {
    rank_fail(x->e, "out of memory");
    return NULL;
  }
  key = data_key(x->m, &x->file, x->o->labels, "rows", json);
  free(json);
  int fd = open(cache_path_of(x->cache_dir, key, "rows").text, O_RDONLY | O_CLOEXEC);
  cache *found = fd >= 0 ? cache_map(x->m, x->o->labels, key, fd, 1) : NULL;
  if (found && data_ids_fit(x->enc, found))
    return found;
  cache_unmap(found);
  return encode(x, key);
}

static cache *open_file(opening *x, int fit)
{
  if (fit && learn(x))
    return NULL;
  if (!x->enc->fitted) {
    int i = 0;
    while (!encode_learns(x->enc, i))
      i++;
    rank_fail(x->e,
      "%s: input %s has an encoding that is learnt from training data, and was not yet",
      x->file.name, x->m->inputs[i].name);
    return NULL;
  }
  return find_or_encode(x);
}

rank_data *rank_data_open(const rank_model *m, rank_encoders *enc, const char *path,
  const rank_data_options *o, rank_error *e)
{
  opening x = {.m = m, .enc = enc, .o = o, .e = e};
  int fit = 0;
  for (int i = 0; i < m->ninputs && o->fit; i++)
    fit |= encode_learns(enc, i);
  x.passes = fit ? 2 : 1;
  if (encode_check(enc, e) || text_file_open(&x.file, path, fit, e))
    return NULL;
  if (o->cache_dir && o->cache_dir[0] && x.file.regular)
    x.cache_dir = o->cache_dir;
  rank_data *d = calloc(1, sizeof *d);
  cache *c = d ? open_file(&x, fit) : NULL;
  if (!d)
    rank_fail(e, "out of memory");
  text_file_close(&x.file);
  if (!c) {
    free(d);
    return NULL;
  }
  d->m = m;
  d->cache = c;
  d->fits = m->nfits > 0 ? enc->fits : NULL; /* without fits the encoders may go first */
  if (o->progress)
    o->progress(o->progress_arg, 1);
  return d;
}

void rank_data_close(rank_data *d)
{
  if (!d)
    return;
  cache_unmap(d->cache);
  free(d);
}

long rank_data_rows(const rank_data *d)
{
  return (long)d->cache->rows;
}

int rank_data_has_labels(const rank_data *d)
{
  return d->cache->labels;
}
