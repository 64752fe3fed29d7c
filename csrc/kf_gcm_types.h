/* What the GCM kernels and the engine around them (kf_gcm_engine.h) share. A template: the kernel
 * file defines KF_GCM_POWERS before it includes this file. */

enum { KF_GCM_FOLDED = KF_GCM_POWERS + 4 };

/* H^POWERS .. H^1, of which the last `count` are there, then zeros; folded[i] = kf_fold_halves(h[i]), KF_GCM_FOLDED
 * places after h[i]. */
typedef struct {
    alignas(32) __m128i h[KF_GCM_FOLDED];
    __m128i folded[KF_GCM_FOLDED];
    size_t count;
} kf_gcm_powers;

/* Four blocks of GHASH: y_out = (*y_in ^ B1) * powers[0] ^ B2 * powers[1] ^ B3 * powers[2] ^ .. */
typedef struct {
    const uint8_t *blocks;
    const __m128i *powers;
    const __m128i *y_in;
    __m128i y_out;
} kf_gcm_unit;
