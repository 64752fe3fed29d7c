/*
 * Pairs are few, so they are put in order as they come. The order is that of the names' bytes; of UTF-8 that is the
 * order of its characters as well.
 */
#include "kf_pairs.h"

#include <string.h>

#include "kf_util.h"

/* Below 0, 0 or above: a shorter text before those that it begins. */
static int compare(const struct kf_text *a, const struct kf_text *b) {
    const size_t common = a->len < b->len ? a->len : b->len;
    const int order = common ? memcmp(a->at, b->at, common) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

int kf_pairs_insert(struct kf_text names[KF_PAIRS_MAX], struct kf_text values[KF_PAIRS_MAX], size_t *num,
                    const struct kf_text *name, const struct kf_text *value) {
    size_t i = *num;
    int order = -1;
    if (i == KF_PAIRS_MAX || !name->len) return 0;
    while (i > 0 && (order = compare(&names[i - 1], name)) > 0) i--;
    if (i > 0 && order == 0) return 0;
    const size_t behind = (*num)++ - i;
    memmove(names + i + 1, names + i, behind * sizeof *name);
    memmove(values + i + 1, values + i, behind * sizeof *value);
    names[i] = *name, values[i] = *value;
    return 1;
}

static void add_framed(kf_sha256_ctx *hash, const struct kf_text *text) {
    uint8_t len[4];
    kf_store32_be(len, (uint32_t)text->len);
    kf_sha256_update(hash, len, sizeof len);
    kf_sha256_update(hash, text->at, text->len);
}

void kf_pairs_hash(const struct kf_text *names, const struct kf_text *values, size_t num, kf_sha256_ctx *hash) {
    for (size_t i = 0; i < num; i++) {
        add_framed(hash, &names[i]);
        add_framed(hash, &values[i]);
    }
}
