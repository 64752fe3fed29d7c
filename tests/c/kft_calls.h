/*
 * Every function of kf_api.h as a call with sensible arguments, so that a test can ask what all of
 * them do in a state in which none may work.
 */
#ifndef KFT_CALLS_H
#define KFT_CALLS_H

#include "kft.h"

enum {
    KFT_TEXT_LEN = 40,
    KFT_BLOB_LEN = KFT_TEXT_LEN + KF_BLOB_OVERHEAD,
    KFT_MAC_BITS = 256,
    KFT_MAC_LEN = KFT_MAC_BITS / 8,
    KFT_WRAPPED_MAC_LEN = KFT_MAC_LEN + 40
};

/* A root key, a store, a key, a MAC key and a sealed batch, and outputs made with them. */
typedef struct {
    char dir[64], root_path[96];
    uint64_t root, store, key, batch, mac_key;
    uint8_t store_id[16], key_id[16], wrapped_store[KF_WRAPPED_LEN], wrapped_key[KF_WRAPPED_LEN];
    uint8_t wrapped_mac[KFT_WRAPPED_MAC_LEN], mac[KFT_MAC_LEN];
    uint8_t header[KF_SEALED_HEADER_LEN], text[KFT_TEXT_LEN], blob[KFT_BLOB_LEN], prefix[KF_PREFIX_LEN];
    struct kf_column texts, blobs, macs;
    struct kf_binding binding; /* of the key, without a context */
    struct kf_reply reply;     /* with it, and without texts */
    uint64_t p256;             /* a P-256 key, and its signature of the text's first 32 bytes */
    uint8_t wrapped_p256[KF_WRAPPED_LEN], public_key[64], signature[72];
    int64_t signature_len;
    struct kf_column digests, signatures;
    /* what the calls below write to */
    _Alignas(8) uint8_t out[1024];
    uint8_t zeroed[64]; /* by calls that leave zeros on an error */
    uint8_t material[KFT_MAC_LEN]; /* wiped by the import */
    uint64_t handle;
    uint8_t *secret;
} kft_library;

/* A store in a new directory under TMPDIR. Returns KF_OK or the first error. */
int kft_library_open(kft_library *library);
/* The columns of one digest and one signature. */
void kft_library_columns(kft_library *library);
/* Releases the keys and removes the directory. */
void kft_library_close(kft_library *library);

/* The body of a request to decrypt a blob: its length. */
size_t kft_decrypt_body(char *body, const uint8_t *blob, size_t blob_len);

typedef struct {
    const char *name;
    int (*call)(kft_library *library);
    int uses_keys; /* needs the arena: fails after a fork */
} kft_call;

/* After calls that failed: no byte of out was written, where 0x5a was before, and nothing is left in zeroed. */
void kft_check_unwritten(const kft_library *library);

extern const kft_call KFT_CALLS[];
extern const size_t KFT_NUM_CALLS;

#endif
