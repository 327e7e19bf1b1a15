/* program_info.c: the commands `info`, `init` and `synth`. */

#include "fit.h"
#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- what there is to tell --- */

static const char *shape_of(const rank_param *p, long rows, char text[200])
{
  int64_t shape[ST_MAX_RANK];
  for (int i = 0; i < p->nshape; i++) {
    shape[i] = i == 0 && p->table && p->shape[0] == 0 ? rows : p->shape[i];
  }
  return st_shape_text(shape, p->nshape, text, 200);
}

static const char *init_of(const rank_param *p, char text[80])
{
  switch (p->init) {
  case RANK_ZEROS:
    snprintf(text, 80, "zeros");
    break;
  case RANK_CONSTANT:
    snprintf(text, 80, "constant(%g)", p->init_a);
    break;
  case RANK_NORMAL:
    snprintf(text, 80, "normal(%g, %g)", p->init_a, p->init_b);
    break;
  case RANK_UNIFORM:
    snprintf(text, 80, "uniform(%g, %g)", p->init_a, p->init_b);
    break;
  }
  return text;
}

/* "id(1000, 500, 200)[L <= 50, 4]" */
static void print_type(FILE *out, const rank_model *m, const rank_input *in)
{
  fputs(in->is_id ? "id" : "f32", out);
  if (in->is_id && in->same_as >= 0) {
    fprintf(out, "(%s)", m->inputs[in->same_as].name);
  } else if (in->is_id) {
    for (int i = 0; i < in->nvocab; i++) {
      fprintf(out, in->vocab[i] > 0 ? "%s%ld" : "%svocab", i == 0 ? "(" : ", ", in->vocab[i]);
    }
    fputs(in->nvocab > 0 ? ")" : "(vocab)", out);
  }
  if (in->dim >= 0) {
    fprintf(out, "[%s <= %ld", m->dims[in->dim].name, m->dims[in->dim].max);
  }
  if (in->width != 1) {
    fprintf(out, "%s%ld", in->dim >= 0 ? ", " : "[", in->width);
  }
  fputs(in->dim >= 0 || in->width != 1 ? "]" : "", out);
}

static void print_source(FILE *out, const rank_encoding *enc)
{
  static const char *const words[] = {[RANK_FROM_INDICES] = "indices",
    [RANK_FROM_VALUES] = "values",
    [RANK_FROM_TARGET] = "target",
    [RANK_FROM_FIT] = "a fit"};
  int n = enc->ncolumns;
  switch (enc->source) {
  case RANK_FROM_NAMES:
    fprintf(out,
      n > 2    ? "\"%s\" .. \"%s\""
      : n == 2 ? "\"%s\", \"%s\""
               : "\"%s\"",
      enc->columns[0], enc->columns[n - 1]);
    break;
  case RANK_FROM_POSITIONS:
    fprintf(out,
      n > 2    ? "%d .. %d"
      : n == 2 ? "%d, %d"
               : "%d",
      enc->positions[0], enc->positions[n - 1]);
    break;
  case RANK_FROM_INDICES:
  case RANK_FROM_VALUES:
  case RANK_FROM_TARGET:
  case RANK_FROM_FIT:
    fputs(words[enc->source], out);
    break;
  }
}

