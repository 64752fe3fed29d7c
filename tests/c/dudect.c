/*
 * Timing of P-256 for two classes of secrets, one fixed and one random, compared by Welch's t-test (O. Reparaz, J. Balasch,
 * I. Verbauwhede, "Dude, is my code constant time?", DATE 2017). Usage: dudect [SECONDS]. For each implementation and each
 * operation on secrets |t| over all runs is printed; above LIMIT (4.5, as there) it fails. A statistic can find a leak and
 * not exclude one, and finds less on a busy machine. verify_var, whose time varies, must be found: that shows that the
 * machine can tell at all.
 * Rules: all inputs are made before the clock runs, and copied to one place, so that both classes touch the same memory;
 * the slowest tenth of the measurements of a row is left out, where interrupts are.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "kft_p256.h"

enum { SAMPLES = 4000, BATCH = 32 };
#define LIMIT 4.5

typedef struct {
    const kf_p256_impl *impl;
    void *scratch;
    kf_p256_scalar k[BATCH]; /* the secrets of one measurement */
    kf_p256_point points[BATCH];
    kf_p256_scalar inverse[BATCH], before[BATCH];
    uint8_t digest[32];
} work;

static void run_base_mul(work *w) { w->impl->arith->base_mul(w->points, w->k); }
static void run_base_mul_twice(work *w) {
    kf_p256_jacobian other;
    w->impl->arith->base_mul_twice(w->points, &other, w->k);
}
static void run_batch(work *w) { w->impl->base_mul(w->points, w->k, BATCH, w->scratch); }
static void run_point_mul(work *w) { w->impl->arith->point_mul(w->points, w->k, &kf_p256_g); }
static void run_inverse(work *w) { w->impl->arith->scalar_inverse(w->inverse, w->k); }
static void run_inverses(work *w) { w->impl->arith->scalar_inverse_many(w->inverse, w->k, BATCH, w->before); }
static void run_nonce(work *w) { kf_p256_nonce_rfc6979(w->inverse, w->k, w->digest, 0); }
static void run_verify_var(work *w) { w->impl->arith->verify_var(w->k, w->k + 1, w->k + 2, &kf_p256_g); }

static const struct {
    const char *name;
    void (*run)(work *w);
    int leaks; /* must be found to */
} OPERATIONS[] = {
    {"k G", run_base_mul, 0},
    {"k G twice", run_base_mul_twice, 0},
    {"k G, batch", run_batch, 0},
    {"k P", run_point_mul, 0},
    {"1 / k", run_inverse, 0},
    {"1 / k, batch", run_inverses, 0},
    {"RFC 6979", run_nonce, 0},
    {"verify_var", run_verify_var, 1},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Welch's t of the measurements up to a limit, class 0 against class 1. */
static double welch(const double *times, const uint8_t *classes, int num, double limit) {
    double n[2] = {0}, mean[2] = {0}, squares[2] = {0};
    for (int i = 0; i < num; i++) {
        if (times[i] > limit) continue;
        const int c = classes[i];
        const double delta = times[i] - mean[c];
        n[c]++, mean[c] += delta / n[c], squares[c] += delta * (times[i] - mean[c]);
    }
    return (mean[0] - mean[1]) / sqrt(squares[0] / (n[0] - 1) / n[0] + squares[1] / (n[1] - 1) / n[1]);
}

/* Class 0: a scalar of few ones, the same each time; class 1: random ones. */
static double measure(work *w, void (*run)(work *w), kft_random *random) {
    static kf_p256_scalar secrets[SAMPLES][4];
    static double times[SAMPLES], sorted[SAMPLES];
    static uint8_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        classes[i] = (uint8_t)kft_below(random, 2);
        for (int k = 0; k < 4; k++) {
            for (int v = 0; v < 4; v++) secrets[i][k].v[v] = classes[i] ? kft_next(random) : 0;
            secrets[i][k].v[3] >>= 1, secrets[i][k].v[0] |= classes[i] ? 0 : 3;
        }
    }
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < BATCH; k++) w->k[k] = secrets[i][k % 4];
        const double start = now();
        run(w);
        times[i] = now() - start;
    }
    memcpy(sorted, times, sizeof sorted);
    qsort(sorted, SAMPLES, sizeof sorted[0], compare);
    return welch(times, classes, SAMPLES, sorted[SAMPLES * 9 / 10]);
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 20;
    static work w;
    kft_random random = {(uint64_t)now()};
    int failed = 0;
    for (int n = 0; (w.impl = kft_p256_impl(n)) != NULL; n++) {
        w.scratch = kft_p256_scratch(w.impl);
        for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
            const double end = now() + seconds * 1e9 / 16;
            double sum = 0;
            int runs = 0;
            do {
                sum += measure(&w, OPERATIONS[i].run, &random);
                runs++;
            } while (now() < end);
            const double t = fabs(sum) / sqrt(runs); /* a leak adds up, chance does not */
            const int wrong = (t > LIMIT) != OPERATIONS[i].leaks;
            printf("%-9s %-13s |t| %8.2f  %s\n", w.impl->name, OPERATIONS[i].name, t,
                   wrong ? "FAILED" : OPERATIONS[i].leaks ? "found, as it must be" : "ok");
            failed += wrong;
        }
        free(w.scratch);
    }
    printf("dudect: %s\n", failed ? "FAILED" : "passed");
    return failed != 0 || kft_failures;
}
