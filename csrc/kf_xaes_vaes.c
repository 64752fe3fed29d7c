/* XAES-256-GCM with VAES and VPCLMULQDQ: two messages per register, sixteen at once (kf_xaes_engine.h). */
#include "kf_xaes_vaes.h"

#include "kf_aes_aesni.h"
#include "kf_gcm_vaes.h"
#include "kf_util.h"
#include "kf_x86.h"
#include "kf_xaes_short.h"

#if defined(__x86_64__)

#define KF_XAES_TARGET KF_VAES
#define KF_XAES_INLINE KF_VAES_INLINE
#define KF_XAES_WIDTH 2
#define KF_XAES_STRIDE "32"
#define KF_MM(op) _mm256_##op
#define KF_MM_AND _mm256_and_si256
#define KF_MM_XOR _mm256_xor_si256
#define KF_MM_AESENCLAST _mm256_aesenclast_epi128
#define KF_MM_CLMUL _mm256_clmulepi64_epi128
#define kf_gcm_seal kf_gcm_vaes_seal
#define kf_gcm_open kf_gcm_vaes_open

typedef __m256i kf_vec;

KF_VAES_INLINE kf_vec kf_all(__m128i x) { return _mm256_broadcastsi128_si256(x); }
/* A block of the messages of a register, 16 bytes at the same place in each. */
KF_VAES_INLINE kf_vec kf_gather(const kf_rec *rec, size_t at) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(kf_load128(rec[0].in + at)), kf_load128(rec[1].in + at), 1);
}
KF_VAES_INLINE void kf_scatter(const kf_rec *rec, size_t at, kf_vec x) {
    kf_store128(rec[0].out + at, _mm256_castsi256_si128(x));
    kf_store128(rec[1].out + at, _mm256_extracti128_si256(x, 1));
}

#include "kf_xaes_engine.h"

void kf_xaes_vaes_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec,
                       size_t n) {
    kf_xaes_seal_all(key, digest, nonces, rec, n);
}

size_t kf_xaes_vaes_open(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                         const kf_rec *rec, size_t n) {
    return kf_xaes_open_all(key, ok, digest, nonces, rec, n);
}

#endif
