/* HMAC-SHA-256: batches, single messages, and the hash behind them. */
#include "cases.h"

enum { MOST = 256 };

static struct {
    const cases_keys *keys;
    struct kf_column messages, macs;
    int64_t offsets[MOST + 1];
    uint8_t status[MOST];
} state;

static size_t mac(const cases_case *c) {
    const int status = kf_mac_batch(state.keys->mac_key, cases_out, 32 * (int64_t)c->num, NULL, 32, &state.messages, c->num, NULL,
                                    1);
    return status == KF_OK ? 0 : (size_t)c->num;
}

static size_t verify(const cases_case *c) {
    size_t failed = 0;
    if (kf_mac_verify_batch(state.keys->mac_key, state.status, &state.messages, &state.macs, c->num, NULL, 1) != KF_OK)
        return (size_t)c->num;
    for (int i = 0; i < c->num; i++) failed += state.status[i] != KF_REC_OK;
    return failed;
}

static size_t mac_one(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_mac_one(state.keys->mac_key, cases_out, 32, cases_in + state.offsets[i], (size_t)c->len) != KF_OK;
    return failed;
}

static size_t hash(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++) failed += kf_sha256(cases_out, cases_in + state.offsets[i], (size_t)c->len) != KF_OK;
    return failed;
}

static int ready(const cases_case *c) {
    state.keys = cases_open_keys();
    if (!state.keys) return 0;
    cases_lay_out(state.offsets, c);
    state.messages = (struct kf_column){.data = cases_in, .data_len = state.offsets[c->num], .offsets = state.offsets};
    state.macs = (struct kf_column){.data = cases_out, .data_len = 32 * c->num, .width = 32};
    return mac(c) == 0 && verify(c) == 0;
}

const cases_case CASES_MACS[] = {
    {"HMAC 64 B", 256, 64, ready, mac},
    {"HMAC 1 KiB", 64, 1024, ready, mac},
    {"HMAC 1 to 512 B", 256, -512, ready, mac},
    {"HMAC verify 64 B", 256, 64, ready, verify},
    {"HMAC one of 64 B", 32, 64, ready, mac_one},
    {"SHA-256 1 KiB", 32, 1024, ready, hash},
    {0},
};
