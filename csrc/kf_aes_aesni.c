/* AES-256 blocks and key schedules with AES-NI, for what is not a batch of records: see kf_aes_aesni.h. */
#include "kf_aes_aesni.h"

#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

enum { WIDE = 8 };

/* Each word xor those before it: what does not depend on the other half of the key. */
KF_AESNI_INLINE __m128i sums(__m128i words) {
    words = _mm_xor_si128(words, _mm_slli_si128(words, 4));
    return _mm_xor_si128(words, _mm_slli_si128(words, 8));
}

/* FIPS 197 5.2 with Nk = 8, four words at a time. AESENCLAST gives SubWord of the last word before: a shuffle copies
 * that to all columns, so that ShiftRows changes nothing, and rotates it for the even round keys. */
KF_AESNI void kf_aesni_expand(kf_aes256 *key, const uint8_t key_bytes[32]) {
    const __m128i rotated = _mm_set1_epi32(0x0c0f0e0d), last = _mm_set1_epi32(0x0f0e0d0c);
    __m128i even = kf_load128(key_bytes), odd = kf_load128(key_bytes + 16), rcon = _mm_set1_epi32(1);
    kf_store128(key->rk, even);
    kf_store128(key->rk + 16, odd);
    for (int r = 2;; r += 2) {
        even = _mm_xor_si128(sums(even), _mm_aesenclast_si128(_mm_shuffle_epi8(odd, rotated), rcon));
        kf_store128(key->rk + 16 * r, even);
        if (r == 14) return;
        odd = _mm_xor_si128(sums(odd), _mm_aesenclast_si128(_mm_shuffle_epi8(even, last), _mm_setzero_si128()));
        kf_store128(key->rk + 16 * r + 16, odd);
        rcon = _mm_add_epi32(rcon, rcon);
    }
}

#define KF_ALL(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7)
#define KF_LOAD(i) __m128i s##i = _mm_xor_si128(kf_load128(in + 16 * i), rk[0]);
#define KF_ENCRYPT(i) s##i = _mm_aesenc_si128(s##i, k);
#define KF_STORE(i) kf_store128(out + 16 * i, _mm_aesenclast_si128(s##i, rk[14]));

KF_AESNI void kf_aesni_blocks(const kf_aes256 *key, uint8_t *out, const uint8_t *in, size_t num_blocks) {
    const __m128i *rk = (const __m128i *)key->rk;
    for (; num_blocks >= WIDE; num_blocks -= WIDE, in += 16 * WIDE, out += 16 * WIDE) {
        KF_ALL(KF_LOAD)
        for (int r = 1; r < 14; r++) {
            const __m128i k = rk[r];
            KF_ALL(KF_ENCRYPT)
        }
        KF_ALL(KF_STORE)
    }
    for (; num_blocks > 0; num_blocks--, in += 16, out += 16) kf_store128(out, kf_aes_block(rk, kf_load128(in)));
}

#endif
