/* client.c PORT CONNECTIONS REQUESTS: load on server.c from as many threads as there are connections, REQUESTS each:
 * most are good, the others are what servers get. Every answer is looked at: its status, that all ads are in it,
 * that scores fall, that the same request always has the same answer. Prints requests a second and latencies. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ADS = 100, ROOM = 1 << 17, KINDS = 12 };

static int port, requests;
static char wanted[ROOM]; /* the answer to a good request */

typedef struct worker {
  pthread_t thread;
  double *seconds; /* of each good request */
  int good, failed;
} worker;

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int connect_to(void)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct timeval wait = {.tv_sec = 20};
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (connect(s, (struct sockaddr *)&at, sizeof at) != 0) {
    close(s);
    return -1;
  }
  return s;
}

/* Sends and reads one answer into text: its status, and the body behind the head; 0: there was none. */
static int ask(int s, const char *body, size_t length, char *text, char **answer)
{
  int head =
    snprintf(text, ROOM, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", length);
  if (send(s, text, (size_t)head, MSG_NOSIGNAL) != head ||
      send(s, body, length, MSG_NOSIGNAL) != (ssize_t)length) {
    return 0;
  }
  for (size_t have = 0; have < ROOM - 1;) {
    ssize_t n = recv(s, text + have, ROOM - 1 - have, 0);
    if (n <= 0) {
      return 0;
    }
    have += (size_t)n;
    text[have] = '\0';
    char *end = strstr(text, "\r\n\r\n"), *said = strstr(text, "Content-Length: ");
    if (end != NULL && said != NULL &&
        have >= (size_t)(end + 4 - text) + strtoul(said + 16, NULL, 10)) {
      *answer = end + 4;
      return atoi(text + 9);
    }
  }
  return 0;
}

static size_t good_body(char *body)
{
  int at = snprintf(body, ROOM, "{\"hour\": 9, \"hist\": [4, 8, 15, 16, 23, 42], \"ads\": [");
  for (int i = 0; i < ADS; i++) {
    at += snprintf(body + at, (size_t)(ROOM - at), "%s%d", i > 0 ? ", " : "", i * 4 + 1);
  }
  at += snprintf(body + at, (size_t)(ROOM - at), "], \"bids\": [");
  for (int i = 0; i < ADS; i++) {
    at += snprintf(body + at, (size_t)(ROOM - at), "%s%g", i > 0 ? "," : "", i % 10 / 10.0);
  }
  return (size_t)at + (size_t)snprintf(body + at, (size_t)(ROOM - at), "]}");
}

/* What is no request; the status that it must get. */
static int bad_body(int kind, char *body, size_t *length)
{
  static const char *const texts[KINDS] = {"", "{", "[1, 2]",
    "{\"ads\": [1], \"bids\": [1], \"hour\": [[[[1]]]]}",
    "{\"hour\": 9, \"hist\": [], \"ads\": [1.5], \"bids\": [1]}",
    "{\"hour\": 9, \"hist\": [], \"ads\": [1], \"bids\": []}",
    "{\"hour\": 1e300, \"ads\": [1], \"bids\": [1]}", "{\"hour\": 9, \"ads\": [{}], \"bids\": [1]}",
    NULL, NULL, "{\"hour\": 9, \"hist\": [1, 500], \"ads\": [1], \"bids\": [1]}",
    "{\"hour\": 24, \"ads\": [1], \"bids\": [1]}"};
  if (kind == 8) { /* too long */
    memset(body, ' ', 60000);
    *length = 60000;
    return 413;
  }
  if (kind == 9) { /* deep */
    memset(body, '[', 30000);
    *length = 30000;
    return 400;
  }
  *length = strlen(strcpy(body, texts[kind]));
  return kind >= 10 ? 422 : 400;
}

/* An answer to a good request: every ad, by falling scores. */
static int is_ranking(const char *answer)
{
  int ads = 0, ad;
  double last = 1, ctr;
  for (const char *p = answer; (p = strstr(p, "{\"ad\": ")) != NULL; p++, ads++) {
    if (sscanf(p, "{\"ad\": %d, \"ctr\": %lf}", &ad, &ctr) != 2 || !(ctr <= last && ctr > 0) ||
        ad % 4 != 1) {
      return 0;
    }
    last = ctr;
  }
  return ads == ADS;
}

static void *work(void *arg)
{
  worker *w = arg;
  char *body = malloc(ROOM), *text = malloc(ROOM), *answer;
  int s = connect_to();
  for (int i = 0; i < requests; i++) {
    size_t length;
    int bad = i % 5 == 4;
    int status = bad ? bad_body(i / 5 % KINDS, body, &length) : 200;
    length = bad ? length : good_body(body);
    double start = now();
    int got = s < 0 ? 0 : ask(s, body, length, text, &answer);
    if (got == 200 && !bad) {
      w->seconds[w->good++] = now() - start;
    }
    if (got != status || (!bad && strcmp(answer, wanted) != 0)) {
      fprintf(stderr, "request %d: status %d, wanted %d\n", i, got, status);
      w->failed++;
    }
    if (got == 0 || i % 50 == 49) { /* some hang up in the middle */
      s >= 0 && send(s, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", 40, MSG_NOSIGNAL);
      s >= 0 && close(s);
      s = connect_to();
    }
  }
  s >= 0 && close(s);
  free(body);
  free(text);
  return NULL;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
  if (argc != 4) {
    return 2;
  }
  port = atoi(argv[1]);
  requests = atoi(argv[3]);
  int n = atoi(argv[2]), failed = 0, good = 0;
  static char body[ROOM], text[ROOM];
  char *answer;
  int s = connect_to();
  if (s < 0 || ask(s, body, good_body(body), text, &answer) != 200 || !is_ranking(answer)) {
    fprintf(stderr, "no ranking\n");
    return 1;
  }
  strcpy(wanted, answer);
  close(s);
  worker *all = calloc((size_t)n, sizeof *all);
  double *seconds = malloc(sizeof *seconds * (size_t)n * (size_t)requests), start = now();
  for (int i = 0; i < n; i++) {
    all[i].seconds = malloc(sizeof *seconds * (size_t)requests);
    pthread_create(&all[i].thread, NULL, work, &all[i]);
  }
  for (int i = 0; i < n; i++) {
    pthread_join(all[i].thread, NULL);
    memcpy(seconds + good, all[i].seconds, sizeof *seconds * (size_t)all[i].good);
    good += all[i].good;
    failed += all[i].failed;
    free(all[i].seconds);
  }
  double took = now() - start;
  qsort(seconds, (size_t)good, sizeof *seconds, by_size);
  printf("%d connections: %.0f requests/s, %.0f candidates/s, p50 %.0f us, p99 %.0f us\n", n,
    (double)(n * requests) / took, (double)good * ADS / took, 1e6 * seconds[good / 2],
    1e6 * seconds[good * 99 / 100]);
  free(seconds);
  free(all);
  return failed > 0;
}