static void print_encoding(FILE *out, const rank_encoding *enc)
{
  const struct {
    int on;
    const char *word;
  } rows[] = {{enc->log1p, "log1p"}, {enc->standardize, "standardize"}, {enc->hash, "hash"},
    {enc->vocab, "vocab"}, {enc->nbuckets > 0, "bucketize"}, {enc->keep_last, "keep = last"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fprintf(out, "%s%s", rows[i].on ? ", " : "", rows[i].on ? rows[i].word : "");
  }
  if (enc->nan) {
    fprintf(out, ", missing = nan");
  } else if (enc->has_missing) {
    fprintf(out, ", missing = %g", enc->missing);
  }
}

static double total(const rank_model *m, const long *rows)
{
  double n = 0;
  for (int p = 0; p < m->nparams; p++) {
    n += (double)rows[p] * (double)m->params[p].width;
  }
  return n;
}

/* --- text --- */

static void print_format(const rank_model *m)
{
  if (m->libsvm) {
    printf("data: libsvm, indices from %d\n", m->libsvm_base);
  } else {
    printf(m->separator == '\t' ? "data: CSV, separated by tabs, %s\n" : "data: CSV, %s\n",
      m->header ? "with a header" : "without a header");
  }
}

static void print_params(const rank_model *m, const long *rows)
{
  char shape[200], init[80], count[32], bytes[32];
  printf("parameters:\n");
  for (int p = 0; p < m->nparams; p++) {
    const rank_param *param = &m->params[p];
    printf("  %-5s %s : %s%s ~ %s", param->table ? "table" : "param", param->name,
      sizeof(rank_real) == 4 ? "f32" : "f64",
      param->nshape > 0 ? shape_of(param, rows[p], shape) : "", init_of(param, init));
    if (rows[p] == 0) {
      printf("  (a row for each id of %s, once learnt)", m->inputs[param->vocab_of].name);
    }
    putchar('\n');
  }
  double n = total(m, rows);
  printf("  %s in all, %s bytes; with optimizer state %s bytes\n", rank_count_text(n, count),
    rank_count_text(n * (double)sizeof(rank_real), bytes),
    rank_count_text(n * (double)sizeof(rank_real) * (1 + m->nstates), shape));
}

static void print_info(const rank_model *m, const long *rows, const program_model *p)
{
  printf("model %s: %s\nmade by rankc %s, layout %016llx\n", m->name, m->doc != NULL ? m->doc : "",
    m->rankc, (unsigned long long)m->layout);
  print_format(m);
  printf("inputs:\n");
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    printf("  %-5s %s : ", in->label ? "label" : "input", in->name);
    print_type(stdout, m, in);
    printf(" from ");
    print_source(stdout, &in->encoding);
    print_encoding(stdout, &in->encoding);
    putchar('\n');
  }
  print_params(m, rows);
  printf("outputs:\n");
  for (int i = 0; i < m->noutputs && !m->outputs[i].hidden; i++) {
    char shape[200];
    int64_t extent[ST_MAX_RANK];
    for (int k = 0; k < m->outputs[i].nshape; k++) {
      extent[k] = m->outputs[i].shape[k];
    }
    printf("  %s%s\n", m->outputs[i].name,
      m->outputs[i].nshape > 0 ? st_shape_text(extent, m->outputs[i].nshape, shape, sizeof shape)
                               : "");
  }
  for (int i = 0; i < m->nlists; i++) {
    if (!m->lists[i].hidden) {
      printf("  %s, the best %ld items\n", m->lists[i].name,
        m->dims[m->inputs[m->lists[i].item].dim].max);
    }
  }
  for (int i = 0; i < m->nmetrics; i++) {
    printf(
      "%s%s%s", i == 0 ? "metrics: " : ", ", m->metrics[i].text, i + 1 < m->nmetrics ? "" : "\n");
  }
  if (m->solver != NULL) {
    printf("solver: %s, l2 %g, tolerance %g; row by row:\n", m->solver, m->l2, m->tolerance);
  }
  printf("optimizer: %s, lr %g, batch %ld, epochs %ld, seed %ld\n",
    m->optimizer != NULL && m->optimizer[0] != '\0' ? m->optimizer : "none", m->lr, m->batch,
    m->epochs, m->seed);
  if (p->loaded) {
    printf("weights: step %llu, epoch %ld%s, seed %llu\n", (unsigned long long)p->state.step,
      p->at.epoch, p->at.batches > 0 ? " and part of the next" : "",
      (unsigned long long)p->at.seed);
    rank_fits_info(rank_encoders_fits(p->enc), stdout, 0);
  }
}

/* --- JSON --- */

static void json_shape(const long *shape, int n, long first)
{
  printf(", \"shape\": [");
  for (int i = 0; i < n; i++) {
    printf("%s%ld", i ? ", " : "", i == 0 && shape[0] == 0 ? first : shape[i]);
  }
  putchar(']');
}

static void json_inputs(const rank_model *m, const rank_encoders *enc)
{
  printf("\"inputs\": [");
  for (int i = 0; i < m->ninputs; i++) {
    const rank_input *in = &m->inputs[i];
    printf("%s{\"name\": ", i ? ", " : "");
    rank_json_string(stdout, in->name);
    printf(", \"kind\": \"%s\", \"label\": %s, \"width\": %ld", in->is_id ? "id" : "number",
      in->label ? "true" : "false", in->width);
    if (in->is_id) {
      printf(", \"size\": %ld, \"sizes\": [", rank_encoders_size(enc, i));
      for (int v = 0; v < in->nvocab; v++) {
        printf("%s%ld", v ? ", " : "", in->vocab[v]);
      }
      putchar(']');
    }
    if (in->dim >= 0) {
      printf(", \"dim\": ");
      rank_json_string(stdout, m->dims[in->dim].name);
      printf(", \"max\": %ld", m->dims[in->dim].max);
    }
    putchar('}');
  }
  putchar(']');
}

