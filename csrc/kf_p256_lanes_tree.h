/*
 * Sums of many points for each of many items, part of the template kf_p256_lanes.h: a tree. Vectors stand window by
 * window, item by item within a window, and each level adds the upper half of the windows to the lower half, all items
 * at once, with one inversion.
 */
#ifndef KF_P256_LANES_TREE_H
#define KF_P256_LANES_TREE_H

#include "kf_p256_carve.h"
#include "kf_p256_lanes_points.h"

static size_t kf_vectors_of(int num) { return ((size_t)num + KF_LANES - 1) / KF_LANES; }

/* A tree of num_points per item. */
typedef struct {
    kf_points *points;
    kf_quotients quotients;
    kf_lane *zero;
    size_t vectors; /* of each row */
} kf_tree;

static void kf_tree_carve(kf_tree *tree, uintptr_t *at, size_t num_points, size_t vectors) {
    const size_t additions = num_points / 2 * vectors;
    tree->points = carve(at, num_points * vectors * sizeof *tree->points);
    tree->quotients.difference = carve(at, additions * sizeof(kf_factor));
    tree->quotients.before = carve(at, (additions + KF_CHAINS) * sizeof(kf_factor));
    tree->zero = carve(at, vectors * sizeof *tree->zero);
    tree->vectors = vectors;
}

/* The sums in the first row; zero tells the lanes that met an exception. */
static void kf_add_up_var(const kf_tree *tree, size_t num_points) {
    memset(tree->zero, 0, tree->vectors * sizeof *tree->zero);
    while (num_points > 1) {
        const size_t half = num_points / 2;
        kf_lanes_add_checked(tree->points, tree->points + (num_points - half) * tree->vectors, half * tree->vectors,
                             &tree->quotients, tree->zero, tree->vectors);
        num_points -= half;
    }
}

#endif
