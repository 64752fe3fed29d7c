/*
 * The inner loops of kf_xaes_engine.h, which includes this file: AES rounds of eight registers with the rows of
 * GHASH hashed in between. They are assembly because a compiler's order of these instructions costs up to half of
 * the speed.
 *
 * What limits a group is the multiplier, with five products for each row and message, then the AES units, then
 * loads. So rows are hashed two registers at a time, at an even rate in all that AES does, key schedules included;
 * and two blocks of four messages share their round keys, which halves the loads of one block of eight.
 */

typedef struct {
    kf_vec b0, b1, b2, b3, b4, b5, b6, b7;
} kf_vec8;

/* What is done beside AES: rows that may be hashed now, two registers at a time, and memory that will be read soon. */
typedef struct {
    const kf_vec *row; /* its next two registers */
    size_t left, at;   /* how many twos may be hashed; the register in its row, 0, 2, 4 or 6, of the next */
    kf_xaes_hash *hash;
    const kf_rec *fetch;
    size_t num_fetch;
} kf_xaes_pending;

/* Two registers of a row, and those of hash that they go to; or NULL. */
typedef struct {
    const kf_vec *row, *hash;
} kf_xaes_two;

KF_XAES_INLINE kf_xaes_two kf_next_two(kf_xaes_pending *pending) {
    const kf_xaes_two two = {pending->row, pending->hash->h + pending->at};
    pending->row += 2, pending->left--, pending->at = (pending->at + 2) % KF_XAES_REGS;
    return two;
}

/* Fetches the lines of a register's messages. They are spread over the steps: there is room for few at a time. */
KF_XAES_INLINE void kf_xaes_fetch(kf_xaes_pending *pending) {
    if (pending->num_fetch == 0) return;
    for (int i = 0; i < KF_XAES_WIDTH; i++)
        for (uintptr_t at = 0; at < KF_XAES_FETCH; at += 64)
            /* may be past the buffer's end */
            __builtin_prefetch((const void *)((uintptr_t)pending->fetch[i].next + at));
    pending->fetch += KF_XAES_WIDTH, pending->num_fetch--;
}

/* ---- rounds --------------------------------------------------------------------------------- */

/* Two registers at a time: quarter q of round r. */
#define KF_AT(n) KF_XAES_STRIDE "*(" n ")(%[rk])"
#define KF_AES_REG(op, key, i) op " " key ", %[b" #i "], %[b" #i "]\n\t"
#define KF_LOAD_KEY(n) "vmovdqa " KF_AT(n) ", %[k]\n\t"
#define KF_WITH_K(op, i, j) KF_AES_REG(op, "%[k]", i) KF_AES_REG(op, "%[k]", j)

/* All registers with one key, rk[r]. */
#define KF_ONE_KEY0(op, r) KF_LOAD_KEY(#r) KF_WITH_K(op, 0, 1)
#define KF_ONE_KEY1(op, r) KF_WITH_K(op, 2, 3)
#define KF_ONE_KEY2(op, r) KF_WITH_K(op, 4, 5)
#define KF_ONE_KEY3(op, r) KF_WITH_K(op, 6, 7)
/* One block of eight registers' messages: register i with rk[r][i]. */
#define KF_OWN_KEY(op, r, i) KF_AES_REG(op, KF_AT("8*" #r "+" #i), i)
#define KF_OWN_KEY0(op, r) KF_OWN_KEY(op, r, 0) KF_OWN_KEY(op, r, 1)
#define KF_OWN_KEY1(op, r) KF_OWN_KEY(op, r, 2) KF_OWN_KEY(op, r, 3)
#define KF_OWN_KEY2(op, r) KF_OWN_KEY(op, r, 4) KF_OWN_KEY(op, r, 5)
#define KF_OWN_KEY3(op, r) KF_OWN_KEY(op, r, 6) KF_OWN_KEY(op, r, 7)
/* Two blocks of four registers' messages: registers i and 4 + i with rk[r][i]. */
#define KF_PAIR_KEY0(op, r) KF_LOAD_KEY("8*" #r) KF_WITH_K(op, 0, 4)
#define KF_PAIR_KEY1(op, r) KF_LOAD_KEY("8*" #r "+1") KF_WITH_K(op, 1, 5)
#define KF_PAIR_KEY2(op, r) KF_LOAD_KEY("8*" #r "+2") KF_WITH_K(op, 2, 6)
#define KF_PAIR_KEY3(op, r) KF_LOAD_KEY("8*" #r "+3") KF_WITH_K(op, 3, 7)

