/* UTF-8 (RFC 3629, section 4), as strictly as Python's decoder: what is refused here would be no str there. */
#include "kf_msgpack.h"

/* Bytes of the sequence that a leading byte starts, and which the first byte behind it may be. */
typedef struct {
    uint8_t len, low, high;
} lead;

static lead lead_of(uint8_t byte) {
    if (byte >= 0xc2 && byte <= 0xdf) return (lead){2, 0x80, 0xbf};
    if (byte == 0xe0) return (lead){3, 0xa0, 0xbf}; /* below: overlong */
    if (byte == 0xed) return (lead){3, 0x80, 0x9f}; /* above: surrogates */
    if (byte >= 0xe1 && byte <= 0xef) return (lead){3, 0x80, 0xbf};
    if (byte == 0xf0) return (lead){4, 0x90, 0xbf}; /* below: overlong */
    if (byte >= 0xf1 && byte <= 0xf3) return (lead){4, 0x80, 0xbf};
    if (byte == 0xf4) return (lead){4, 0x80, 0x8f}; /* above: more than U+10FFFF */
    return (lead){0, 0, 0};
}

int kf_utf8_valid(const uint8_t *text, size_t len) {
    static const uint64_t high_bits = 0x8080808080808080;
    for (size_t at = 0; at < len;) {
        uint64_t eight;
        if (len - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if (!(eight & high_bits)) {
                at += sizeof eight;
                continue;
            }
        }
        if (text[at] < 0x80) {
            at++;
            continue;
        }
        const lead l = lead_of(text[at]);
        if (!l.len || len - at < l.len || text[at + 1] < l.low || text[at + 1] > l.high) return 0;
        for (unsigned i = 2; i < l.len; i++)
            if (text[at + i] >> 6 != 2) return 0;
        at += l.len;
    }
    return 1;
}
