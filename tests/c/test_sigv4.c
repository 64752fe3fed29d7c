/* Signatures of requests: the example of the IAM User Guide, and nothing but it. */
#include "kft.h"
#include "kft_buffer.h"

/* IAM User Guide, "Examples of the complete Signature Version 4 signing process": ListUsers, of 2015-08-30. */
static const char KEY[] = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
static const char SCOPE[] = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n";
static const char HEAD[] = "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
                           "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n"
                           "x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n";
static const char SIGNATURE[] = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
enum { SCOPE_LEN = sizeof SCOPE - 1, HEAD_LEN = sizeof HEAD - 1, LONG = 300 };

static int check(const char *scope, size_t scope_len, const char *head, size_t head_len, const char *signature) {
    uint8_t key[32];
    kft_from_hex(key, sizeof key, KEY);
    return kf_sigv4_check(key, (const uint8_t *)scope, scope_len, (const uint8_t *)head, head_len, NULL, 0,
                          (const uint8_t *)signature);
}

void test_sigv4(const kft_env *env) {
    char changed[LONG] = {0};
    uint8_t key[32] = {0};
    (void)env;
    CHECK(check(SCOPE, SCOPE_LEN, HEAD, HEAD_LEN, SIGNATURE) == KF_OK, "the example is refused");
    for (size_t i = 0; i < 64; i++) {
        memcpy(changed, SIGNATURE, 64);
        changed[i] ^= 1;
        CHECK(check(SCOPE, SCOPE_LEN, HEAD, HEAD_LEN, changed) == KF_ERR_AUTH, "digit %zu may be another", i);
    }
    for (size_t i = 0; i < HEAD_LEN; i++) {
        memcpy(changed, HEAD, HEAD_LEN);
        changed[i] ^= 1;
        CHECK(check(SCOPE, SCOPE_LEN, changed, HEAD_LEN, SIGNATURE) == KF_ERR_AUTH, "byte %zu may be another", i);
        CHECK(check(SCOPE, SCOPE_LEN, HEAD, i, SIGNATURE) == KF_ERR_AUTH, "%zu bytes are enough", i);
    }
    for (size_t i = 0; i < SCOPE_LEN; i++)
        CHECK(check(SCOPE, i, HEAD, HEAD_LEN, SIGNATURE) == KF_ERR_AUTH, "%zu bytes of the scope are enough", i);
    CHECK(kf_sigv4_check(key, (const uint8_t *)SCOPE, SCOPE_LEN, (const uint8_t *)HEAD, HEAD_LEN, NULL, 0,
                         (const uint8_t *)SIGNATURE) == KF_ERR_AUTH, "another key");
    for (size_t len = 255; len < 258; len++)
        CHECK(check(changed, len, HEAD, HEAD_LEN, SIGNATURE) == (len > 256 ? KF_ERR_ARGUMENT : KF_ERR_AUTH),
              "a scope of %zu bytes", len);
}
