/*
 * Arithmetic modulo p and n for x86-64 with BMI2 and ADX: 64-bit multiplication without flags and two carry chains.
 * Rules:
 * - assembly, because no compiler keeps two carry chains apart; nothing in it branches, and addresses are those of
 *   the arguments;
 * - a product is made whole (t0 to t7), then its lower half is reduced word by word: each step adds the multiple of
 *   the modulus that clears the lowest word, and the words move up one place in the names, not in the registers;
 * - p = 2^256 - 2^224 + 2^192 + 2^96 - 1 is -1 modulo 2^64, so the multiple is the word w itself:
 *   w + w p = w 2^96 + w (2^64 - 2^32 + 1) 2^192, two shifts and one multiplication.
 */
#ifndef KF_P256_FIELD_MULX_H
#define KF_P256_FIELD_MULX_H

#include "kf_p256_words.h"

#define MULX_INLINE static inline __attribute__((always_inline))

static const uint64_t mulx_p1 = 0x00000000ffffffff, mulx_p3 = 0xffffffff00000001;
static const uint64_t mulx_n0 = 0xf3b9cac2fc632551, mulx_n1 = 0xbce6faada7179e84, mulx_n2 = 0xffffffffffffffff,
                      mulx_n3 = 0xffffffff00000000, mulx_n_inverse = 0xccd1c8aaee00bc4f;

/* One row of the product: (t0, .., t3) += a[0..3] rdx, t4 = the carry out. */
#define MULX_ROW(t0, t1, t2, t3, t4)                                                                                \
    "xorl %k[" t4 "], %k[" t4 "]\n\t"                                                                               \
    "mulxq 0(%[a]), %[l], %[h]\n\t"  "adcxq %[l], %[" t0 "]\n\t" "adoxq %[h], %[" t1 "]\n\t"                          \
    "mulxq 8(%[a]), %[l], %[h]\n\t"  "adcxq %[l], %[" t1 "]\n\t" "adoxq %[h], %[" t2 "]\n\t"                          \
    "mulxq 16(%[a]), %[l], %[h]\n\t" "adcxq %[l], %[" t2 "]\n\t" "adoxq %[h], %[" t3 "]\n\t"                           \
    "mulxq 24(%[a]), %[l], %[h]\n\t" "adcxq %[l], %[" t3 "]\n\t" "adoxq %[h], %[" t4 "]\n\t"                           \
    "adcq $0, %[" t4 "]\n\t"

/* t7..t0 = a b */
#define MULX_PRODUCT                                                                                                \
    "movq 0(%[b]), %%rdx\n\t"                                                                                         \
    "mulxq 0(%[a]), %[t0], %[t1]\n\t"                                                                                 \
    "mulxq 8(%[a]), %[l], %[t2]\n\t"                                                                                  \
    "mulxq 16(%[a]), %[h], %[t3]\n\t"                                                                                  \
    "addq %[l], %[t1]\n\t"                                                                                          \
    "mulxq 24(%[a]), %[l], %[t4]\n\t"                                                                                  \
    "adcq %[h], %[t2]\n\t" "adcq %[l], %[t3]\n\t" "adcq $0, %[t4]\n\t"                                              \
    "movq 8(%[b]), %%rdx\n\t"  MULX_ROW("t1", "t2", "t3", "t4", "t5")                                                 \
    "movq 16(%[b]), %%rdx\n\t" MULX_ROW("t2", "t3", "t4", "t5", "t6")                                                  \
    "movq 24(%[b]), %%rdx\n\t" MULX_ROW("t3", "t4", "t5", "t6", "t7")

/* t7..t0 = a a: the six products of different words twice, and the four squares. */
#define MULX_SQUARE                                                                                                 \
    "movq 0(%[a]), %%rdx\n\t"                                                                                         \
    "mulxq 8(%[a]), %[t1], %[t2]\n\t"                                                                                 \
    "mulxq 16(%[a]), %[l], %[t3]\n\t"                                                                                  \
    "mulxq 24(%[a]), %[h], %[t4]\n\t"                                                                                  \
    "addq %[l], %[t2]\n\t" "adcq %[h], %[t3]\n\t" "adcq $0, %[t4]\n\t"                                              \
    "movq 8(%[a]), %%rdx\n\t" "xorl %k[t5], %k[t5]\n\t"                                                               \
    "mulxq 16(%[a]), %[l], %[h]\n\t" "adcxq %[l], %[t3]\n\t" "adoxq %[h], %[t4]\n\t"                                   \
    "mulxq 24(%[a]), %[l], %[h]\n\t" "adcxq %[l], %[t4]\n\t" "adoxq %[h], %[t5]\n\t" "adcq $0, %[t5]\n\t"              \
    "movq 16(%[a]), %%rdx\n\t"                                                                                         \
    "mulxq 24(%[a]), %[l], %[t6]\n\t" "addq %[l], %[t5]\n\t" "adcq $0, %[t6]\n\t"                                      \
    "movq 0(%[a]), %%rdx\n\t" "xorl %k[t7], %k[t7]\n\t"                                                               \
    "mulxq %%rdx, %[t0], %[h]\n\t" "adcxq %[t1], %[t1]\n\t" "adoxq %[h], %[t1]\n\t"                                 \
    "movq 8(%[a]), %%rdx\n\t" "mulxq %%rdx, %[l], %[h]\n\t"                                                           \
    "adcxq %[t2], %[t2]\n\t" "adoxq %[l], %[t2]\n\t" "adcxq %[t3], %[t3]\n\t" "adoxq %[h], %[t3]\n\t"               \
    "movq 16(%[a]), %%rdx\n\t" "mulxq %%rdx, %[l], %[h]\n\t"                                                           \
    "adcxq %[t4], %[t4]\n\t" "adoxq %[l], %[t4]\n\t" "adcxq %[t5], %[t5]\n\t" "adoxq %[h], %[t5]\n\t"               \
    "movq 24(%[a]), %%rdx\n\t" "mulxq %%rdx, %[l], %[h]\n\t"                                                           \
    "adcxq %[t6], %[t6]\n\t" "adoxq %[l], %[t6]\n\t" "adcxq %[t7], %[t7]\n\t" "adoxq %[h], %[t7]\n\t"

