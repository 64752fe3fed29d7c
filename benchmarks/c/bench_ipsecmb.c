/*
 * Intel ipsec-mb through its direct GCM interface, which is its fastest: no job queue. With a fixed
 * key the key data (round keys and powers of H) is made once, else per record. Beside the AES-NI
 * kernels its AVX2 manager is used, beside others whatever it chooses itself.
 *
 * Its open computes the tag and leaves the comparison to the caller, as here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kf.h"

#ifdef BENCH_WITH_IPSECMB
#include <intel-ipsec-mb.h>

typedef struct {
    struct gcm_key_data key;
    struct gcm_context_data ctx;
    IMB_MGR *mgr;
} ipsecmb_state;

static int wants_avx2(void) { return strcmp(kf_impl_name(), "aesni") == 0; }

static void release(void *opaque) {
    ipsecmb_state *state = opaque;
    free_mb_mgr(state->mgr);
    free(state);
}

static void *prepare(const bench_work *work) {
    ipsecmb_state *state = aligned_alloc(64, (sizeof *state + 63) / 64 * 64);
    if (!state) return NULL;
    IMB_ARCH arch;
    state->mgr = alloc_mb_mgr(0);
    if (!state->mgr) {
        free(state);
        return NULL;
    }
    if (wants_avx2())
        init_mb_mgr_avx2(state->mgr);
    else
        init_mb_mgr_auto(state->mgr, &arch);
    if (imb_get_errno(state->mgr) != 0) {
        release(state);
        return NULL;
    }
    IMB_AES256_GCM_PRE(state->mgr, work->key, &state->key);
    return state;
}

static size_t run(void *opaque, const bench_work *work, int draw) {
    ipsecmb_state *state = opaque;
    IMB_MGR *mgr = state->mgr;
    const size_t aad_len = work->digest ? BENCH_DIGEST_LEN : 0;
    size_t failed = 0;
    (void)draw;
    for (size_t i = 0; i < work->num; i++) {
        const kf_rec *rec = &work->rec[i];
        const uint8_t *nonce = work->nonces + 12 * i;
        uint8_t tag[BENCH_TAG_LEN];
        if (work->xaes) IMB_AES256_GCM_PRE(mgr, work->keys + 32 * i, &state->key);
        if (!work->opening) {
            IMB_AES256_GCM_ENC(mgr, &state->key, &state->ctx, rec->out, rec->in, rec->len, nonce, work->digest,
                               aad_len, rec->out + rec->len, BENCH_TAG_LEN);
            continue;
        }
        IMB_AES256_GCM_DEC(mgr, &state->key, &state->ctx, rec->out, rec->in, rec->len, nonce, work->digest, aad_len,
                           tag, BENCH_TAG_LEN);
        failed += memcmp(tag, rec->in + rec->len, BENCH_TAG_LEN) != 0;
    }
    return failed;
}

const char *bench_ipsecmb_version(void) {
    static char text[64];
    snprintf(text, sizeof text, "%s %s", imb_get_version_str(), wants_avx2() ? "avx2" : "auto");
    return text;
}

#else /* not on this machine */

static void *prepare(const bench_work *work) {
    (void)work;
    return NULL;
}
static size_t run(void *state, const bench_work *work, int draw) {
    (void)state, (void)draw;
    return work->num;
}
static void release(void *state) { (void)state; }
const char *bench_ipsecmb_version(void) { return "missing"; }

#endif

const bench_party_ops bench_ipsecmb = {prepare, run, release};
