/*
 * XAES-256-GCM (C2SP) of many records under one key, for the x86 kernels. A template: each kernel file
 * defines the macros below, kf_vec and its helpers, and includes this file once.
 *
 *   KF_XAES_TARGET, KF_XAES_INLINE  attributes of the functions here
 *   KF_XAES_WIDTH                   messages in a register
 *   KF_XAES_STRIDE                  bytes of a register, as text
 *   KF_MM, KF_MM_...                the intrinsics of that width
 *   kf_gcm_seal, kf_gcm_open        GCM under one key, for records that do not go in groups
 *
 * How it works. Every record has a key of its own, so records are taken in groups of KF_XAES_LANES, all of
 * them at the same step: two blocks derive their keys (C2SP, "Derive the AES-256-GCM key"), one pass over
 * transposed words expands all key schedules, then block by block come H, E(J0) and the keystream. GHASH
 * is Horner's rule, one row (a block of each message) at a time, and each row is hashed between the rounds
 * of an AES step: the rows of a group in the steps that come after they are known, its last rows in
 * the first steps of the next group. Rows end together, so that shorter messages of a group begin with rows
 * of zeros, which leave a hash of zero as it is.
 *
 * A product by H is one step of reduction with two forms of it, h and g = h * x^64 (as in "kf_x86.h"):
 *     x * H = low(x) * g + high(x) * h, of which the low half is folded once.
 *
 * Records of more than KF_XAES_MAX_TEXT blocks, or that are alone, derive their key here and run as GCM.
 * Lengths are public; nothing else is branched on or indexed with.
 */

enum {
    KF_XAES_REGS = 8,
    KF_XAES_LANES = KF_XAES_REGS * KF_XAES_WIDTH,
    KF_XAES_MAX_TEXT = 32, /* blocks of a record in a group */
    KF_XAES_MAX_AAD = 16,  /* and of its own associated data */
    KF_XAES_DIGEST = 2,    /* rows of the digest */
    KF_XAES_ROWS = KF_XAES_DIGEST + KF_XAES_MAX_AAD + KF_XAES_MAX_TEXT + 1,
    KF_XAES_WINDOW = 512, /* records that are sorted by length at a time */
    KF_XAES_GROUP_MIN = 3 /* fewer records run alone */
};

/* What a hash step reads and writes; the assembly below counts on the order. */
typedef struct {
    kf_vec h[KF_XAES_REGS], g[KF_XAES_REGS], y[KF_XAES_REGS];
} kf_xaes_hash;

typedef struct {
    alignas(64) kf_vec rk[15][KF_XAES_REGS];
    kf_xaes_hash hash;
    kf_vec tag_mask[KF_XAES_REGS]; /* E(J0) */
    kf_vec counter[KF_XAES_REGS];  /* nonce, four zero bytes, under the first round key */
    kf_vec spill[KF_XAES_REGS];
    /* what follows is public */
    const uint8_t *in[KF_XAES_LANES];
    uint8_t *out[KF_XAES_LANES];
    size_t len[KF_XAES_LANES], index[KF_XAES_LANES];
    size_t text_row[KF_XAES_LANES]; /* where the rows of the text begin */
    size_t num_messages, num_rows, most_blocks;
    int uniform, whole;  /* all lanes in use and of equal blocks; no last block is partial */
    int digest_in_place; /* rows 0 and 1 are the digest in all lanes */
    kf_vec rows[KF_XAES_ROWS][KF_XAES_REGS];
} kf_xaes_group;

typedef struct {
    kf_vec key[15]; /* the round keys of the derivation, in every lane */
    kf_vec mask;    /* K1 under the first of them */
    const uint8_t *digest;
    kf_xaes_group group[2];
} kf_xaes_work;

/* Rows that may be hashed now. */
typedef struct {
    const kf_vec (*row)[KF_XAES_REGS];
    size_t left;
    kf_xaes_hash *hash;
} kf_xaes_rows;

typedef struct {
    kf_vec b0, b1, b2, b3, b4, b5, b6, b7;
} kf_vec8;

/* ---- pinned code ---------------------------------------------------------------------------- */

/* Register i of round r: every lane its own key, or all lanes the key of the derivation. */
#define KF_OWN_KEY(r, i) KF_XAES_STRIDE "*(8*" #r "+" #i ")(%[rk])"
#define KF_ONE_KEY(r, i) KF_XAES_STRIDE "*" #r "(%[rk])"

