/* bench_report.c: what was measured, as a table for people and as CSV for programs.
 *
 * Samples per second and ratios are medians over the rounds; beside them stands how far a quarter of the
 * rounds lie from it, on average of both sides. A ratio is taken within a round before the median. */

#include "bench.h"

#include <string.h>

static const char *const pass_names[RANK_PASSES] = {"forward", "training step"};

/* The mean distance of the quartiles from the median, in percent of it. */
static double spread(double low, double middle, double high)
{
  return middle > 0 ? 50 * (high - low) / middle : 0;
}

static double gigabytes(const bench *b, const bench_result *r)
{
  return 1e-9 * r->rate * r->bytes / bench_samples(b);
}

static double gigaflops(const bench *b, const bench_result *r)
{
  return 1e-9 * r->rate * r->flops / bench_samples(b);
}

static double percent(double part, double whole)
{
  return whole > 0 ? 100 * part / whole : 0;
}

void bench_head(const bench *b)
{
  char n[32];
  printf("%s: batches of %s samples, %d thread%s, %s; %ld rounds\n", b->m->name,
    rank_count_text((double)b->n, n), b->threads, b->threads == 1 ? "" : "s",
    sizeof(rank_real) == 8 ? "f64" : "f32", b->spec->rounds);
  for (int d = 0; d < b->m->ndims; d++) {
    double sum = 0;
    for (long i = 0; i < b->nbatches; i++) {
      sum += b->batches[i].offset[d][b->n];
    }
    printf("lists along %s: at most %ld long, here %.1f on average\n", b->m->dims[d].name,
      b->m->dims[d].max, sum / bench_samples(b));
  }
  if (b->spec->zipf > 0) {
    printf("ids by Zipf's law with exponent %g\n", b->spec->zipf);
  }
  if (b->blas != NULL) {
    printf("OpenBLAS with kernels for %s, on one thread for each of ours\n", b->blas);
  }
  double worst = 0;
  for (int i = 0; i < b->spec->nlevels * RANK_PASSES; i++) {
    worst = b->result[i].difference > worst ? b->result[i].difference : worst;
  }
  if (b->spec->nlevels > 1) {
    printf("all levels agree: %s differ by %.1g at most\n",
      b->passes > RANK_TRAIN ? "outputs, loss and gradients" : "outputs", worst);
  }
  fflush(stdout);
}

static void print_pass(const bench *b, int pass)
{
  static const char *const heads[][15] = {
    {"", "", "", "", "", "", "", "of", "", "of", "operations", "bytes", "", "code", "compile"},
    {"level", "rewrites", "samples/s", "+-", "ratio", "+-", "GFLOP/s", "peak", "GB/s", "peak",
      "per sample", "per sample", "barriers", "KB", "s"}};
  printf("\n%s\n", pass_names[pass]);
  for (int i = 0; i < 2; i++) {
    const char *const *h = heads[i];
    printf("%-6s %-8s %11s %6s %7s %6s %8s %5s %7s %5s %11s %11s %8s %7s %8s\n", h[0], h[1], h[2],
      h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14]);
  }
  for (int level = 0; level < b->spec->nlevels; level++) {
    const rank_bench_level *l = &b->spec->levels[level];
    const bench_result *r = bench_result_of(b, level, pass);
    char rate[32], flops[32], bytes[32];
    printf("%-6s %-8s %11s %5.1f%% %7.2f %5.1f%% %8.2f %4.0f%% %7.2f %4.0f%% %11s %11s %8d %7.1f "
           "%8.2f\n",
      l->name, l->rewrites ? "yes" : "no", rank_count_text(r->rate, rate),
      spread(r->rate_low, r->rate, r->rate_high), r->ratio,
      spread(r->ratio_low, r->ratio, r->ratio_high), gigaflops(b, r),
      percent(gigaflops(b, r), 1e-9 * b->peak_flops), gigabytes(b, r),
      percent(gigabytes(b, r), 1e-9 * b->peak_bytes),
      rank_count_text(r->flops / bench_samples(b), flops),
      rank_count_text(r->bytes / bench_samples(b), bytes), l->pass[pass].barriers,
      (double)l->pass[pass].code / 1024, l->pass[pass].compile_ms / 1000);
  }
}

void bench_print(const bench *b)
{
  printf("this machine's peaks, measured between the rounds: %.1f GFLOP/s of multiply-adds, %.1f "
         "GB/s of streams\n",
    1e-9 * b->peak_flops, 1e-9 * b->peak_bytes);
  for (int pass = 0; pass < b->passes; pass++) {
    print_pass(b, pass);
  }
  fflush(stdout);
}

/* Groups have lines of their own, with what is a level's left out. */
static void csv_group(const bench *b, const bench_time *t, FILE *out)
{
  const rank_bench_level *l = &b->spec->levels[t->level];
  fprintf(out, "%s,%s,%s,%s,%d,%ld,,,,,,,%.5g,%.5g,%.5g,%.5g,,,,,,,%d,%.5g,%.5g,\"%s\"\n",
    b->m->name, t->pass == RANK_FORWARD ? "forward" : "train", l->name, l->rewrites ? "on" : "off",
    b->threads, b->n, t->gflops, t->gigabytes, 1e-9 * b->peak_flops, 1e-9 * b->peak_bytes,
    t->group + 1, t->share, t->ns, l->pass[t->pass].groups[t->group].name);
}

int bench_csv(const bench *b, const char *path, rank_error *e)
{
  rank_file f;
  if (rank_file_create(&f, path, e) != 0) {
    return -1;
  }
  fprintf(f.out, "model,pass,level,rewrites,threads,batch,samples_per_s,samples_per_s_low,"
                 "samples_per_s_high,ratio,ratio_low,ratio_high,gflops,gbytes_per_s,peak_gflops,"
                 "peak_gbytes_per_s,operations_per_sample,bytes_per_sample,barriers,code_bytes,"
                 "compile_ms,difference,group,share,ns_per_sample,computes\n");
  for (int i = 0; i < b->spec->nlevels * RANK_PASSES; i++) {
    int level = i / RANK_PASSES, pass = i % RANK_PASSES;
    const rank_bench_level *l = &b->spec->levels[level];
    const bench_result *r = &b->result[i];
    if (pass < b->passes) {
      fprintf(f.out,
        "%s,%s,%s,%s,%d,%ld,%.6g,%.6g,%.6g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.5g,%.8g,%.8g,%d,%ld,"
        "%.1f,%.2g,,,,\n",
        b->m->name, pass == RANK_FORWARD ? "forward" : "train", l->name, l->rewrites ? "on" : "off",
        b->threads, b->n, r->rate, r->rate_low, r->rate_high, r->ratio, r->ratio_low, r->ratio_high,
        gigaflops(b, r), gigabytes(b, r), 1e-9 * b->peak_flops, 1e-9 * b->peak_bytes,
        r->flops / bench_samples(b), r->bytes / bench_samples(b), l->pass[pass].barriers,
        l->pass[pass].code, l->pass[pass].compile_ms, r->difference);
    }
  }
  for (int i = 0; i < b->ntimes; i++) {
    csv_group(b, &b->times[i], f.out);
  }
  return rank_file_commit(&f, e);
}
