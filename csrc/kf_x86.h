/*
 * What the x86-64 kernels share: target attributes, exact partial loads and stores, pinned
 * instructions, and multiplication in GF(2^128).
 *
 * Two paths: "aesni" uses AES-NI, PCLMULQDQ and AVX; "vaes" adds AVX2, VAES and VPCLMULQDQ on 256-bit
 * registers. Every function that uses them carries KF_AESNI or KF_VAES; helpers carry KF_AESNI_INLINE
 * (they inline into both) or KF_VAES_INLINE. Nothing here branches on or indexes with data.
 *
 * Pinned instructions are volatile assembly: compilers keep them in the order of the source, so that
 * AES rounds and GHASH multiplications stay interleaved as written. The rest is plain intrinsics.
 *
 * GHASH elements (SP 800-38D 6.3) are kept byte-swapped ("kf_bswap128"), which leaves their bits in
 * reflected order. The product of two such elements is one bit short of its place; kf_ghash_key
 * multiplies H by x once, so that every later product with it is in place.
 */
#ifndef KF_X86_H
#define KF_X86_H

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KF_AESNI __attribute__((target("aes,pclmul,avx")))
#define KF_VAES __attribute__((target("aes,pclmul,avx,avx2,vaes,vpclmulqdq")))
#define KF_AESNI_INLINE static inline KF_AESNI __attribute__((always_inline))
#define KF_VAES_INLINE static inline KF_VAES __attribute__((always_inline))
#define KF_NOINLINE __attribute__((noinline))

/* ---- loads and stores ----------------------------------------------------------------------- */

KF_AESNI_INLINE __m128i kf_load128(const void *p) {
    return _mm_loadu_si128((const __m128i *)p);
}
KF_AESNI_INLINE void kf_store128(void *p, __m128i x) {
    _mm_storeu_si128((__m128i *)p, x);
}

/* 12 bytes, such as a nonce, and 4 zero bytes. */
KF_AESNI_INLINE __m128i kf_load96(const uint8_t *p) {
    int32_t high;
    memcpy(&high, p + 8, 4);
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)p), _mm_cvtsi32_si128(high));
}

