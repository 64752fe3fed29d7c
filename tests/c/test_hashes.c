/* SHA-256, HMAC and HKDF: published vectors, and every way of cutting a message into pieces. */
#include <stdlib.h>

#include "kf_sha256.h"
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

/* Two updates, cut at every place, give what one gives. */
static void check_sha256_pieces(void) {
    enum { MAX = 200 };
    uint8_t msg[MAX], whole[32], pieces[32];
    kft_random random = {9};
    kft_fill(&random, msg, MAX);
    for (size_t len = 0; len <= MAX; len++) {
        uint8_t *at_end = kft_page_end(len);
        memcpy(at_end, msg, len);
        sha256(whole, at_end, len);
        for (size_t cut = 0; cut <= len; cut++) {
            kf_sha256_ctx ctx;
            kf_sha256_init(&ctx);
            kf_sha256_update(&ctx, msg, cut);
            kf_sha256_update(&ctx, msg + cut, len - cut);
            kf_sha256_final(&ctx, pieces);
            CHECK(memcmp(whole, pieces, 32) == 0, "%zu bytes cut at %zu", len, cut);
        }
        kft_pages_free();
    }
}

static void hmac(uint8_t out[32], const uint8_t *key_bytes, size_t key_len, const char *msg) {
    kf_hmac_key key;
    kf_hmac_key_init(&key, key_bytes, key_len);
    kf_hmac(&key, out, (const uint8_t *)msg, strlen(msg));
}

/* RFC 4231, test cases 1, 2, 6 and 7. */
static void check_hmac_vectors(void) {
    uint8_t key[131], out[32];
    memset(key, 0x0b, 20);
    hmac(out, key, 20, "Hi There");
    check_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "RFC 4231 case 1");
    hmac(out, (const uint8_t *)"Jefe", 4, "what do ya want for nothing?");
    check_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231 case 2");
    memset(key, 0xaa, 131);
    hmac(out, key, 131, "Test Using Larger Than Block-Size Key - Hash Key First");
    check_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "RFC 4231 case 6");
    hmac(out, key, 131, "This is a test using a larger than block-size key and a larger than block-size data. "
                        "The key needs to be hashed before being used by the HMAC algorithm.");
    check_hex(out, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", "RFC 4231 case 7");
}

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
    check_sha256_pieces();
    check_hmac_vectors();
    check_hkdf_vectors();
}
