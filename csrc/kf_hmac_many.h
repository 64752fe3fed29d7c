/* HMAC-SHA-256 of many messages under one key, several side by side. Constant time in the contents; lengths are
 * public. Outputs may not overlap the messages. */
#ifndef KF_HMAC_MANY_H
#define KF_HMAC_MANY_H

#include "kf_column.h"
#include "kf_sha256.h"

/* num messages of msg_len bytes, back to back, to 32 bytes each. */
void kf_hmac_many(const kf_hmac_key *key, uint8_t *out, const uint8_t *msgs, size_t msg_len, size_t num);

/* Records begin to end of a column that kf_column_check accepted; that of record i goes to place i - begin of out, 32
 * bytes. Those with skip[i] (skip may be NULL) are left alone. */
void kf_hmac_column(const kf_hmac_key *key, const kf_sink *out, const struct kf_column *in, int64_t begin, int64_t end,
                    const uint8_t *skip);

#endif