/* The first len bytes (0 to 16) at p, then zeros. Reads exactly those bytes. */
KF_AESNI_INLINE __m128i kf_load_partial(const uint8_t *p, size_t len) {
    uint64_t low = 0, high = 0;
    if (len == 16) return kf_load128(p);
    if (len >= 8) {
        memcpy(&low, p, 8);
        memcpy(&high, p + len - 8, 8);
        high = high >> (8 * (15 - len)) >> 8;
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        low = first | (uint64_t)last << (8 * (len - 4));
    } else if (len > 0) {
        low = p[0] | (uint64_t)p[len / 2] << (8 * (len / 2)) | (uint64_t)p[len - 1] << (8 * (len - 1));
    }
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

/* Writes exactly the first len bytes (0 to 16) of x to p. */
KF_AESNI_INLINE void kf_store_partial(uint8_t *p, __m128i x, size_t len) {
    if (len == 16) {
        kf_store128(p, x);
        return;
    }
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(x), high = (uint64_t)_mm_extract_epi64(x, 1);
    if (len & 8) {
        memcpy(p, &low, 8);
        p += 8, low = high;
    }
    if (len & 4) {
        memcpy(p, &low, 4);
        p += 4, low >>= 32;
    }
    if (len & 2) {
        memcpy(p, &low, 2);
        p += 2, low >>= 16;
    }
    if (len & 1) *p = (uint8_t)low;
}

/* ---- pinned instructions -------------------------------------------------------------------- */

/* state = aesenc(state, *key) and so on; key is a pointer to memory, which costs no register. */
#define KF_PIN_AESENC(state, key) \
    __asm__ volatile("vaesenc %1, %0, %0" : "+x"(state) : "m"(*(key)))
#define KF_PIN_AESENCLAST(state, key) \
    __asm__ volatile("vaesenclast %1, %0, %0" : "+x"(state) : "m"(*(key)))
/* The same with the key in a register. */
#define KF_PIN_AESENC_REG(state, key) \
    __asm__ volatile("vaesenc %1, %0, %0" : "+x"(state) : "x"(key))
#define KF_PIN_AESENCLAST_REG(state, key) \
    __asm__ volatile("vaesenclast %1, %0, %0" : "+x"(state) : "x"(key))
/* out = a * b over GF(2); which: 0x00 low by low half, 0x11 high by high, 0x01 high of a by low of b,
 * 0x10 low of a by high of b. */
#define KF_PIN_CLMUL(out, a, b, which) \
    __asm__ volatile("vpclmulqdq %3, %2, %1, %0" : "=x"(out) : "x"(a), "x"(b), "i"(which))
/* The same with b a pointer to memory. */
#define KF_PIN_CLMUL_MEM(out, a, b, which) \
    __asm__ volatile("vpclmulqdq %3, %2, %1, %0" : "=x"(out) : "x"(a), "m"(*(b)), "i"(which))

/* ---- AES ------------------------------------------------------------------------------------ */

/* One block under the round keys rk[15] (FIPS 197 5.1). */
KF_AESNI_INLINE __m128i kf_aes_block(const __m128i *rk, __m128i x) {
    x = _mm_xor_si128(x, _mm_load_si128(rk));
    for (int r = 1; r < 14; r++) x = _mm_aesenc_si128(x, _mm_load_si128(rk + r));
    return _mm_aesenclast_si128(x, _mm_load_si128(rk + 14));
}

/* ---- GF(2^128) ------------------------------------------------------------------------------ */

KF_AESNI_INLINE __m128i kf_bswap_mask(void) {
    return _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
KF_AESNI_INLINE __m128i kf_bswap128(__m128i x) {
    return _mm_shuffle_epi8(x, kf_bswap_mask());
}
KF_AESNI_INLINE __m128i kf_swap_halves(__m128i x) {
    return _mm_shuffle_epi32(x, 0x4e);
}
/* High half xor low half, in both halves: what a Karatsuba multiplication wants. */
KF_AESNI_INLINE __m128i kf_fold_halves(__m128i x) {
    return _mm_xor_si128(x, kf_swap_halves(x));
}

/* x^128 + x^7 + x^2 + x + 1 in reflected order, its lowest term left out. */
KF_AESNI_INLINE __m128i kf_ghash_poly(void) {
    return _mm_set_epi64x((int64_t)0xc200000000000000, 1);
}

/* H * x for the hash subkey H (16 bytes as AES returns them). */
KF_AESNI_INLINE __m128i kf_ghash_key(__m128i h) {
    h = kf_bswap128(h);
    __m128i carry = _mm_shuffle_epi32(_mm_srai_epi32(h, 31), 0xff);
    __m128i shifted = _mm_or_si128(_mm_slli_epi64(h, 1), _mm_slli_si128(_mm_srli_epi64(h, 63), 8));
    return _mm_xor_si128(shifted, _mm_and_si128(carry, kf_ghash_poly()));
}

/* Sums of products before reduction: low halves, high halves, and (low + high) * (low + high). */
typedef struct {
    __m128i low, middle, high;
} kf_ghash_sum;

KF_AESNI_INLINE kf_ghash_sum kf_ghash_zero(void) {
    return (kf_ghash_sum){_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}
/* sum += x * h, where h_folded = kf_fold_halves(h). */
KF_AESNI_INLINE void kf_ghash_add(kf_ghash_sum *sum, __m128i x, __m128i h, __m128i h_folded) {
    sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(x, h, 0x00));
    sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(x, h, 0x11));
    sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(kf_fold_halves(x), h_folded, 0x00));
}
/* Reduction modulo the polynomial, in two steps of 64 bits. */
KF_AESNI_INLINE __m128i kf_ghash_reduce(kf_ghash_sum sum) {
    const __m128i poly = kf_ghash_poly();
    __m128i middle = _mm_xor_si128(sum.middle, _mm_xor_si128(sum.low, sum.high));
    middle = _mm_xor_si128(middle, kf_swap_halves(sum.low));
    middle = _mm_xor_si128(middle, _mm_clmulepi64_si128(sum.low, poly, 0x10));
    __m128i high = _mm_xor_si128(sum.high, kf_swap_halves(middle));
    return _mm_xor_si128(high, _mm_clmulepi64_si128(middle, poly, 0x10));
}
/* x * h, where h came from kf_ghash_key or is a product of such. */
KF_AESNI_INLINE __m128i kf_ghash_mul(__m128i x, __m128i h) {
    kf_ghash_sum sum = kf_ghash_zero();
    kf_ghash_add(&sum, x, h, kf_fold_halves(h));
    return kf_ghash_reduce(sum);
}

/* The block of lengths in bits, byte-swapped (SP 800-38D 7.1 step 5). */
KF_AESNI_INLINE __m128i kf_ghash_lengths(uint64_t aad_len, uint64_t len) {
    return _mm_set_epi64x((int64_t)(aad_len * 8), (int64_t)(len * 8));
}

#endif
#endif
