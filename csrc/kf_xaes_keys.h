/*
 * What comes before the text of a group's records, for kf_xaes_engine.h, which includes this file: registers and lanes,
 * the derivation of the message keys, their key schedules, H in both forms, and E(J0).
 */

/* ---- registers ------------------------------------------------------------------------------ */

KF_XAES_INLINE kf_vec kf_xor_vec(kf_vec a, kf_vec b) { return KF_MM_XOR(a, b); }
KF_XAES_INLINE void kf_put8(kf_vec *to, const kf_vec8 *s) {
    to[0] = s->b0, to[1] = s->b1, to[2] = s->b2, to[3] = s->b3;
    to[4] = s->b4, to[5] = s->b5, to[6] = s->b6, to[7] = s->b7;
}
/* s = from ^ x in all registers. */
KF_XAES_INLINE void kf_get8(kf_vec8 *s, const kf_vec *from, kf_vec x) {
    s->b0 = kf_xor_vec(from[0], x), s->b1 = kf_xor_vec(from[1], x), s->b2 = kf_xor_vec(from[2], x);
    s->b3 = kf_xor_vec(from[3], x), s->b4 = kf_xor_vec(from[4], x), s->b5 = kf_xor_vec(from[5], x);
    s->b6 = kf_xor_vec(from[6], x), s->b7 = kf_xor_vec(from[7], x);
}
/* The first half of s = a ^ x, the second b ^ y. */
KF_XAES_INLINE void kf_get_pair(kf_vec8 *s, const kf_vec *a, kf_vec x, const kf_vec *b, kf_vec y) {
    s->b0 = kf_xor_vec(a[0], x), s->b1 = kf_xor_vec(a[1], x);
    s->b2 = kf_xor_vec(a[2], x), s->b3 = kf_xor_vec(a[3], x);
    s->b4 = kf_xor_vec(b[0], y), s->b5 = kf_xor_vec(b[1], y);
    s->b6 = kf_xor_vec(b[2], y), s->b7 = kf_xor_vec(b[3], y);
}
/* The block of lane i in an array of registers. */
KF_XAES_INLINE __m128i *kf_lane(kf_vec *registers, size_t i) { return (__m128i *)registers + i; }

/* Counter i in the last four bytes of a block. */
KF_XAES_INLINE kf_vec kf_counter_block(size_t i) {
    return kf_all(_mm_set_epi32((int)__builtin_bswap32((uint32_t)i), 0, 0, 0));
}

/* The first len (0 to 16) bytes of x, then zeros. */
KF_XAES_INLINE __m128i kf_keep(__m128i x, size_t len) {
    static const uint8_t ones_then_zeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                255, 255, 255, 255, 255, 255, 255, 255};
    return _mm_and_si128(x, kf_load128(ones_then_zeros + 16 - len));
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* Four registers of the same word of their messages. */
typedef struct {
    kf_vec w0, w1, w2, w3;
} kf_words;

/* Turns four blocks of words round: word i of each in wi, and back. */
KF_XAES_INLINE kf_words kf_transpose(kf_words x) {
    const kf_vec a = KF_MM(unpacklo_epi32)(x.w0, x.w1), b = KF_MM(unpackhi_epi32)(x.w0, x.w1);
    const kf_vec c = KF_MM(unpacklo_epi32)(x.w2, x.w3), d = KF_MM(unpackhi_epi32)(x.w2, x.w3);
    return (kf_words){KF_MM(unpacklo_epi64)(a, c), KF_MM(unpackhi_epi64)(a, c), KF_MM(unpacklo_epi64)(b, d),
                      KF_MM(unpackhi_epi64)(b, d)};
}
KF_XAES_INLINE kf_words kf_words_from(const kf_vec *rk) {
    return kf_transpose((kf_words){rk[0], rk[1], rk[2], rk[3]});
}
KF_XAES_INLINE void kf_words_to(kf_vec *rk, kf_words words) {
    const kf_words blocks = kf_transpose(words);
    rk[0] = blocks.w0, rk[1] = blocks.w1, rk[2] = blocks.w2, rk[3] = blocks.w3;
}
/* w(i) ^= w(i - 1), where w(-1) is t (FIPS 197 5.2). The last word, which the next step waits for, comes first. */
KF_XAES_INLINE kf_words kf_chain(kf_words x, kf_vec t) {
    x.w3 = kf_xor_vec(kf_xor_vec(kf_xor_vec(x.w0, x.w1), kf_xor_vec(x.w2, x.w3)), t);
    x.w0 = kf_xor_vec(x.w0, t), x.w1 = kf_xor_vec(x.w1, x.w0), x.w2 = kf_xor_vec(x.w2, x.w1);
    return x;
}