#define KF_AES_REG(op, KEY, r, i) op " " KEY(r, i) ", %[b" #i "], %[b" #i "]\n\t"
#define KF_AES_REGS(op, KEY, r)                                                                              \
    KF_AES_REG(op, KEY, r, 0) KF_AES_REG(op, KEY, r, 1) KF_AES_REG(op, KEY, r, 2) KF_AES_REG(op, KEY, r, 3) \
    KF_AES_REG(op, KEY, r, 4) KF_AES_REG(op, KEY, r, 5) KF_AES_REG(op, KEY, r, 6) KF_AES_REG(op, KEY, r, 7)
#define KF_VEC8(s)                                                                                     \
    [b0] "+x"((s).b0), [b1] "+x"((s).b1), [b2] "+x"((s).b2), [b3] "+x"((s).b3), [b4] "+x"((s).b4), \
        [b5] "+x"((s).b5), [b6] "+x"((s).b6), [b7] "+x"((s).b7)

/* y(i) = (y(i) ^ row(i)) * H(i) for register i, in parts that go between AES instructions. */
#define KF_HASH_LOAD(i)                                                              \
    "vmovdqa " KF_XAES_STRIDE "*" #i "(%[row]), %[x]\n\tvpshufb %[swap], %[x], %[x]\n\t" \
    "vpxor " KF_XAES_STRIDE "*(16+" #i ")(%[hash]), %[x], %[x]\n\t"
#define KF_HASH_G(i)                                          \
    "vmovdqa " KF_XAES_STRIDE "*(8+" #i ")(%[hash]), %[t]\n\t" \
    "vpclmulqdq $0x00, %[t], %[x], %[low]\n\tvpclmulqdq $0x10, %[t], %[x], %[high]\n\t"
#define KF_HASH_H(i)                                     \
    "vmovdqa " KF_XAES_STRIDE "*" #i "(%[hash]), %[t]\n\t" \
    "vpclmulqdq $0x11, %[t], %[x], %[f]\n\tvpclmulqdq $0x01, %[t], %[x], %[t]\n\t"
#define KF_HASH_SUM "vpxor %[t], %[low], %[low]\n\tvpxor %[f], %[high], %[high]\n\t"
#define KF_HASH_FOLD "vpclmulqdq $0x10, %[poly], %[low], %[t]\n\tvpshufd $0x4e, %[low], %[low]\n\t"
#define KF_HASH_STORE(i)                                                                        \
    "vpxor %[low], %[high], %[high]\n\tvpxor %[t], %[high], %[high]\n\t"                        \
    "vmovdqa %[high], " KF_XAES_STRIDE "*(16+" #i ")(%[hash])\n\t"
#define KF_HASH_OPERANDS                                                                            \
    [x] "=&x"(x), [low] "=&x"(low), [high] "=&x"(high), [t] "=&x"(t), [f] "=&x"(f) : [row] "r"(row), [hash] "r"(hash), \
        [swap] "x"(swap), [poly] "x"(poly)

/* Round r of all registers. */
#define KF_XROUND(s, rk_, KEY, r) \
    __asm__ volatile(KF_AES_REGS("vaesenc", KEY, r) : KF_VEC8(s) : [rk] "r"(rk_) : "memory")
#define KF_XLAST_ROUND(s, rk_, KEY) \
    __asm__ volatile(KF_AES_REGS("vaesenclast", KEY, 14) : KF_VEC8(s) : [rk] "r"(rk_) : "memory")
/* Round r of all registers, and the row of register i. */
#define KF_XROUND_HASH(s, rk_, KEY, r, i)                                                                           \
    do {                                                                                                            \
        kf_vec x, low, high, t, f;                                                                                     \
        __asm__ volatile(                                                                                           \
            KF_HASH_LOAD(i) KF_AES_REG("vaesenc", KEY, r, 0) KF_AES_REG("vaesenc", KEY, r, 1) KF_HASH_G(i)          \
            KF_AES_REG("vaesenc", KEY, r, 2) KF_AES_REG("vaesenc", KEY, r, 3) KF_HASH_H(i)                          \
            KF_AES_REG("vaesenc", KEY, r, 4) KF_HASH_SUM KF_AES_REG("vaesenc", KEY, r, 5) KF_HASH_FOLD              \
            KF_AES_REG("vaesenc", KEY, r, 6) KF_AES_REG("vaesenc", KEY, r, 7) KF_HASH_STORE(i)                      \
            : KF_VEC8(s), KF_HASH_OPERANDS, [rk] "r"(rk_)                                                           \
            : "memory");                                                                                            \
    } while (0)
