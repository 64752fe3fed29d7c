/*
 * The self-test itself: it accepts every implementation, and misses nothing. Each of its known
 * answers is falsified in turn; that must stop the whole library.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "kf_selftest.h"
#include "kft_calls.h"

/* Every comparison of the self-test decides, on every implementation. */
void test_selftest_of_impl(const kft_env *env) {
    kf_selftest_fault = 0;
    CHECK(kf_selftest(env->impl) == KF_OK, "self-test of %s", env->impl->name);
    const int count = kf_selftest_count;
    CHECK(count >= 15, "only %d known answers", count);
    for (kf_selftest_fault = 1; kf_selftest_fault <= count; kf_selftest_fault++)
        CHECK(kf_selftest(env->impl) == KF_ERR_SELFTEST, "known answer %d is not checked", kf_selftest_fault);
    kf_selftest_fault = 0;
}

/* In a process whose self-test fails: everything says so, and nothing comes out. */
static void check_nothing_works(int fault) {
    static kft_library library;
    memset(&library, 0, sizeof library);
    memset(library.out, 0x5a, sizeof library.out), memset(library.zeroed, 0x5a, sizeof library.zeroed);
    memcpy(library.header, (const uint8_t[]){0xf5, 1, 2, 0}, 4);
    snprintf(library.root_path, sizeof library.root_path, "/nonexistent/root.key");
    library.texts = (struct kf_column){.data = library.text, .data_len = KFT_TEXT_LEN, .width = KFT_TEXT_LEN};
    library.blobs = (struct kf_column){.data = library.blob, .data_len = KFT_BLOB_LEN, .width = KFT_BLOB_LEN};
    kft_library_columns(&library);
    CHECK(kf_init() == KF_ERR_SELFTEST, "kf_init with known answer %d falsified", fault);
    for (size_t i = 0; i < KFT_NUM_CALLS; i++) {
        const int status = KFT_CALLS[i].call(&library);
        CHECK(status == KF_ERR_SELFTEST, "%s returns %d with known answer %d falsified", KFT_CALLS[i].name, status,
              fault);
    }
    kft_check_unwritten(&library);
    CHECK(library.handle == 0 && library.secret == NULL, "a handle was made");
    kf_selftest_fault = 0;
    CHECK(kf_init() == KF_ERR_SELFTEST, "a failed self-test was forgotten");
}

/* Children of a process that has not called kf_init: each fails its self-test at another place. */
void test_selftest_faults(const kft_env *env) {
    (void)env;
    kf_selftest(kf_aead_portable());
    const int count = kf_selftest_count;
    fflush(stdout);
    for (int fault = 1; fault <= count; fault++) {
        const pid_t child = fork();
        if (child == 0) {
            kft_failures = 0;
            kf_selftest_fault = fault;
            check_nothing_works(fault);
            fflush(stdout);
            _exit(kft_failures != 0);
        }
        int status = -1;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "child of fault %d: status %d", fault,
              status);
    }
}
