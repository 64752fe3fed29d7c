/*
 * Base64 sixteen characters at a time: the alphabet is five ranges, so a value or a character is found by comparing
 * with their ends and adding masked differences, never by a table.
 */
#include "kf_base64.h"

#include "kf_lanes16.h"
#include "kf_util.h"

enum { CHARS = KF_LANES16, BYTES = 12 /* of 16 characters */ };

/* Values 0 to 63 as characters: each line adds what the alphabet's next range is further off. */
static kf_lanes16 chars_of(kf_lanes16 six) {
    kf_lanes16 out = six + kf_lanes16_all('A');
    out += kf_lanes16_between(six, 26, 63) & kf_lanes16_all('a' - 26 - 'A');
    out += kf_lanes16_between(six, 52, 63) & kf_lanes16_all((uint8_t)('0' - 52 - ('a' - 26)));
    out += kf_lanes16_between(six, 62, 63) & kf_lanes16_all((uint8_t)('+' - 62 - ('0' - 52)));
    out += kf_lanes16_is(six, 63) & kf_lanes16_all((uint8_t)('/' - 63 - ('+' - 62)));
    return out;
}

/* Characters as values; *bad gets bits where one is of no range. */
static kf_lanes16 values_of(kf_lanes16 c, kf_lanes16 *bad) {
    const kf_lanes16 upper = kf_lanes16_between(c, 'A', 'Z'), lower = kf_lanes16_between(c, 'a', 'z');
    const kf_lanes16 digit = kf_lanes16_between(c, '0', '9');
    const kf_lanes16 plus = kf_lanes16_is(c, '+'), slash = kf_lanes16_is(c, '/');
    *bad |= ~(upper | lower | digit | plus | slash);
    return ((c - kf_lanes16_all('A')) & upper) | ((c - kf_lanes16_all('a' - 26)) & lower) |
           ((c + kf_lanes16_all(52 - '0')) & digit) | (kf_lanes16_all(62) & plus) | (kf_lanes16_all(63) & slash);
}

static void encode_block(uint8_t out[CHARS], const uint8_t in[BYTES]) {
    uint8_t six[CHARS];
    for (int i = 0; i < 4; i++) {
        const uint32_t x = (uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 | in[3 * i + 2];
        six[4 * i] = (uint8_t)(x >> 18), six[4 * i + 1] = (uint8_t)(x >> 12 & 63);
        six[4 * i + 2] = (uint8_t)(x >> 6 & 63), six[4 * i + 3] = (uint8_t)(x & 63);
    }
    const kf_lanes16 chars = chars_of(kf_lanes16_load(six));
    memcpy(out, &chars, CHARS);
}

static void decode_block(uint8_t out[BYTES], const uint8_t in[CHARS], kf_lanes16 *bad) {
    const kf_lanes16 values = values_of(kf_lanes16_load(in), bad);
    uint8_t six[CHARS];
    memcpy(six, &values, CHARS);
    for (int i = 0; i < 4; i++) {
        const uint32_t x = kf_load32_be(six + 4 * i); /* 00aaaaaa 00bbbbbb 00cccccc 00dddddd */
        const uint32_t y = (x & 63) | (x >> 2 & 63 << 6) | (x >> 4 & 63 << 12) | (x >> 6 & 63 << 18);
        out[3 * i] = (uint8_t)(y >> 16), out[3 * i + 1] = (uint8_t)(y >> 8), out[3 * i + 2] = (uint8_t)y;
    }
}

static void encode_rest(uint8_t *out, const uint8_t *in, size_t in_len) {
    uint8_t rest[BYTES] = {0}, chars[CHARS];
    const size_t num = KF_BASE64_LEN(in_len), padding = (3 - in_len % 3) % 3;
    memcpy(rest, in, in_len);
    encode_block(chars, rest);
    memcpy(out, chars, num - padding);
    memset(out + num - padding, '=', padding);
    kf_wipe(rest, sizeof rest);
    kf_wipe(chars, sizeof chars);
}

void kf_base64_encode(uint8_t *out, const uint8_t *in, size_t in_len) {
    for (; in_len >= BYTES; in += BYTES, in_len -= BYTES, out += CHARS) encode_block(out, in);
    if (in_len) encode_rest(out, in, in_len);
}

/* How many of the last two characters are padding, when there are two. */
static size_t padding_of(const uint8_t *in, size_t in_len) {
    uint8_t last = in[in_len - 1] == '=', before = in[in_len - 2] == '=';
    KF_DECLASSIFY(&last, 1); /* padding says no more than the length does */
    KF_DECLASSIFY(&before, 1);
    return (size_t)last + (size_t)(last & before);
}

size_t kf_base64_decoded_len(const uint8_t *in, size_t in_len) {
    if (in_len % 4) return SIZE_MAX;
    return in_len ? in_len / 4 * 3 - padding_of(in, in_len) : 0;
}

int kf_base64_decode(uint8_t *out, const uint8_t *in, size_t in_len) {
    kf_lanes16 bad = {0};
    uint8_t spare = 0, flags[KF_LANES16];
    for (; in_len > CHARS; in += CHARS, in_len -= CHARS, out += BYTES) decode_block(out, in, &bad);
    if (in_len) { /* the last block, whole or not; what is missing stands as zeros */
        uint8_t chars[CHARS], rest[BYTES];
        const size_t padding = padding_of(in, in_len), len = in_len / 4 * 3 - padding;
        memset(chars, 'A', CHARS);
        memcpy(chars, in, in_len - padding);
        decode_block(rest, chars, &bad);
        memcpy(out, rest, len);
        for (size_t i = len; i < BYTES; i++) spare |= rest[i]; /* bits beyond the last byte are zero */
        kf_wipe(chars, sizeof chars);
        kf_wipe(rest, sizeof rest);
    }
    memcpy(flags, &bad, sizeof flags);
    for (size_t i = 0; i < sizeof flags; i++) spare |= flags[i];
    KF_DECLASSIFY(&spare, 1); /* whoever sent the text is told that it is none */
    return spare == 0;
}
