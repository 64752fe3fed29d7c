/*
 * The lane kernel with AES-NI: eight records at a time, each in a lane of its own, all with the same count of
 * blocks. A step encrypts one block of each record; meanwhile it hashes blocks of eight other records,
 * which are long since written or are not yet to be opened. Part of the template that kf_gcm_lanes.h begins with.
 *
 * A record's GHASH is cut into units: the first has count mod 8 blocks (eight if that is 0), the others
 * sixteen, but for the last that may have eight. So a group's units always fit the steps of another with no fewer
 * blocks: of first units of one or two blocks four are hashed in a step, of three to six blocks up to two, of seven
 * or eight one; a unit of sixteen takes two steps.
 */

enum { KF_LANES = 8, KF_LANES_MAX_BLOCKS = 64 };

/* Records of one count of blocks, 1 to KF_LANES_MAX_BLOCKS. */
typedef struct {
    const uint16_t *places; /* of KF_LANES records; NULL: from first on, all of one length */
    size_t first, count;
} kf_lanes_group;

typedef struct {
    __m128i nonce[KF_LANES];
    __m128i mask[KF_LANES]; /* L * H, where L is the block of lengths; then that ^ E(J0) */
    __m128i y[KF_LANES];    /* GHASH without the block of lengths */
    uint8_t tail[KF_LANES][16]; /* last blocks, encrypted in place, when some are not whole */
    const kf_rec *rec; /* the records: own, or those of the batch */
    kf_rec own[KF_LANES];
    kf_rec mask_io[KF_LANES], tail_io[KF_LANES]; /* in and out: mask, tail */
    kf_lanes_group group;
    int opens;     /* what is hashed is in, not out, and the last blocks of it as tail has them */
    int has_tails; /* the last block of each record is in tail */
} kf_lanes;

/* The next step's place in the groups: step 0 makes the masks, step i encrypts block i. */
typedef struct {
    const kf_lanes *masks, *crypt;
    size_t step;
} kf_lanes_place;

/* The eight blocks of a step. */
typedef struct {
    const kf_rec *rec;
    size_t offset;
} kf_lanes_blocks;

/* Finds the step's blocks, lays their counters, and moves on. */
KF_AESNI_INLINE kf_lanes_blocks kf_lanes_begin(kf_lanes_place *at, kf_blocks8 *s, const __m128i *rk) {
    const size_t step = at->step++;
    const __m128i counter =
        _mm_xor_si128(rk[0], _mm_set_epi32((int)__builtin_bswap32((uint32_t)step + 1), 0, 0, 0));
    const __m128i *nonce = step == 0 ? at->masks->nonce : at->crypt->nonce;
    s->b0 = _mm_xor_si128(nonce[0], counter), s->b1 = _mm_xor_si128(nonce[1], counter);
    s->b2 = _mm_xor_si128(nonce[2], counter), s->b3 = _mm_xor_si128(nonce[3], counter);
    s->b4 = _mm_xor_si128(nonce[4], counter), s->b5 = _mm_xor_si128(nonce[5], counter);
    s->b6 = _mm_xor_si128(nonce[6], counter), s->b7 = _mm_xor_si128(nonce[7], counter);
    if (step == 0) return (kf_lanes_blocks){at->masks->mask_io, 0};
    if (step == at->crypt->group.count && at->crypt->has_tails) return (kf_lanes_blocks){at->crypt->tail_io, 0};
    return (kf_lanes_blocks){at->crypt->rec, 16 * (step - 1)};
}

/* Writes in ^ s, both at an offset. Pinned, or GCC adds up each address in instructions of its own. */
KF_AESNI_INLINE void kf_lanes_xor(uint8_t *out, const uint8_t *in, size_t offset, __m128i s) {
    __asm__ volatile("vpxor (%[in],%[offset]), %[s], %[s]\n\tvmovdqu %[s], (%[out],%[offset])"
                     : [s] "+x"(s) : [in] "r"(in), [out] "r"(out), [offset] "r"(offset) : "memory");
}
KF_AESNI_INLINE void kf_lanes_end(const kf_lanes_blocks *at, const kf_blocks8 *s) {
#define KF_XOR(i) kf_lanes_xor(at->rec[i].out, at->rec[i].in, at->offset, s->b##i)
    KF_XOR(0), KF_XOR(1), KF_XOR(2), KF_XOR(3), KF_XOR(4), KF_XOR(5), KF_XOR(6), KF_XOR(7);
#undef KF_XOR
}

/* A unit of a lane: so many blocks at an offset of its text. y0: what a first unit starts from, else NULL. */
KF_AESNI_INLINE kf_hash_unit kf_lanes_unit(kf_lanes *hash, size_t lane, size_t offset, const __m128i *h,
                                           const __m128i *y0, const size_t blocks) {
    const int ends = hash->opens && hash->has_tails && offset / 16 + blocks == hash->group.count;
    const uint8_t *data = (hash->opens ? hash->rec[lane].in : hash->rec[lane].out) + offset;
    const uint8_t *last = ends ? hash->tail[lane] : data + 16 * (blocks - 1);
    return (kf_hash_unit){data, last, h, y0 ? y0 : &hash->y[lane], &hash->y[lane]};
}

