/*
 * Sorts blobs by their prefix, so that each distinct key version is resolved once however many
 * records name it. Neighbours mostly share their key, so the group of the record before is tried
 * first; the others go through a hash table. The table's seed is fresh for each call, since the
 * bytes come from outside and could be chosen to collide.
 */
#include <stdlib.h>
#include <string.h>

#include "kf_blob.h"
#include "kf_column.h"
#include "kf_rng.h"
#include "kf_util.h"

typedef struct {
    int32_t *slots; /* group + 1, 0 when empty */
    uint64_t mask, seed[2];
    uint8_t *prefixes;
    int32_t num, max;
} group_table;

static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_prefix(const group_table *t, const uint8_t *prefix) {
    uint64_t h = t->seed[0];
    for (int i = 0; i < KF_PREFIX_LEN; i += 8) h = mix(h ^ kf_load64_be(prefix + i), t->seed[1] | 1);
    return h;
}

/* The group of a prefix, made when it is new; -1 when the table is full. */
static int32_t find_group(group_table *t, const uint8_t *prefix) {
    for (uint64_t at = hash_prefix(t, prefix);; at++) {
        int32_t *slot = &t->slots[at & t->mask];
        if (*slot && memcmp(t->prefixes + (size_t)(*slot - 1) * KF_PREFIX_LEN, prefix, KF_PREFIX_LEN) != 0) continue;
        if (*slot) return *slot - 1;
        if (t->num == t->max) return -1;
        memcpy(t->prefixes + (size_t)t->num * KF_PREFIX_LEN, prefix, KF_PREFIX_LEN);
        return (*slot = ++t->num) - 1;
    }
}

static int scan(group_table *t, int32_t *group, uint8_t *status, const struct kf_column *in, int64_t num,
                const uint8_t *skip) {
    int32_t last = -1;
    for (int64_t i = 0; i < num; i++) {
        const kf_span blob = kf_column_at(in, i);
        group[i] = -1;
        if (skip && skip[i]) {
            status[i] = KF_REC_SKIPPED;
        } else if (blob.len < KF_BLOB_OVERHEAD) {
            status[i] = KF_REC_TRUNCATED;
        } else if (last >= 0 && memcmp(t->prefixes + (size_t)last * KF_PREFIX_LEN, blob.at, KF_PREFIX_LEN) == 0) {
            status[i] = KF_REC_SKIPPED;
            group[i] = last;
        } else if ((status[i] = (uint8_t)kf_blob_header_check(blob.at)) == KF_REC_OK) {
            status[i] = KF_REC_SKIPPED;
            group[i] = last = find_group(t, blob.at);
            if (last < 0) return KF_ERR_CAPACITY;
        }
    }
    return KF_OK;
}

int kf_blob_scan(uint8_t *prefixes, int32_t max_groups, int32_t *num_groups, int32_t *group, uint8_t *status,
                 const struct kf_column *in, int64_t num, const uint8_t *skip) {
    group_table t = {.prefixes = prefixes, .max = max_groups};
    int result = kf_init();
    if (result == KF_OK && (max_groups < 1 || max_groups > 1 << 28)) result = KF_ERR_ARGUMENT;
    if (result == KF_OK) result = kf_column_check(in, num, 0);
    if (result == KF_OK) result = kf_random((uint8_t *)t.seed, sizeof t.seed);
    if (result != KF_OK) return result;
    KF_DECLASSIFY(t.seed, sizeof t.seed); /* must be unknown beforehand, no more: it protects no secret */
    uint64_t size = 16;
    while (size < 2 * (uint64_t)max_groups) size *= 2;
    t.mask = size - 1;
    t.slots = calloc(size, sizeof *t.slots);
    if (!t.slots) return KF_ERR_MEMORY;
    result = scan(&t, group, status, in, num, skip);
    free(t.slots);
    *num_groups = t.num;
    return result;
}
