/* See kft_buffer.h. */
#include "kft_buffer.h"

#include <stdlib.h>

enum { MARGIN = 64 };

kft_buffer kft_buffer_new(enum kft_placement placement, size_t len, kft_random *random) {
    kft_buffer b = {.len = len};
    uint8_t *before = NULL, *after = NULL;
    if (placement == KFT_PAGE_END) {
        before = kft_page_end(len + MARGIN);
        b.bytes = before + MARGIN;
    } else if (placement == KFT_PAGE_START) {
        b.bytes = kft_page_start(len + MARGIN);
        after = b.bytes + len;
    } else {
        uint8_t *base = b.allocation = kft_alloc(len + 4 * MARGIN);
        base += MARGIN - (uintptr_t)base % MARGIN;
        before = base + (placement == KFT_UNALIGNED ? kft_below(random, MARGIN) : 0);
        b.bytes = before + MARGIN;
        after = b.bytes + len;
    }
    memset(b.bytes, KFT_CANARY, len);
    if (before) memset(before, KFT_CANARY, MARGIN);
    if (after) memset(after, KFT_CANARY, MARGIN);
    b.before = before, b.after = after;
    return b;
}

kft_buffer kft_buffer_of(enum kft_placement placement, const uint8_t *bytes, size_t len, kft_random *random) {
    const kft_buffer b = kft_buffer_new(placement, len, random);
    if (len) memcpy(b.bytes, bytes, len);
    return b;
}

static int all_are(const uint8_t *p, size_t len, uint8_t value) {
    int same = 1;
    for (size_t i = 0; p && i < len; i++) same &= p[i] == value;
    return same;
}

int kft_buffer_intact(const kft_buffer *b) {
    return all_are(b->before, MARGIN, KFT_CANARY) && all_are(b->after, MARGIN, KFT_CANARY);
}

int kft_buffer_is(const kft_buffer *b, uint8_t value) { return all_are(b->bytes, b->len, value); }
