/* SHA-2, HMAC and HKDF: published vectors, and every way of cutting a message into pieces. */
#include <stdlib.h>

#include "kf_hmac.h"
#include "kft.h"

static void check_hex(const uint8_t *got, const char *known_hex, const char *what) {
    uint8_t known[128];
    const size_t len = kft_from_hex(known, sizeof known, known_hex);
    CHECK(memcmp(got, known, len) == 0, "%s", what);
}

static void sha256(uint8_t out[32], const uint8_t *msg, size_t len) {
    kf_sha256_ctx ctx;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, msg, len);
    kf_sha256_final(&ctx, out);
}

/* FIPS 180-4 examples (NIST, "SHA-256 examples") and the empty message. */
static void check_sha256_vectors(void) {
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t out[32], *million = kft_alloc(1000000);
    sha256(out, NULL, 0);
    check_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "empty message");
    sha256(out, (const uint8_t *)"abc", 3);
    check_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
    sha256(out, (const uint8_t *)two_blocks, 56);
    check_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "two blocks");
    memset(million, 'a', 1000000);
    sha256(out, million, 1000000);
    check_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "a million a");
    CHECK(kf_sha256(out, million, 1000000) == KF_OK, "kf_sha256");
    check_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "kf_sha256");
    free(million);
}

/* ---- SHA-224, SHA-384, SHA-512 -------------------------------------------------------------------- */

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define FOUR_BLOCKS "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst" \
                    "nopqrstu"

