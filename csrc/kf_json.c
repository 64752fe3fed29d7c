/* The reader of kf_json.h. No recursion and no copies; every loop ends at the document's end. */
#include "kf_json.h"

#include "kf_lanes16.h"
#include "kf_util.h"

enum { MOST_DIGITS = 9 };

static int is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(kf_json *json) {
    while (json->at < json->end && is_space(*json->at)) json->at++;
}

/* Passes over a character that must be next, and white space before it. */
static int expect(kf_json *json, uint8_t what) {
    skip_space(json);
    if (json->at == json->end || *json->at != what) return 0;
    json->at++;
    return 1;
}

/* The first lane that is no printable ASCII, or a quote, or a backslash; KF_LANES16 when there is none. */
static size_t first_special(kf_lanes16 x) {
    const kf_lanes16 found = ~kf_lanes16_between(x, 0x20, 0x7e) | kf_lanes16_is(x, '"') | kf_lanes16_is(x, '\\');
    uint8_t special[KF_LANES16];
    uint64_t half[2];
    memcpy(half, &found, sizeof half);
    KF_DECLASSIFY(half, sizeof half); /* where a string ends; of its characters it says nothing */
    if (!(half[0] | half[1])) return KF_LANES16;
    memcpy(special, half, sizeof special);
    size_t i = 0;
    while (!special[i]) i++;
    return i;
}

/* The end of a string: the first special byte, or end when there is none. */
static const uint8_t *special_from(const uint8_t *at, const uint8_t *end) {
    for (; end - at >= KF_LANES16; at += KF_LANES16) {
        const size_t i = first_special(kf_lanes16_load(at));
        if (i < KF_LANES16) return at + i;
    }
    uint8_t rest[KF_LANES16] = {0}; /* zeros are special */
    memcpy(rest, at, (size_t)(end - at));
    const size_t i = first_special(kf_lanes16_load(rest));
    kf_wipe(rest, sizeof rest);
    return at + i;
}

int kf_json_open(kf_json *json) {
    return expect(json, '{');
}

int kf_json_string(kf_json *json, kf_json_text *value) {
    if (!expect(json, '"')) return 0;
    value->at = json->at;
    json->at = special_from(json->at, json->end);
    value->len = (size_t)(json->at - value->at);
    if (json->at == json->end || *json->at != '"') return 0;
    json->at++;
    return 1;
}

int kf_json_number(kf_json *json, kf_json_text *value) {
    skip_space(json);
    value->at = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') json->at++;
    value->len = (size_t)(json->at - value->at);
    return value->len > 0 && value->len <= MOST_DIGITS && *value->at != '0';
}

int kf_json_done(kf_json *json) {
    skip_space(json);
    return json->at == json->end;
}

enum kf_json_next kf_json_member(kf_json *json, kf_json_text *name, int first) {
    if (expect(json, '}')) return KF_JSON_END;
    if (!first && !expect(json, ',')) return KF_JSON_REFUSED;
    return kf_json_string(json, name) && expect(json, ':') ? KF_JSON_MEMBER : KF_JSON_REFUSED;
}
