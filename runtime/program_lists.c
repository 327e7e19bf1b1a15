/* program_lists.c: `predict` of an output that is a list of items: a line for each item of each row, with
 * what brought its score.
 *
 * One idea: ids are printed as the data writes them, so that a line means the same to whoever wrote it. */

#include "lists.h"
#include "program.h"

#include <errno.h>
#include <string.h>

int program_list_output(const rank_model *m, const char *name, rank_error *e)
{
  int ordinary = 0, first = -1;
  for (int i = 0; i < m->noutputs; i++) {
    ordinary |= !m->outputs[i].hidden;
  }
  for (int i = 0; i < m->nlists; i++) {
    if (!m->lists[i].hidden && (name == NULL || strcmp(m->lists[i].name, name) == 0)) {
      first = first < 0 ? i : first;
    }
  }
  if (name != NULL && first < 0) {
    rank_fail(e, "--output %s: the model has no such output", name);
    return -2;
  }
  return name == NULL && ordinary ? -1 : first;
}

static void print_id(const program_list *l, int input, int32_t id, int json, FILE *out)
{
  char room[RANK_ID_TEXT];
  long length;
  const char *text = rank_encoders_text(l->enc, input, id, room, &length);
  if (json && text != room) {
    rank_json_bytes(out, text, length);
  } else {
    program_print_field(out, text, length);
  }
}

void program_list_header(const program_list *l, FILE *out)
{
  if (l->jsonl) {
    return;
  }
  fputs("row,rank,item,score", out);
  for (long r = 0; r < l->reasons; r++) {
    fprintf(out, ",because.%ld,part.%ld", r, r);
  }
  fputc('\n', out);
}

static void print_items(
  const program_list *l, const rank_batch *b, long row, int32_t first, int32_t end, FILE *out)
{
  const rank_list *x = &l->m->lists[l->list];
  const int32_t *item = b->input[x->item], *why = l->reasons > 0 ? b->input[x->because] : NULL;
  const rank_real *score = b->input[x->score], *part = why != NULL ? b->input[x->part] : NULL;
  for (int32_t k = first; k < end; k++) {
    fprintf(out, "%ld,%d,", row, (int)(k - first + 1));
    print_id(l, x->item, item[k], 0, out);
    fprintf(out, ",%.9g", (double)score[k]);
    for (long r = k * l->reasons; r < (k + 1) * l->reasons; r++) {
      fputc(',', out);
      if (why[r] >= 0) {
        print_id(l, x->because, why[r], 0, out);
        fprintf(out, ",%.9g", (double)part[r]);
      } else {
        fputc(',', out);
      }
    }
    fputc('\n', out);
  }
}

static void print_jsonl(
  const program_list *l, const rank_batch *b, long row, int32_t first, int32_t end, FILE *out)
{
  const rank_list *x = &l->m->lists[l->list];
  const int32_t *item = b->input[x->item], *why = l->reasons > 0 ? b->input[x->because] : NULL;
  const rank_real *score = b->input[x->score], *part = why != NULL ? b->input[x->part] : NULL;
  fprintf(out, "{\"row\": %ld, \"items\": [", row);
  for (int32_t k = first; k < end; k++) {
    fputs(k > first ? ", {\"item\": " : "{\"item\": ", out);
    print_id(l, x->item, item[k], 1, out);
    fprintf(out, ", \"score\": %.9g", (double)score[k]);
    for (long r = k * l->reasons; r < (k + 1) * l->reasons && why[r] >= 0; r++) {
      fputs(r == k * l->reasons ? ", \"because\": [{\"item\": " : ", {\"item\": ", out);
      print_id(l, x->because, why[r], 1, out);
      fprintf(out, ", \"part\": %.9g}", (double)part[r]);
      fputs(r + 1 == (k + 1) * l->reasons || why[r + 1] < 0 ? "]" : "", out);
    }
    fputc('}', out);
  }
  fputs("]}\n", out);
}

void program_list_rows(const program_list *l, const rank_batch *b, long done, FILE *out)
{
  const int32_t *offset = b->offset[l->m->inputs[l->m->lists[l->list].item].dim];
  for (long i = 0; i < b->n; i++) {
    (l->jsonl ? print_jsonl : print_items)(l, b, done + i, offset[i], offset[i + 1], out);
  }
}
