/*
 * Which implementation of P-256 is used: the first of a list that this CPU can run, whichever serves AES.
 * Rules:
 * - it is put in use only after its self-test, as in kf_dispatch.c;
 * - the tables of multiples of G are made when they are needed first, so that programs which never sign start as
 *   soon as before; what needs them is tested then, and a failure is final as well.
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
    kf_p256_impl_mulx,
    kf_p256_impl_portable,
};
enum { NUM_IMPLEMENTATIONS = sizeof IMPLEMENTATIONS / sizeof IMPLEMENTATIONS[0] };

static const kf_p256_impl *in_use;
static const kf_p256_impl *prepared[NUM_IMPLEMENTATIONS];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static int tables_status = KF_ERR_SELFTEST, base_made;

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

/* KMSFAST_P256_IMPL names the implementation; one that cannot run here is an error, not a silent second choice. */
int kf_p256_init(void) {
    const char *name = getenv("KMSFAST_P256_IMPL");
    const kf_p256_impl *impl = name && *name ? find(name) : available(0);
    if (!impl) return KF_ERR_ARGUMENT;
    __atomic_store_n(&in_use, impl, __ATOMIC_RELEASE);
    return kf_p256_selftest(impl);
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

static int prepare(const kf_p256_impl *impl) {
    int place = 0;
    while (prepared[place] && prepared[place] != impl) place++;
    const int status = make_base_table(impl->arith);
    if (status != KF_OK) return status;
    if (!prepared[place]) impl->prepare();
    prepared[place] = impl;
    return kf_p256_blind_init(impl) == KF_OK ? kf_p256_selftest_batch(impl) : KF_ERR_SYSTEM;
}

static void prepare_first(void) {
    __atomic_store_n(&tables_status, prepare(kf_p256()), __ATOMIC_RELEASE);
}

int kf_p256_ready(void) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    pthread_once(&tables_once, prepare_first);
    return __atomic_load_n(&tables_status, __ATOMIC_ACQUIRE);
}

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
    status = kf_p256_selftest(impl);
    if (status == KF_OK) status = prepare(impl);
    __atomic_store_n(&in_use, impl, __ATOMIC_RELEASE);
    __atomic_store_n(&tables_status, status, __ATOMIC_RELEASE);
    return status;
}
