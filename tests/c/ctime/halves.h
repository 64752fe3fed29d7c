/*
 * The 256-bit AES and multiplication instructions of the VAES kernels, each as two of 128 bits, so
 * that tools which do not know VAES can run these kernels' source. The compiler includes this file
 * before each csrc/kf_*_vaes.c of such a build; the instructions themselves are not taken as
 * tested thereby, only what the source does with secrets. halves.c makes the CPU offer the path.
 */
#ifndef KFT_HALVES_H
#define KFT_HALVES_H

#include "kf_x86.h"

#if defined(__x86_64__)

/* Without "vaes" and "vpclmulqdq" the compiler refuses what is not replaced here. */
#undef KF_VAES
#define KF_VAES __attribute__((target("aes,pclmul,avx,avx2")))

#define KFT_LOW(x) _mm256_castsi256_si128(x)
#define KFT_HIGH(x) _mm256_extracti128_si256(x, 1)
#define KFT_BOTH(low, high) _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1)

KF_VAES_INLINE __m128i kft_aesenc128(__m128i x, __m128i key) { return _mm_aesenc_si128(x, key); }
KF_VAES_INLINE __m256i kft_aesenc256(__m256i x, __m256i key) {
    return KFT_BOTH(_mm_aesenc_si128(KFT_LOW(x), KFT_LOW(key)), _mm_aesenc_si128(KFT_HIGH(x), KFT_HIGH(key)));
}
KF_VAES_INLINE __m128i kft_aesenclast128(__m128i x, __m128i key) { return _mm_aesenclast_si128(x, key); }
KF_VAES_INLINE __m256i kft_aesenclast256(__m256i x, __m256i key) {
    return KFT_BOTH(_mm_aesenclast_si128(KFT_LOW(x), KFT_LOW(key)), _mm_aesenclast_si128(KFT_HIGH(x), KFT_HIGH(key)));
}
KF_VAES_INLINE __m128i kft_clmul128(__m128i a, __m128i b, const int which) {
    if (which == 0x00) return _mm_clmulepi64_si128(a, b, 0x00);
    if (which == 0x01) return _mm_clmulepi64_si128(a, b, 0x01);
    if (which == 0x10) return _mm_clmulepi64_si128(a, b, 0x10);
    return _mm_clmulepi64_si128(a, b, 0x11);
}
KF_VAES_INLINE __m256i kft_clmul256(__m256i a, __m256i b, const int which) {
    return KFT_BOTH(kft_clmul128(KFT_LOW(a), KFT_LOW(b), which), kft_clmul128(KFT_HIGH(a), KFT_HIGH(b), which));
}

#define KFT_WIDTH(x, name) _Generic((x), __m128i: name##128, default: name##256)

#undef KF_PIN_AESENC
#undef KF_PIN_AESENCLAST
#undef KF_PIN_AESENC_REG
#undef KF_PIN_AESENCLAST_REG
#undef KF_PIN_CLMUL
#undef KF_PIN_CLMUL_MEM
#define KF_PIN_AESENC(state, key) ((state) = KFT_WIDTH(state, kft_aesenc)(state, *(key)))
#define KF_PIN_AESENCLAST(state, key) ((state) = KFT_WIDTH(state, kft_aesenclast)(state, *(key)))
#define KF_PIN_AESENC_REG(state, key) ((state) = KFT_WIDTH(state, kft_aesenc)(state, key))
#define KF_PIN_AESENCLAST_REG(state, key) ((state) = KFT_WIDTH(state, kft_aesenclast)(state, key))
#define KF_PIN_CLMUL(out, a, b, which) ((out) = KFT_WIDTH(out, kft_clmul)(a, b, which))
#define KF_PIN_CLMUL_MEM(out, a, b, which) ((out) = KFT_WIDTH(out, kft_clmul)(a, *(b), which))

#endif
#endif
