/* AES-256 blocks and key schedules with AES-NI, for what is not a batch of records: see kf_aes_aesni.h. */
#include "kf_aes_aesni.h"

#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

enum { WIDE = 8 };

/* w(i) = w(i - 8) ^ w(i - 1) for four words, where t holds what SubWord makes of w(i - 1) in each. */
KF_AESNI_INLINE __m128i next_words(__m128i words, __m128i t) {
    words = _mm_xor_si128(words, _mm_slli_si128(words, 4));
    words = _mm_xor_si128(words, _mm_slli_si128(words, 8));
    return _mm_xor_si128(words, t);
}

/* FIPS 197 5.2 with Nk = 8: a double round, whose second half has no rotation and no constant. */
#define KF_EXPAND_EVEN(i, rcon)                                                                    \
    even = next_words(even, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, rcon), 0xff)); \
    kf_store128(key->rk + 16 * (i), even)
#define KF_EXPAND_ODD(i)                                                                      \
    odd = next_words(odd, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa)); \
    kf_store128(key->rk + 16 * (i), odd)

KF_AESNI void kf_aesni_expand(kf_aes256 *key, const uint8_t key_bytes[32]) {
    __m128i even = kf_load128(key_bytes), odd = kf_load128(key_bytes + 16);
    kf_store128(key->rk, even);
    kf_store128(key->rk + 16, odd);
    KF_EXPAND_EVEN(2, 0x01);
    KF_EXPAND_ODD(3);
    KF_EXPAND_EVEN(4, 0x02);
    KF_EXPAND_ODD(5);
    KF_EXPAND_EVEN(6, 0x04);
    KF_EXPAND_ODD(7);
    KF_EXPAND_EVEN(8, 0x08);
    KF_EXPAND_ODD(9);
    KF_EXPAND_EVEN(10, 0x10);
    KF_EXPAND_ODD(11);
    KF_EXPAND_EVEN(12, 0x20);
    KF_EXPAND_ODD(13);
    KF_EXPAND_EVEN(14, 0x40);
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
