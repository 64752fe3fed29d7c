/*
 * Wiping of secrets. A function of its own, for two reasons: a compiler that sees who calls it removes what it calls
 * dead stores; and where it sees the length, it writes "rep stos", which takes longer than libc's memset takes for
 * a key schedule.
 */
#include "kf_util.h"

void kf_wipe(void *p, size_t len) {
    memset(p, 0, len);
    __asm__ volatile("" : : "r"(p) : "memory");
}

__attribute__((noinline)) void kf_wipe_below(void) {
    uint8_t below[4096];
    kf_wipe(below, sizeof below);
}

__attribute__((noinline)) void kf_wipe_far_below(void) {
    uint8_t below[24 * 1024];
    kf_wipe(below, sizeof below);
}
