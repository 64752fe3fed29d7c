/* CPU features, found once at load. x86 features count only when the operating system saves the
 * registers that they use (XGETBV). */
#ifndef KF_CPU_H
#define KF_CPU_H

#include <stdint.h>

enum kf_cpu_feature {
    KF_CPU_AESNI = 1 << 0,     /* AES-NI and SSSE3/SSE4.1 */
    KF_CPU_PCLMUL = 1 << 1,
    KF_CPU_AVX = 1 << 2,
    KF_CPU_AVX2 = 1 << 3,
    KF_CPU_VAES = 1 << 4,
    KF_CPU_VPCLMUL = 1 << 5,
    KF_CPU_SHANI = 1 << 6,
    KF_CPU_BMI2_ADX = 1 << 7,
    KF_CPU_FMA = 1 << 8,
    KF_CPU_ARM_AES = 1 << 9,   /* AES and PMULL */
    KF_CPU_ARM_SHA2 = 1 << 10,
    KF_CPU_AVX512_IFMA = 1 << 11 /* AVX-512 F, BW, IFMA and VBMI */
};

/* Features of this CPU, less those that the environment variable KMSFAST_CPU_MASK (a list of
 * names as kf_cpu_features prints them, separated by commas) takes away. */
uint32_t kf_cpu(void);

#endif
