/* See kft_calls.h. */
#define _GNU_SOURCE
#include "kft_calls.h"

#include <stdlib.h>
#include <unistd.h>

#include "kf_base64.h"

size_t kft_decrypt_body(char *body, const uint8_t *blob, size_t blob_len) {
    static const char before[] = "{\"CiphertextBlob\":\"", after[] = "\"}";
    const size_t at = sizeof before - 1, len = KF_BASE64_LEN(blob_len);
    memcpy(body, before, at);
    kf_base64_encode((uint8_t *)body + at, blob, blob_len);
    memcpy(body + at + len, after, sizeof after - 1);
    return at + len + sizeof after - 1;
}

void kft_library_columns(kft_library *l) {
    l->digests = (struct kf_column){.data = l->text, .data_len = 32, .width = 32};
    l->signatures = (struct kf_column){.data = l->signature, .data_len = 64, .width = 64};
}

int kft_library_open(kft_library *l) {
    const char *tmp = getenv("TMPDIR");
    memset(l, 0, sizeof *l);
    snprintf(l->dir, sizeof l->dir, "%.40s/kft-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(l->dir)) return KF_ERR_SYSTEM;
    snprintf(l->root_path, sizeof l->root_path, "%s/root.key", l->dir);
    memset(l->store_id, 1, sizeof l->store_id);
    memset(l->key_id, 2, sizeof l->key_id);
    for (int i = 0; i < KFT_TEXT_LEN; i++) l->text[i] = (uint8_t)i;
    l->texts = (struct kf_column){.data = l->text, .data_len = KFT_TEXT_LEN, .width = KFT_TEXT_LEN};
    l->blobs = (struct kf_column){.data = l->blob, .data_len = KFT_BLOB_LEN, .width = KFT_BLOB_LEN};
    l->macs = (struct kf_column){.data = l->mac, .data_len = KFT_MAC_LEN, .width = KFT_MAC_LEN};
    kft_library_columns(l);

    int status = kf_arena_open(0);
    if (status == KF_OK) status = kf_root_file_create(l->root_path);
    if (status == KF_OK) status = kf_root_file_load(&l->root, l->root_path);
    if (status == KF_OK) status = kf_store_create(&l->store, l->wrapped_store, l->root, l->store_id);
    if (status == KF_OK) status = kf_key_generate(l->wrapped_key, l->store, l->key_id, 1, 0);
    if (status == KF_OK) status = kf_key_load(&l->key, l->store, l->wrapped_key, l->key_id, 1, 0);
    if (status == KF_OK) status = kf_key_prefix(l->key, l->prefix);
    if (status == KF_OK) status = kf_blob_seal_one(l->key, l->blob, l->text, KFT_TEXT_LEN, NULL, 0, NULL, 0);
    if (status == KF_OK) status = kf_bind(&l->binding, l->key, NULL, 0);
    l->reply.binding = l->binding;
    if (status == KF_OK) status = kf_sealed_create(&l->batch, l->header, l->key, 0, NULL, 0);
    if (status == KF_OK) status = kf_mac_generate(l->wrapped_mac, l->store, l->key_id, 1, 0, KFT_MAC_BITS);
    if (status == KF_OK)
        status = kf_mac_load(&l->mac_key, l->store, l->wrapped_mac, KFT_WRAPPED_MAC_LEN, l->key_id, 1, 0, KFT_MAC_BITS);
    if (status == KF_OK) status = kf_mac_one(l->mac_key, l->mac, KFT_MAC_LEN, l->text, KFT_TEXT_LEN);
    if (status == KF_OK) status = kf_p256_generate(l->wrapped_p256, l->public_key, l->store, l->key_id, 1, 0);
    if (status == KF_OK) status = kf_p256_load(&l->p256, l->public_key, l->store, l->wrapped_p256, l->key_id, 1, 0);
    if (status == KF_OK) status = kf_p256_sign(l->p256, l->signature, &l->signature_len, l->text, KF_P256_RAW, 0);
    return status;
}

void kft_library_close(kft_library *l) {
    const uint64_t handles[] = {l->p256, l->batch, l->mac_key, l->key, l->store, l->root, l->handle};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (handles[i]) kf_key_release(handles[i]);
    unlink(l->root_path);
    rmdir(l->dir);
}

/* ---- one call each --------------------------------------------------------------------------------- */

#define CALL(function, ...) \
    static int call_##function(kft_library *l) { \
        (void)l;                                 \
        return function(__VA_ARGS__);            \
    }