/* Clears t0 modulo p; t0 is then the word above t3. */
#define MULX_REDUCE_P(t0, t1, t2, t3)                                                                               \
    "movq %[" t0 "], %%rdx\n\t" "movq %[" t0 "], %[l]\n\t"                                                          \
    "shlq $32, %[l]\n\t" "shrq $32, %[" t0 "]\n\t"                                                                  \
    "addq %[l], %[" t1 "]\n\t" "adcq %[" t0 "], %[" t2 "]\n\t"                                                      \
    "mulxq %[p3], %[l], %[" t0 "]\n\t"                                                                              \
    "adcq %[l], %[" t3 "]\n\t" "adcq $0, %[" t0 "]\n\t"

/* The same modulo n, whose multiple is found by a multiplication. */
#define MULX_REDUCE_N(t0, t1, t2, t3)                                                                               \
    "movq %[ni], %%rdx\n\t" "imulq %[" t0 "], %%rdx\n\t" "xorl %k[l], %k[l]\n\t"                                    \
    "mulxq %[n0], %[l], %[h]\n\t" "adcxq %[l], %[" t0 "]\n\t" "adoxq %[h], %[" t1 "]\n\t"                           \
    "mulxq %[n1], %[l], %[h]\n\t" "adcxq %[l], %[" t1 "]\n\t" "adoxq %[h], %[" t2 "]\n\t"                           \
    "mulxq %[n2], %[l], %[h]\n\t" "adcxq %[l], %[" t2 "]\n\t" "adoxq %[h], %[" t3 "]\n\t"                           \
    "mulxq %[n3], %[l], %[h]\n\t" "adcxq %[l], %[" t3 "]\n\t" "adoxq %[h], %[" t0 "]\n\t"                           \
    "adcq $0, %[" t0 "]\n\t"

/* t3..t0 += t7..t4, less the modulus if the sum is not below it. The carry is in l. */
#define MULX_FINISH(SUBTRACT)                                                                                       \
    "addq %[t4], %[t0]\n\t" "adcq %[t5], %[t1]\n\t" "adcq %[t6], %[t2]\n\t" "adcq %[t7], %[t3]\n\t"                 \
    "movl $0, %k[l]\n\t" "adcq $0, %[l]\n\t"                                                                        \
    "movq %[t0], %[t4]\n\t" "movq %[t1], %[t5]\n\t" "movq %[t2], %[t6]\n\t" "movq %[t3], %[t7]\n\t"                 \
    SUBTRACT "sbbq $0, %[l]\n\t"                                                                                    \
    "cmovcq %[t4], %[t0]\n\t" "cmovcq %[t5], %[t1]\n\t" "cmovcq %[t6], %[t2]\n\t" "cmovcq %[t7], %[t3]\n\t"

#define MULX_LESS_P "subq $-1, %[t0]\n\t" "sbbq %[p1], %[t1]\n\t" "sbbq $0, %[t2]\n\t" "sbbq %[p3], %[t3]\n\t"
#define MULX_LESS_N "subq %[n0], %[t0]\n\t" "sbbq %[n1], %[t1]\n\t" "sbbq %[n2], %[t2]\n\t" "sbbq %[n3], %[t3]\n\t"

