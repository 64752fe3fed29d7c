/* XAES-256-GCM with AES-NI and PCLMULQDQ: one message per register, eight at once (kf_xaes_engine.h). */
#include "kf_xaes_aesni.h"

#include "kf_aes_aesni.h"
#include "kf_gcm_aesni.h"
#include "kf_util.h"
#include "kf_x86.h"
#include "kf_xaes_short.h"

#if defined(__x86_64__)

#define KF_XAES_TARGET KF_AESNI
#define KF_XAES_INLINE KF_AESNI_INLINE
#define KF_XAES_WIDTH 1
#define KF_XAES_STRIDE "16"
#define KF_MM(op) _mm_##op
#define KF_MM_AND _mm_and_si128
#define KF_MM_XOR _mm_xor_si128
#define KF_MM_AESENCLAST _mm_aesenclast_si128
#define KF_MM_CLMUL _mm_clmulepi64_si128
#define kf_gcm_seal kf_gcm_aesni_seal
#define kf_gcm_open kf_gcm_aesni_open

typedef __m128i kf_vec;

KF_AESNI_INLINE kf_vec kf_all(__m128i x) { return x; }
/* A block of the messages of a register, 16 bytes at the same place in each. */
KF_AESNI_INLINE kf_vec kf_gather(const kf_rec *rec, size_t at) { return kf_load128(rec[0].in + at); }
KF_AESNI_INLINE void kf_scatter(const kf_rec *rec, size_t at, kf_vec x) { kf_store128(rec[0].out + at, x); }

#include "kf_xaes_engine.h"

void kf_xaes_aesni_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec,
                        size_t n) {
    kf_xaes_seal_all(key, digest, nonces, rec, n);
}

size_t kf_xaes_aesni_open(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                          const kf_rec *rec, size_t n) {
    return kf_xaes_open_all(key, ok, digest, nonces, rec, n);
}

#endif
