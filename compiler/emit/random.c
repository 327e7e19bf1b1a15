/* random.c: the text of a random number.
 *
 * One idea: a number follows from the site in the program, the step, the sample and the place in the value
 * alone, so that it is the same wherever and how often it is computed. */

#include "writer.h"

Str random_text(Emit *e, const Env *env, const Node *n)
{
  Buf b = {.arena = e->arena};
  long k = 1;
  int power = 0, of = -1; /* of whose samples; further batch axes make pairs with them */
  for (int i = n->type.n - 1; i >= 0; i--) {
    int axis = n->type.axis[i];
    if (e->g->axes.data[axis].kind != AXIS_BATCH) {
      put_term(e, &b, env->index[axis], k);
      k *= axis_extent(e->g, axis);
    } else if (of != AXIS_B) {
      of = axis;
    }
  }
  for (int i = n->type.n - 1; i >= 0; i--) {
    int axis = n->type.axis[i];
    if (e->g->axes.data[axis].kind == AXIS_BATCH && axis != of) {
      put_term(e, &b, across_text(e, env->index[axis], power++), k);
    }
  }
  Str sample = of < 0 ? S("0") : env->index[of];
  if (of == AXIS_B && !env->absolute) {
    sample = put_text(e, "s0 + %.*s", STR_ARG(sample));
  }
  return put_text(e,
    "(rank_real)rank_random_at(step->random[%d], (uint64_t)(%.*s), (uint64_t)(%.*s))", n->leaf,
    STR_ARG(sample), STR_ARG(b.n > 0 ? buf_take(&b) : S("0")));
}