#define MULX_WORDS                                                                                                  \
    [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [t5] "=&r"(t5),                 \
        [t6] "=&r"(t6), [t7] "=&r"(t7), [l] "=&r"(l), [h] "=&r"(h)

MULX_INLINE void fe_mul(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t t0, t1, t2, t3, t4, t5, t6, t7, l, h;
    __asm__ volatile(MULX_PRODUCT
            MULX_REDUCE_P("t0", "t1", "t2", "t3") MULX_REDUCE_P("t1", "t2", "t3", "t0")
            MULX_REDUCE_P("t2", "t3", "t0", "t1") MULX_REDUCE_P("t3", "t0", "t1", "t2")
            MULX_FINISH(MULX_LESS_P)
            : MULX_WORDS
            : [a] "r"(a), [b] "r"(b), [p1] "m"(mulx_p1), [p3] "m"(mulx_p3)
            : "rdx", "cc", "memory");
    r->v[0] = t0, r->v[1] = t1, r->v[2] = t2, r->v[3] = t3;
}

MULX_INLINE void fe_sqr(kf_p256_fe *r, const kf_p256_fe *a) {
    uint64_t t0, t1, t2, t3, t4, t5, t6, t7, l, h;
    __asm__ volatile(MULX_SQUARE
            MULX_REDUCE_P("t0", "t1", "t2", "t3") MULX_REDUCE_P("t1", "t2", "t3", "t0")
            MULX_REDUCE_P("t2", "t3", "t0", "t1") MULX_REDUCE_P("t3", "t0", "t1", "t2")
            MULX_FINISH(MULX_LESS_P)
            : MULX_WORDS
            : [a] "r"(a), [p1] "m"(mulx_p1), [p3] "m"(mulx_p3)
            : "rdx", "cc", "memory");
    r->v[0] = t0, r->v[1] = t1, r->v[2] = t2, r->v[3] = t3;
}

/* Not inlined: five operands in memory, and far fewer of these than of fe_mul. */
static __attribute__((noinline)) void scalar_mul(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b) {
    uint64_t t0, t1, t2, t3, t4, t5, t6, t7, l, h;
    __asm__ volatile(MULX_PRODUCT
            MULX_REDUCE_N("t0", "t1", "t2", "t3") MULX_REDUCE_N("t1", "t2", "t3", "t0")
            MULX_REDUCE_N("t2", "t3", "t0", "t1") MULX_REDUCE_N("t3", "t0", "t1", "t2")
            MULX_FINISH(MULX_LESS_N)
            : MULX_WORDS
            : [a] "r"(a), [b] "r"(b), [n0] "m"(mulx_n0), [n1] "m"(mulx_n1), [n2] "m"(mulx_n2), [n3] "m"(mulx_n3),
              [ni] "m"(mulx_n_inverse)
            : "rdx", "cc", "memory");
    r->v[0] = t0, r->v[1] = t1, r->v[2] = t2, r->v[3] = t3;
}

/* a - b, plus p when that borrows. */
MULX_INLINE void fe_sub(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t t0 = a->v[0], t1 = a->v[1], t2 = a->v[2], t3 = a->v[3], mask, m1, m3;
    __asm__("subq %[b0], %[t0]\n\t" "sbbq %[b1], %[t1]\n\t" "sbbq %[b2], %[t2]\n\t" "sbbq %[b3], %[t3]\n\t"
            "sbbq %[mask], %[mask]\n\t"
            "movl %k[mask], %k[m1]\n\t" "movq %[p3], %[m3]\n\t" "andq %[mask], %[m3]\n\t"
            "addq %[mask], %[t0]\n\t" "adcq %[m1], %[t1]\n\t" "adcq $0, %[t2]\n\t" "adcq %[m3], %[t3]\n\t"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [mask] "=&r"(mask), [m1] "=&r"(m1),
              [m3] "=&r"(m3)
            : [b0] "m"(b->v[0]), [b1] "m"(b->v[1]), [b2] "m"(b->v[2]), [b3] "m"(b->v[3]), [p3] "m"(mulx_p3)
            : "cc");
    r->v[0] = t0, r->v[1] = t1, r->v[2] = t2, r->v[3] = t3;
}

/* a + b, less p unless that borrows. */
MULX_INLINE void fe_add(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t t0 = a->v[0], t1 = a->v[1], t2 = a->v[2], t3 = a->v[3], s0, s1, s2, s3, carry;
    __asm__("xorl %k[carry], %k[carry]\n\t"
            "addq %[b0], %[t0]\n\t" "adcq %[b1], %[t1]\n\t" "adcq %[b2], %[t2]\n\t" "adcq %[b3], %[t3]\n\t"
            "adcq $0, %[carry]\n\t"
            "movq %[t0], %[s0]\n\t" "movq %[t1], %[s1]\n\t" "movq %[t2], %[s2]\n\t" "movq %[t3], %[s3]\n\t"
            "subq $-1, %[t0]\n\t" "sbbq %[p1], %[t1]\n\t" "sbbq $0, %[t2]\n\t" "sbbq %[p3], %[t3]\n\t"
            "sbbq $0, %[carry]\n\t"
            "cmovcq %[s0], %[t0]\n\t" "cmovcq %[s1], %[t1]\n\t" "cmovcq %[s2], %[t2]\n\t" "cmovcq %[s3], %[t3]\n\t"
            : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [s0] "=&r"(s0), [s1] "=&r"(s1),
              [s2] "=&r"(s2), [s3] "=&r"(s3), [carry] "=&r"(carry)
            : [b0] "m"(b->v[0]), [b1] "m"(b->v[1]), [b2] "m"(b->v[2]), [b3] "m"(b->v[3]), [p1] "m"(mulx_p1),
              [p3] "m"(mulx_p3)
            : "cc");
    r->v[0] = t0, r->v[1] = t1, r->v[2] = t2, r->v[3] = t3;
}

#endif
