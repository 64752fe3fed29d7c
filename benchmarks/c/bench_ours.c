/* kmsfast: one call of a kernel per workload. */
#include <stdlib.h>

#include "bench.h"
#include "kf.h"
#include "kf_rng.h"

typedef struct {
    kf_gcm_key gcm;
    kf_xaes_key xaes;
} ours_state;

static void *prepare(const bench_work *work) {
    ours_state *state = aligned_alloc(64, (sizeof *state + 63) / 64 * 64);
    if (!state) return NULL;
    kf_gcm_key_init(kf_aead, &state->gcm, work->key);
    kf_xaes_key_init(kf_aead, &state->xaes, work->key);
    return state;
}

/* As a batch of blobs does it: a generator seeded by the kernel, wiped at the batch's end. */
static int draw_nonces(const bench_work *work) {
    kf_rng rng;
    int status = kf_rng_init(&rng);
    if (status == KF_OK) status = kf_rng_fill(&rng, work->drawn, work->num * BENCH_XAES_NONCE_LEN);
    kf_rng_wipe(&rng);
    return status;
}

static size_t run(void *opaque, const bench_work *work, int draw) {
    const ours_state *state = opaque;
    const kf_rec *rec = work->rec;
    if (!work->xaes) {
        if (work->opening) return kf_aead->gcm_open(&state->gcm, work->ok, work->digest, work->nonces, rec, work->num);
        kf_aead->gcm_seal(&state->gcm, work->digest, work->nonces, rec, work->num);
        return 0;
    }
    if (work->opening)
        return kf_aead->xaes_open(&state->xaes, work->ok, work->digest, work->xaes_nonces, rec, work->num);
    if (draw && draw_nonces(work) != KF_OK) return work->num;
    kf_aead->xaes_seal(&state->xaes, work->digest, draw ? work->drawn : work->xaes_nonces, rec, work->num);
    return 0;
}

const bench_party_ops bench_ours = {prepare, run, free};