static struct kf_arena_info arena_info;
static int64_t num_bad, num_other;
static const int32_t group_of_one[1];
static struct kf_log_end log_end;
static uint64_t log_num;
static struct kf_reactor *reactor;
static const struct kf_reactor_limits reactor_limits;
static const uint32_t log_len = KFT_TEXT_LEN;

CALL(kf_impl_force, "portable")
CALL(kf_arena_open, 0)
CALL(kf_arena_describe, &arena_info)
CALL(kf_key_check, l->key)
CALL(kf_key_release, l->key)
CALL(kf_root_file_create, l->root_path)
CALL(kf_root_file_load, &l->handle, l->root_path)
CALL(kf_secret_new, &l->handle, &l->secret)
CALL(kf_root_from_secret, &l->handle, l->root)
CALL(kf_store_create, &l->handle, l->out, l->root, l->store_id)
CALL(kf_store_load, &l->handle, l->root, l->wrapped_store, l->store_id)
CALL(kf_store_rewrap, l->out, l->root, l->root, l->wrapped_store, l->store_id)
CALL(kf_store_mac, l->store, l->out, l->text, KFT_TEXT_LEN)
CALL(kf_store_mac_check, l->store, l->out, l->text, KFT_TEXT_LEN)
CALL(kf_key_generate, l->out, l->store, l->key_id, 2, 0)
CALL(kf_key_load, &l->handle, l->store, l->wrapped_key, l->key_id, 1, 0)
CALL(kf_key_prefix, l->key, l->out)
CALL(kf_key_import, l->out, l->store, l->key_id, 2, 0, l->text)
CALL(kf_material_name, l->out, l->store, l->key_id, l->text, KFT_TEXT_LEN)
CALL(kf_private_wrap, l->out, l->store, l->key_id, 1, 0, l->text, KFT_TEXT_LEN)
CALL(kf_private_unwrap, l->out, l->store, l->blob, KFT_BLOB_LEN, l->key_id, 1, 0)
CALL(kf_mac_generate, l->out, l->store, l->key_id, 2, 0, KFT_MAC_BITS)
CALL(kf_mac_import, l->out, l->store, l->key_id, 2, 0, KFT_MAC_BITS, l->material, KFT_MAC_LEN)
CALL(kf_mac_load, &l->handle, l->store, l->wrapped_mac, KFT_WRAPPED_MAC_LEN, l->key_id, 1, 0, KFT_MAC_BITS)
CALL(kf_mac_batch, l->mac_key, l->out, KFT_MAC_LEN, NULL, KFT_MAC_LEN, &l->texts, 1, NULL, 1)
CALL(kf_mac_verify_batch, l->mac_key, l->out, &l->texts, &l->macs, 1, NULL, 1)
CALL(kf_mac_one, l->mac_key, l->out, KFT_MAC_LEN, l->text, KFT_TEXT_LEN)
CALL(kf_mac_verify_one, l->mac_key, l->mac, KFT_MAC_LEN, l->text, KFT_TEXT_LEN)
CALL(kf_blob_seal, l->key, l->out, KFT_BLOB_LEN, NULL, NULL, &l->texts, 1, NULL, NULL, 0, NULL, 1)
CALL(kf_blob_scan, l->out, 1, (int32_t *)(l->out + 64), (int32_t *)(l->out + 68), l->out + 72, &l->blobs, 1, NULL)
CALL(kf_blob_open, l->out, KFT_TEXT_LEN, NULL, NULL, l->out + 900, &num_bad, &num_other, &l->key, l->prefix, 1,
     group_of_one, &l->blobs, 1, NULL, NULL, 0, NULL, 1)