/* The key schedules of half of the lanes from their first two round keys (FIPS 197 5.2 with Nk = 8). Four messages of
 * equal word lie in a block; AESENCLAST gives SubWord, and a shuffle before it undoes its ShiftRows: one
 * with RotWord, one without. Half, so that the words fit into registers: what does not is left on the stack. */
static inline KF_XAES_TARGET void kf_xaes_expand(kf_vec (*rk)[KF_XAES_REGS], size_t first, kf_xaes_pending *pending) {
    const kf_vec unshift = kf_all(_mm_set_epi8(3, 6, 9, 12, 15, 2, 5, 8, 11, 14, 1, 4, 7, 10, 13, 0));
    const kf_vec unshift_rotate = kf_all(_mm_set_epi8(0, 7, 10, 13, 12, 3, 6, 9, 8, 15, 2, 5, 4, 11, 14, 1));
    const kf_vec zero = kf_all(_mm_setzero_si128());
    kf_vec rcon = kf_all(_mm_set1_epi32(1));
    kf_words even = kf_words_from(rk[0] + first), odd = kf_words_from(rk[1] + first);
    for (int r = 2;; r += 2) {
        even = kf_chain(even, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(odd.w3, unshift_rotate), rcon));
        kf_words_to(rk[r] + first, even);
        if (r == 14) return;
        rcon = KF_MM(add_epi32)(rcon, rcon);
        kf_xaes_hash_beside(pending);
        odd = kf_chain(odd, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(even.w3, unshift), zero));
        kf_words_to(rk[r + 1] + first, odd);
    }
}

/* Both forms of H from AES's output: h = H * x (kf_ghash_key), and g = h * x^64. */
KF_XAES_INLINE void kf_xaes_hash_key(kf_xaes_hash *hash, int i, kf_vec block) {
    const kf_vec poly = kf_all(kf_ghash_poly());
    kf_vec zero = kf_all(_mm_setzero_si128());
    __asm__("" : "+x"(zero)); /* else the compiler makes one slow "rep stos" of the stores of y */
    kf_vec h = KF_MM(shuffle_epi8)(block, kf_all(kf_bswap_mask()));
    const kf_vec carry = KF_MM(shuffle_epi32)(KF_MM(srai_epi32)(h, 31), 0xff);
    const kf_vec middle_bit = KF_MM(unpacklo_epi64)(zero, KF_MM(srli_epi64)(h, 63));
    h = kf_xor_vec(kf_xor_vec(KF_MM(slli_epi64)(h, 1), middle_bit), KF_MM_AND(carry, poly));
    hash->h[i] = h;
    hash->g[i] = kf_xor_vec(KF_MM(shuffle_epi32)(h, 0x4e), KF_MM_CLMUL(h, poly, 0x10));
    hash->y[i] = zero;
}

/* Derives the keys of a group's lanes, whose first 12 bytes of nonce, after four bytes of zeros, are in its spill:
 * the blocks 00 01 58 00 || nonce and 00 02 58 00 || nonce, under K1. */
static inline KF_XAES_TARGET void kf_xaes_derive(const kf_xaes_work *work, kf_xaes_group *group,
                                                 kf_xaes_pending *pending) {
    for (int half = 0; half < 2; half++) {
        const kf_vec constant = kf_all(_mm_set_epi32(0, 0, 0, half == 0 ? 0x00580100 : 0x00580200));
        kf_vec8 s;
        kf_get8(&s, group->spill, kf_xor_vec(constant, work->mask));
        kf_step_one_key(&s, work->key, pending);
        kf_put8(group->rk[half], &s);
    }
    for (size_t first = 0; first < KF_XAES_REGS; first += KF_XAES_REGS / 2) kf_xaes_expand(group->rk, first, pending);
    for (int i = 0; i < KF_XAES_REGS; i++) group->counter[i] = kf_xor_vec(group->counter[i], group->rk[0][i]);
}

/* The blocks that come before the text: H, left in spill, and E(J0). */
KF_XAES_INLINE void kf_xaes_start(kf_xaes_group *group, kf_xaes_pending *pending) {
    const kf_vec zero = kf_all(_mm_setzero_si128());
    for (size_t first = 0; first < KF_XAES_REGS; first += KF_XAES_REGS / 2) {
        kf_vec8 s;
        kf_get_pair(&s, group->rk[0] + first, zero, group->counter + first, kf_counter_block(1));
        kf_step_pair(&s, group->rk[0] + first, pending);
        group->spill[first] = s.b0, group->spill[first + 1] = s.b1;
        group->spill[first + 2] = s.b2, group->spill[first + 3] = s.b3;
        group->tag_mask[first] = s.b4, group->tag_mask[first + 1] = s.b5;
        group->tag_mask[first + 2] = s.b6, group->tag_mask[first + 3] = s.b7;
    }
}