#define KF_VEC8(s)                                                                                     \
    [b0] "+x"((s).b0), [b1] "+x"((s).b1), [b2] "+x"((s).b2), [b3] "+x"((s).b3), [b4] "+x"((s).b4), \
        [b5] "+x"((s).b5), [b6] "+x"((s).b6), [b7] "+x"((s).b7)

/* y(i) = (y(i) ^ row(i)) * H(i) for register i of two, in parts that go between AES instructions. */
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
#define KF_HASH_TEMPS [x] "=&x"(x), [low] "=&x"(low), [high] "=&x"(high), [t] "=&x"(t), [f] "=&x"(f)
#define KF_HASH_INPUTS(two) \
    [row] "r"((two).row), [hash] "r"((two).hash), [swap] "xm"(swap), [poly] "xm"(poly)

/* Round r of all registers. */
#define KF_XROUND_OP(op, s, rk_, KEY, r)                                                          \
    do {                                                                                          \
        kf_vec k;                                                                                 \
        __asm__ volatile(KEY##0(op, r) KEY##1(op, r) KEY##2(op, r) KEY##3(op, r)                  \
                         : KF_VEC8(s), [k] "=&x"(k)                                               \
                         : [rk] "r"(rk_)                                                          \
                         : "memory");                                                             \
    } while (0)
#define KF_XROUND(s, rk, KEY, r) KF_XROUND_OP("vaesenc", s, rk, KEY, r)
#define KF_XLAST_ROUND(s, rk, KEY) KF_XROUND_OP("vaesenclast", s, rk, KEY, 14)
/* Round r of all registers, and register i of two. */
#define KF_XROUND_HASH(s, rk_, KEY, r, two, i)                                                           \
    do {                                                                                                  \
        kf_vec x, low, high, t, f, k;                                                                     \
        __asm__ volatile(KF_HASH_LOAD(i) KEY##0("vaesenc", r) KF_HASH_G(i) KEY##1("vaesenc", r)           \
                             KF_HASH_H(i) KEY##2("vaesenc", r) KF_HASH_SUM KF_HASH_FOLD                   \
                                 KEY##3("vaesenc", r) KF_HASH_STORE(i)                                    \
                         : KF_VEC8(s), [k] "=&x"(k), KF_HASH_TEMPS                                        \
                         : KF_HASH_INPUTS(two), [rk] "r"(rk_)                                            \
                         : "memory");                                                                     \
    } while (0)
/* Register i of two alone. */
#define KF_HASH_REG(two, i)                                                                                   \
    do {                                                                                                      \
        kf_vec x, low, high, t, f;                                                                            \
        __asm__ volatile(KF_HASH_LOAD(i) KF_HASH_G(i) KF_HASH_H(i) KF_HASH_SUM KF_HASH_FOLD KF_HASH_STORE(i) \
                         : KF_HASH_TEMPS                                                                      \
                         : KF_HASH_INPUTS(two)                                                                \
                         : "memory");                                                                         \
    } while (0)

/* ---- steps ---------------------------------------------------------------------------------- */

/* Thirteen rounds and the last; the first round key is in s already. */
#define KF_XSTEP(s, rk, KEY)                                                                                 \
    do {                                                                                                     \
        KF_XROUND(s, rk, KEY, 1); KF_XROUND(s, rk, KEY, 2); KF_XROUND(s, rk, KEY, 3); KF_XROUND(s, rk, KEY, 4); \
        KF_XROUND(s, rk, KEY, 5); KF_XROUND(s, rk, KEY, 6); KF_XROUND(s, rk, KEY, 7); KF_XROUND(s, rk, KEY, 8); \
        KF_XROUND(s, rk, KEY, 9); KF_XROUND(s, rk, KEY, 10); KF_XROUND(s, rk, KEY, 11);                      \
        KF_XROUND(s, rk, KEY, 12); KF_XROUND(s, rk, KEY, 13); KF_XLAST_ROUND(s, rk, KEY);                    \
    } while (0)