/* The row of register i alone. */
#define KF_HASH_REG(i)                                                                                          \
    do {                                                                                                        \
        kf_vec x, low, high, t, f;                                                                                 \
        __asm__ volatile(KF_HASH_LOAD(i) KF_HASH_G(i) KF_HASH_H(i) KF_HASH_SUM KF_HASH_FOLD KF_HASH_STORE(i)   \
                         : KF_HASH_OPERANDS                                                                     \
                         : "memory");                                                                           \
    } while (0)

/* Thirteen rounds and the last; the first round key is in s already. */
#define KF_XSTEP(s, rk, KEY)                                                                                 \
    do {                                                                                                     \
        KF_XROUND(s, rk, KEY, 1); KF_XROUND(s, rk, KEY, 2); KF_XROUND(s, rk, KEY, 3); KF_XROUND(s, rk, KEY, 4); \
        KF_XROUND(s, rk, KEY, 5); KF_XROUND(s, rk, KEY, 6); KF_XROUND(s, rk, KEY, 7); KF_XROUND(s, rk, KEY, 8); \
        KF_XROUND(s, rk, KEY, 9); KF_XROUND(s, rk, KEY, 10); KF_XROUND(s, rk, KEY, 11);                      \
        KF_XROUND(s, rk, KEY, 12); KF_XROUND(s, rk, KEY, 13); KF_XLAST_ROUND(s, rk, KEY);                    \
    } while (0)
/* The same, and one row. */
#define KF_XSTEP_HASH(s, rk, KEY)                                             \
    do {                                                                      \
        KF_XROUND_HASH(s, rk, KEY, 1, 0);                                     \
        KF_XROUND_HASH(s, rk, KEY, 2, 1);                                     \
        KF_XROUND(s, rk, KEY, 3);                                             \
        KF_XROUND_HASH(s, rk, KEY, 4, 2);                                     \
        KF_XROUND_HASH(s, rk, KEY, 5, 3);                                     \
        KF_XROUND(s, rk, KEY, 6);                                             \
        KF_XROUND_HASH(s, rk, KEY, 7, 4);                                     \
        KF_XROUND_HASH(s, rk, KEY, 8, 5);                                     \
        KF_XROUND(s, rk, KEY, 9);                                             \
        KF_XROUND_HASH(s, rk, KEY, 10, 6);                                    \
        KF_XROUND_HASH(s, rk, KEY, 11, 7);                                    \
        KF_XROUND(s, rk, KEY, 12); KF_XROUND(s, rk, KEY, 13);                 \
        KF_XLAST_ROUND(s, rk, KEY);                                           \
    } while (0)

/* One block of every lane in s; a row that waits is hashed on the way. */
#define KF_XAES_STEP(name, KEY)                                                                     \
    KF_XAES_INLINE void name(kf_vec8 *state, const void *rk, kf_xaes_rows *rows) {                  \
        kf_vec8 s = *state;                                                                         \
        if (rows->left != 0) {                                                                      \
            const kf_vec swap = kf_all(kf_bswap_mask()), poly = kf_all(kf_ghash_poly());            \
            const kf_vec *row = *rows->row;                                                         \
            kf_xaes_hash *hash = rows->hash;                                                        \
            KF_XSTEP_HASH(s, rk, KEY);                                                              \
            rows->row++, rows->left--;                                                              \
        } else {                                                                                    \
            KF_XSTEP(s, rk, KEY);                                                                   \
        }                                                                                           \
        *state = s;                                                                                 \
    }
KF_XAES_STEP(kf_step_own_key, KF_OWN_KEY)
KF_XAES_STEP(kf_step_one_key, KF_ONE_KEY)

