/* check_fit_use.c: what may be done with the results of fits, said when the whole program is known. */

#include "check.h"

/* A request and its candidates are two batches, and a fit computes what it computes from one of them. Its
 * results belong to the same. */
static bool check_request(Checker *c, const Fitted *fit)
{
  const Input *request = NULL, *candidate = NULL;
  Input *inputs = c->g->inputs.data;
  for (int k = 0; k < fit->nsources; k++) {
    const Input *in = fit->sources[k] >= 0 ? &inputs[fit->sources[k]] : NULL;
    request = in && in->per_request ? in : request;
    candidate = in && !in->per_request ? in : candidate;
  }
  if (request && candidate) {
    fail(c, fit->loc, "'%.*s' is per request and '%.*s' is not: a fit reads one or the other",
      STR_ARG(request->name), STR_ARG(candidate->name));
    note(c, request->loc, "'%.*s' is declared here", STR_ARG(request->name));
    return false;
  }
  for (int k = 0; k < fit->nresults; k++) {
    inputs[fit->results[k]].per_request = request != NULL;
  }
  return true;
}

static void check_requests(Checker *c)
{
  const Graph *g = c->g;
  for (int i = 0; i < g->inputs.n && g->ranked.n > 0; i++) {
    if (g->inputs.data[i].per_request) {
      fail(c, g->inputs.data[i].loc,
        "'%.*s' is per request, in a model with ranked outputs; only one of the two works",
        STR_ARG(g->inputs.data[i].name));
      return;
    }
  }
  for (int i = 0; i < g->fits.n; i++) {
    if (!check_request(c, &g->fits.data[i])) {
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
