/* server.c [PORT]: an ad server: POST / {"hour": 9, "hist": [4, 8, 15], "ads": [17, 120], "bids": [0.5, 1]} answers
 * [{"ad": 120, "ctr": 0.31}, ...], the likeliest first. PORT 0: any; it is printed. Ends with standard input.
 *
 * One idea: a request has a bounded size, so that all it needs is one struct; whatever is wrong with it is a 4xx. */

#include "ads.h"

#define JSMN_STRICT
#include <jsmn.h>
#include <microhttpd.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ADS = 500, MOST_HIST = 20, BODY = 1 << 15, TOKENS = 2 * MOST_ADS + MOST_HIST + 9 };

typedef struct answer {
  int32_t ad;
  float ctr;
} answer;

typedef struct call { /* one request on its way, with room for all it may be */
  char body[BODY + 1], reply[64 * MOST_ADS];
  size_t length;
  jsmntok_t tokens[TOKENS];
  int32_t hour, hist[MOST_HIST], ad[MOST_ADS];
  float bid[MOST_ADS], ctr[MOST_ADS];
  answer ranked[MOST_ADS];
} call;

static ads *model;

/* A number at a token; its end must be the token's. */
static int number(const call *c, const jsmntok_t *t, double *x)
{
  char *end;
  *x = t->type == JSMN_PRIMITIVE ? strtod(c->body + t->start, &end) : 0;
  return t->type == JSMN_PRIMITIVE && end == c->body + t->end && isfinite(*x) ? 0 : -1;
}

/* The numbers of an array, as ids or as they are; how many, -1: it is none, or too long. */
static int numbers(const call *c, const jsmntok_t *t, int most, int32_t *ids, float *reals)
{
  double x;
  for (int i = 0; i < t->size && t->type == JSMN_ARRAY && t->size <= most; i++) {
    if (number(c, t + 1 + i, &x) != 0 || (ids != NULL && (fabs(x) > INT32_MAX || x != floor(x)))) {
      return -1;
    }
    ids != NULL ? (void)(ids[i] = (int32_t)x) : (void)(reals[i] = (float)x);
  }
  return t->type == JSMN_ARRAY && t->size <= most ? t->size : -1;
}

static int by_ctr(const void *a, const void *b)
{
  const answer *x = a, *y = b;
  return x->ctr != y->ctr ? (x->ctr < y->ctr ? 1 : -1) : x->ad - y->ad;
}

static int is(const call *c, const jsmntok_t *t, const char *word)
{
  return t->type == JSMN_STRING && (size_t)(t->end - t->start) == strlen(word) &&
         memcmp(c->body + t->start, word, strlen(word)) == 0;
}