/* Hashes all rows that wait. */
static KF_XAES_TARGET void kf_xaes_drain(kf_xaes_rows *rows) {
    const kf_vec swap = kf_all(kf_bswap_mask()), poly = kf_all(kf_ghash_poly());
    kf_xaes_hash *hash = rows->hash;
    for (; rows->left > 0; rows->row++, rows->left--) {
        const kf_vec *row = *rows->row;
        KF_HASH_REG(0);
        KF_HASH_REG(1);
        KF_HASH_REG(2);
        KF_HASH_REG(3);
        KF_HASH_REG(4);
        KF_HASH_REG(5);
        KF_HASH_REG(6);
        KF_HASH_REG(7);
    }
}

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
/* w(i) ^= w(i - 1), where w(-1) is t (FIPS 197 5.2). */
KF_XAES_INLINE kf_words kf_chain(kf_words x, kf_vec t) {
    x.w0 = kf_xor_vec(x.w0, t), x.w1 = kf_xor_vec(x.w1, x.w0);
    x.w2 = kf_xor_vec(x.w2, x.w1), x.w3 = kf_xor_vec(x.w3, x.w2);
    return x;
}

/* The key schedules of all lanes from their first two round keys (FIPS 197 5.2 with Nk = 8). Four messages of
 * equal word lie in a block; AESENCLAST gives SubWord, and a shuffle before it undoes its ShiftRows: one
 * with RotWord, one without. */
static KF_XAES_TARGET void kf_xaes_expand(kf_vec (*rk)[KF_XAES_REGS]) {
    const kf_vec unshift = kf_all(_mm_set_epi8(3, 6, 9, 12, 15, 2, 5, 8, 11, 14, 1, 4, 7, 10, 13, 0));
    const kf_vec unshift_rotate = kf_all(_mm_set_epi8(0, 7, 10, 13, 12, 3, 6, 9, 8, 15, 2, 5, 4, 11, 14, 1));
    const kf_vec zero = kf_all(_mm_setzero_si128());
    kf_vec rcon = kf_all(_mm_set1_epi32(1));
    kf_words even0 = kf_words_from(rk[0]), even1 = kf_words_from(rk[0] + 4);
    kf_words odd0 = kf_words_from(rk[1]), odd1 = kf_words_from(rk[1] + 4);
    for (int r = 2;; r += 2) {
        even0 = kf_chain(even0, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(odd0.w3, unshift_rotate), rcon));
        even1 = kf_chain(even1, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(odd1.w3, unshift_rotate), rcon));
        kf_words_to(rk[r], even0);
        kf_words_to(rk[r] + 4, even1);
        if (r == 14) return;
        rcon = KF_MM(add_epi32)(rcon, rcon);
        odd0 = kf_chain(odd0, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(even0.w3, unshift), zero));
        odd1 = kf_chain(odd1, KF_MM_AESENCLAST(KF_MM(shuffle_epi8)(even1.w3, unshift), zero));
        kf_words_to(rk[r + 1], odd0);
        kf_words_to(rk[r + 1] + 4, odd1);
    }
}