static const struct {
    int bits;
    const char *msg, *digest;
} HASH_VECTORS[] = {
    {224, "",
     "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"},
    {224, "abc",
     "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {224, TWO_BLOCKS,
     "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"},
    {384, "",
     "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"},
    {384, "abc",
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    {384, FOUR_BLOCKS,
     "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039"},
    {512, "",
     "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f"
     "63b931bd47417a81a538327af927da3e"},
    {512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f"},
    {512, FOUR_BLOCKS,
     "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433a"
     "c7d329eeb6dd26545e96e55b874be909"},
};

static const struct {
    int bits;
    const char *digest;
} MILLION_VECTORS[] = {
    {224,
     "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67"},
    {384,
     "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985"},
    {512,
     "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973ebde0ff244877ea60a4cb0432ce577c31b"
     "eb009c5c2c49aa2e4eadb217ad8cc09b"},
};

static void hash(int bits, uint8_t *out, const uint8_t *msg, size_t len, size_t cut) {
    const kf_hash *h = kf_hash_of(bits);
    kf_hash_ctx ctx;
    h->init(&ctx);
    h->update(&ctx, msg, cut);
    h->update(&ctx, msg + cut, len - cut);
    h->final(&ctx, out);
}

/* FIPS 180-4 examples (NIST, "Secure Hashing" example values) and the empty message. */
static void check_hash_vectors(void) {
    uint8_t out[64], *million = kft_alloc(1000000);
    memset(million, 'a', 1000000);
    for (size_t i = 0; i < sizeof HASH_VECTORS / sizeof HASH_VECTORS[0]; i++) {
        hash(HASH_VECTORS[i].bits, out, (const uint8_t *)HASH_VECTORS[i].msg, strlen(HASH_VECTORS[i].msg), 0);
        check_hex(out, HASH_VECTORS[i].digest, HASH_VECTORS[i].msg);
    }
    for (size_t i = 0; i < sizeof MILLION_VECTORS / sizeof MILLION_VECTORS[0]; i++) {
        hash(MILLION_VECTORS[i].bits, out, million, 1000000, 7);
        check_hex(out, MILLION_VECTORS[i].digest, "a million a");
    }
    free(million);
    CHECK(kf_hash_of(0) == NULL && kf_hash_of(255) == NULL && kf_hash_of(-512) == NULL, "a hash that does not exist");
}

/* Two updates, cut at every place, give what one gives. */
static void check_pieces(int bits) {
    enum { MAX = 300 };
    const size_t digest_len = kf_hash_of(bits)->digest_len;
    uint8_t msg[MAX], whole[64], pieces[64];
    kft_random random = {9};
    kft_fill(&random, msg, MAX);
    for (size_t len = 0; len <= MAX; len++) {
        uint8_t *at_end = kft_page_end(len);
        memcpy(at_end, msg, len);
        hash(bits, whole, at_end, len, 0);
        for (size_t cut = 0; cut <= len; cut++) {
            hash(bits, pieces, msg, len, cut);
            CHECK(memcmp(whole, pieces, digest_len) == 0, "SHA-%d of %zu bytes cut at %zu", bits, len, cut);
        }
        kft_pages_free();
    }
}

/* ---- HMAC ------------------------------------------------------------------------------------------- */

#define TEN(x) x x x x x x x x x x
#define KEY_1 TEN("\x0b") TEN("\x0b")
#define KEY_2 "Jefe"
#define KEY_3 TEN("\xaa") TEN("\xaa")
#define KEY_4 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"
#define KEY_6 TEN(TEN("\xaa")) TEN("\xaa") TEN("\xaa") TEN("\xaa") "\xaa"
#define KEY_7 KEY_6
#define MSG_1 "Hi There"
#define MSG_2 "what do ya want for nothing?"
#define MSG_3 TEN("\xdd\xdd\xdd\xdd\xdd")
#define MSG_4 TEN("\xcd\xcd\xcd\xcd\xcd")
#define MSG_6 "Test Using Larger Than Block-Size Key - Hash Key First"
#define MSG_7 "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be " \
              "hashed before being used by the HMAC algorithm."

static const int BITS[] = {224, 256, 384, 512};

/* RFC 4231, test cases 1 to 4, 6 and 7 (5 cuts the MAC, which nothing here does). */
static const struct {
    const char *key, *msg, *macs[4];
} HMAC_VECTORS[] = {
    /* case 1 */
    {KEY_1, MSG_1,
     {"896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
      "be9d914eeb61f1702e696c203a126854"}},
    /* case 2 */
    {KEY_2, MSG_2,
     {"a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
      "caeab1a34d4a6b4b636e070a38bce737"}},
    /* case 3 */
    {KEY_3, MSG_3,
     {"7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
      "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
      "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807"
      "b946a337bee8942674278859e13292fb"}},
    /* case 4 */
    {KEY_4, MSG_4,
     {"6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
      "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
      "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063"
      "a5f19741120c4f2de2adebeb10a298dd"}},
    /* case 6 */
    {KEY_6, MSG_6,
     {"95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
      "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52"
      "95e64f73f63f0aec8b915a985d786598"}},
    /* case 7 */
    {KEY_7, MSG_7,
     {"3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
      "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
      "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15"
      "134676fb6de0446065c97440fa8c6a58"}},
};

static void check_hmac_vectors(void) {
    for (size_t i = 0; i < sizeof HMAC_VECTORS / sizeof HMAC_VECTORS[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)HMAC_VECTORS[i].key, *msg = (const uint8_t *)HMAC_VECTORS[i].msg;
        const size_t len = strlen(HMAC_VECTORS[i].key), msg_len = strlen(HMAC_VECTORS[i].msg);
        uint8_t out[64];
        for (int h = 0; h < 4; h++) {
            kf_hmac_any_key key;
            kf_hmac_any_key_init(&key, kf_hash_of(BITS[h]), bytes, len);
            kf_hmac_any(&key, out, msg, msg_len);
            check_hex(out, HMAC_VECTORS[i].macs[h], HMAC_VECTORS[i].msg);
        }
        kf_hmac_key key;
        kf_hmac_key_init(&key, bytes, len);
        kf_hmac(&key, out, msg, msg_len);
        check_hex(out, HMAC_VECTORS[i].macs[1], HMAC_VECTORS[i].msg);
    }
}

/* ---- HKDF ------------------------------------------------------------------------------------------- */

static void count_up(uint8_t *out, size_t len, uint8_t first) {
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(first + i);
}

/* RFC 5869 A.1 to A.3. */
static void check_hkdf_vectors(void) {
    uint8_t ikm[80], salt[80], info[80], out[82];
    memset(ikm, 0x0b, 22);
    count_up(salt, 13, 0);
    count_up(info, 10, 0xf0);
    kf_hkdf(out, 42, salt, 13, ikm, 22, info, 10);
    check_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", "A.1");
    kf_hkdf(out, 42, NULL, 0, ikm, 22, NULL, 0);
    check_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", "A.3");
    count_up(ikm, 80, 0);
    count_up(salt, 80, 0x60);
    count_up(info, 80, 0xb0);
    kf_hkdf(out, 82, salt, 80, ikm, 80, info, 80);
    check_hex(out, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                   "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87", "A.2");
}

void test_hashes(const kft_env *env) {
    (void)env;
    check_sha256_vectors();
    check_hash_vectors();
    for (int h = 0; h < 4; h++) check_pieces(BITS[h]);
    check_hmac_vectors();
    check_hkdf_vectors();
}