/* What is wrong with the body, or the ads, into the reply. The status. */
static unsigned rank_ads(call *c)
{
  jsmn_parser parser;
  jsmn_init(&parser);
  int n = jsmn_parse(&parser, c->body, c->length, c->tokens, TOKENS), hist = 0, count = -1,
      bids = -1;
  int good = n > 0 && c->tokens[0].type == JSMN_OBJECT;
  double hour = 0.5;
  for (int i = 1; good && i + 1 < n;
       i += 2 + c->tokens[i + 1].size) { /* none of the values is nested */
    const jsmntok_t *key = &c->tokens[i], *value = key + 1;
    good = key->size != 1       ? 0
           : is(c, key, "hour") ? number(c, value, &hour) == 0
           : is(c, key, "hist") ? (hist = numbers(c, value, MOST_HIST, c->hist, NULL)) >= 0
           : is(c, key, "ads")  ? (count = numbers(c, value, MOST_ADS, c->ad, NULL)) >= 0
           : is(c, key, "bids") ? (bids = numbers(c, value, MOST_ADS, NULL, c->bid)) >= 0
                                : 0;
  }
  if (!good || count < 0 || bids != count || hour != floor(hour) || fabs(hour) > INT32_MAX) {
    strcpy(
      c->reply, "wanted {\"hour\": 9, \"hist\": [4, 8], \"ads\": [17, 120], \"bids\": [0.5, 1]}\n");
    return MHD_HTTP_BAD_REQUEST;
  }
  c->hour = (int32_t)hour;
  ads_request request = {.L_length = hist, .hour = &c->hour, .hist = c->hist};
  ads_candidates candidates = {.n = count, .ad = c->ad, .bid = c->bid};
  void *scratch = malloc(ads_rank_scratch(model, count));
  int status = ads_rank(model, &request, &candidates, &(ads_outputs){.ctr = c->ctr}, scratch);
  free(scratch);
  if (status != ADS_OK) {
    ads_rank_explain(
      model, &request, &candidates, c->reply, sizeof c->reply); /* "input ad, row 3: id ..." */
    return status == ADS_NO_MEMORY ? MHD_HTTP_INTERNAL_SERVER_ERROR
                                   : MHD_HTTP_UNPROCESSABLE_CONTENT;
  }
  for (int i = 0; i < count; i++) {
    c->ranked[i] = (answer){c->ad[i], c->ctr[i]};
  }
  qsort(c->ranked, (size_t)count, sizeof *c->ranked, by_ctr);
  int at = snprintf(c->reply, sizeof c->reply, "[");
  for (int i = 0; i < count; i++) {
    at += snprintf(c->reply + at, sizeof c->reply - (size_t)at, "%s{\"ad\": %d, \"ctr\": %.6g}",
      i > 0 ? ", " : "", (int)c->ranked[i].ad, (double)c->ranked[i].ctr);
  }
  snprintf(c->reply + at, sizeof c->reply - (size_t)at, "]\n");
  return MHD_HTTP_OK;
}

static enum MHD_Result send_reply(struct MHD_Connection *to, unsigned status, const char *text)
{
  struct MHD_Response *r =
    MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
  enum MHD_Result sent = r != NULL ? MHD_queue_response(to, status, r) : MHD_NO;
  MHD_destroy_response(r);
  return sent;
}

/* Called when a request's head is there, for each piece of its body, and at its end. */
static enum MHD_Result answer_call(void *arg, struct MHD_Connection *from, const char *url,
  const char *method, const char *version, const char *data, size_t *size, void **state)
{
  (void)arg, (void)version;
  call *c = *state;
  if (c == NULL) {
    *state = calloc(1, sizeof *c);
    return *state != NULL ? MHD_YES : MHD_NO;
  }
  if (*size > 0) { /* what is too long is read and forgotten */
    if (*size <= BODY - (c->length < BODY ? c->length : BODY)) {
      memcpy(c->body + c->length, data, *size);
      c->length += *size;
    } else {
      c->length = BODY + 1;
    }
    *size = 0;
    return MHD_YES;
  }
  if (strcmp(url, "/") != 0) {
    return send_reply(from, MHD_HTTP_NOT_FOUND, "there is only /\n");
  }
  if (strcmp(method, "POST") != 0) {
    return send_reply(from, MHD_HTTP_METHOD_NOT_ALLOWED, "POST\n");
  }
  unsigned status = c->length <= BODY ? rank_ads(c) : MHD_HTTP_CONTENT_TOO_LARGE;
  return send_reply(from, status, c->length <= BODY ? c->reply : "too long\n");
}

static void forget(
  void *arg, struct MHD_Connection *from, void **state, enum MHD_RequestTerminationCode why)
{
  (void)arg, (void)from, (void)why;
  free(*state);
}

int main(int argc, char **argv)
{
  char why[300];
  if (ads_open(&model, NULL, why, sizeof why) !=
      ADS_OK) { /* frozen: the weights are in the library */
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG,
    (uint16_t)(argc > 1 ? atoi(argv[1]) : 8080), NULL, NULL, answer_call, NULL,
    MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_NOTIFY_COMPLETED, forget, NULL,
    MHD_OPTION_CONNECTION_LIMIT, 256u, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
  if (daemon == NULL) {
    return 1;
  }
  printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
  fflush(stdout);
  while (getchar() != EOF) {
  }
  MHD_stop_daemon(daemon);
  ads_close(model);
  return 0;
}
