/* MAC keys: from the store to MACs, in batches and one by one; what is not theirs is refused and nothing written. */
#include <stdlib.h>

#include "kf_arena.h"
#include "kf_hmac.h"
#include "kft_calls.h"

enum { NUM = 5000, MAX_LEN = 150, MAX_MAC = 64, OVERHEAD = 40 }; /* more records than the grain of threads */
enum { CHANGED = 700, MOVED = 1700, CUT = 2700 };                 /* what happens to these MACs */

static const int BITS[] = {224, 256, 384, 512};

static uint64_t load(const kft_library *l, int bits, const uint8_t *bytes) {
    uint8_t material[MAX_MAC], wrapped[MAX_MAC + OVERHEAD];
    const size_t len = (size_t)bits / 8;
    uint64_t key = 0;
    memcpy(material, bytes, len);
    CHECK(kf_mac_import(wrapped, l->store, l->key_id, 3, 0, bits, material, len) == KF_OK, "import %d", bits);
    for (size_t i = 0; i < len; i++) CHECK(material[i] == 0, "imported material is not wiped");
    CHECK(kf_mac_load(&key, l->store, wrapped, len + OVERHEAD, l->key_id, 3, 0, bits) == KF_OK, "load %d", bits);
    return key;
}

/* ---- batches --------------------------------------------------------------------------------------- */

static uint8_t texts[NUM * MAX_LEN], macs[NUM * MAX_MAC + 1], *mac_ptrs[NUM], skip[NUM], status[NUM];
static int64_t offsets[NUM + 1], mac_lens[NUM];

static void fill(size_t mac_len, kft_random *random) {
    kft_fill(random, texts, sizeof texts);
    memset(macs, 0x5a, sizeof macs);
    for (int i = 0; i < NUM; i++) {
        offsets[i + 1] = offsets[i] + (int64_t)kft_below(random, MAX_LEN + 1);
        mac_ptrs[i] = macs + (size_t)i * mac_len, mac_lens[i] = (int64_t)mac_len;
        skip[i] = i != CHANGED && i != MOVED && i != CUT && kft_below(random, 20) == 0;
    }
}

