/*
 * What a batch of k G in lanes leaves on its stack: no word of a nonce or of its digits, and no limb of the terms of its sum,
 * which say the digits, may be there. On each implementation in lanes that this CPU has.
 */
#include <stdlib.h>

#include "kf_p256_base.h"
#include "kf_p256_words.h"
#include "kft_p256.h"
#include "kft_stack.h"

#if KFT_STACK_TELLS

enum { NUM = 70, WORDS_OF_TERM = 2 * (4 + 5 + 5), MAX_WORDS = NUM * (12 + 32 * WORDS_OF_TERM) };

typedef struct {
    const kf_p256_impl *impl;
    kf_p256_scalar k[NUM];
    kf_p256_point points[NUM];
    void *scratch;
} call;

static void *run(void *arg) {
    call *c = arg;
    c->impl->base_mul(c->points, c->k, NUM, c->scratch);
    return NULL;
}

/* Of a field element: its words, its limbs of 52 bits times 2^4, and these as doubles. */
static size_t words_of_element(uint64_t *words, const kf_p256_fe *a) {
    kf_p256_fe sixteenth = *a;
    size_t num = 0;
    for (int i = 0; i < 4; i++) words[num++] = a->v[i];
    kft_mod_mul(sixteenth.v, a->v, (const uint64_t[4]){16}, KFT_P);
    for (int i = 0; i < 5; i++) {
        const int word = 52 * i / 64, shift = 52 * i % 64;
        uint64_t limb = sixteenth.v[word] >> shift;
        if (shift > 12 && word < 3) limb |= sixteenth.v[word + 1] << (64 - shift);
        limb &= 0xfffffffffffff;
        const double real = (double)limb;
        words[num++] = limb;
        memcpy(&words[num++], &real, sizeof real);
    }
    return num;
}

static size_t secret_words(uint64_t *words, const call *c) {
    size_t num = 0;
    for (int i = 0; i < NUM; i++) {
        uint64_t even, digits[4], negative;
        kf_p256_scalar odd;
        kf_scalar_odd(&odd, &even, &c->k[i]);
        kf_scalar_digits(digits, &odd);
        for (int k = 0; k < 4; k++) words[num++] = c->k[i].v[k], words[num++] = odd.v[k], words[num++] = digits[k];
        for (int w = 0; w < TABLE_WINDOWS; w++) {
            const uint64_t place = kf_digit_place(&negative, digits[w / 8] >> (w % 8 * 8) & 0xff);
            const kf_p256_point *term = &kf_p256_base_table[w * TABLE_ENTRIES + place];
            num += words_of_element(words + num, &term->x);
            num += words_of_element(words + num, &term->y);
        }
    }
    return num;
}

/* Words of which 16 bits or fewer are set are too common to mean anything. */
static size_t without_common(uint64_t *words, size_t num) {
    size_t kept = 0;
    for (size_t i = 0; i < num; i++)
        if (__builtin_popcountll(words[i]) > 16) words[kept++] = words[i];
    return kept;
}

void test_p256_lanes_residue(const kft_env *env) {
    static call c;
    uint8_t *stack = kft_stack_new();
    uint64_t *words = kft_alloc(MAX_WORDS * sizeof *words);
    kft_random random = {78};
    (void)env;
    for (int i = 0; (c.impl = kft_p256_impl(i)) != NULL; i++) {
        if (c.impl != kf_p256_impl_fma() && c.impl != kf_p256_impl_ifma()) continue;
        c.scratch = kft_p256_scratch(c.impl);
        for (int k = 0; k < NUM; k++) {
            kft_fill(&random, (uint8_t *)c.k[k].v, sizeof c.k[k].v);
            c.k[k].v[3] >>= 1;
        }
        const size_t num = without_common(words, secret_words(words, &c));
        kft_stack_run(stack, run, &c);
        const size_t hits = kft_stack_found(stack, words, num, 8);
        CHECK(hits == 0, "%s: %zu words of nonces or of their terms are left", c.impl->name, hits);
        free(c.scratch);
    }
    free(words), free(stack);
}

#else

void test_p256_lanes_residue(const kft_env *env) { (void)env; }

#endif