CALL(kf_blob_seal_one, l->key, l->out, l->text, KFT_TEXT_LEN, NULL, 0, NULL, 0)
CALL(kf_blob_open_one, l->key, l->out, l->out + 900, l->blob, KFT_BLOB_LEN, NULL, 0, NULL, 0)
CALL(kf_bind, (struct kf_binding *)(void *)l->out, l->key, NULL, 0)
CALL(kf_bound_seal, &l->binding, l->out, l->text, KFT_TEXT_LEN)
CALL(kf_bound_open, &l->binding, l->out, l->blob, KFT_BLOB_LEN)
/* Replies give their length. */
static int done(int made) { return made > 0 ? KF_OK : made; }

static int call_kf_reply_encrypt(kft_library *l) {
    static const char body[] = "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}";
    return done(kf_reply_encrypt(&l->reply, l->out, sizeof l->out, (const uint8_t *)body, sizeof body - 1));
}

static int call_kf_reply_decrypt(kft_library *l) {
    char body[400];
    const size_t len = kft_decrypt_body(body, l->blob, KFT_BLOB_LEN);
    return done(kf_reply_decrypt(&l->reply, l->out, sizeof l->out, (const uint8_t *)body, len));
}

static int call_kf_reply_data_key(kft_library *l) {
    static const char body[] = "{\"KeyId\":\"k\",\"NumberOfBytes\":32}";
    return done(kf_reply_data_key(&l->reply, l->out, sizeof l->out, (const uint8_t *)body, sizeof body - 1, 32));
}

static int call_kf_reply_random(kft_library *l) {
    return done(kf_reply_random(&l->reply, l->out, sizeof l->out, 32));
}

CALL(kf_data_key, l->key, l->out, l->out + 64, 32, NULL, 0)
CALL(kf_sealed_create, &l->handle, l->out, l->key, 0, NULL, 0)
CALL(kf_sealed_load, &l->handle, l->key, l->header, NULL, 0)
CALL(kf_sealed_begin, &l->handle, l->out, l->text, l->blob, 0, NULL, 0)
CALL(kf_sealed_resume, &l->handle, l->text, l->header, NULL, 0)
CALL(kf_sealed_seal, l->batch, l->out, KFT_TEXT_LEN + 16, NULL, NULL, &l->texts, 1, 1, 1)
CALL(kf_sealed_open, l->batch, l->out, KFT_TEXT_LEN - 16, NULL, NULL, l->out + 900, &num_bad, 0, &l->texts, 1, 1, 1)
CALL(kf_p256_impl_force, "portable")
CALL(kf_p256_generate, l->out, l->out + 100, l->store, l->key_id, 2, 0)
CALL(kf_p256_import, l->out, l->out + 100, l->store, l->text, l->key_id, 2, 0)
CALL(kf_p256_load, &l->handle, l->out, l->store, l->wrapped_p256, l->key_id, 1, 0)
CALL(kf_p256_sign_batch, l->p256, l->zeroed, NULL, l->out + 900, &num_bad, &l->digests, 1, KF_P256_RAW, 0, 1)
CALL(kf_p256_verify_batch, l->out, l->public_key, &l->digests, &l->signatures, 1, KF_P256_RAW, 1)
CALL(kf_p256_verify_many, l->out, l->public_key, &l->digests, &l->signatures, 1, KF_P256_RAW, 1)
CALL(kf_p256_sign, l->p256, l->zeroed, &num_other, l->text, KF_P256_RAW, 0)
CALL(kf_p256_verify, l->public_key, l->text, l->signature, 64, KF_P256_RAW)
CALL(kf_p256_ecdh, l->p256, l->out, l->public_key)
CALL(kf_log_lock, -1)
CALL(kf_log_unlock, -1)
CALL(kf_log_append_locked, &log_end, -1, 1, l->text, KFT_TEXT_LEN)
CALL(kf_log_append, &log_end, &log_num, -1, -1, 0, UINT64_MAX, 1, l->text, &log_len, 1)
CALL(kf_sigv4_check, l->text, l->text, KFT_TEXT_LEN, l->text, KFT_TEXT_LEN, l->text, KFT_TEXT_LEN, l->signature)
CALL(kf_reactor_open, &reactor, NULL, 0, NULL, &reactor_limits)
CALL(kf_sha256, l->out, l->text, KFT_TEXT_LEN)

