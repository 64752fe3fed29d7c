/* Requests of AWS KMS as clients usually write them, found in their bodies. */
#ifndef KF_REQUEST_H
#define KF_REQUEST_H

#include "kf.h"
#include "kf_json.h"
#include "kf_pairs.h"

enum {
    KF_REQUEST_MAX = 16384,  /* bytes of a body */
    KF_REQUEST_PLAIN = 4096, /* bytes of a plaintext */
    KF_REQUEST_BLOB = 6144,  /* bytes of a blob */
    KF_REPLY_RANDOM = 1024   /* bytes of a data key, or of no use that we know */
};

/* Where the members are; what is not there has at = NULL. */
typedef struct {
    kf_json_text key;     /* KeyId */
    kf_json_text payload; /* Plaintext or CiphertextBlob, in base64; KeySpec with its quotes, or NumberOfBytes */
    size_t payload_len;   /* bytes that the payload stands for; of the last two: its characters */
    kf_json_text names[KF_PAIRS_MAX], values[KF_PAIRS_MAX]; /* EncryptionContext, sorted by name */
    size_t num_pairs;
    int has_context; /* it is there, if without pairs */
} kf_request;

/* 1, or 0 when the body is not a usual one: it has another member, one twice, one of another type, escapes, ... */
int kf_request_parse(kf_request *request, enum kf_request_kind kind, const uint8_t *body, size_t body_len);

/* Adds the canonical form of the encryption context (docs/blob-format.md) to a digest. */
void kf_request_context(const kf_request *request, kf_sha256_ctx *hash);

#endif
