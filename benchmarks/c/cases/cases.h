/*
 * Hot functions of the core as cases with fixed inputs, for two gates: their instructions are counted under callgrind
 * (`make instructions`), and they are timed beside those of another commit (`make bench-compare`).
 *
 * Rules:
 * - one call of `run` does the same work every time: the same bytes, keys and lengths; while instructions are counted,
 *   random bytes are drawn from a fixed stream as well (cases.c);
 * - `prepare` leaves everything that a user does once behind it, tables of public keys included;
 * - what is computed is checked: `run` returns how many records failed, and `prepare` opens or verifies what `run` makes;
 * - the interface used is kf_api.h, and of the internal headers only those that have long stood still, so that these
 *   sources compile with the core of an older commit.
 */
#ifndef CASES_H
#define CASES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kf.h"

typedef struct cases_case {
    const char *name;
    int num;  /* records of one call: what the figure is divided by */
    int len;  /* bytes of each; negative: 1 to -len */
    int (*prepare)(const struct cases_case *c); /* 1: ready */
    size_t (*run)(const struct cases_case *c);
} cases_case;

/* Each ends with a case without a name. */
extern const cases_case CASES_AEAD[], CASES_BLOBS[], CASES_P256[], CASES_MACS[], CASES_REQUESTS[], CASES_SOCKET[];

/* What cases share: keys of a store in memory, all of fixed material. */
typedef struct {
    uint64_t root, store, key, mac_key, p256;
    uint8_t prefix[KF_PREFIX_LEN], public64[64];
} cases_keys;
const cases_keys *cases_open_keys(void); /* NULL: they cannot be made */

/* A file without a name, or -1. */
int cases_new_file(void);

/* Fixed bytes: the same for the same seed. */
void cases_fill(uint8_t *out, size_t len, uint64_t seed);
uint64_t cases_next(uint64_t *seed);

enum { CASES_ROOM = 1 << 19 };
extern uint8_t cases_in[CASES_ROOM], cases_out[CASES_ROOM], cases_back[CASES_ROOM];
/* The records of a case in cases_in: offsets[num + 1]. */
void cases_lay_out(int64_t *offsets, const cases_case *c);

/* An encryption context of two pairs, canonical. */
extern const uint8_t CASES_CONTEXT[];
extern const size_t CASES_CONTEXT_LEN;

#endif
