/* Memory that shows whether anything beside it was written: canaries, or an unmapped page. */
#ifndef KFT_BUFFER_H
#define KFT_BUFFER_H

#include "kft.h"

enum kft_placement {
    KFT_PLAIN,      /* 64-byte aligned */
    KFT_UNALIGNED,  /* at random offsets */
    KFT_PAGE_END,   /* an unmapped page follows */
    KFT_PAGE_START, /* an unmapped page precedes */
    KFT_NUM_PLACEMENTS
};

enum { KFT_CANARY = 0xC5 };

typedef struct {
    uint8_t *bytes;
    size_t len;
    void *allocation;              /* to be freed; NULL: guarded pages, which kft_pages_free releases */
    const uint8_t *before, *after; /* canaries, or NULL where a page ends */
} kft_buffer;

/* len bytes, each KFT_CANARY. */
kft_buffer kft_buffer_new(enum kft_placement placement, size_t len, kft_random *random);
/* The same with these contents. */
kft_buffer kft_buffer_of(enum kft_placement placement, const uint8_t *bytes, size_t len, kft_random *random);
/* Nothing was written on either side. */
int kft_buffer_intact(const kft_buffer *buffer);
/* Every byte of it has this value. */
int kft_buffer_is(const kft_buffer *buffer, uint8_t value);

#endif
