/* The two x86-64 implementations, put together from their kernels. NULL on other processors. */
#include "kf_aead.h"
#include "kf_aes_aesni.h"
#include "kf_cpu.h"
#include "kf_gcm_aesni.h"
#include "kf_gcm_vaes.h"
#include "kf_xaes_aesni.h"
#include "kf_xaes_vaes.h"

#if defined(__x86_64__)

enum {
    NEEDED_BY_AESNI = KF_CPU_AESNI | KF_CPU_PCLMUL | KF_CPU_AVX,
    NEEDED_BY_VAES = NEEDED_BY_AESNI | KF_CPU_AVX2 | KF_CPU_VAES | KF_CPU_VPCLMUL
};

static int cpu_has(uint32_t features) { return (kf_cpu() & features) == features; }

const kf_aead_impl *kf_aead_aesni(void) {
    static const kf_aead_impl impl = {
        .name = "aesni",
        .aes256_expand = kf_aesni_expand,
        .aes256_blocks = kf_aesni_blocks,
        .gcm_seal = kf_gcm_aesni_seal,
        .gcm_open = kf_gcm_aesni_open,
        .xaes_seal = kf_xaes_aesni_seal,
        .xaes_open = kf_xaes_aesni_open,
    };
    return cpu_has(NEEDED_BY_AESNI) ? &impl : NULL;
}

const kf_aead_impl *kf_aead_vaes(void) {
    static const kf_aead_impl impl = {
        .name = "vaes",
        .aes256_expand = kf_aesni_expand,
        .aes256_blocks = kf_aesni_blocks,
        .gcm_seal = kf_gcm_vaes_seal,
        .gcm_open = kf_gcm_vaes_open,
        .xaes_seal = kf_xaes_vaes_seal,
        .xaes_open = kf_xaes_vaes_open,
    };
    return cpu_has(NEEDED_BY_VAES) ? &impl : NULL;
}

#else

const kf_aead_impl *kf_aead_aesni(void) { return NULL; }
const kf_aead_impl *kf_aead_vaes(void) { return NULL; }

#endif
