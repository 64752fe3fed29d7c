/* See kft_stack.h. */
#include "kft_stack.h"

#include <pthread.h>
#include <stdlib.h>

enum { STACK_LEN = 1 << 20 };

uint8_t *kft_stack_new(void) {
    void *stack = aligned_alloc(4096, STACK_LEN);
    if (!stack) abort();
    return stack;
}

void kft_stack_run(uint8_t *stack, void *(*call)(void *arg), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    memset(stack, 0, STACK_LEN);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, STACK_LEN) == 0, "setstack");
    CHECK(pthread_create(&thread, &attributes, call, arg) == 0 && pthread_join(thread, NULL) == 0, "thread");
    pthread_attr_destroy(&attributes);
}

static int compare_words(const void *a, const void *b) { return memcmp(a, b, 4); }
static int compare_eights(const void *a, const void *b) { return memcmp(a, b, 8); }

size_t kft_stack_found(const uint8_t *stack, void *secrets, size_t num, size_t size) {
    static const uint8_t zeros[8];
    int (*const compare)(const void *, const void *) = size == 4 ? compare_words : compare_eights;
    size_t hits = 0;
    qsort(secrets, num, size, compare);
    for (size_t at = 0; at + size <= STACK_LEN; at += 4)
        hits += memcmp(stack + at, zeros, size) != 0 && bsearch(stack + at, secrets, num, size, compare) != NULL;
    return hits;
}
