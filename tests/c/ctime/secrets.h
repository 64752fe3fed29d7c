/*
 * What the ctime programs share: secrets marked for memcheck, and planted leaks (ctime.c says how they work). Linked with
 * --wrap=getrandom,--wrap=read.
 */
#ifndef KF_CTIME_SECRETS_H
#define KF_CTIME_SECRETS_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include "kf_util.h"

#ifndef KF_VALGRIND
#error "without KF_VALGRIND no secret is marked"
#endif

enum { EXIT_USAGE = 2, EXIT_WRONG_RESULT = 3, EXIT_UNMARKED = 4, EXIT_LEAK = 42 };

static void require(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "ctime: %s\n", what);
    exit(EXIT_WRONG_RESULT);
}

/* Every byte has a bit that memcheck holds for undefined. */
static int is_secret(const void *p, size_t len) {
    uint8_t bits;
    for (size_t i = 0; i < len; i++)
        if (VALGRIND_GET_VBITS((const uint8_t *)p + i, &bits, 1) != 1 || bits == 0) return 0;
    return 1;
}

static void require_secret(const void *p, size_t len, const char *what) {
    if (is_secret(p, len)) return;
    fprintf(stderr, "ctime: not marked as secret: %s\n", what);
    exit(EXIT_UNMARKED);
}

/* VALGRIND_GET_VBITS answers 1 under memcheck only, and sees a mark only if marks are made. */
static int under_memcheck(void) {
    uint8_t byte = 0;
    KF_SECRET(&byte, 1);
    return RUNNING_ON_VALGRIND && is_secret(&byte, 1);
}

/* Publishes what a function handed out, of which the last secret_len bytes must have been secret. */
static void publish(void *p, size_t len, size_t secret_len, const char *what) {
    require_secret((uint8_t *)p + len - secret_len, secret_len, what);
    KF_DECLASSIFY(p, len);
}

/* All randomness is secret until it is published (linked with --wrap=getrandom). */
ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags) {
    const ssize_t got = __real_getrandom(out, len, flags);
    if (got > 0) KF_SECRET(out, (size_t)got);
    return got;
}

/* So is what a root key file holds after its magic (linked with --wrap=read). */
enum { MATERIAL_LEN = 32 };
ssize_t __real_read(int fd, void *out, size_t len);
ssize_t __wrap_read(int fd, void *out, size_t len);
ssize_t __wrap_read(int fd, void *out, size_t len) {
    const ssize_t got = __real_read(fd, out, len);
    if (got == MATERIAL_LEN) KF_SECRET(out, MATERIAL_LEN);
    return got;
}

#ifdef KF_PLANT_LEAK
static volatile unsigned leak_sink;

static void leak(const uint8_t *secret, const uint8_t *other) {
    static volatile uint8_t table[256];
    if (KF_PLANT_LEAK == 1 && secret[0] & 1) leak_sink++;
    if (KF_PLANT_LEAK == 2) leak_sink += table[secret[1]];
    for (int i = 0; KF_PLANT_LEAK == 3 && i < 16 && secret[i] == other[i]; i++) leak_sink++;
}
#else
static void leak(const uint8_t *secret, const uint8_t *other) { (void)secret, (void)other; }
#endif

#endif
