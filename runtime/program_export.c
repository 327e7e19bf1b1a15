/* program_export.c: the command `export`: what a model has learnt, for other programs. */

#include "fit.h"
#include "program.h"

int program_export(const rank_model *m, const program_options *o)
{
  rank_error e = {{0}};
  program_model p;
  rank_file file = {0};
  if (program_open(&p, m, o->load, &e) != 0) {
    return program_error(m, &e);
  }
  int failed = rank_file_create(&file, o->lightgbm, &e);
  if (!failed && rank_fits_write_lightgbm(rank_encoders_fits(p.enc), o->fit, file.out, &e) != 0) {
    rank_file_discard(&file);
    failed = -1;
  }
  failed = failed || rank_file_commit(&file, &e) != 0;
  program_close(&p, m);
  if (failed) {
    return program_error(m, &e);
  }
  printf("saved to %s\n", o->lightgbm);
  return 0;
}
