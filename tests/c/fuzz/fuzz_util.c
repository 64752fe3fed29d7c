/* See fuzz.h. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <sys/random.h>

/* Randomness that repeats (linked with --wrap=getrandom). */
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags) {
    static kft_random random = {1};
    (void)flags;
    kft_fill(&random, out, len);
    return (ssize_t)len;
}

uint8_t fuzz_u8(fuzz_input *in) {
    if (in->left == 0) return 0;
    in->left--;
    return *in->at++;
}

uint64_t fuzz_u64(fuzz_input *in, int num_bytes) {
    uint64_t x = 0;
    for (int i = 0; i < num_bytes; i++) x = x << 8 | fuzz_u8(in);
    return x;
}

void fuzz_bytes(fuzz_input *in, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) out[i] = fuzz_u8(in);
}

uint8_t *fuzz_copy(const uint8_t *bytes, size_t len) {
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy) abort();
    if (len) memcpy(copy, bytes, len);
    return copy;
}

int fuzz_all_zero(const uint8_t *bytes, size_t len) {
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= bytes[i];
    return any == 0;
}

void fuzz_make_record(fuzz_input *in, fuzz_record *out, const fuzz_record *genuine, size_t num) {
    const uint8_t command = fuzz_u8(in) % 12;
    const fuzz_record *from = &genuine[fuzz_u8(in) % num], *other = &genuine[fuzz_u8(in) % num];
    *out = *from;
    if (command == 6) { /* noise */
        out->len = fuzz_u8(in) % 128;
        fuzz_bytes(in, out->bytes, out->len);
    } else if (command == 1) { /* cut short */
        out->len = (size_t)fuzz_u64(in, 2) % (from->len + 1);
    } else if (command == 2 && from->len) { /* one byte changed, anywhere */
        out->bytes[fuzz_u64(in, 2) % from->len] ^= (uint8_t)(fuzz_u8(in) | 1);
    } else if (command == 3 && from->len) { /* one byte changed near the start */
        out->bytes[fuzz_u8(in) % (from->len < 80 ? from->len : 80)] = fuzz_u8(in);
    } else if (command == 4) { /* one record's start on another's end */
        const size_t shorter = from->len < other->len ? from->len : other->len;
        memcpy(out->bytes, other->bytes, (size_t)fuzz_u64(in, 2) % (shorter + 1));
    } else if (command == 5) { /* longer */
        const size_t more = fuzz_u8(in) % (KF_FUZZ_MAX - from->len + 1);
        fuzz_bytes(in, out->bytes + from->len, more);
        out->len += more;
    } /* else genuine, as are all once the input is used up */
}

void fuzz_open_library(uint64_t *store, uint64_t keys[2]) {
    uint8_t wrapped[KF_WRAPPED_LEN], id[16] = {3}, *bytes;
    uint64_t secret, root;
    LAW(kf_arena_open(0) == KF_OK && kf_secret_new(&secret, &bytes) == KF_OK, "arena");
    memset(bytes, 9, 32);
    LAW(kf_root_from_secret(&root, secret) == KF_OK, "root");
    LAW(kf_store_create(store, wrapped, root, id) == KF_OK, "store");
    for (uint32_t i = 0; i < 2; i++) {
        LAW(kf_key_generate(wrapped, *store, id, i + 1, 0) == KF_OK, "key");
        LAW(kf_key_load(&keys[i], *store, wrapped, id, i + 1, 0) == KF_OK, "key");
    }
}

int fuzz_report(const fuzz_target *t) {
    const int deep = t->opened > 0 && t->past_header > t->opened && t->tried > t->past_header;
    printf("%s: %llu tried, %llu past the header, %llu opened%s\n", t->name, (unsigned long long)t->tried,
           (unsigned long long)t->past_header, (unsigned long long)t->opened, deep ? "" : ": FAILED, not deep enough");
    fflush(stdout);
    return deep;
}