/* Both forms of H from AES's output: h = H * x (kf_ghash_key), and g = h * x^64. */
KF_XAES_INLINE void kf_xaes_hash_key(kf_xaes_hash *hash, int i, kf_vec block) {
    const kf_vec poly = kf_all(kf_ghash_poly()), zero = kf_all(_mm_setzero_si128());
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
static inline KF_XAES_TARGET void kf_xaes_derive(const kf_xaes_work *work, kf_xaes_group *group, kf_xaes_rows *rows) {
    for (int half = 0; half < 2; half++) {
        const kf_vec constant = kf_all(_mm_set_epi32(0, 0, 0, half == 0 ? 0x00580100 : 0x00580200));
        kf_vec8 s;
        kf_get8(&s, group->spill, kf_xor_vec(constant, work->mask));
        kf_step_one_key(&s, work->key, rows);
        kf_put8(group->rk[half], &s);
    }
    kf_xaes_expand(group->rk);
    for (int i = 0; i < KF_XAES_REGS; i++) group->counter[i] = kf_xor_vec(group->counter[i], group->rk[0][i]);
}

/* ---- a group's records ---------------------------------------------------------------------- */

static inline size_t kf_blocks_of(size_t len) { return (len + 15) / 16; }

/* The rows of lane i but those of its text: zeros, digest, its own associated data, lengths. */
static inline KF_XAES_TARGET void kf_xaes_lay_rows(const kf_xaes_work *work, kf_xaes_group *group, size_t i,
                                                   const uint8_t *aad, size_t aad_len) {
    size_t row = group->text_row[i] - kf_blocks_of(aad_len);
    const size_t digest_len = work->digest ? 16 * KF_XAES_DIGEST : 0;
    __m128i *lengths = kf_lane(group->rows[group->num_rows - 1], i);
    *lengths = kf_bswap128(kf_ghash_lengths(digest_len + aad_len, group->len[i]));
    for (size_t at = 0; at < aad_len; at += 16, row++)
        *kf_lane(group->rows[row], i) = kf_load_partial(aad + at, aad_len - at < 16 ? aad_len - at : 16);
    if (group->digest_in_place) return;
    row = group->text_row[i] - kf_blocks_of(aad_len) - digest_len / 16;
    for (size_t k = 0; k < row; k++) *kf_lane(group->rows[k], i) = _mm_setzero_si128();
    for (size_t at = 0; at < digest_len; at += 16, row++)
        *kf_lane(group->rows[row], i) = kf_load128(work->digest + at);
}

/* Puts the count records rec[order[0]], .. (order NULL: rec[0], ..) into a group. */
static inline KF_XAES_TARGET void kf_xaes_take(const kf_xaes_work *work, kf_xaes_group *group, const uint8_t *nonces,
                                               const kf_rec *rec, const uint16_t *order, size_t first, size_t count) {
    const size_t digest_rows = work->digest ? KF_XAES_DIGEST : 0;
    size_t most_rows = 0, fewest_rows = SIZE_MAX, most_blocks = 0, fewest_blocks = SIZE_MAX, all_lens = 0, any_aad = 0;
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const size_t at = first + (i < count ? i : 0), index = order ? order[at] : at;
        const kf_rec *r = &rec[index];
        const uint8_t *nonce = nonces + 24 * index;
        const size_t len = i < count ? r->len : 0, aad_len = i < count ? r->aad_len : 0;
        const size_t blocks = kf_blocks_of(len), rows = digest_rows + kf_blocks_of(aad_len) + blocks + 1;
        group->in[i] = r->in, group->out[i] = r->out, group->len[i] = len, group->index[i] = index;
        *kf_lane(group->spill, i) = _mm_slli_si128(kf_load128(nonce), 4);
        *kf_lane(group->counter, i) = _mm_srli_si128(kf_load128(nonce + 8), 4);
        most_rows = rows > most_rows ? rows : most_rows;
        fewest_rows = rows < fewest_rows ? rows : fewest_rows;
        most_blocks = blocks > most_blocks ? blocks : most_blocks;
        fewest_blocks = blocks < fewest_blocks ? blocks : fewest_blocks;
        all_lens |= len, any_aad |= aad_len;
    }
    const int uniform = count == KF_XAES_LANES && most_rows == fewest_rows && most_blocks == fewest_blocks;
    group->num_messages = count, group->num_rows = most_rows, group->most_blocks = most_blocks;
    group->whole = uniform && all_lens % 16 == 0;
    group->digest_in_place &= uniform;
    group->uniform = uniform;
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const kf_rec *r = &rec[group->index[i]];
        group->text_row[i] = most_rows - 1 - kf_blocks_of(group->len[i]);
        kf_xaes_lay_rows(work, group, i, r->aad, any_aad && i < count ? r->aad_len : 0);
    }
    group->digest_in_place = uniform;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Block j of all lanes, none of them partial; s is its keystream. */
KF_XAES_INLINE void kf_xaes_text_whole(kf_xaes_group *group, size_t j, const kf_vec8 *s, const int open) {
    kf_vec *row = group->rows[group->text_row[0] + j];
#define KF_TEXT(i)                                                                        \
    do {                                                                                  \
        const kf_vec from = kf_gather(group->in + KF_XAES_WIDTH * i, 16 * j);             \
        const kf_vec to = kf_xor_vec(from, s->b##i);                                      \
        kf_scatter(group->out + KF_XAES_WIDTH * i, 16 * j, to);                           \
        row[i] = open ? from : to;                                                        \
    } while (0)
    KF_TEXT(0);
    KF_TEXT(1);
    KF_TEXT(2);
    KF_TEXT(3);
    KF_TEXT(4);
    KF_TEXT(5);
    KF_TEXT(6);
    KF_TEXT(7);
#undef KF_TEXT
}

/* Block j of the lanes that have one. When sealing, a partial block is written whole: the tag comes after. */
static inline KF_XAES_TARGET void kf_xaes_text_any(kf_xaes_group *group, size_t j, const kf_vec8 *s, const int open) {
    kf_put8(group->spill, s);
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const size_t at = 16 * j;
        if (at >= group->len[i]) continue;
        const size_t len = group->len[i] - at < 16 ? group->len[i] - at : 16;
        const __m128i from = kf_load_partial(group->in[i] + at, len);
        const __m128i to = kf_keep(_mm_xor_si128(from, *kf_lane(group->spill, i)), len);
        if (open)
            kf_store_partial(group->out[i] + at, to, len);
        else
            kf_store128(group->out[i] + at, to);
        *kf_lane(group->rows[group->text_row[i] + j], i) = open ? from : to;
    }
}