static void json_info(const rank_model *m, const long *rows, const program_model *p)
{
  printf("{\"model\": ");
  rank_json_string(stdout, m->name);
  printf(", \"doc\": ");
  rank_json_string(stdout, m->doc != NULL ? m->doc : "");
  printf(", \"rankc\": ");
  rank_json_string(stdout, m->rankc);
  printf(", \"layout\": \"%016llx\", \"real\": \"%s\", ", (unsigned long long)m->layout,
    sizeof(rank_real) == 4 ? "f32" : "f64");
  printf("\"data\": \"%s\", ", m->libsvm ? "libsvm" : "csv");
  json_inputs(m, p->enc);
  printf(", \"params\": [");
  for (int i = 0; i < m->nparams; i++) {
    printf("%s{\"name\": ", i ? ", " : "");
    rank_json_string(stdout, m->params[i].name);
    printf(", \"table\": %s", m->params[i].table ? "true" : "false");
    json_shape(m->params[i].shape, m->params[i].nshape, rows[i]);
    putchar('}');
  }
  printf("], \"parameters\": %.0f, \"outputs\": [", total(m, rows));
  for (int i = 0; i < m->noutputs && !m->outputs[i].hidden; i++) {
    printf("%s{\"name\": ", i ? ", " : "");
    rank_json_string(stdout, m->outputs[i].name);
    json_shape(
      m->outputs[i].shape, m->outputs[i].nshape, m->outputs[i].nshape ? m->outputs[i].shape[0] : 0);
    putchar('}');
  }
  printf("], \"metrics\": [");
  for (int i = 0; i < m->nmetrics; i++) {
    fputs(i ? ", " : "", stdout);
    rank_json_string(stdout, m->metrics[i].text);
  }
  printf("], \"solver\": ");
  rank_json_string(stdout, m->solver != NULL ? m->solver : "");
  printf(", \"optimizer\": ");
  rank_json_string(stdout, m->optimizer != NULL ? m->optimizer : "");
  printf(", \"states\": [");
  for (int k = 0; k < m->nstates; k++) {
    fputs(k ? ", " : "", stdout);
    rank_json_string(stdout, m->state_names[k]);
  }
  printf("], \"lr\": %.10g, \"batch\": %ld, \"epochs\": %ld, \"seed\": %ld", m->lr, m->batch,
    m->epochs, m->seed);
  if (p->loaded) {
    printf(", \"weights\": {\"step\": %llu, \"epoch\": %ld, \"seed\": %llu}",
      (unsigned long long)p->state.step, p->at.epoch, (unsigned long long)p->at.seed);
    rank_fits_info(rank_encoders_fits(p->enc), stdout, 1);
  }
  printf("}\n");
}

/* --- commands --- */

int program_info(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  program_model p;
  if (program_open(&p, m, o->load, &e) != 0) {
    return program_error(m, &e);
  }
  long *rows = calloc((size_t)m->nparams + 1, sizeof *rows);
  int failed = rows == NULL ? rank_fail(&e, "out of memory") : 0;
  if (!failed && p.loaded) {
    failed = program_fill(&p, m, 0, 0, 1, &e);
    for (int i = 0; i < m->nparams && !failed; i++) {
      rows[i] = p.state.rows[i];
    }
  } else if (!failed) { /* learnt sizes are not known and stay 0 */
    failed = rank_state_rows(m, NULL, rows, &e);
  }
  if (!failed) {
    (o->json ? json_info : print_info)(m, rows, &p);
  }
  free(rows);
  program_close(&p, m);
  return failed ? program_error(m, &e) : 0;
}

int program_init(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  program_model p;
  uint64_t seed = o->has_seed ? o->seed : (uint64_t)m->seed;
  if (program_open(&p, m, NULL, &e) != 0) {
    return program_error(m, &e);
  }
  int failed = program_fill(&p, m, 0, seed, (int)program_processors(), &e) ||
               rank_weights_save(
                 o->save, m, &p.state, NULL, rank_encoders_fitted(p.enc) ? p.enc : NULL, NULL, &e);
  program_close(&p, m);
  if (failed) {
    return program_error(m, &e);
  }
  printf("saved to %s\n", o->save);
  return 0;
}

int program_synth(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  rank_file file = {0};
  rank_synth synth = {.rows = o->rows, .seed = o->has_seed ? o->seed : 1, .funnel = o->funnel};
  int failed = o->out != NULL ? rank_file_create(&file, o->out, &e) : 0;
  if (!failed) {
    failed = rank_synth_write(m, &synth, o->out != NULL ? file.out : stdout, &e);
  }
  if (file.out != NULL && !failed) {
    failed = rank_file_commit(&file, &e);
  } else if (file.path != NULL) {
    rank_file_discard(&file);
  }
  return failed ? program_error(m, &e) : 0;
}
