/*
 * What kf_p256_batch.h asks for, in lanes: the last part of the template kf_p256_lanes.h. A kernel file defines before:
 *   KF_LANES_NAME      the name of the implementation
 *   KF_LANES_ARITH     numbers and points one at a time, with fe_mul of a field's header
 *   kf_lanes_look_up   see kf_p256_lanes_base.h
 */
#ifndef KF_P256_LANES_BATCH_H
#define KF_P256_LANES_BATCH_H

#include "kf_p256_lanes_base.h"
#include "kf_p256_lanes_verify.h"

static void kf_lanes_prepare(void) {
    const unsigned before = kf_lanes_enter();
    kf_fill_columns();
    kf_fill_wide_table();
    kf_lanes_leave(before);
}

/* Room for the longer of two uses. */
static size_t kf_longer(size_t a, size_t b) { return a > b ? a : b; }

static size_t kf_lanes_scratch_len(int num) {
    kf_base_work work;
    kf_tree tree;
    uintptr_t key = 0;
    kf_table_work *table_work;
    affine_work additions;
    kf_tree_carve(&tree, &key, WIDE_WINDOWS + TABLE_WINDOWS, kf_vectors_of(num < KF_PART ? num : KF_PART));
    const size_t table = kf_table_carve(&table_work, &additions, NULL);
    return kf_longer(kf_longer(kf_base_carve(&work, num, NULL), key), table);
}

static size_t kf_lanes_many_scratch_len(int num) {
    kf_many_work work;
    return kf_many_carve(&work, num, NULL);
}

static int kf_lanes_sum_var(kf_p256_jacobian *r, const kf_p256_point *points, const uint64_t *c, int num,
                            void *scratch) {
    const unsigned before = kf_lanes_enter();
    const int ok = sum_var(r, points, c, num, scratch);
    kf_lanes_leave(before);
    return ok;
}

static void kf_lanes_key_table_var(void *table, const kf_p256_point *q, void *scratch) {
    const unsigned before = kf_lanes_enter();
    kf_fill_table_var(table, &KF_KEY_SHAPE, q, scratch);
    kf_lanes_leave(before);
}

static const kf_p256_impl kf_lanes_impl = {
    .name = KF_LANES_NAME,
    .arith = &KF_LANES_ARITH,
    .chunk = KF_CHUNK,
    .many_chunk = KF_MANY_CHUNK,
    .scratch_len = kf_lanes_scratch_len,
    .many_scratch_len = kf_lanes_many_scratch_len,
    .sum_scratch_len = sum_scratch_len,
    .key_table_len = sizeof(kf_p256_point) * TABLE_POINTS,
    .prepare = kf_lanes_prepare,
    .base_mul = kf_lanes_base_mul,
    .key_table_var = kf_lanes_key_table_var,
    .verify_key_var = kf_lanes_verify_key_var,
    .verify_many_var = kf_lanes_verify_many_var,
    .sum_var = kf_lanes_sum_var,
};

#endif
