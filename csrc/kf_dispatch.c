/*
 * Which implementation is used: the first of a list that this CPU can run, chosen once.
 * Rules:
 * - an implementation is put in use only after its self-test; the first failure, then or later,
 *   is final for the process: kf_init returns it for ever, and every function calls kf_init;
 * - keys have one form for all implementations, so a change while others compute is harmless.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kf.h"
#include "kf_aead.h"
#include "kf_p256_batch.h"
#include "kf_selftest.h"

/* Best first. */
static const kf_aead_impl *(*const IMPLEMENTATIONS[])(void) = {
    kf_aead_vaes,
    kf_aead_aesni,
    kf_aead_armv8,
    kf_aead_portable,
};
enum { NUM_IMPLEMENTATIONS = sizeof IMPLEMENTATIONS / sizeof IMPLEMENTATIONS[0] };

const kf_aead_impl *kf_aead;

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_status = KF_ERR_SELFTEST;

static const kf_aead_impl *available(int i) {
    for (int k = 0; k < NUM_IMPLEMENTATIONS; k++) {
        const kf_aead_impl *impl = IMPLEMENTATIONS[k]();
        if (impl && i-- == 0) return impl;
    }
    return NULL;
}

static const kf_aead_impl *find(const char *name) {
    const kf_aead_impl *impl;
    for (int i = 0; (impl = available(i)) != NULL; i++)
        if (strcmp(impl->name, name) == 0) return impl;
    return NULL;
}

static int put_in_use(const kf_aead_impl *impl) {
    const int status = kf_selftest(impl);
    __atomic_store_n(&kf_aead, impl, __ATOMIC_RELEASE);
    __atomic_store_n(&init_status, status, __ATOMIC_RELEASE);
    return status;
}

/* KMSFAST_IMPL names the implementation; one that cannot run here is an error of every call, not
 * a silent second choice. */
static void init(void) {
    const char *name = getenv("KMSFAST_IMPL");
    const kf_aead_impl *impl = name && *name ? find(name) : available(0);
    const int status = impl ? put_in_use(impl) : KF_ERR_ARGUMENT;
    init_status = status == KF_OK ? kf_p256_init() : status;
}

int kf_init(void) {
    pthread_once(&init_once, init);
    return __atomic_load_n(&init_status, __ATOMIC_ACQUIRE);
}

const char *kf_impl_name(void) {
    kf_init();
    const kf_aead_impl *impl = __atomic_load_n(&kf_aead, __ATOMIC_ACQUIRE);
    return impl ? impl->name : "none";
}

const char *kf_impl_available(int i) {
    const kf_aead_impl *impl = i < 0 ? NULL : available(i);
    return impl ? impl->name : NULL;
}

int kf_impl_force(const char *name) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    const kf_aead_impl *impl = name ? find(name) : NULL;
    return impl ? put_in_use(impl) : KF_ERR_ARGUMENT;
}
