/*
 * Fuzz targets: each reads an input as commands that build records (genuine ones, changed ones, noise),
 * hands them to the library and checks laws that hold for every input. So most inputs get past the
 * headers, and what may open is known. fuzz_entry.c gives a target to libFuzzer; fuzz_smoke.c runs all of
 * them on random inputs with any compiler.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "kft.h"

#define LAW(condition, ...)                                    \
    do {                                                       \
        if (!(condition)) {                                    \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);    \
            fprintf(stderr, __VA_ARGS__);                      \
            fprintf(stderr, "\n");                             \
            abort();                                           \
        }                                                      \
    } while (0)

typedef struct {
    const uint8_t *at;
    size_t left;
} fuzz_input;

/* The next bytes of the input; zeros when it is used up. */
uint8_t fuzz_u8(fuzz_input *in);
uint64_t fuzz_u64(fuzz_input *in, int num_bytes);
void fuzz_bytes(fuzz_input *in, uint8_t *out, size_t len);

/* A copy of exactly len bytes, so that a sanitizer sees the first byte beyond. */
uint8_t *fuzz_copy(const uint8_t *bytes, size_t len);
int fuzz_all_zero(const uint8_t *bytes, size_t len);

/* A record of at most KF_FUZZ_MAX bytes: a genuine one, whole, changed or cut, or noise. */
enum { KF_FUZZ_MAX = 512 };
typedef struct {
    uint8_t bytes[KF_FUZZ_MAX];
    size_t len;
} fuzz_record;
void fuzz_make_record(fuzz_input *in, fuzz_record *out, const fuzz_record *genuine, size_t num);

/* A store and a key to fuzz with; the same in every process, for randomness is replaced. */
void fuzz_open_library(uint64_t *store, uint64_t keys[2]);

typedef struct {
    const char *name;
    void (*run)(const uint8_t *data, size_t len);
    /* how many records, files or signatures were tried, were not refused for their form, and opened or verified */
    uint64_t tried, past_header, opened;
} fuzz_target;

extern fuzz_target fuzz_blob, fuzz_sealed, fuzz_root, fuzz_p256, fuzz_request, fuzz_socket;

/* Says how far the inputs came; 0 unless some opened and some did not. */
int fuzz_report(const fuzz_target *target);

#endif
