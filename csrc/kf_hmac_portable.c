/* HMAC-SHA-256 in lanes, portable: one lane after the other. */
#include "kf_hmac_lanes.h"
#include "kf_sha256_impl.h"
#include "kf_util.h"

void kf_hmac_lanes_portable(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head, size_t num_tail) {
    uint32_t state[8];
    uint8_t block[64] = {0};
    block[32] = 0x80;
    kf_store64_be(block + 56, (64 + 32) * 8);
    for (int l = 0; l < KF_HMAC_LANES; l++) {
        memcpy(state, key->inner, sizeof state);
        kf_sha256_blocks_portable(state, lane[l].head, num_head);
        kf_sha256_blocks_portable(state, lane[l].tail, num_tail);
        for (int i = 0; i < 8; i++) kf_store32_be(block + 4 * i, state[i]);
        memcpy(state, key->outer, sizeof state);
        kf_sha256_blocks_portable(state, block, 1);
        for (int i = 0; i < 8; i++) kf_store32_be(lane[l].out + 4 * i, state[i]);
    }
    kf_wipe(state, sizeof state);
    kf_wipe(block, sizeof block);
}
