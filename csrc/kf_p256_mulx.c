/*
 * P-256 for x86-64 with BMI2, ADX and AVX2: scalar arithmetic of kf_p256_field_mulx.h, and look-ups by byte shuffles.
 * A look-up reads the whole window of G's table for 32 digits at once: the table stands byte by byte there (all
 * entries' byte 0, all entries' byte 1, ...), a shuffle picks from 16 entries for 16 digits in each half of a register,
 * and a transposition brings the bytes of each point together again.
 */
#include "kf_p256_batch.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kf_cpu.h"
#include "kf_p256_base.h"
#include "kf_p256_field_mulx.h"

#define TEMPLATE_INLINE MULX_INLINE
#define AVX2 __attribute__((target("avx2")))

/* Reads the whole window. */
AVX2 static void scan_one(kf_p256_point *r, const kf_p256_point *window, uint64_t place) {
    const __m256i wanted = _mm256_set1_epi64x((long long)place), one = _mm256_set1_epi64x(1);
    __m256i x = _mm256_setzero_si256(), y = x, entry = x;
    for (int e = 0; e < TABLE_ENTRIES; e++) {
        const __m256i mask = _mm256_cmpeq_epi64(entry, wanted);
        x = _mm256_or_si256(x, _mm256_and_si256(mask, _mm256_load_si256((const __m256i *)&window[e].x)));
        y = _mm256_or_si256(y, _mm256_and_si256(mask, _mm256_load_si256((const __m256i *)&window[e].y)));
        entry = _mm256_add_epi64(entry, one);
    }
    _mm256_store_si256((__m256i *)&r->x, x);
    _mm256_store_si256((__m256i *)&r->y, y);
}

/* The same for two entries, with each one of the window read once. */
AVX2 static void scan_two(kf_p256_point r[2], const kf_p256_point *window, const uint64_t place[2]) {
    const __m256i wanted0 = _mm256_set1_epi64x((long long)place[0]), wanted1 = _mm256_set1_epi64x((long long)place[1]);
    const __m256i one = _mm256_set1_epi64x(1);
    __m256i x0 = _mm256_setzero_si256(), y0 = x0, x1 = x0, y1 = x0, entry = x0;
    for (int e = 0; e < TABLE_ENTRIES; e++) {
        const __m256i mask0 = _mm256_cmpeq_epi64(entry, wanted0), mask1 = _mm256_cmpeq_epi64(entry, wanted1);
        const __m256i x = _mm256_load_si256((const __m256i *)&window[e].x);
        const __m256i y = _mm256_load_si256((const __m256i *)&window[e].y);
        x0 = _mm256_or_si256(x0, _mm256_and_si256(mask0, x)), y0 = _mm256_or_si256(y0, _mm256_and_si256(mask0, y));
        x1 = _mm256_or_si256(x1, _mm256_and_si256(mask1, x)), y1 = _mm256_or_si256(y1, _mm256_and_si256(mask1, y));
        entry = _mm256_add_epi64(entry, one);
    }
    _mm256_store_si256((__m256i *)&r[0].x, x0), _mm256_store_si256((__m256i *)&r[0].y, y0);
    _mm256_store_si256((__m256i *)&r[1].x, x1), _mm256_store_si256((__m256i *)&r[1].y, y1);
}

static inline void scan_table(kf_p256_point *r, const kf_p256_point *window, const uint64_t *place, int num) {
    if (num == 2)
        scan_two(r, window, place);
    else
        scan_one(r, window, place[0]);
}

enum { LOOK_UPS = 32, GROUPS = TABLE_ENTRIES / 16 };

/* Byte b of entry e of window w of G's table. */
static uint8_t columns[TABLE_WINDOWS][sizeof(kf_p256_point)][TABLE_ENTRIES] __attribute__((aligned(64)));

static void prepare(void) {
    for (int w = 0; w < TABLE_WINDOWS; w++) {
        for (int e = 0; e < TABLE_ENTRIES; e++) {
            uint8_t bytes[sizeof(kf_p256_point)];
            memcpy(bytes, &kf_p256_base_table[w * TABLE_ENTRIES + e], sizeof bytes);
            for (size_t b = 0; b < sizeof bytes; b++) columns[w][b][e] = bytes[b];
        }
    }
}

/* In each half of the registers: byte j of row i becomes byte i of row j. */
AVX2 static inline void transpose16(__m256i row[16]) {
    __m256i next[16];
    for (int round = 0; round < 4; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            next[2 * i] = _mm256_unpacklo_epi8(row[i], row[i + 8]);
            next[2 * i + 1] = _mm256_unpackhi_epi8(row[i], row[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) row[i] = next[i];
    }
}

/* The points of 32 digits, not yet negated. place: their entries, 0 to 127. */
AVX2 static void look_up_32(kf_p256_point r[LOOK_UPS], const uint8_t column[][TABLE_ENTRIES], __m256i place) {
    __m256i in_group[GROUPS], row[16];
    /* Within group g the place has 7 in its upper half, and elsewhere its top bit: a shuffle gives 0 for that. */
#pragma GCC unroll 8
    for (int g = 0; g < GROUPS; g++)
        in_group[g] = _mm256_adds_epu8(_mm256_xor_si256(place, _mm256_set1_epi8((char)(16 * g))),
                                       _mm256_set1_epi8(0x70));
    for (int part = 0; part < 4; part++) {
        for (int b = 0; b < 16; b++) {
            const __m128i *entries = (const __m128i *)column[16 * part + b];
            __m256i found = _mm256_setzero_si256();
#pragma GCC unroll 8
            for (int g = 0; g < GROUPS; g++)
                found = _mm256_or_si256(
                    found, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries[g]), in_group[g]));
            row[b] = found;
        }
        transpose16(row);
        for (int i = 0; i < 16; i++) {
            _mm_store_si128((__m128i *)&r[i] + part, _mm256_castsi256_si128(row[i]));
            _mm_store_si128((__m128i *)&r[16 + i] + part, _mm256_extracti128_si256(row[i], 1));
        }
    }
}

AVX2 static void look_up(kf_p256_point *r, int window, const uint8_t *digits, size_t num) {
    for (size_t i = 0; i < num; i += LOOK_UPS) {
        const __m256i digit = _mm256_loadu_si256((const __m256i *)(digits + i));
        const __m256i negative = _mm256_cmpgt_epi8(digit, _mm256_set1_epi8(-1)); /* the top bit is not set */
        const __m256i place = _mm256_and_si256(_mm256_xor_si256(digit, negative), _mm256_set1_epi8(0x7f));
        int8_t masks[LOOK_UPS];
        look_up_32(r + i, columns[window], place);
        _mm256_storeu_si256((__m256i *)masks, negative);
        for (int k = 0; k < LOOK_UPS; k++)
            kf_fe_negate_if(&r[i + (size_t)k].y, kf_barrier64((uint64_t)(int64_t)masks[k]));
    }
}

#define IMPLEMENTATION_NAME "mulx"
#define ARITHMETIC_NAME kf_p256_arith_mulx
#include "kf_p256_curve.h"
#include "kf_p256_affine.h"
#include "kf_p256_engine.h"
#include "kf_p256_sum.h"
#include "kf_p256_offer.h"

const kf_p256_impl *kf_p256_impl_mulx(void) {
    const uint32_t needed = KF_CPU_BMI2_ADX | KF_CPU_AVX2;
    return (kf_cpu() & needed) == needed ? &implementation : NULL;
}

#else

const kf_p256_impl *kf_p256_impl_mulx(void) { return NULL; }

#endif
