/* Key material that the caller brings: it is used as fresh material is, and named by its bytes and its key alone. */
#include "kft_calls.h"

static void check_name(const kft_library *l, const uint8_t *material, const uint8_t *key_id, const uint8_t *other_than,
                       size_t len) {
    uint8_t name[KF_DIGEST_LEN], again[KF_DIGEST_LEN];
    CHECK(kf_material_name(name, l->store, key_id, material, len) == KF_OK, "name");
    CHECK(kf_material_name(again, l->store, key_id, material, len) == KF_OK, "name");
    CHECK(memcmp(name, again, sizeof name) == 0, "one material has two names");
    CHECK(memcmp(name, other_than, sizeof name) != 0, "two materials or keys have one name");
}

void test_import(const kft_env *env) {
    (void)env;
    static const uint8_t other_id[16] = {7};
    uint8_t material[33], wrapped[2][KF_WRAPPED_LEN], prefix[2][KF_PREFIX_LEN], name[KF_DIGEST_LEN];
    uint64_t handle[2];
    kft_library l;
    kft_random random = {42};
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    kft_fill(&random, material, sizeof material);
    for (int i = 0; i < 2; i++) {
        CHECK(kf_key_import(wrapped[i], l.store, l.key_id, 1, 0, material) == KF_OK, "import");
        CHECK(kf_key_load(&handle[i], l.store, wrapped[i], l.key_id, 1, 0) == KF_OK, "load");
        CHECK(kf_key_prefix(handle[i], prefix[i]) == KF_OK, "prefix");
    }
    CHECK(memcmp(wrapped[0], wrapped[1], KF_WRAPPED_LEN) != 0, "a nonce was used twice");
    CHECK(memcmp(prefix[0], prefix[1], KF_PREFIX_LEN) == 0, "the same material commits to two things");
    CHECK(kf_key_load(&handle[0], l.store, wrapped[0], other_id, 1, 0) == KF_ERR_AUTH, "it loads as another key's");
    CHECK(kf_key_import(wrapped[0], l.store, l.key_id, 1, 2, material) == KF_ERR_ARGUMENT, "an unknown flag");
    CHECK(kf_key_import(wrapped[0], handle[1], l.key_id, 1, 0, material) == KF_ERR_KIND, "another kind of handle");

    CHECK(kf_material_name(name, l.store, l.key_id, material, 32) == KF_OK, "name");
    check_name(&l, material, other_id, name, 32);
    check_name(&l, material + 1, l.key_id, name, 32);
    check_name(&l, material, l.key_id, name, 33);
    check_name(&l, material, l.key_id, name, 0);
    CHECK(kf_material_name(name, handle[1], l.key_id, material, 32) == KF_ERR_KIND, "another kind of handle");
    kf_key_release(handle[1]);
    kft_library_close(&l);
}
