/* check_fit_use.c: what may be done with the results of fits, said when the whole program is known. */

#include "check.h"

/* A request and its candidates are two batches; what a fit makes of one of them, no batch would hold. */
static void check_requests(Checker *c)
{
  for (int i = 0; i < c->g->inputs.n && c->g->fits.n > 0; i++) {
    const Input *in = &c->g->inputs.data[i];
    if (in->per_request) {
      fail(c, in->loc, "'%.*s' is per request, in a model that has fits; only one of the two works",
        STR_ARG(in->name));
      note(c, c->g->fits.data[0].loc, "a fit is here");
      return;
    }
  }
}

/* Where a node is first computed with. */
static Loc first_use(const Graph *g, const Node *x)
{
  for (int i = 0; i < g->nodes.n; i++) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; k < n->nin; k++) {
      if (n->in[k] == x && n->loc.source) {
        return n->loc;
      }
    }
  }
  return x->loc;
}

/* Arithmetic with NaN gives NaN, silently; only fits are told what is missing. */
static void check_missing(Checker *c)
{
  for (int i = 0; i < c->ninputs && i < c->g->inputs.n; i++) { /* room is ahead */
    const Input *in = &c->g->inputs.data[i];
    if (in->encoding.nan && c->inputs[i]) {
      fail(c, first_use(c->g, c->inputs[i]),
        "'%.*s' may be NaN (missing = nan): only a fit that knows missing values can read it",
        STR_ARG(in->name));
      note(c, in->loc, "declared here");
      return;
    }
  }
}

static bool makes(const Graph *g, int made, int input)
{
  for (int i = 0; i < g->fits.n; i++) {
    bool one = false, other = false;
    for (int k = 0; k < g->fits.data[i].nresults; k++) {
      one = one || g->fits.data[i].results[k] == made;
      other = other || g->fits.data[i].results[k] == input;
    }
    if (one) {
      return other;
    }
  }
  return false;
}

void check_fits(Checker *c)
{
  const Graph *g = c->g;
  check_requests(c);
  check_missing(c);
  for (int i = 0; i < g->inputs.n; i++) {
    const Input *made = &g->inputs.data[i];
    int axis = made->type.n > 1 ? made->type.axis[1] : AXIS_B;
    if (made->encoding.source != FROM_FIT || g->axes.data[axis].kind != AXIS_RAGGED) {
      continue;
    }
    for (int k = 0; k < g->inputs.n; k++) {
      const Input *in = &g->inputs.data[k];
      if (!makes(g, i, k) && type_has(in->type, axis)) {
        fail(c, in->loc, "'%.*s' cannot have axis '%.*s': the fit of '%.*s' makes its lists",
          STR_ARG(in->name), STR_ARG(g->axes.data[axis].name), STR_ARG(made->name));
        return;
      }
    }
  }
}
