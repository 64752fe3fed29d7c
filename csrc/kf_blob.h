/* Parts of the blob frame that more than one file needs (docs/blob-format.md). */
#ifndef KF_BLOB_H
#define KF_BLOB_H

#include "kf.h"
#include "kf_arena.h"
#include "kf_sha256.h"

enum {
    KF_BLOB_MAGIC = 0xf5, /* no UTF-8 text starts with it */
    KF_BLOB_VERSION = 1,
    KF_SUITE_BLOB = 1,    /* XAES-256-GCM with key commitment */
    KF_SUITE_SEALED = 2,  /* sealed batch, AES-256-GCM under a fresh data key */
    KF_FLAG_MULTI_REGION = 1,
    KF_NONCE_AT = KF_PREFIX_LEN,
    KF_BODY_AT = KF_PREFIX_LEN + KF_NONCE_LEN
};

/* The digest that comes first in the associated data of every record: SHA-256(domain || prefix ||
 * context). Covers the header, the commitment and the context, not the nonce. */
void kf_blob_digest(uint8_t digest[32], const uint8_t prefix[56], const uint8_t *context,
                    size_t context_len);
/* The same for a context that comes in pieces: these are to be added before kf_sha256_final. */
void kf_blob_digest_begin(kf_sha256_ctx *hash, const uint8_t prefix[56]);

/* KF_REC_OK, or what is wrong with the header of a blob of at least KF_BLOB_OVERHEAD bytes. */
enum kf_record_status kf_blob_header_check(const uint8_t *header);

/* One blob under a pinned key: prefix, nonce, ciphertext and tag. The nonce is fresh, 24 bytes of kf_random. */
void kf_blob_seal_nonce(const kf_key_slot *key, uint8_t *out, const uint8_t nonce[KF_NONCE_LEN], const uint8_t *in,
                        size_t in_len, const uint8_t digest[32], const uint8_t *aad, size_t aad_len);
/* The same, which draws the nonce. */
int kf_blob_seal_with(const kf_key_slot *key, uint8_t *out, const uint8_t *in, size_t in_len,
                      const uint8_t digest[32], const uint8_t *aad, size_t aad_len);
/* The plaintext of such a blob, in_len - KF_BLOB_OVERHEAD bytes, or why it does not open. */
enum kf_record_status kf_blob_open_with(const kf_key_slot *key, uint8_t *out, const uint8_t *in, size_t in_len,
                                        const uint8_t digest[32], const uint8_t *aad, size_t aad_len);

#endif
