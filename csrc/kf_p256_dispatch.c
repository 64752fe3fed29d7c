/*
 * Which implementation of P-256 is used: the first of a list that this CPU can run, whichever serves AES.
 * Rules:
 * - it is put in use only after its self-test; the first that fails is final for the process, as in kf_dispatch.c;
 * - the tables of multiples of G are made when they are needed first, so that programs which never sign start as
 *   soon as before, and what needs them is tested then. Where memory or randomness is missing for that the call
 *   fails, and the next one tries again.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kf.h"
#include "kf_p256_base.h"
#include "kf_p256_batch.h"
#include "kf_p256_check.h"
#include "kf_p256_selftest.h"
#include "kf_p256_words.h"

kf_p256_point kf_p256_base_table[TABLE_POINTS];

/* Best first. */
static const kf_p256_impl *(*const IMPLEMENTATIONS[])(void) = {
    kf_p256_impl_ifma,
    kf_p256_impl_fma,
    kf_p256_impl_mulx,
    kf_p256_impl_portable,
};
enum { NUM_IMPLEMENTATIONS = sizeof IMPLEMENTATIONS / sizeof IMPLEMENTATIONS[0] };

static const kf_p256_impl *in_use;
static const kf_p256_impl *prepared[NUM_IMPLEMENTATIONS];

/* Held while an implementation is prepared, which asks for no other lock; in a child of fork nobody holds it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
enum { NOT_YET = 1 };
static int tables_status = NOT_YET, base_made; /* tables_status: NOT_YET, KF_OK or KF_ERR_SELFTEST */

static const kf_p256_impl *available(int i) {
    for (int k = 0; k < NUM_IMPLEMENTATIONS; k++) {
        const kf_p256_impl *impl = IMPLEMENTATIONS[k]();
        if (impl && i-- == 0) return impl;
    }
    return NULL;
}

static const kf_p256_impl *find(const char *name) {
    const kf_p256_impl *impl;
    for (int i = 0; (impl = available(i)) != NULL; i++)
        if (strcmp(impl->name, name) == 0) return impl;
    return NULL;
}

const kf_p256_impl *kf_p256(void) { return __atomic_load_n(&in_use, __ATOMIC_ACQUIRE); }

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void give_lock(void) { pthread_mutex_unlock(&lock); }

/* KMSFAST_P256_IMPL names the implementation; one that cannot run here is an error, not a silent second choice. */
int kf_p256_init(void) {
    const char *name = getenv("KMSFAST_P256_IMPL");
    const kf_p256_impl *impl = name && *name ? find(name) : available(0);
    if (!impl) return KF_ERR_ARGUMENT;
    if (pthread_atfork(take_lock, give_lock, give_lock) != 0) return KF_ERR_MEMORY;
    const int status = kf_p256_selftest(impl);
    if (status == KF_OK) __atomic_store_n(&in_use, impl, __ATOMIC_RELEASE);
    return status;
}

/* ---- tables -------------------------------------------------------------------------------------- */

static int make_base_table(const kf_p256_arith *arith) {
    if (base_made) return KF_OK;
    void *scratch = aligned_alloc(64, arith->table_scratch_len);
    if (!scratch) return KF_ERR_MEMORY;
    arith->fill_table_var(kf_p256_base_table, &kf_p256_g, scratch);
    free(scratch);
    base_made = 1;
    return KF_OK;
}

/* Makes what impl needs and is not there yet, and tests it. Only a failed self-test says something about the next
 * try. */
static int prepare(const kf_p256_impl *impl) {
    int place = 0;
    while (prepared[place] && prepared[place] != impl) place++;
    int status = make_base_table(impl->arith);
    if (status == KF_OK) status = kf_p256_blind_init(impl);
    if (status != KF_OK) return status;
    if (!prepared[place]) impl->prepare();
    prepared[place] = impl;
    status = kf_p256_selftest_batch(impl);
    if (status == KF_OK || status == KF_ERR_SELFTEST) __atomic_store_n(&tables_status, status, __ATOMIC_RELEASE);
    return status;
}

int kf_p256_ready(void) {
    int status = kf_init();
    if (status == KF_OK) status = __atomic_load_n(&tables_status, __ATOMIC_ACQUIRE);
    if (status != NOT_YET) return status;
    take_lock();
    status = __atomic_load_n(&tables_status, __ATOMIC_RELAXED);
    if (status == NOT_YET) status = prepare(kf_p256());
    give_lock();
    return status;
}

#ifdef KF_TESTING
void kf_p256_forget_ready(void) { __atomic_store_n(&tables_status, NOT_YET, __ATOMIC_RELEASE); }
#endif

/* ---- names --------------------------------------------------------------------------------------- */

const char *kf_p256_impl_name(void) {
    kf_init();
    const kf_p256_impl *impl = kf_p256();
    return impl ? impl->name : "none";
}

const char *kf_p256_impl_available(int i) {
    const kf_p256_impl *impl = i < 0 ? NULL : available(i);
    return impl ? impl->name : NULL;
}

int kf_p256_impl_force(const char *name) {
    int status = kf_p256_ready();
    if (status != KF_OK) return status;
    const kf_p256_impl *impl = name ? find(name) : NULL;
    if (!impl) return KF_ERR_ARGUMENT;
    take_lock();
    status = kf_p256_selftest(impl);
    if (status != KF_OK)
        __atomic_store_n(&tables_status, status, __ATOMIC_RELEASE);
    else
        status = prepare(impl);
    if (status == KF_OK) __atomic_store_n(&in_use, impl, __ATOMIC_RELEASE);
    give_lock();
    return status;
}
