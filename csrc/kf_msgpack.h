/*
 * MessagePack, as far as the socket's protocol has it (docs/socket.md): nil, booleans, integers from 0 on, str, bin,
 * array and map. Rules:
 * - a reader takes one header at a time and never descends: what an array or a map holds is read by whoever expects it
 *   there, so no input makes it recurse, and none costs more than its own length;
 * - lengths are compared with what is there, in 64 bits, before anything is made of them;
 * - every encoding of a value is read, the shortest is written;
 * - readers return 1, or 0 and leave the rest undefined when something else stands there.
 * Contents may be secret: only headers are looked at.
 */
#ifndef KF_MSGPACK_H
#define KF_MSGPACK_H

#include <string.h>

#include "kf.h"
#include "kf_util.h"

/* What has not been read so far. */
typedef struct {
    const uint8_t *at, *end;
} kf_msgpack;

enum { KF_MSGPACK_NIL = 0xc0, KF_MSGPACK_HEAD_MAX = 9 /* bytes of the longest header or integer */ };

static inline uint64_t kf_msgpack_left(const kf_msgpack *in) { return (uint64_t)(in->end - in->at); }

/* A number of width bytes, 1 to 8, behind the header. */
static inline int kf_msgpack_number(kf_msgpack *in, uint64_t *out, unsigned width) {
    uint64_t x = 0;
    if (kf_msgpack_left(in) < 1 + (uint64_t)width) return 0;
    for (unsigned i = 1; i <= width; i++) x = x << 8 | in->at[i];
    in->at += 1 + width;
    *out = x;
    return 1;
}

static inline int kf_msgpack_uint(kf_msgpack *in, uint64_t *out) {
    if (in->at == in->end) return 0;
    const uint8_t head = *in->at;
    if (head < 0x80) {
        *out = head;
        in->at++;
        return 1;
    }
    if (head >= 0xcc && head <= 0xcf) return kf_msgpack_number(in, out, 1U << (head - 0xcc));
    if (head < 0xd0 || head > 0xd3) return 0;
    const unsigned width = 1U << (head - 0xd0); /* signed: of those the ones from 0 on */
    return kf_msgpack_number(in, out, width) && !(*out >> (8 * width - 1));
}

/* Elements of an array, or pairs of a map. */
static inline int kf_msgpack_array(kf_msgpack *in, uint64_t *num) {
    if (in->at == in->end) return 0;
    const uint8_t head = *in->at;
    if (head >> 4 == 0x9) {
        *num = head & 15;
        in->at++;
        return 1;
    }
    return (head == 0xdc || head == 0xdd) && kf_msgpack_number(in, num, head == 0xdc ? 2 : 4);
}

static inline int kf_msgpack_map(kf_msgpack *in, uint64_t *num) {
    if (in->at == in->end) return 0;
    const uint8_t head = *in->at;
    if (head >> 4 == 0x8) {
        *num = head & 15;
        in->at++;
        return 1;
    }
    return (head == 0xde || head == 0xdf) && kf_msgpack_number(in, num, head == 0xde ? 2 : 4);
}

/* The bytes behind a header that gives their number. */
static inline int kf_msgpack_bytes(kf_msgpack *in, struct kf_text *out, uint64_t len) {
    if (len > kf_msgpack_left(in)) return 0;
    *out = (struct kf_text){in->at, (size_t)len};
    in->at += len;
    return 1;
}

static inline int kf_msgpack_bin(kf_msgpack *in, struct kf_text *out) {
    uint64_t len;
    if (in->at == in->end || *in->at < 0xc4 || *in->at > 0xc6) return 0;
    return kf_msgpack_number(in, &len, 1U << (*in->at - 0xc4)) && kf_msgpack_bytes(in, out, len);
}

