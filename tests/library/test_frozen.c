/* test_frozen.c: what opening a frozen library of FM with FILE (-: with NULL) says; 0: it opened and predicts. */

#include "fm.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
  char why[300];
  fm *model;
  int status =
    fm_open(&model, argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL, why, sizeof why);
  if (status != FM_OK) {
    fprintf(stderr, "%s: %s\n", fm_status(status), why);
    return model != NULL || status != FM_BAD_FILE ? 3 : 1;
  }
  static _Alignas(64) char scratch[1 << 20];
  int32_t field[] = {17, 1250, 1600}, wrong[] = {17, 17, 1600};
  float dense[] = {0.5f, -1, 2}, ctr = -1;
  fm_inputs in = {.n = 1, .field = field, .dense = dense};
  if (fm_scratch(model, &in) > sizeof scratch ||
      fm_predict(model, &in, &(fm_outputs){&ctr}, scratch) != FM_OK || !(ctr > 0 && ctr < 1)) {
    return 2;
  }
  in.field = wrong;
  if (fm_predict(model, &in, &(fm_outputs){&ctr}, scratch) != FM_BAD_ID ||
      fm_explain(model, &in, why, sizeof why) != FM_BAD_ID ||
      strstr(why, "input field, row 0: id 17") == NULL) {
    return 2;
  }
  fm_close(model);
  fm_close(NULL);
  return 0;
}
