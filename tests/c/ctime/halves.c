/*
 * A CPU with AVX2 passes for one with VAES, for builds with rewritten kernels, and under valgrind, which knows the
 * instructions of BMI2 and ADX but does not say so, for one with these (linked with --wrap=kf_cpu).
 */
#include "kf_cpu.h"

uint32_t __real_kf_cpu(void);
uint32_t __wrap_kf_cpu(void);
uint32_t __wrap_kf_cpu(void) {
    const uint32_t needed = KF_CPU_AESNI | KF_CPU_PCLMUL | KF_CPU_AVX2, have = __real_kf_cpu();
#ifdef KF_VALGRIND
    const uint32_t more = KF_CPU_VAES | KF_CPU_VPCLMUL | KF_CPU_BMI2_ADX;
#else
    const uint32_t more = KF_CPU_VAES | KF_CPU_VPCLMUL;
#endif
    return (have & needed) == needed ? have | more : have;
}
