/*
 * Constant-time primitives, wiping, byte order, and marks for the constant-time checker.
 * Nothing here branches on or indexes with its arguments.
 */
#ifndef KF_UTIL_H
#define KF_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef KF_VALGRIND
#include <valgrind/memcheck.h>
/* Marks bytes as secret: memcheck reports every branch and every address that depends on them. */
#define KF_SECRET(p, len) VALGRIND_MAKE_MEM_UNDEFINED(p, len)
/* Ends the secrecy of bytes that are about to be published; say why beside each use. */
#define KF_DECLASSIFY(p, len) VALGRIND_MAKE_MEM_DEFINED(p, len)
#else
#define KF_SECRET(p, len) ((void)(p), (void)(len))
#define KF_DECLASSIFY(p, len) ((void)(p), (void)(len))
#endif

/* Wipes memory in a way that the compiler may not remove (kf_wipe.c). */
void kf_wipe(void *p, size_t len);
/* Wipes 4 KiB of stack below the caller: what functions that it called have left there, such as registers that a
 * compiler put aside. */
void kf_wipe_below(void);
/* 24 KiB, for functions with many vectors on their stack. */
void kf_wipe_far_below(void);

/* Hides a value from the optimiser, so that masks stay masks. */
static inline uint64_t kf_barrier64(uint64_t x) {
    __asm__("" : "+r"(x));
    return x;
}

/* 1 when the len bytes are equal, else 0, in constant time. */
static inline int kf_equal(const void *a, const void *b, size_t len) {
    const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
    uint64_t diff = 0, p, q;
    size_t i = 0;
#pragma GCC unroll 8
    for (; i + 8 <= len; i += 8) {
        memcpy(&p, x + i, 8);
        memcpy(&q, y + i, 8);
        diff |= p ^ q;
    }
    for (; i < len; i++) diff |= (uint64_t)(x[i] ^ y[i]);
    diff = kf_barrier64(diff);
    return (int)(1 ^ ((diff | (0 - diff)) >> 63));
}

static inline uint32_t kf_load32_be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void kf_store32_be(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)(x >> 24), p[1] = (uint8_t)(x >> 16), p[2] = (uint8_t)(x >> 8), p[3] = (uint8_t)x;
}
static inline uint64_t kf_load64_be(const uint8_t *p) {
    return (uint64_t)kf_load32_be(p) << 32 | kf_load32_be(p + 4);
}
static inline void kf_store64_be(uint8_t *p, uint64_t x) {
    kf_store32_be(p, (uint32_t)(x >> 32));
    kf_store32_be(p + 4, (uint32_t)x);
}

#endif
