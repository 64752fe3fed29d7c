/*
 * CPU features: one table of names, one question per CPU family, asked once.
 * Rules: a feature counts only when everything that it stands on is there too (instructions,
 * registers that the operating system saves), so that callers test one bit each.
 */
#include "kf_cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kf.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const struct {
    const char *name;
    uint32_t bit;
} FEATURES[] = {
    {"aesni", KF_CPU_AESNI},     {"pclmul", KF_CPU_PCLMUL},   {"avx", KF_CPU_AVX},
    {"avx2", KF_CPU_AVX2},       {"vaes", KF_CPU_VAES},       {"vpclmul", KF_CPU_VPCLMUL},
    {"shani", KF_CPU_SHANI},     {"bmi2_adx", KF_CPU_BMI2_ADX}, {"fma", KF_CPU_FMA},
    {"arm_aes", KF_CPU_ARM_AES}, {"arm_sha2", KF_CPU_ARM_SHA2}, {"avx512_ifma", KF_CPU_AVX512_IFMA},
};
enum { NUM_FEATURES = sizeof FEATURES / sizeof FEATURES[0] };

static pthread_once_t cpu_once = PTHREAD_ONCE_INIT;
static uint32_t cpu_features;
static char cpu_names[128];

/* feature if all bits of need are set in have, else 0 */
static uint32_t implied(uint32_t feature, uint32_t have, uint32_t need) {
    return (have & need) == need ? feature : 0;
}

#if defined(__x86_64__)
/* Bits of CPUID leaves 1 and 7 and of XCR0: Intel SDM volume 2A, CPUID; volume 1, 13.3. */
static uint32_t detect(void) {
    uint32_t a, b, c, d, found;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const uint32_t leaf1 = c;
    const uint32_t ssse3 = 1u << 9, sse41 = 1u << 19, aes = 1u << 25, pclmul = 1u << 1;
    const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
    found = implied(KF_CPU_AESNI, leaf1, aes | ssse3 | sse41);
    found |= implied(KF_CPU_PCLMUL, leaf1, pclmul);

    uint32_t leaf7_b = 0, leaf7_c = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) leaf7_b = b, leaf7_c = c;
    const uint32_t avx2 = 1u << 5, bmi2 = 1u << 8, adx = 1u << 19, sha = 1u << 29;
    const uint32_t vaes = 1u << 9, vpclmul = 1u << 10;
    found |= implied(KF_CPU_BMI2_ADX, leaf7_b, bmi2 | adx);
    if (leaf1 & sse41) found |= implied(KF_CPU_SHANI, leaf7_b, sha);

    uint32_t xcr0 = 0, xcr0_high;
    if (leaf1 & osxsave) __asm__("xgetbv" : "=a"(xcr0), "=d"(xcr0_high) : "c"(0));
    if ((xcr0 & 6) != 6) return found; /* XMM and YMM state */
    found |= implied(KF_CPU_AVX, leaf1, avx);
    if (!(found & KF_CPU_AVX)) return found;
    found |= implied(KF_CPU_FMA, leaf1, fma);
    found |= implied(KF_CPU_AVX2, leaf7_b, avx2);
    if (!(found & KF_CPU_AVX2)) return found;
    found |= implied(KF_CPU_VAES, leaf7_c, vaes) | implied(KF_CPU_VPCLMUL, leaf7_c, vpclmul);
    const uint32_t avx512f = 1u << 16, avx512ifma = 1u << 21, avx512bw = 1u << 30, avx512vbmi = 1u << 1;
    if ((xcr0 & 0xe0) != 0xe0 || !(leaf7_c & avx512vbmi)) return found; /* mask and ZMM state */
    return found | implied(KF_CPU_AVX512_IFMA, leaf7_b, avx512f | avx512ifma | avx512bw);
}
#elif defined(__aarch64__)
/* Bits of AT_HWCAP: Linux, Documentation/arch/arm64/elf_hwcaps.rst. */
static uint32_t detect(void) {
    const uint32_t aes = 1u << 3, pmull = 1u << 4, sha2 = 1u << 6;
    const uint32_t have = (uint32_t)getauxval(AT_HWCAP);
    return implied(KF_CPU_ARM_AES, have, aes | pmull) | implied(KF_CPU_ARM_SHA2, have, sha2);
}
#else
static uint32_t detect(void) { return 0; }
#endif

/* The bits of the names in a list separated by commas; names that are none count for nothing. */
static uint32_t parse_names(const char *list) {
    uint32_t bits = 0;
    while (list && *list) {
        const size_t len = strcspn(list, ",");
        for (int i = 0; i < NUM_FEATURES; i++)
            if (strlen(FEATURES[i].name) == len && memcmp(FEATURES[i].name, list, len) == 0)
                bits |= FEATURES[i].bit;
        list += len + (list[len] == ',');
    }
    return bits;
}

static void detect_once(void) {
    cpu_features = detect() & ~parse_names(getenv("KMSFAST_CPU_MASK"));
    size_t used = 0;
    for (int i = 0; i < NUM_FEATURES; i++) {
        if (!(cpu_features & FEATURES[i].bit)) continue;
        used += (size_t)snprintf(cpu_names + used, sizeof cpu_names - used, "%s%s",
                                 used ? " " : "", FEATURES[i].name);
    }
}

uint32_t kf_cpu(void) {
    pthread_once(&cpu_once, detect_once);
    return cpu_features;
}

const char *kf_cpu_features(void) {
    pthread_once(&cpu_once, detect_once);
    return cpu_names;
}
