/* fit_file.c: what the fits of a model have learnt: in files, and told to people. */

#include "fit.h"

#include <string.h>

int rank_fits_entries(const rank_fits *f, st_entry *entries, char (*names)[FIT_NAME])
{
  int n = 0;
  for (int i = 0; rank_fits_ready(f) && i < f->m->nfits; i++) {
    for (int k = 0; k < f->state[i].ntensors; k++, n++) {
      const fit_tensor *t = &f->state[i].tensor[k];
      snprintf(names[n], FIT_NAME, "fit.%s.%s", f->m->fits[i].name, t->key);
      entries[n] = (st_entry){.name = names[n],
        .dtype = t->type,
        .nshape = 2,
        .shape = {t->rows, t->columns},
        .data = t->data};
    }
  }
  return n;
}

static int load_tensor(
  fit_state *s, const rank_fit *fit, int which, const st_file *file, rank_error *e)
{
  char name[FIT_NAME];
  st_dtype type = fit->run->types[which];
  snprintf(name, sizeof name, "fit.%s.%s", fit->name, fit->run->keys[which]);
  const st_tensor *t = st_find(file, name);
  if (t == NULL || t->dtype != type || t->nshape != 2) {
    return rank_fail(e, "%s: %s%s tensor %s, which fit %s = %s(...) learns", file->path,
      t == NULL        ? "no"
      : type == ST_F64 ? "wanted F64"
      : type == ST_I32 ? "wanted I32"
                       : "wanted F32",
      t == NULL ? "" : " with two axes as", name, fit->name, fit->op);
  }
  fit_tensor *to = fit_add_as(s, fit->run->keys[which], type, t->shape[0], t->shape[1]);
  if (to == NULL) {
    return rank_fail(e, "out of memory: %s", name);
  }
  return st_read_bytes(file, t, to->data, e);
}

int rank_fits_load(rank_fits *f, const st_file *file, rank_error *e)
{
  const rank_model *m = f->m;
  char name[FIT_NAME];
  for (int i = 0; i < m->nfits; i++) {
    const rank_fit_op *op = m->fits[i].run;
    snprintf(name, sizeof name, "fit.%s.%s", m->fits[i].name, op->keys[0]);
    if (i == 0 && st_find(file, name) == NULL) {
      return 0;
    }
    rank_error why = {{0}};
    fit_forget(&m->fits[i], &f->state[i]);
    for (int k = 0; op->keys[k] != NULL; k++) {
      if (load_tensor(&f->state[i], &m->fits[i], k, file, e) != 0) {
        return -1;
      }
    }
    if (fit_get_ready(m, &m->fits[i], &f->state[i], &why) != 0) {
      return rank_fail(e, "%s: fit %s: %.900s", file->path, m->fits[i].name, why.text);
    }
  }
  f->ready = 1;
  return 0;
}

#ifndef RANK_SERVING

void rank_fits_info(const rank_fits *f, FILE *out, int json)
{
  fputs(json ? ", \"fits\": [" : "", out);
  for (int i = 0; rank_fits_ready(f) && i < f->m->nfits; i++) {
    const rank_fit *fit = &f->m->fits[i];
    if (json) {
      fprintf(out, "%s{\"name\": ", i > 0 ? ", " : "");
      rank_json_string(out, fit->name);
      fputs(", \"op\": ", out);
      rank_json_string(out, fit->op);
    }
    if (fit->run->info != NULL) {
      fit->run->info(f->m, fit, &f->state[i], out, json);
    }
    fputs(json ? "}" : "", out);
  }
  fputs(json ? "]" : "", out);
}

int rank_fits_write_lightgbm(const rank_fits *f, const char *name, FILE *out, rank_error *e)
{
  const rank_model *m = f->m;
  int found = -1;
  for (int i = 0; i < m->nfits; i++) {
    if (m->fits[i].run->write_lightgbm == NULL ||
        (name != NULL && strcmp(name, m->fits[i].name) != 0)) {
      continue;
    }
    if (found >= 0) {
      return rank_fail(e, "fits %s and %s have forests: which one? --fit NAME", m->fits[found].name,
        m->fits[i].name);
    }
    found = i;
  }
  if (found < 0) {
    return rank_fail(e, "%s%s has a forest",
      name != NULL ? "no fit called " : "no fit of this model", name != NULL ? name : "");
  }
  return rank_fits_ready(f)
           ? m->fits[found].run->write_lightgbm(&f->state[found], out, e)
           : rank_fail(e, "what fit %s learns is not in the weights", m->fits[found].name);
}

#endif
