/*
 * Base64 (RFC 4648, section 4), in constant time: neither branches nor addresses depend on the bytes or the
 * characters. Lengths are public, and so padding is; whether a text is base64 at all is told to whoever sent it. Of the
 * last block something may stay on the stack: callers end with kf_wipe_below().
 */
#ifndef KF_BASE64_H
#define KF_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters of len bytes. */
#define KF_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes KF_BASE64_LEN(in_len) characters, without a zero byte after them. */
void kf_base64_encode(uint8_t *out, const uint8_t *in, size_t in_len);

/* The bytes that a text stands for if it is base64, by its length and padding alone; SIZE_MAX: it is none. */
size_t kf_base64_decoded_len(const uint8_t *in, size_t in_len);

/* Writes kf_base64_decoded_len(in, in_len) bytes, which must not be SIZE_MAX. 1, or 0 when the text is not the one
 * that encoding gives; out is to be wiped then as well. */
int kf_base64_decode(uint8_t *out, const uint8_t *in, size_t in_len);

#endif
