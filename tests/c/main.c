/*
 * Runs the C tests: those of the kernels on every implementation that this CPU has, then those of
 * the library. Usage: kf_test [--full] [--impl NAME] [--only NAME,...] [--vectors DIR] [--rsp FILE]
 * [--expect NAME]: fails unless the library has chosen that implementation.
 */
#include <stdlib.h>
#include <time.h>

#include "kf_selftest.h"
#include "kft.h"

typedef struct {
    const char *name;
    void (*run)(const kft_env *env);
} kft_test;

static const kft_test KERNEL_TESTS[] = {
    {"aes_blocks", test_aes_blocks},
    {"nist_vectors", test_nist_vectors},
    {"xaes_vectors", test_xaes_vectors},
    {"xaes_accumulated", test_xaes_accumulated},
    {"selftest_of_impl", test_selftest_of_impl},
    {"lengths", test_lengths},
    {"long_records", test_long_records},
    {"aad", test_aad},
    {"batch_sizes", test_batch_sizes},
    {"runs", test_runs},
    {"unaligned", test_unaligned},
    {"page_ends", test_page_ends},
    {"in_place", test_in_place},
    {"corruption", test_corruption},
    {"tiny", test_tiny},
    {"residue", test_residue},
};

static const kft_test LIBRARY_TESTS[] = {
    {"selftest_faults", test_selftest_faults}, /* first: before anything calls kf_init */
    {"arena", test_arena}, /* before this process opens an arena */
    {"hashes", test_hashes},
    {"hash_vectors", test_hash_vectors}, /* of the file that --rsp names */
    {"hmac_many", test_hmac_many},
    {"dispatch", test_dispatch},
    {"private", test_private},
    {"blobs", test_blobs},
    {"bound", test_bound},
    {"base64", test_base64},
    {"requests", test_requests},
    {"sigv4", test_sigv4},
    {"replies", test_replies},
    {"mac", test_mac},
    {"mac_residue", test_mac_residue},
    {"tiny_columns", test_tiny_columns},
    {"import", test_import},
    {"room", test_room},
    {"metrics", test_metrics},
    {"log", test_log},
    {"calls_by_number", test_calls_by_number},
    {"reactor", test_reactor},
    {"reactor_bounds", test_reactor_bounds},
    {"reactor_timeouts", test_reactor_timeouts},
    {"reactor_recorded", test_reactor_recorded},
    {"reactor_holds", test_reactor_holds},
    {"reactor_residue", test_reactor_residue},
    {"workroom", test_workroom},
    {"fork", test_fork},
};

static const kft_test P256_TESTS[] = {
    {"p256_field_portable", test_p256_field_portable},
    {"p256_field_mulx", test_p256_field_mulx},
    {"p256_lanes_one", test_p256_lanes_one},
    {"p256_lanes_fma", test_p256_lanes_fma},
    {"p256_lanes_ifma", test_p256_lanes_ifma},
    {"p256_lanes_residue", test_p256_lanes_residue},
    {"p256_scalars", test_p256_scalars},
    {"p256_points", test_p256_points},
    {"p256_additions", test_p256_additions},
    {"p256_sums", test_p256_sums},
    {"p256_rfc6979", test_p256_rfc6979},
    {"p256_nonces", test_p256_nonces},
    {"p256_signing", test_p256_signing},
    {"p256_faults", test_p256_faults},
    {"p256_verifying", test_p256_verifying},
    {"p256_many_keys", test_p256_many_keys},
    {"p256_encodings", test_p256_encodings},
    {"p256_dispatch", test_p256_dispatch},
    {"p256_selftest", test_p256_selftest},
    {"p256_library", test_p256_library},
    {"p256_residue", test_p256_residue},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int tests_run, tests_failed;

/* Whether a list of names with commas between holds the name. */
static int listed(const char *list, const char *name) {
    const size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == 0)) return 1;
    return 0;
}

static void run_tests(const kft_env *env, const kft_test *tests, size_t num, const char *only) {
    for (size_t i = 0; i < num; i++) {
        if (only && !listed(only, tests[i].name)) continue;
        const int failures_before = kft_failures;
        const double start = now();
        tests[i].run(env);
        const int failed = kft_failures - failures_before;
        printf("  %-18s %s  %.2f s", tests[i].name, failed ? "FAILED" : "ok", now() - start);
        if (failed) printf("  (%d checks)", failed);
        printf("\n");
        fflush(stdout);
        tests_run++;
        tests_failed += failed != 0;
    }
}

static const char *argument(int argc, char **argv, const char *name, const char *otherwise) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv) {
    static const kf_aead_impl *(*const impls[])(void) = {kf_aead_portable, kf_aead_aesni, kf_aead_vaes, kf_aead_armv8};
    const char *only = argument(argc, argv, "--only", NULL), *impl_name = argument(argc, argv, "--impl", NULL);
    kft_env env = {.vectors = argument(argc, argv, "--vectors", "tests/c/vectors"),
                   .rsp = argument(argc, argv, "--rsp", NULL)};
    for (int i = 1; i < argc; i++) env.full |= strcmp(argv[i], "--full") == 0;

    char ran[64] = "";
    for (size_t i = 0; i < sizeof impls / sizeof impls[0]; i++) {
        env.impl = impls[i]();
        if (!env.impl || (impl_name && strcmp(impl_name, env.impl->name))) continue;
        printf("%s\n", env.impl->name);
        run_tests(&env, KERNEL_TESTS, sizeof KERNEL_TESTS / sizeof KERNEL_TESTS[0], only);
        snprintf(ran + strlen(ran), sizeof ran - strlen(ran), " %s", env.impl->name);
    }
    if (!impl_name) {
        printf("library\n");
        run_tests(&env, LIBRARY_TESTS, sizeof LIBRARY_TESTS / sizeof LIBRARY_TESTS[0], only);
        printf("P-256\n");
        run_tests(&env, P256_TESTS, sizeof P256_TESTS / sizeof P256_TESTS[0], only);
    }
    const char *expected = argument(argc, argv, "--expect", NULL);
    if (expected && strcmp(expected, kf_impl_name()) != 0) {
        printf("C tests: FAILED, the library chose %s, not %s\n", kf_impl_name(), expected);
        return 1;
    }
    if (tests_run == 0) {
        printf("C tests: FAILED, no test of that name or implementation\n");
        return 2;
    }
    printf("C tests: %s, %d of %d tests; implementations:%s\n", tests_failed ? "FAILED" : "passed",
           tests_run - tests_failed, tests_run, ran);
    return tests_failed != 0;
}
