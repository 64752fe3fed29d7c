/*
 * One run over secrets that a number chooses, for the comparison of control flow: the same instructions in
 * the same order whatever the secrets are. Usage: flow NAME NUMBER; writes what it computed, so that
 * the runs can be seen to differ in their secrets.
 */
#include <stdlib.h>
#include <unistd.h>

#include "kf_util.h"
#include "kft.h"

enum { RECORDS = 9, TEXT_LEN = 70, POOL = RECORDS * (TEXT_LEN + 16) };

static const kf_aead_impl *(*const IMPLEMENTATIONS[])(void) = {kf_aead_portable, kf_aead_aesni, kf_aead_vaes,
                                                               kf_aead_armv8};

static void run(const kf_aead_impl *impl, enum kft_mode mode, kft_random *secrets) {
    static uint8_t text[POOL], sealed[POOL], opened[POOL], nonces[RECORDS * 24], digest[32];
    uint8_t key_bytes[32], ok[RECORDS];
    kf_rec rec[RECORDS];
    kft_key key;
    kft_fill(secrets, text, sizeof text), kft_fill(secrets, nonces, sizeof nonces);
    kft_fill(secrets, key_bytes, sizeof key_bytes), kft_fill(secrets, digest, sizeof digest);
    for (size_t i = 0; i < RECORDS; i++)
        rec[i] = (kf_rec){.in = text + i * (TEXT_LEN + 16), .out = sealed + i * (TEXT_LEN + 16), .aad = text,
                          .len = TEXT_LEN - 7 * i, .aad_len = 5 * i};
    kft_key_init(impl, &key, mode, key_bytes);
    kft_seal(impl, &key, digest, nonces, rec, RECORDS);
    for (size_t i = 0; i < RECORDS; i++) rec[i].in = rec[i].out, rec[i].out = opened + (rec[i].in - sealed);
    if (kft_open(impl, &key, ok, digest, nonces, rec, RECORDS) != 0) _exit(3);
#ifdef KF_PLANT_LEAK
    static volatile int sink;
    if (key_bytes[0] & 1) sink++;
#endif
    if (write(1, sealed, sizeof sealed) != sizeof sealed) _exit(3);
}

int main(int argc, char **argv) {
    const kf_aead_impl *impl = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof IMPLEMENTATIONS / sizeof IMPLEMENTATIONS[0]; i++) {
        const kf_aead_impl *candidate = IMPLEMENTATIONS[i]();
        if (candidate && strcmp(candidate->name, argv[1]) == 0) impl = candidate;
    }
    if (!impl) return 2;
    kft_random secrets = {(uint64_t)(argv[2][0] - '0')}; /* one digit: parsing must not differ either */
    for (int mode = 0; mode < KFT_NUM_MODES; mode++) run(impl, (enum kft_mode)mode, &secrets);
    return 0;
}
