/* kf_api.h for the compiler: the include guard and the types that it needs. */
#ifndef KF_H
#define KF_H

#include <stddef.h>
#include <stdint.h>

#include "kf_api.h"

enum {
    KF_HEADER_LEN = 24,      /* magic, frame version, suite, flags, key id, key version */
    KF_COMMITMENT_LEN = 32,
    KF_PREFIX_LEN = 56,      /* header and commitment: equal in all blobs of a key version */
    KF_NONCE_LEN = 24,
    KF_TAG_LEN = 16,
    KF_BLOB_OVERHEAD = 96,   /* prefix, nonce and tag */
    KF_WRAPPED_LEN = 72,     /* nonce, 32 bytes of wrapped material, tag */
    KF_DIGEST_LEN = 32,
    KF_SEALED_HEADER_LEN = 136
};

#endif
