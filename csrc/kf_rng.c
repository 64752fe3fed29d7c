/* The kernel's generator, and one of our own for the length of a batch (kf_rng.h). */
#include "kf_rng.h"

#include <errno.h>
#include <string.h>
#if defined(__linux__)
#include <sys/random.h>
#else
#include <unistd.h>
#endif

#include "kf.h"
#include "kf_util.h"

enum { RESEED_BYTES = 1 << 24, CHUNK_BLOCKS = 64, KEY_BLOCKS = 2 };

#ifdef KF_TESTING
int kf_random_fault;
#endif

int kf_random(uint8_t *out, size_t len) {
#ifdef KF_TESTING
    if (kf_random_fault && --kf_random_fault == 0) return KF_ERR_SYSTEM;
#endif
    while (len) {
        const size_t ask = len < 256 ? len : 256; /* never cut short by a signal up to here */
#if defined(__linux__)
        const ssize_t got = getrandom(out, ask, 0);
#else
        const ssize_t got = getentropy(out, ask) == 0 ? (ssize_t)ask : -1;
#endif
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return KF_ERR_SYSTEM;
        out += got, len -= (size_t)got;
    }
    return KF_OK;
}

int kf_rng_init(kf_rng *rng) {
    uint8_t seed[32];
    const int status = kf_random(seed, sizeof seed);
    if (status == KF_OK) {
        kf_aead->aes256_expand(&rng->aes, seed);
        rng->left = RESEED_BYTES;
    }
    kf_wipe(seed, sizeof seed);
    return status;
}

/* Blocks first, first + 1, ... of the key stream; the counter starts over with each key. */
static void key_stream(const kf_rng *rng, uint8_t *out, uint64_t first, size_t num_blocks) {
    uint8_t counters[16 * CHUNK_BLOCKS] = {0};
    while (num_blocks) {
        const size_t n = num_blocks < CHUNK_BLOCKS ? num_blocks : CHUNK_BLOCKS;
        for (size_t i = 0; i < n; i++) memcpy(counters + 16 * i, &(uint64_t){first + i}, 8);
        kf_aead->aes256_blocks(&rng->aes, out, counters, n);
        out += 16 * n, first += n, num_blocks -= n;
    }
}

int kf_rng_fill(kf_rng *rng, uint8_t *out, size_t len) {
    uint8_t last[16], next_key[16 * KEY_BLOCKS];
    if (rng->left < len) {
        const int status = kf_rng_init(rng);
        if (status != KF_OK) return status;
    }
    rng->left = rng->left > len ? rng->left - len : 0;
    key_stream(rng, next_key, 0, KEY_BLOCKS); /* replaces the key below: what is behind stays secret */
    key_stream(rng, out, KEY_BLOCKS, len / 16);
    if (len % 16) {
        key_stream(rng, last, KEY_BLOCKS + len / 16, 1);
        memcpy(out + len / 16 * 16, last, len % 16);
    }
    kf_aead->aes256_expand(&rng->aes, next_key);
    kf_wipe(next_key, sizeof next_key);
    kf_wipe(last, sizeof last);
    return KF_OK;
}

void kf_rng_wipe(kf_rng *rng) {
    kf_wipe(rng, sizeof *rng);
}