/* Compares or writes the tags of a group (SP 800-38D 7.1 step 6, 7.2 step 7). Returns the number that differ;
 * their plaintext is wiped. */
static inline KF_XAES_TARGET size_t kf_xaes_finish(kf_xaes_group *group, uint8_t *ok, kf_xaes_rows *rows,
                                                   const int open) {
    size_t bad = 0;
    kf_xaes_drain(rows);
    for (size_t i = 0; i < group->num_messages; i++) {
        const size_t len = group->len[i];
        const __m128i tag = _mm_xor_si128(kf_bswap128(*kf_lane(group->hash.y, i)), *kf_lane(group->tag_mask, i));
        if (!open) {
            kf_store128(group->out[i] + len, tag);
            continue;
        }
        const __m128i diff = _mm_xor_si128(tag, kf_load128(group->in[i] + len));
        int equal = _mm_testz_si128(diff, diff);
        KF_DECLASSIFY(&equal, sizeof equal); /* whether a record is authentic is the result */
        ok[group->index[i]] = (uint8_t)equal;
        if (__builtin_expect(equal, 1)) continue;
        if (len != 0) memset(group->out[i], 0, len);
        bad++;
    }
    group->num_messages = 0;
    return bad;
}

/* Seals or opens n records in groups. Returns the number that failed. */
KF_XAES_INLINE size_t kf_xaes_groups(kf_xaes_work *work, uint8_t *ok, const uint8_t *nonces, const kf_rec *rec,
                                     const uint16_t *order, size_t n, const int open) {
    kf_xaes_group *now = &work->group[0], *before = &work->group[1];
    kf_xaes_rows rows = {before->rows, 0, &before->hash};
    size_t bad = 0;
    before->num_messages = 0;
    for (size_t first = 0; first < n; first += KF_XAES_LANES) {
        kf_xaes_take(work, now, nonces, rec, order, first, n - first < KF_XAES_LANES ? n - first : KF_XAES_LANES);
        kf_xaes_derive(work, now, &rows);
        for (size_t step = 0; step < 2 + now->most_blocks; step++) {
            kf_vec8 s;
            if (step == 0) /* E(0^128); then the counters 1 (J0), 2, .. */
                kf_get8(&s, now->rk[0], kf_all(_mm_setzero_si128()));
            else
                kf_get8(&s, now->counter, kf_counter_block(step));
            kf_step_own_key(&s, now->rk, &rows);
            if (step >= 2) {
                if (now->whole || (now->uniform && step < 1 + now->most_blocks))
                    kf_xaes_text_whole(now, step - 2, &s, open);
                else
                    kf_xaes_text_any(now, step - 2, &s, open);
                rows.left++;
            } else if (step == 1) {
                kf_put8(now->tag_mask, &s);
            } else {
                bad += kf_xaes_finish(before, ok, &rows, open);
                kf_put8(now->spill, &s);
                for (int i = 0; i < KF_XAES_REGS; i++) kf_xaes_hash_key(&now->hash, i, now->spill[i]);
                rows = (kf_xaes_rows){now->rows, now->num_rows - 1 - now->most_blocks, &now->hash};
            }
        }
        rows.left++; /* the lengths */
        kf_xaes_group *other = before;
        before = now;
        now = other;
    }
    return bad + kf_xaes_finish(before, ok, &rows, open);
}

/* ---- the call ------------------------------------------------------------------------------- */