/* The same, and half a row, which hardly takes longer. */
#define KF_XSTEP_HALF(s, rk, KEY, a, b)                                         \
    do {                                                                        \
        KF_XROUND_HASH(s, rk, KEY, 1, a, 0);                                    \
        KF_XROUND(s, rk, KEY, 2); KF_XROUND(s, rk, KEY, 3);                     \
        KF_XROUND_HASH(s, rk, KEY, 4, a, 1);                                    \
        KF_XROUND(s, rk, KEY, 5); KF_XROUND(s, rk, KEY, 6);                     \
        KF_XROUND_HASH(s, rk, KEY, 7, b, 0);                                    \
        KF_XROUND(s, rk, KEY, 8); KF_XROUND(s, rk, KEY, 9);                     \
        KF_XROUND_HASH(s, rk, KEY, 10, b, 1);                                   \
        KF_XROUND(s, rk, KEY, 11); KF_XROUND(s, rk, KEY, 12);                   \
        KF_XROUND(s, rk, KEY, 13); KF_XLAST_ROUND(s, rk, KEY);                  \
    } while (0)
/* The same, and a whole row. */
#define KF_XSTEP_ROW(s, rk, KEY, a, b, c, d)                                    \
    do {                                                                        \
        KF_XROUND_HASH(s, rk, KEY, 1, a, 0);                                    \
        KF_XROUND_HASH(s, rk, KEY, 2, a, 1);                                    \
        KF_XROUND(s, rk, KEY, 3);                                               \
        KF_XROUND_HASH(s, rk, KEY, 4, b, 0);                                    \
        KF_XROUND_HASH(s, rk, KEY, 5, b, 1);                                    \
        KF_XROUND(s, rk, KEY, 6);                                               \
        KF_XROUND_HASH(s, rk, KEY, 7, c, 0);                                    \
        KF_XROUND_HASH(s, rk, KEY, 8, c, 1);                                    \
        KF_XROUND(s, rk, KEY, 9);                                               \
        KF_XROUND_HASH(s, rk, KEY, 10, d, 0);                                   \
        KF_XROUND_HASH(s, rk, KEY, 11, d, 1);                                   \
        KF_XROUND(s, rk, KEY, 12); KF_XROUND(s, rk, KEY, 13);                   \
        KF_XLAST_ROUND(s, rk, KEY);                                             \
    } while (0)

/* One block in every register of s, and half a row of those that wait; a whole one when so many wait that the next
 * steps and key schedules cannot take them. */
#define KF_XAES_STEP(name, KEY)                                                                  \
    KF_XAES_INLINE void name(kf_vec8 *state, const kf_vec *rk, kf_xaes_pending *pending) {       \
        const kf_vec swap = kf_all(kf_bswap_mask()), poly = kf_all(kf_ghash_poly());             \
        kf_vec8 s = *state;                                                                      \
        kf_xaes_fetch(pending);                                                                  \
        if (pending->left < 2) {                                                                 \
            KF_XSTEP(s, rk, KEY);                                                                \
        } else {                                                                                 \
            const kf_xaes_two a = kf_next_two(pending), b = kf_next_two(pending);                \
            if (pending->left < KF_XAES_MANY) {                                                  \
                KF_XSTEP_HALF(s, rk, KEY, a, b);                                                 \
            } else {                                                                             \
                const kf_xaes_two c = kf_next_two(pending), d = kf_next_two(pending);            \
                KF_XSTEP_ROW(s, rk, KEY, a, b, c, d);                                            \
            }                                                                                    \
        }                                                                                        \
        *state = s;                                                                              \
    }
KF_XAES_STEP(kf_step_one_key, KF_ONE_KEY)
KF_XAES_STEP(kf_step_own_key, KF_OWN_KEY)
KF_XAES_STEP(kf_step_pair, KF_PAIR_KEY)

/* Hashes two registers, unless the steps to come do that for less. */
KF_XAES_INLINE void kf_xaes_hash_beside(kf_xaes_pending *pending) {
    const kf_vec swap = kf_all(kf_bswap_mask()), poly = kf_all(kf_ghash_poly());
    if (pending->left <= KF_XAES_LATER) return;
    const kf_xaes_two two = kf_next_two(pending);
    KF_HASH_REG(two, 0);
    KF_HASH_REG(two, 1);
}

/* Hashes all rows that wait. */
static KF_XAES_TARGET void kf_xaes_drain(kf_xaes_pending *pending) {
    const kf_vec swap = kf_all(kf_bswap_mask()), poly = kf_all(kf_ghash_poly());
    while (pending->left > 0) {
        const kf_xaes_two two = kf_next_two(pending);
        KF_HASH_REG(two, 0);
        KF_HASH_REG(two, 1);
    }
}
