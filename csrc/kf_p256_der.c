/* See kf_p256_der.h. */
#include "kf_p256_der.h"

#include "kf_p256_words.h"

enum { TAG_INTEGER = 0x02, TAG_SEQUENCE = 0x30 };

/* An INTEGER from 32 bytes, big-endian: without leading zeros, with one when the top bit is set. */
static size_t write_integer(uint8_t *out, const uint8_t bytes[32]) {
    size_t skip = 0;
    while (skip < 31 && bytes[skip] == 0) skip++;
    const size_t zero = bytes[skip] >> 7, len = 32 - skip + zero;
    out[0] = TAG_INTEGER, out[1] = (uint8_t)len, out[2] = 0;
    memcpy(out + 2 + zero, bytes + skip, 32 - skip);
    return 2 + len;
}

size_t kf_p256_der_write(uint8_t *out, const uint8_t raw[KF_P256_RAW_LEN]) {
    size_t len = write_integer(out + 2, raw);
    len += write_integer(out + 2 + len, raw + 32);
    out[0] = TAG_SEQUENCE, out[1] = (uint8_t)len; /* at most 70: the short form */
    return 2 + len;
}

static int in_range(const kf_p256_scalar *x) {
    return (int)(kf_words_less(x->v, kf_p256_n.v) & (1 ^ kf_words_zero(x->v)));
}

/* Reads an INTEGER that is positive and as short as can be; returns its bytes with tag and length, or 0. */
static size_t read_integer(kf_p256_scalar *x, const uint8_t *der, size_t der_len) {
    uint8_t bytes[32] = {0};
    if (der_len < 3 || der[0] != TAG_INTEGER) return 0;
    size_t len = der[1];
    const uint8_t *at = der + 2;
    if (len == 0 || len > 33 || len > der_len - 2) return 0;
    if (at[0] & 0x80) return 0;                             /* negative */
    if (at[0] == 0 && len > 1 && !(at[1] & 0x80)) return 0; /* a zero too many */
    const size_t whole = 2 + len;
    if (at[0] == 0) at++, len--;
    if (len > 32) return 0;
    memcpy(bytes + 32 - len, at, len);
    kf_words_from_be(x->v, bytes);
    return in_range(x) ? whole : 0;
}

int kf_p256_der_read(kf_p256_scalar *r, kf_p256_scalar *s, const uint8_t *der, size_t der_len) {
    if (der_len < 2 || der_len > KF_P256_DER_MAX || der[0] != TAG_SEQUENCE || der[1] != der_len - 2) return 0;
    const size_t r_len = read_integer(r, der + 2, der_len - 2);
    if (!r_len) return 0;
    const size_t s_len = read_integer(s, der + 2 + r_len, der_len - 2 - r_len);
    return s_len && 2 + r_len + s_len == der_len;
}

int kf_p256_raw_read(kf_p256_scalar *r, kf_p256_scalar *s, const uint8_t *raw, size_t raw_len) {
    if (raw_len != KF_P256_RAW_LEN) return 0;
    kf_words_from_be(r->v, raw), kf_words_from_be(s->v, raw + 32);
    return in_range(r) & in_range(s);
}