/* One record: short, or as GCM under its derived key. ok NULL: seals. Returns 1 if it failed. */
static KF_XAES_TARGET size_t kf_xaes_alone(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                                           const uint8_t *nonce, const kf_rec *rec) {
    kf_gcm_key derived;
    uint8_t blocks[32];
    size_t bad = 0;
    if (kf_is_short(rec)) {
        if (ok == NULL) {
            kf_xaes_short_seal(key, digest, nonce, rec);
            return 0;
        }
        *ok = (uint8_t)kf_xaes_short_open(key, digest, nonce, rec);
        return !*ok;
    }
    const __m128i base = _mm_xor_si128(_mm_slli_si128(kf_load128(nonce), 4), kf_load128(key->k1));
    kf_store128(blocks, _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580100)));
    kf_store128(blocks + 16, _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580200)));
    kf_aesni_blocks(&key->aes, blocks, blocks, 2);
    kf_aesni_expand(&derived.aes, blocks);
    kf_store128(derived.h, kf_aes_block((const __m128i *)derived.aes.rk, _mm_setzero_si128()));
    if (ok != NULL)
        bad = kf_gcm_open(&derived, ok, digest, nonce + 12, rec, 1);
    else
        kf_gcm_seal(&derived, digest, nonce + 12, rec, 1);
    kf_wipe(&derived, sizeof derived);
    kf_wipe(blocks, sizeof blocks);
    return bad;
}

/* Sorts up to KF_XAES_WINDOW records by their blocks of text. Those that do not go in groups come last; returns the
 * number of the others. *sorted: 0 when the order is that of the records. */
static size_t kf_xaes_sort(uint16_t *order, int *sorted, const kf_rec *rec, size_t n) {
    enum { CLASSES = KF_XAES_MAX_TEXT + 2, ALONE = KF_XAES_MAX_TEXT + 1 };
    uint8_t class[KF_XAES_WINDOW];
    uint16_t at[CLASSES + 1] = {0};
    for (size_t i = 0; i < n; i++) {
        const int fits = rec[i].len <= 16 * KF_XAES_MAX_TEXT && rec[i].aad_len <= 16 * KF_XAES_MAX_AAD;
        class[i] = (uint8_t)(fits ? kf_blocks_of(rec[i].len) : ALONE);
        at[class[i] + 1]++;
    }
    const size_t num_alone = at[ALONE + 1];
    *sorted = at[class[0] + 1] != n;
    for (size_t c = 1; c <= CLASSES; c++) at[c] = (uint16_t)(at[c] + at[c - 1]);
    if (*sorted || num_alone)
        for (size_t i = 0; i < n; i++) order[at[class[i]]++] = (uint16_t)i;
    return n - num_alone;
}

KF_XAES_INLINE size_t kf_xaes_run(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                                  const kf_rec *rec, size_t n, const int open) {
    kf_xaes_work work;
    uint16_t order[KF_XAES_WINDOW];
    size_t bad = 0;
    int used = 0;
    for (size_t base = 0; base < n; base += KF_XAES_WINDOW) {
        const size_t num = n - base < KF_XAES_WINDOW ? n - base : KF_XAES_WINDOW;
        int sorted = 0;
        size_t grouped = 0;
        if (num >= KF_XAES_GROUP_MIN) grouped = kf_xaes_sort(order, &sorted, rec + base, num);
        if (grouped > 0 && !used) {
            used = 1;
            for (int r = 0; r < 15; r++) work.key[r] = kf_all(kf_load128(key->aes.rk + 16 * r));
            work.mask = kf_xor_vec(kf_all(kf_load128(key->k1)), work.key[0]);
            work.digest = digest;
            work.group[0].digest_in_place = work.group[1].digest_in_place = 0;
        }
        if (grouped > 0)
            bad += kf_xaes_groups(&work, open ? ok + base : NULL, nonces + 24 * base, rec + base,
                                  sorted ? order : NULL, grouped, open);
        for (size_t k = grouped; k < num; k++) {
            const size_t i = base + (grouped > 0 || sorted ? order[k] : k);
            bad += kf_xaes_alone(key, open ? ok + i : NULL, digest, nonces + 24 * i, rec + i);
        }
    }
    if (used) {
        kf_wipe(work.key, sizeof work.key);
        kf_wipe(&work.mask, sizeof work.mask);
        for (int i = 0; i < 2; i++) kf_wipe(&work.group[i], offsetof(kf_xaes_group, in));
    }
    return bad;
}

static KF_XAES_TARGET void kf_xaes_seal_all(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces,
                                            const kf_rec *rec, size_t n) {
    kf_xaes_run(key, NULL, digest, nonces, rec, n, 0);
}

static KF_XAES_TARGET size_t kf_xaes_open_all(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                                              const uint8_t *nonces, const kf_rec *rec, size_t n) {
    return kf_xaes_run(key, ok, digest, nonces, rec, n, 1);
}