/* One step, and the units (kf_lanes_unit) of so many lanes from a lane on. */
KF_AESNI_INLINE void kf_lanes_step(const __m128i *rk, kf_lanes_place *at, kf_lanes *hash, size_t lane, size_t offset,
                                   const __m128i *h, const __m128i *y0, const int units, const int blocks) {
    kf_blocks8 s;
    const kf_lanes_blocks io = kf_lanes_begin(at, &s, rk);
    kf_hash_unit todo[4];
    KF_OPAQUE(h);
#define KF_UNIT(u) \
    if (u < units) todo[u] = kf_lanes_unit(hash, lane + u, offset, h, y0, blocks)
    KF_UNIT(0);
    KF_UNIT(1);
    KF_UNIT(2);
    KF_UNIT(3);
#undef KF_UNIT
    kf_encrypt8_hash(&s, rk, todo, units, blocks);
    kf_lanes_end(&io, &s);
}

/* Two steps, and a unit of sixteen blocks of a lane. */
KF_AESNI_INLINE void kf_lanes_two_steps(const __m128i *rk, kf_lanes_place *at, kf_lanes *hash, size_t lane,
                                        size_t offset, const __m128i *h) {
    KF_OPAQUE(h);
    const kf_hash_unit unit = kf_lanes_unit(hash, lane, offset, h, NULL, 16);
    kf_hash_state g;
    KF_UNROLL
    for (int half = 0; half < 2; half++) {
        kf_blocks8 s;
        const kf_lanes_blocks io = kf_lanes_begin(at, &s, rk);
        kf_encrypt8_half(&s, rk, &g, &unit, half);
        kf_lanes_end(&io, &s);
    }
}

KF_AESNI_INLINE size_t kf_lanes_first_unit(const kf_lanes *lanes) {
    return (lanes->group.count - 1) % 8 + 1;
}
/* Blocks of the unit that begins at a block, not the first. */
KF_AESNI_INLINE size_t kf_lanes_next_unit(const kf_lanes *lanes, size_t begin) {
    return lanes->group.count - begin >= 16 ? 16 : 8;
}
/* Powers for a unit of so many blocks that ends after block `end`: after the last comes the length block. */
KF_AESNI_INLINE const __m128i *kf_lanes_powers(const kf_gcm_powers *powers, const kf_lanes *lanes, size_t blocks,
                                               size_t end) {
    return powers->h + KF_GCM_POWERS - blocks - (end == lanes->group.count);
}

/* Hashes a group when there is nothing to encrypt meanwhile. */
static KF_AESNI KF_NOINLINE void kf_lanes_hash(const kf_gcm_powers *powers, const __m128i *y0, kf_lanes *hash) {
    const size_t first = kf_lanes_first_unit(hash);
    const __m128i *h = kf_lanes_powers(powers, hash, first, first);
    for (size_t i = 0; i < KF_LANES; i++) {
        const kf_hash_unit unit = kf_lanes_unit(hash, i, 0, h, y0, first);
        kf_hash(&unit, first);
    }
    for (size_t begin = first, blocks; begin < hash->group.count; begin += blocks) {
        blocks = kf_lanes_next_unit(hash, begin);
        h = kf_lanes_powers(powers, hash, blocks, begin + blocks);
        for (size_t i = 0; i < KF_LANES; i++) {
            const kf_hash_unit unit = kf_lanes_unit(hash, i, 16 * begin, h, NULL, blocks);
            kf_hash(&unit, blocks);
        }
    }
}

/* Makes the masks of a group and encrypts one, while a group is hashed; each may be NULL. The steps must be
 * enough for hashing. y0: GHASH of what comes before all texts. */
static KF_AESNI KF_NOINLINE void kf_lanes_run(const __m128i *rk, const kf_gcm_powers *powers, const __m128i *y0,
                                              const kf_lanes *masks, const kf_lanes *crypt, kf_lanes *hash) {
    kf_lanes_place at = {masks, crypt, masks ? 0 : 1};
    const size_t last = crypt ? crypt->group.count : 0;
    if (hash != NULL) {
        const size_t first = kf_lanes_first_unit(hash);
        const __m128i *h = kf_lanes_powers(powers, hash, first, first);
        const size_t limit = last + 1 - (hash->group.count - first); /* from there on the other units need the steps */
#define KF_STEP(units, blocks) kf_lanes_step(rk, &at, hash, i, 0, h, y0, units, blocks), i += units
#define KF_CASE(blocks, units)                        \
    case blocks:                                      \
        while (i < KF_LANES) KF_STEP(units, blocks);  \
        break;
#define KF_CASE_EITHER(blocks)                        \
    case blocks:                                      \
        while (KF_LANES - i > limit - at.step)        \
            KF_STEP(2, blocks);                       \
        while (i < KF_LANES) KF_STEP(1, blocks);      \
        break;
        size_t i = 0;
        switch (first) {
            KF_CASE(1, 4)
            KF_CASE(2, 4)
            KF_CASE(3, 2)
            KF_CASE(4, 2)
            KF_CASE_EITHER(5)
            KF_CASE_EITHER(6)
            KF_CASE(7, 1)
            KF_CASE(8, 1)
        }
#undef KF_STEP
#undef KF_CASE_EITHER
#undef KF_CASE
        for (size_t begin = first, blocks; begin < hash->group.count; begin += blocks) {
            blocks = kf_lanes_next_unit(hash, begin);
            h = kf_lanes_powers(powers, hash, blocks, begin + blocks);
            for (i = 0; i < KF_LANES; i++)
                if (blocks == 16)
                    kf_lanes_two_steps(rk, &at, hash, i, 16 * begin, h);
                else
                    kf_lanes_step(rk, &at, hash, i, 16 * begin, h, NULL, 1, 8);
        }
    }
    while (at.step <= last) {
        kf_blocks8 s;
        const kf_lanes_blocks io = kf_lanes_begin(&at, &s, rk);
        kf_encrypt8(&s, rk);
        kf_lanes_end(&io, &s);
    }
}
