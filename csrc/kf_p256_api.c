/* ECDSA for callers of kf_api.h: arguments checked, keys pinned, batches shared out to threads. */
#include "kf.h"
#include "kf_metrics.h"
#include "kf_p256_der.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_tables.h"
#include "kf_threads.h"
#include "kf_util.h"

enum { DIGEST_LEN = 32 };

/* Every digest has 32 bytes. */
static int check_digests(const struct kf_column *digests, int64_t num) {
    int status = kf_column_check(digests, num, 0);
    for (int64_t i = 0; status == KF_OK && i < num; i++)
        if (kf_column_at(digests, i).len != DIGEST_LEN) status = KF_ERR_ARGUMENT;
    return status;
}

static int known_encoding(int encoding) { return encoding == KF_P256_RAW || encoding == KF_P256_DER; }

/* What an error leaves in the caller's memory: nothing of the signatures that were ready before it. */
static int no_signatures(int error, uint8_t *out, int64_t *lens, int64_t num, int encoding) {
    const int der = encoding == KF_P256_DER;
    if (num == 0) return error; /* out may be NULL */
    memset(out, 0, (size_t)num * (size_t)(der ? KF_P256_DER_MAX : KF_P256_RAW_LEN));
    if (der) memset(lens, 0, (size_t)num * sizeof *lens);
    return error;
}

int kf_p256_sign_batch(uint64_t key, uint8_t *out, int64_t *lens, uint8_t *status, int64_t *num_bad,
                       const struct kf_column *digests, int64_t num, int encoding, int deterministic, int threads) {
    const uint64_t begun = kf_metrics_now();
    void *slot;
    *num_bad = 0;
    if (!known_encoding(encoding) || num < 0) return KF_ERR_ARGUMENT;
    int result = kf_p256_ready();
    if (result == KF_OK) result = check_digests(digests, num);
    if (result == KF_OK) result = kf_slot_pin(&slot, key, KF_KIND_P256);
    if (result != KF_OK) return no_signatures(result, out, lens, num, encoding);
    kf_p256_signing signing = {.impl = kf_p256(),
                               .key = slot,
                               .digests = digests,
                               .out = out,
                               .lens = encoding == KF_P256_DER ? lens : NULL,
                               .status = status,
                               .deterministic = deterministic};
    result = kf_parallel(kf_p256_sign_range, &signing, num, kf_p256_grain(num, threads), threads);
    kf_slot_unpin(key);
    kf_metrics_records(KF_TIMER_SIGN, begun, num, result == KF_OK ? signing.num_bad : -1);
    if (result != KF_OK) return no_signatures(result, out, lens, num, encoding);
    *num_bad = signing.num_bad;
    return KF_OK;
}

int kf_p256_sign(uint64_t key, uint8_t *out, int64_t *out_len, const uint8_t *digest, int encoding, int deterministic) {
    const struct kf_column digests = {.data = digest, .data_len = DIGEST_LEN, .width = DIGEST_LEN};
    uint8_t status;
    int64_t num_bad;
    *out_len = KF_P256_RAW_LEN;
    const int result =
        kf_p256_sign_batch(key, out, out_len, &status, &num_bad, &digests, 1, encoding, deterministic, 1);
    return result == KF_OK && num_bad ? KF_ERR_FAULT : result;
}

/* ---- verification --------------------------------------------------------------------------------------- */

static int check_signatures(const struct kf_column *signatures, int64_t num, int encoding) {
    if (!known_encoding(encoding) || num < 0) return KF_ERR_ARGUMENT;
    return kf_column_check(signatures, num, 0);
}

int kf_p256_verify_batch(uint8_t *valid, const uint8_t *public_key, const struct kf_column *digests,
                         const struct kf_column *signatures, int64_t num, int encoding, int threads) {
    const uint64_t begun = kf_metrics_now();
    kf_p256_point key;
    uint8_t name[64]; /* read once: a table is kept under the bytes that it was made of */
    int result = kf_p256_ready();
    if (result == KF_OK) result = check_signatures(signatures, num, encoding);
    if (result == KF_OK) result = check_digests(digests, num);
    const kf_p256_impl *impl = kf_p256();
    if (result == KF_OK) result = kf_p256_public_read(&key, impl, memcpy(name, public_key, sizeof name));
    if (result != KF_OK) return result;
    const int few = num < KF_P256_FEW;
    const kf_p256_table_maker makers[2] = {
        {impl->key_table_len, impl->scratch_len(impl->chunk), impl->key_table_var},
        {impl->arith->table_len, impl->arith->table_scratch_len, impl->arith->fill_table_var}};
    kf_p256_table *table = kf_p256_table_get(&makers[few], name, &key, num);
    const void *data = table ? kf_p256_table_data(table) : NULL;
    kf_p256_verifying verifying = {.impl = impl,
                                   .digests = digests,
                                   .signatures = signatures,
                                   .der = encoding == KF_P256_DER,
                                   .key = &key,
                                   .key_table = few ? NULL : data,
                                   .one_table = few ? data : NULL,
                                   .valid = valid};
    result = kf_parallel(kf_p256_verify_range, &verifying, num, kf_p256_grain(num, threads), threads);
    if (table) kf_p256_table_put(table);
    kf_metrics_records(KF_TIMER_VERIFY, begun, num, result == KF_OK ? kf_num_equal(valid, num, 0) : -1);
    return result;
}

int kf_p256_verify_many(uint8_t *valid, const uint8_t *public_keys, const struct kf_column *digests,
                        const struct kf_column *signatures, int64_t num, int encoding, int threads) {
    const uint64_t begun = kf_metrics_now();
    int result = kf_p256_ready();
    if (result == KF_OK) result = check_signatures(signatures, num, encoding);
    if (result == KF_OK) result = check_digests(digests, num);
    if (result != KF_OK) return result;
    kf_p256_verifying verifying = {.impl = kf_p256(),
                                   .digests = digests,
                                   .signatures = signatures,
                                   .der = encoding == KF_P256_DER,
                                   .public_keys = public_keys,
                                   .valid = valid};
    result = kf_parallel(kf_p256_verify_range, &verifying, num, kf_p256_grain(num, threads), threads);
    kf_metrics_records(KF_TIMER_VERIFY, begun, num, result == KF_OK ? kf_num_equal(valid, num, 0) : -1);
    return result;
}

int kf_p256_verify(const uint8_t *public_key, const uint8_t *digest, const uint8_t *signature, int64_t signature_len,
                   int encoding) {
    const struct kf_column digests = {.data = digest, .data_len = DIGEST_LEN, .width = DIGEST_LEN};
    const struct kf_column signatures = {.ptrs = &signature, .lens = &signature_len};
    uint8_t valid = 0;
    const int result = kf_p256_verify_batch(&valid, public_key, &digests, &signatures, 1, encoding, 1);
    return result == KF_OK && !valid ? KF_ERR_AUTH : result;
}
