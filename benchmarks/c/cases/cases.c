/*
 * The program of the cases (cases.h). Usage:
 *   cases list              a line for each: records, name
 *   cases count             under callgrind: a dump for each, with its name
 *   cases time              reads lines "INDEX REPS", answers each with nanoseconds
 * `kernels` behind it: of AES and blobs alone. KMSFAST_IMPL, KMSFAST_P256_IMPL and KMSFAST_CPU_MASK choose implementations, as always.
 */
#define _GNU_SOURCE
#include "cases.h"
#include "kf_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <valgrind/callgrind.h>

uint8_t cases_in[CASES_ROOM], cases_out[CASES_ROOM], cases_back[CASES_ROOM];

const uint8_t CASES_CONTEXT[] = "\0\0\0\x06" "column\0\0\0\x05" "email\0\0\0\x05" "table\0\0\0\x06" "orders";
const size_t CASES_CONTEXT_LEN = sizeof CASES_CONTEXT - 1;

static const cases_case *const GROUPS[] = {CASES_AEAD, CASES_BLOBS, CASES_P256, CASES_MACS, CASES_REQUESTS, CASES_SOCKET};
enum { NUM_GROUPS = sizeof GROUPS / sizeof GROUPS[0], NUM_KERNEL_GROUPS = 2 };

static int is_counting, num_groups = NUM_GROUPS;
static uint64_t stream = 1;

/* splitmix64 */
uint64_t cases_next(uint64_t *seed) {
    uint64_t x = *seed += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

void cases_fill(uint8_t *out, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)cases_next(&seed);
}

/* The linker puts these in the place of getrandom and kf_cpu (cases.mk). What is counted must not depend on chance. */
ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags) {
    if (!is_counting) return __real_getrandom(out, len, flags);
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)cases_next(&stream);
    return (ssize_t)len;
}

/* valgrind knows the instructions of BMI2 and ADX but does not say so. It has none of VAES, but where the kernels of VAES
 * were rewritten to run without (CASES_HALVED), they pass for what they are. */
static uint32_t more_features;

uint32_t __real_kf_cpu(void);
uint32_t __wrap_kf_cpu(void);
uint32_t __wrap_kf_cpu(void) {
    const uint32_t have = __real_kf_cpu();
    return have & KF_CPU_AVX2 ? have | more_features : have;
}

void cases_lay_out(int64_t *offsets, const cases_case *c) {
    uint64_t seed = (uint64_t)c->num;
    offsets[0] = 0;
    for (int i = 0; i < c->num; i++)
        offsets[i + 1] = offsets[i] + (c->len < 0 ? 1 + (int64_t)(cases_next(&seed) % (uint64_t)-c->len) : c->len);
    cases_fill(cases_in, (size_t)offsets[c->num], seed);
}

static int make_keys(cases_keys *k) {
    static const uint8_t id[16] = {1}, scalar[32] = {2, 3, 5, 7, 11};
    uint8_t *secret_bytes, material[32], wrapped[KF_WRAPPED_LEN];
    uint64_t secret;
    cases_fill(material, sizeof material, 7);
    int status = kf_arena_open(0);
    if (status == KF_OK) status = kf_secret_new(&secret, &secret_bytes);
    if (status == KF_OK) memset(secret_bytes, 1, 32), status = kf_root_from_secret(&k->root, secret);
    if (status == KF_OK) status = kf_store_create(&k->store, wrapped, k->root, id);
    if (status == KF_OK) status = kf_key_import(wrapped, k->store, id, 1, 0, material);
    if (status == KF_OK) status = kf_key_load(&k->key, k->store, wrapped, id, 1, 0);
    if (status == KF_OK) status = kf_key_prefix(k->key, k->prefix);
    if (status == KF_OK) status = kf_mac_import(wrapped, k->store, id, 1, 0, 256, material, sizeof material);
    if (status == KF_OK) status = kf_mac_load(&k->mac_key, k->store, wrapped, sizeof wrapped, id, 1, 0, 256);
    if (status == KF_OK) status = kf_p256_import(wrapped, k->public64, k->store, scalar, id, 1, 0);
    if (status == KF_OK) status = kf_p256_load(&k->p256, k->public64, k->store, wrapped, id, 1, 0);
    return status;
}

int cases_new_file(void) {
    char name[] = "/tmp/kmsfast-cases-XXXXXX";
    const int fd = mkstemp(name);
    if (fd >= 0) unlink(name);
    return fd;
}

const cases_keys *cases_open_keys(void) {
    static cases_keys keys;
    static int made;
    if (!made) made = make_keys(&keys) == KF_OK;
    return made ? &keys : NULL;
}

/* ---- the three uses ------------------------------------------------------------------------------------------------ */

static const cases_case *find(long index) {
    for (int g = 0; g < num_groups; g++)
        for (const cases_case *c = GROUPS[g]; c->name; c++)
            if (index-- == 0) return c;
    return NULL;
}

/* Prepares a case and runs it once: what is lazy has happened then. */
static void make_ready(const cases_case *c) {
    if (c->prepare(c) && c->run(c) == 0) return;
    fprintf(stderr, "cases: %s fails\n", c->name);
    exit(1);
}

static void again(const cases_case *c) {
    const size_t failed = c->run(c);
    if (failed == 0) return;
    fprintf(stderr, "cases: %s: %zu records fail\n", c->name, failed);
    exit(1);
}

static void list(void) {
    const cases_case *c;
    for (long i = 0; (c = find(i)) != NULL; i++) printf("%d\t%s\n", c->num, c->name);
}

static void count(void) {
    const cases_case *c;
    for (long i = 0; (c = find(i)) != NULL; i++) {
        make_ready(c);
        CALLGRIND_START_INSTRUMENTATION;
        CALLGRIND_ZERO_STATS;
        again(c);
        CALLGRIND_DUMP_STATS_AT(c->name);
        CALLGRIND_STOP_INSTRUMENTATION;
    }
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void time_them(void) {
    const cases_case *ready = NULL;
    long index, reps;
    while (scanf("%ld %ld", &index, &reps) == 2) {
        const cases_case *c = find(index);
        if (!c) exit(2);
        if (c != ready) make_ready(c);
        ready = c;
        const int64_t begun = now();
        for (long i = 0; i < reps; i++) again(c);
        printf("%lld\n", (long long)(now() - begun));
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    const char *use = argc > 1 ? argv[1] : "";
    if (argc > 2 && strcmp(argv[2], "kernels") == 0) num_groups = NUM_KERNEL_GROUPS;
    is_counting = strcmp(use, "count") == 0;
    if (is_counting && RUNNING_ON_VALGRIND)
        more_features = KF_CPU_BMI2_ADX | (getenv("CASES_HALVED") ? KF_CPU_VAES | KF_CPU_VPCLMUL : 0);
    if (kf_init() != KF_OK) {
        fprintf(stderr, "cases: the core does not start: its self-test fails, or this CPU lacks what was asked for\n");
        return 1;
    }
    fprintf(stderr, "%s, P-256 %s, CPU %s\n", kf_impl_name(), kf_p256_impl_name(), kf_cpu_features());
    if (strcmp(use, "list") == 0)
        list();
    else if (is_counting)
        count();
    else if (strcmp(use, "time") == 0)
        time_them();
    else
        return fprintf(stderr, "usage: cases list | count | time [kernels]\n"), 2;
    exit(0); /* threads of the socket's case end with the process */
}