/* The bytes of a str; whether they are UTF-8 is for kf_utf8_valid. */
static inline int kf_msgpack_str(kf_msgpack *in, struct kf_text *out) {
    uint64_t len;
    if (in->at == in->end) return 0;
    const uint8_t head = *in->at;
    if (head >> 5 == 5) {
        in->at++;
        return kf_msgpack_bytes(in, out, head & 31);
    }
    if (head < 0xd9 || head > 0xdb) return 0;
    return kf_msgpack_number(in, &len, 1U << (head - 0xd9)) && kf_msgpack_bytes(in, out, len);
}

static inline int kf_msgpack_bool(kf_msgpack *in, int *out) {
    if (in->at == in->end || (*in->at & 0xfe) != 0xc2) return 0;
    *out = *in->at++ & 1;
    return 1;
}

static inline int kf_msgpack_nil(kf_msgpack *in) {
    if (in->at == in->end || *in->at != KF_MSGPACK_NIL) return 0;
    in->at++;
    return 1;
}

/* ---- writing: each returns where the next byte goes ---------------------------------------------- */

/* head, and x in width bytes. */
static inline uint8_t *kf_msgpack_put_number(uint8_t *at, uint8_t head, uint64_t x, unsigned width) {
    *at++ = head;
    while (width--) *at++ = (uint8_t)(x >> (8 * width));
    return at;
}

static inline uint8_t *kf_msgpack_put_uint(uint8_t *at, uint64_t x) {
    if (x < 0x80) {
        *at++ = (uint8_t)x;
        return at;
    }
    if (x <= UINT8_MAX) return kf_msgpack_put_number(at, 0xcc, x, 1);
    if (x <= UINT16_MAX) return kf_msgpack_put_number(at, 0xcd, x, 2);
    if (x <= UINT32_MAX) return kf_msgpack_put_number(at, 0xce, x, 4);
    return kf_msgpack_put_number(at, 0xcf, x, 8);
}

static inline uint8_t *kf_msgpack_put_array(uint8_t *at, uint64_t num) {
    if (num < 16) {
        *at++ = (uint8_t)(0x90 | num);
        return at;
    }
    return num <= UINT16_MAX ? kf_msgpack_put_number(at, 0xdc, num, 2) : kf_msgpack_put_number(at, 0xdd, num, 4);
}

static inline uint8_t *kf_msgpack_put_map(uint8_t *at, uint64_t num) {
    if (num < 16) {
        *at++ = (uint8_t)(0x80 | num);
        return at;
    }
    return num <= UINT16_MAX ? kf_msgpack_put_number(at, 0xde, num, 2) : kf_msgpack_put_number(at, 0xdf, num, 4);
}

/* The header of len bytes that follow it, and how long it is. */
static inline uint8_t *kf_msgpack_put_bin(uint8_t *at, uint64_t len) {
    if (len <= UINT8_MAX) return kf_msgpack_put_number(at, 0xc4, len, 1);
    return len <= UINT16_MAX ? kf_msgpack_put_number(at, 0xc5, len, 2) : kf_msgpack_put_number(at, 0xc6, len, 4);
}
static inline size_t kf_msgpack_bin_head(uint64_t len) { return len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5; }

static inline uint8_t *kf_msgpack_put_str(uint8_t *at, const void *text, size_t len) {
    if (len < 32)
        *at++ = (uint8_t)(0xa0 | len);
    else if (len <= UINT8_MAX)
        at = kf_msgpack_put_number(at, 0xd9, len, 1);
    else
        at = len <= UINT16_MAX ? kf_msgpack_put_number(at, 0xda, len, 2) : kf_msgpack_put_number(at, 0xdb, len, 4);
    memcpy(at, text, len);
    return at + len;
}

static inline uint8_t *kf_msgpack_put_nil(uint8_t *at) {
    *at++ = KF_MSGPACK_NIL;
    return at;
}

/* Whether bytes are UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF (kf_utf8.c). */
int kf_utf8_valid(const uint8_t *text, size_t len);

#endif
