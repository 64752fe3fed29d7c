/*
 * The key arena: locked memory, cut into slots of equal size, where all key bytes live.
 * Rules:
 * - a handle names a slot and its generation, so that a handle of an evicted key can only be stale;
 * - a pinned slot is neither evicted nor wiped: pin before use, unpin on every way out;
 * - the canary is checked before anything else, so a forked child never computes with wiped keys.
 */
#ifndef KF_ARENA_H
#define KF_ARENA_H

#include <stdint.h>

#include "kf_aead.h"
#include "kf_hmac.h"
#include "kf_p256.h"

enum kf_slot_kind {
    KF_KIND_FREE = 0,
    KF_KIND_SECRET,  /* 32 bytes that a key derivation function writes */
    KF_KIND_ROOT,
    KF_KIND_STORE,
    KF_KIND_KEY,
    KF_KIND_SEALED,
    KF_KIND_HMAC,
    KF_KIND_P256
};

typedef struct {
    uint8_t bytes[32];
} kf_secret_slot;

/* The root's material stays here: the wrapping subkey is derived per store, from its id. */
typedef struct {
    uint8_t material[32];
} kf_root_slot;

typedef struct {
    kf_xaes_key wrap;  /* wraps key material */
    kf_hmac_key mac;   /* authenticates rows */
} kf_store_slot;

typedef struct {
    kf_xaes_key xaes;    /* subkey of suite 1 (docs/blob-format.md) */
    uint8_t prefix[56];  /* header and commitment of every blob of this key version */
} kf_key_slot;

typedef struct {
    kf_gcm_key gcm;
    uint8_t digest[32];   /* SHA-256 of header and context: first in every record's AAD */
    uint64_t next;        /* index of the next record to seal */
    uint32_t record_size; /* 0: they vary */
    uint8_t writing;      /* made by kf_sealed_create: may seal */
    uint8_t finished;     /* the final record was sealed */
} kf_sealed_slot;

typedef struct {
    kf_hmac_any_key hmac;
} kf_mac_slot;

typedef struct {
    kf_p256_scalar d, d_mont; /* the private scalar, twice: the release check uses the copy that signing does not */
    kf_hmac_key nonce;        /* of hedged nonces */
    uint8_t public_key[64];   /* x || y, big-endian */
} kf_p256_slot;

/* A zeroed slot of the kind, pinned. Evictable slots, those of key versions (KF_KIND_KEY, KF_KIND_HMAC, KF_KIND_P256),
 * give way, least recently used first, when the arena is full. */
int kf_slot_new(uint64_t *handle, void **body, enum kf_slot_kind kind);
/* Pins the slot and gives its body. KF_ERR_FORKED, KF_ERR_STALE, KF_ERR_KIND. */
int kf_slot_pin(void **body, uint64_t handle, enum kf_slot_kind kind);
void kf_slot_unpin(uint64_t handle);

/* Whether this process has an arena: 0 before the first opening, and in a child of fork until it opens its own. */
int kf_arena_is_open(void);

#endif
