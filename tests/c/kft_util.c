/* Random bytes, hex, guarded memory, and the two modes behind one face. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kft.h"

int kft_failures;

void kft_fail(const char *file, int line, const char *format, ...) {
    enum { MAX_SHOWN = 40 };
    if (kft_failures++ >= MAX_SHOWN) return;
    va_list args;
    va_start(args, format);
    printf("    %s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t kft_next(kft_random *random) {
    uint64_t z = (random->state += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

size_t kft_below(kft_random *random, size_t limit) { return (size_t)(kft_next(random) % limit); }

void kft_fill(kft_random *random, uint8_t *out, size_t len) {
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word = i % 8 ? word >> 8 : kft_next(random);
        out[i] = (uint8_t)word;
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

size_t kft_from_hex(uint8_t *out, size_t max, const char *hex) {
    size_t len = 0;
    for (; len < max; len++, hex += 2) {
        const int high = hex_digit(hex[0]);
        const int low = high < 0 ? -1 : hex_digit(hex[1]);
        if (low < 0) break;
        out[len] = (uint8_t)(high << 4 | low);
    }
    return len;
}

void *kft_alloc(size_t len) {
    void *p = malloc(len ? len : 1);
    if (!p) {
        perror("malloc");
        exit(2);
    }
    return p;
}

/* ---- guarded memory ----------------------------------------------------------------------------- */

enum { MAX_MAPPINGS = 4096 };
static struct {
    void *base;
    size_t len;
} mappings[MAX_MAPPINGS];
static int num_mappings;

/* Pages for len bytes between two that are not mapped; returns the first byte. */
static uint8_t *map_between_guards(size_t len, size_t *mapped) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t body = (len + page - 1) / page * page + (len == 0 ? page : 0);
    uint8_t *base = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + page, body, PROT_READ | PROT_WRITE) || num_mappings == MAX_MAPPINGS) {
        perror("mmap");
        exit(2);
    }
    mappings[num_mappings].base = base;
    mappings[num_mappings++].len = body + 2 * page;
    *mapped = body;
    return base + page;
}

uint8_t *kft_page_end(size_t len) {
    size_t mapped;
    uint8_t *first = map_between_guards(len, &mapped);
    return first + mapped - len;
}

uint8_t *kft_page_start(size_t len) {
    size_t mapped;
    return map_between_guards(len, &mapped);
}

void kft_pages_free(void) {
    while (num_mappings) {
        num_mappings--;
        munmap(mappings[num_mappings].base, mappings[num_mappings].len);
    }
}

/* ---- modes ---------------------------------------------------------------------------------------- */

const char *kft_mode_name(enum kft_mode mode) { return mode == KFT_GCM ? "gcm" : "xaes"; }

size_t kft_nonce_len(enum kft_mode mode) { return mode == KFT_GCM ? 12 : 24; }

void kft_key_init(const kf_aead_impl *impl, kft_key *key, enum kft_mode mode, const uint8_t bytes[32]) {
    key->mode = mode;
    memcpy(key->bytes, bytes, 32);
    if (mode == KFT_GCM)
        kf_gcm_key_init(impl, &key->gcm, bytes);
    else
        kf_xaes_key_init(impl, &key->xaes, bytes);
}

void kft_seal(const kf_aead_impl *impl, const kft_key *key, const uint8_t *digest, const uint8_t *nonces,
              const kf_rec *rec, size_t n) {
    if (key->mode == KFT_GCM)
        impl->gcm_seal(&key->gcm, digest, nonces, rec, n);
    else
        impl->xaes_seal(&key->xaes, digest, nonces, rec, n);
}

size_t kft_open(const kf_aead_impl *impl, const kft_key *key, uint8_t *ok, const uint8_t *digest,
                const uint8_t *nonces, const kf_rec *rec, size_t n) {
    if (key->mode == KFT_GCM) return impl->gcm_open(&key->gcm, ok, digest, nonces, rec, n);
    return impl->xaes_open(&key->xaes, ok, digest, nonces, rec, n);
}