#define ENTRY(function, uses_keys) {#function, call_##function, uses_keys}

const kft_call KFT_CALLS[] = {
    ENTRY(kf_impl_force, 0),
    ENTRY(kf_arena_open, 0),
    ENTRY(kf_arena_describe, 0),
    ENTRY(kf_key_check, 1),
    ENTRY(kf_key_release, 0), /* succeeds on handles that name nothing */
    ENTRY(kf_root_file_create, 0),
    ENTRY(kf_root_file_load, 1),
    ENTRY(kf_secret_new, 1),
    ENTRY(kf_root_from_secret, 1),
    ENTRY(kf_store_create, 1),
    ENTRY(kf_store_load, 1),
    ENTRY(kf_store_rewrap, 1),
    ENTRY(kf_store_mac, 1),
    ENTRY(kf_store_mac_check, 1),
    ENTRY(kf_key_generate, 1),
    ENTRY(kf_key_load, 1),
    ENTRY(kf_key_prefix, 1),
    ENTRY(kf_key_import, 1),
    ENTRY(kf_material_name, 1),
    ENTRY(kf_private_wrap, 1),
    ENTRY(kf_private_unwrap, 1),
    ENTRY(kf_mac_generate, 1),
    ENTRY(kf_mac_import, 1),
    ENTRY(kf_mac_load, 1),
    ENTRY(kf_mac_batch, 1),
    ENTRY(kf_mac_verify_batch, 1),
    ENTRY(kf_mac_one, 1),
    ENTRY(kf_mac_verify_one, 1),
    ENTRY(kf_blob_seal, 1),
    ENTRY(kf_blob_scan, 0),
    ENTRY(kf_blob_open, 1),
    ENTRY(kf_blob_seal_one, 1),
    ENTRY(kf_blob_open_one, 1),
    ENTRY(kf_bind, 1),
    ENTRY(kf_bound_seal, 1),
    ENTRY(kf_bound_open, 1),
    ENTRY(kf_reply_encrypt, 1),
    ENTRY(kf_reply_decrypt, 1),
    ENTRY(kf_reply_data_key, 1),
    ENTRY(kf_reply_random, 0),
    ENTRY(kf_data_key, 1),
    ENTRY(kf_sealed_create, 1),
    ENTRY(kf_sealed_load, 1),
    ENTRY(kf_sealed_begin, 1),
    ENTRY(kf_sealed_resume, 1),
    ENTRY(kf_sealed_seal, 1),
    ENTRY(kf_sealed_open, 1),
    ENTRY(kf_p256_impl_force, 0),
    ENTRY(kf_p256_generate, 1),
    ENTRY(kf_p256_import, 1),
    ENTRY(kf_p256_load, 1),
    ENTRY(kf_p256_sign_batch, 1),
    ENTRY(kf_p256_verify_batch, 0),
    ENTRY(kf_p256_verify_many, 0),
    ENTRY(kf_p256_sign, 1),
    ENTRY(kf_p256_verify, 0),
    ENTRY(kf_p256_ecdh, 1),
    ENTRY(kf_log_lock, 0),
    ENTRY(kf_log_unlock, 0),
    ENTRY(kf_log_append_locked, 0),
    ENTRY(kf_log_append, 0),
    ENTRY(kf_sigv4_check, 0),
    ENTRY(kf_reactor_open, 0),
    ENTRY(kf_sha256, 0),
};
const size_t KFT_NUM_CALLS = sizeof KFT_CALLS / sizeof KFT_CALLS[0];

void kft_check_unwritten(const kft_library *library) {
    for (size_t i = 0; i < sizeof library->out; i++)
        if (library->out[i] != 0x5a) CHECK(0, "output byte %zu was written", i);
    for (size_t i = 0; i < sizeof library->zeroed; i++)
        if (library->zeroed[i] != 0) CHECK(0, "byte %zu of a signature was left", i);
}
