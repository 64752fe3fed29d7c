/* Private keys at rest: what was wrapped comes back, under its own name and as nothing else. */
#include "kf_material.h"
#include "kft_calls.h"

enum { LONGEST = 8192 };

static void check_length(const kft_library *l, size_t len) {
    static uint8_t der[LONGEST], wrapped[LONGEST + KF_WRAP_OVERHEAD], back[LONGEST + 1];
    const size_t wrapped_len = len + KF_WRAP_OVERHEAD;
    uint8_t other_id[16] = {3};
    kft_random random = {len};
    kft_fill(&random, der, len);
    memset(back, 0x5a, sizeof back);
    CHECK(kf_private_wrap(wrapped, l->store, l->key_id, 1, 0, der, len) == KF_OK, "wrap %zu", len);
    CHECK(kf_private_unwrap(back, l->store, wrapped, wrapped_len, l->key_id, 1, 0) == KF_OK, "unwrap %zu", len);
    CHECK(memcmp(back, der, len) == 0 && back[len] == 0x5a, "other bytes came back of %zu", len);

    const struct {
        const uint8_t *key_id;
        uint32_t version;
        uint8_t flags;
    } others[] = {{other_id, 1, 0}, {l->key_id, 2, 0}, {l->key_id, 1, 1}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memset(back, 0x5a, sizeof back);
        CHECK(kf_private_unwrap(back, l->store, wrapped, wrapped_len, others[i].key_id, others[i].version,
                                others[i].flags) == KF_ERR_AUTH, "another key's unwraps (%zu)", i);
        for (size_t k = 0; k < len; k++)
            if (back[k] != 0) CHECK(0, "byte %zu is left of what does not authenticate", k);
    }
    wrapped[wrapped_len / 2] ^= 1;
    CHECK(kf_private_unwrap(back, l->store, wrapped, wrapped_len, l->key_id, 1, 0) == KF_ERR_AUTH, "changed bytes");
}

/* 32 bytes of each kind, wrapped for the same key version: neither is taken for the other. */
static void check_kinds(kft_library *l) {
    uint8_t wrapped[KF_WRAPPED_LEN], back[32];
    CHECK(kf_private_unwrap(back, l->store, l->wrapped_key, KF_WRAPPED_LEN, l->key_id, 1, 0) == KF_ERR_AUTH,
          "AES material leaves C as a private key");
    for (int algorithm = 0; algorithm < 8; algorithm++) {
        const kf_material_id id = {l->key_id, 1, 0, (uint8_t)algorithm};
        const int expected = algorithm == KF_ALGORITHM_PKCS8 ? KF_OK : KF_ERR_AUTH;
        CHECK(kf_material_wrap(wrapped, l->store, &id, l->text, 32) == KF_OK, "wrap");
        const int status = kf_private_unwrap(back, l->store, wrapped, sizeof wrapped, l->key_id, 1, 0);
        CHECK(status == expected, "material of algorithm %d: %d", algorithm, status);
    }
    CHECK(kf_private_wrap(wrapped, l->store, l->key_id, 1, 0, l->text, 32) == KF_OK, "wrap");
    CHECK(kf_key_load(&l->handle, l->store, wrapped, l->key_id, 1, 0) == KF_ERR_AUTH, "a private key loads as AES");
}

void test_private(const kft_env *env) {
    (void)env;
    static uint8_t der[LONGEST + 1], wrapped[LONGEST + 1 + KF_WRAP_OVERHEAD];
    static const size_t lengths[] = {1, 48, 138, 2376, LONGEST};
    kft_library l;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) check_length(&l, lengths[i]);
    check_kinds(&l);
    CHECK(kf_private_wrap(wrapped, l.store, l.key_id, 1, 0, der, 0) == KF_ERR_ARGUMENT, "nothing wrapped");
    CHECK(kf_private_wrap(wrapped, l.store, l.key_id, 1, 0, der, LONGEST + 1) == KF_ERR_ARGUMENT, "too much wrapped");
    CHECK(kf_private_wrap(wrapped, l.store, l.key_id, 1, 2, der, 1) == KF_ERR_ARGUMENT, "an unknown flag");
    CHECK(kf_private_wrap(wrapped, l.key, l.key_id, 1, 0, der, 1) == KF_ERR_KIND, "wrapped by a key");
    CHECK(kf_private_unwrap(der, l.store, wrapped, KF_WRAP_OVERHEAD, l.key_id, 1, 0) == KF_ERR_ARGUMENT, "no bytes");
    CHECK(kf_private_unwrap(der, l.store, wrapped, sizeof wrapped, l.key_id, 1, 0) == KF_ERR_ARGUMENT, "too many");
    kft_library_close(&l);
}