static void check_macs(const kf_hmac_any_key *known, size_t mac_len) {
    uint8_t mac[MAX_MAC], untouched[MAX_MAC];
    memset(untouched, 0x5a, sizeof untouched);
    for (int i = 0; i < NUM; i++) {
        kf_hmac_any(known, mac, texts + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
        CHECK(memcmp(mac_ptrs[i], skip[i] ? untouched : mac, mac_len) == 0, "MAC %d of %zu bytes", i, mac_len);
    }
}

/* The MACs verify; one with a changed bit, one of another record and one that is cut do not. */
static void check_verify(uint64_t key, size_t mac_len, const struct kf_column *in, int threads, kft_random *random) {
    const struct kf_column given = {.ptrs = (const uint8_t *const *)mac_ptrs, .lens = mac_lens};
    uint8_t *kept = mac_ptrs[MOVED];
    memset(status, 0xee, sizeof status);
    CHECK(kf_mac_verify_batch(key, status, in, &given, NUM, skip, threads) == KF_OK, "verify");
    for (int i = 0; i < NUM; i++) CHECK(status[i] == (skip[i] ? KF_REC_SKIPPED : KF_REC_OK), "status of %d", i);
    mac_ptrs[CHANGED][kft_below(random, mac_len)] ^= (uint8_t)(1 << kft_below(random, 8));
    mac_ptrs[MOVED] = mac_ptrs[MOVED + 1];
    mac_lens[CUT]--;
    CHECK(kf_mac_verify_batch(key, status, in, &given, NUM, skip, threads) == KF_OK, "verify");
    for (int i = 0; i < NUM; i++) {
        const int wrong = i == CHANGED || i == MOVED || i == CUT;
        CHECK(status[i] == (skip[i] ? KF_REC_SKIPPED : wrong ? KF_REC_AUTH : KF_REC_OK), "status of %d", i);
    }
    mac_ptrs[MOVED] = kept, mac_lens[CUT]++;
}

static void check_batches(const kft_library *l, int bits, int pointers, int threads, kft_random *random) {
    const size_t mac_len = (size_t)bits / 8;
    uint8_t bytes[MAX_MAC];
    kf_hmac_any_key known;
    kft_fill(random, bytes, sizeof bytes);
    const uint64_t key = load(l, bits, bytes);
    kf_hmac_any_key_init(&known, kf_hash_of(bits), bytes, mac_len);
    fill(mac_len, random);
    const struct kf_column in = {.data = texts, .data_len = sizeof texts, .offsets = offsets};
    const int64_t room = pointers ? 0 : (int64_t)(NUM * mac_len);
    CHECK(kf_mac_batch(key, pointers ? NULL : macs, room, pointers ? mac_ptrs : NULL, mac_len, &in, NUM, skip, threads)
              == KF_OK, "batch");
    check_macs(&known, mac_len);
    CHECK(macs[NUM * mac_len] == 0x5a, "a byte after the last MAC was written");
    check_verify(key, mac_len, &in, threads, random);
    CHECK(kf_key_release(key) == KF_OK, "release");
}

/* ---- refusals --------------------------------------------------------------------------------------- */

static void check_refusals(kft_library *l) {
    enum { SHORT = KFT_MAC_LEN - 1 };
    uint8_t *out = l->out, *none[1] = {l->out}, wrapped[MAX_MAC + OVERHEAD];
    uint64_t key = 77;
    const struct kf_column negative = {.data = l->text, .data_len = 1, .width = -1};
    memset(l->out, 0x5a, sizeof l->out);
#define BATCH(k, o, room, ptrs, len, in, threads) kf_mac_batch(k, o, room, ptrs, len, in, 1, NULL, threads)
    CHECK(BATCH(l->key, out, 32, NULL, 32, &l->texts, 1) == KF_ERR_KIND, "the MAC of an encryption key");
    CHECK(BATCH(l->mac_key, out, 32, NULL, 28, &l->texts, 1) == KF_ERR_ARGUMENT, "another length");
    CHECK(BATCH(l->mac_key, out, SHORT, NULL, 32, &l->texts, 1) == KF_ERR_OFFSETS, "no room");
    CHECK(BATCH(l->mac_key, out, 32, none, 32, &l->texts, 1) == KF_ERR_ARGUMENT, "two outputs");
    CHECK(BATCH(l->mac_key, NULL, 0, NULL, 32, &l->texts, 1) == KF_ERR_ARGUMENT, "no output");
    CHECK(BATCH(l->mac_key, out, 32, NULL, 32, &negative, 1) == KF_ERR_ARGUMENT, "a bad column");
    CHECK(BATCH(l->mac_key, out, 32, NULL, 32, &l->texts, 0) == KF_ERR_ARGUMENT, "no threads");
#undef BATCH
    CHECK(kf_mac_verify_batch(l->mac_key, out, &l->texts, &negative, 1, NULL, 1) == KF_ERR_ARGUMENT, "bad MACs");
    CHECK(kf_mac_verify_batch(l->key, out, &l->texts, &l->macs, 1, NULL, 1) == KF_ERR_KIND, "verify, another kind");
    CHECK(kf_mac_one(l->mac_key, out, SHORT, l->text, 1) == KF_ERR_ARGUMENT, "one of another length");
    CHECK(kf_mac_one(l->store, out, 32, l->text, 1) == KF_ERR_KIND, "a store key");
    CHECK(kf_mac_generate(out, l->store, l->key_id, 1, 0, 160) == KF_ERR_ARGUMENT, "no such hash");
    CHECK(kf_mac_generate(out, l->key, l->key_id, 1, 0, 256) == KF_ERR_KIND, "wrapped by a key");
    CHECK(kf_mac_generate(out, l->store, l->key_id, 1, 2, 256) == KF_ERR_ARGUMENT, "a reserved flag");
    memset(l->material, 1, SHORT);
    CHECK(kf_mac_import(out, l->store, l->key_id, 1, 0, 256, l->material, SHORT) == KF_ERR_ARGUMENT, "short material");
    CHECK(l->material[0] == 0 && l->material[SHORT - 1] == 0, "refused material is not wiped");
    for (size_t i = 0; i < sizeof l->out; i++) CHECK(l->out[i] == 0x5a, "byte %zu was written", i);
    CHECK(kf_mac_generate(wrapped, l->store, l->key_id, 5, 0, 256) == KF_OK, "generate");
#define LOAD(len, id, version, flags, bits) kf_mac_load(&key, l->store, wrapped, len, id, version, flags, bits)
    CHECK(LOAD(72, l->key_id, 6, 0, 256) == KF_ERR_AUTH, "another version");
    CHECK(LOAD(72, l->store_id, 5, 0, 256) == KF_ERR_AUTH, "another key");
    CHECK(LOAD(72, l->key_id, 5, 1, 256) == KF_ERR_AUTH, "other flags");
    CHECK(LOAD(72, l->key_id, 5, 0, 224) == KF_ERR_AUTH, "another hash");
    CHECK(LOAD(88, l->key_id, 5, 0, 384) == KF_ERR_AUTH, "another hash of its length");
    CHECK(LOAD(72, l->key_id, 5, 0, 255) == KF_ERR_ARGUMENT, "no such hash");
    CHECK(kf_key_load(&key, l->store, wrapped, l->key_id, 5, 0) == KF_ERR_AUTH, "as an encryption key");
    CHECK(key == 77, "a handle was given");
    CHECK(LOAD(72, l->key_id, 5, 0, 256) == KF_OK && kf_key_release(key) == KF_OK, "as what it is");
    memcpy(wrapped, l->wrapped_key, KF_WRAPPED_LEN);
    CHECK(LOAD(72, l->key_id, 1, 0, 256) == KF_ERR_AUTH, "an encryption key as a MAC key");
#undef LOAD
}

static void check_one(const kft_library *l) {
    uint8_t mac[KFT_MAC_LEN];
    memcpy(mac, l->mac, sizeof mac);
    CHECK(kf_mac_verify_one(l->mac_key, mac, 32, l->text, KFT_TEXT_LEN) == KF_OK, "verify one");
    CHECK(kf_mac_verify_one(l->mac_key, mac, 31, l->text, KFT_TEXT_LEN) == KF_ERR_AUTH, "a MAC cut short");
    CHECK(kf_mac_verify_one(l->mac_key, mac, 0, l->text, KFT_TEXT_LEN) == KF_ERR_AUTH, "no MAC");
    CHECK(kf_mac_verify_one(l->mac_key, mac, 32, l->text, KFT_TEXT_LEN - 1) == KF_ERR_AUTH, "another message");
    for (size_t bit = 0; bit < 8 * sizeof mac; bit++) {
        mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(kf_mac_verify_one(l->mac_key, mac, 32, l->text, KFT_TEXT_LEN) == KF_ERR_AUTH, "bit %zu", bit);
        mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* A full arena lets go of MAC keys as of any key version; their handles are stale then. */
static void check_eviction(const kft_library *l) {
    struct kf_arena_info info;
    uint8_t mac[KFT_MAC_LEN];
    uint64_t first, key = 0;
    CHECK(kf_arena_describe(&info) == KF_OK, "describe");
    first = load(l, 256, l->text);
    for (uint64_t i = 0; i < info.num_slots; i++) key = load(l, 256, l->text);
    CHECK(kf_mac_one(first, mac, sizeof mac, l->text, 1) == KF_ERR_STALE, "the key used longest ago stays");
    CHECK(kf_mac_one(key, mac, sizeof mac, l->text, 1) == KF_OK, "the last key is gone");
}

void test_mac(const kft_env *env) {
    kft_library library;
    kft_random random = {31};
    (void)env;
    CHECK(kft_library_open(&library) == KF_OK, "the library does not open");
    for (int h = 0; h < 4; h++)
        for (int form = 0; form < 4; form++) check_batches(&library, BITS[h], form % 2, 1 + form, &random);
    check_one(&library);
    check_refusals(&library);
    check_eviction(&library);
    kft_library_close(&library);
}
