/*
 * GHASH (SP 800-38D 6.4) without tables, for any CPU whose 64-bit multiplication takes a time that
 * does not depend on its operands (all x86-64 and ARMv8-A processors known to us).
 */
#ifndef KF_GHASH_CT_H
#define KF_GHASH_CT_H

#include <stddef.h>
#include <stdint.h>

/* The hash key H as two words and their sum, each also with its bits reversed; and the sum so far. */
typedef struct {
    uint64_t h[3], h_reversed[3];
    uint64_t y[2];
} kf_ghash_ct;

void kf_ghash_ct_init(kf_ghash_ct *ghash, const uint8_t h[16]);
/* Absorbs msg, filled up with zeros to whole blocks. */
void kf_ghash_ct_update(kf_ghash_ct *ghash, const uint8_t *msg, size_t msg_len);
/* The block of the lengths in bytes (SP 800-38D 7.1 step 5), and the result. */
void kf_ghash_ct_final(kf_ghash_ct *ghash, uint8_t out[16], uint64_t aad_len, uint64_t text_len);

#endif
