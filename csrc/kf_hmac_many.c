/*
 * HMAC-SHA-256 of many messages (kf_hmac_many.h).
 *
 * Lanes of one call need messages of one number of blocks. A message waits, in a table by that number, for as many as
 * fill the lanes; those that are left at the end, and those that make way for a longer or shorter one, go alone.
 */
#include "kf_hmac_many.h"

#include "kf_cpu.h"
#include "kf_hmac_lanes.h"
#include "kf_util.h"

enum { BLOCK = 64, MAX_TAIL = 2 * BLOCK, NUM_WAITING = 32 };

typedef struct {
    const uint8_t *msg;
    size_t len;
    uint8_t *out;
} job;

typedef struct {
    const kf_hmac_key *key;
    void (*lanes)(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head, size_t num_tail);
    job waiting[NUM_WAITING]; /* out NULL: none */
    uint8_t tails[KF_HMAC_LANES][MAX_TAIL];
} run;

_Static_assert(KF_HMAC_LANES == 2, "one message waits, the second one starts the lanes");

/* Blocks with the message's padding: at least a byte and eight of length. */
static inline size_t num_blocks(size_t len) { return (len + 8) / BLOCK + 1; }

static void run_init(run *r, const kf_hmac_key *key) {
    r->key = key;
    r->lanes = kf_cpu() & KF_CPU_SHANI ? kf_hmac_lanes_shani : kf_hmac_lanes_portable;
    for (int i = 0; i < NUM_WAITING; i++) r->waiting[i].out = NULL;
}

/* The last one or two blocks, padded (FIPS 180-4 5.1.1). */
static inline void set_lane(kf_hmac_lane *lane, uint8_t tail[MAX_TAIL], const job *j, size_t num_head,
                            size_t num_tail) {
    const size_t at = num_head * BLOCK;
    memset(tail, 0, MAX_TAIL);
    if (j->len > at) memcpy(tail, j->msg + at, j->len - at);
    tail[j->len - at] = 0x80;
    kf_store64_be(tail + num_tail * BLOCK - 8, (uint64_t)(BLOCK + j->len) * 8);
    *lane = (kf_hmac_lane){.head = j->msg, .tail = tail, .out = j->out};
}

/* Two messages of num blocks each. */
static inline void run_pair(run *r, const job *a, const job *b, size_t num) {
    const size_t num_tail = num < 2 ? num : 2, num_head = num - num_tail;
    kf_hmac_lane lane[KF_HMAC_LANES];
    set_lane(&lane[0], r->tails[0], a, num_head, num_tail);
    set_lane(&lane[1], r->tails[1], b, num_head, num_tail);
    r->lanes(r->key, lane, num_head, num_tail);
}

static inline void run_add(run *r, job j) {
    const size_t num = num_blocks(j.len);
    job *other = &r->waiting[num % NUM_WAITING];
    if (other->out && num_blocks(other->len) == num) {
        run_pair(r, other, &j, num);
        other->out = NULL;
    } else {
        if (other->out) kf_hmac(r->key, other->out, other->msg, other->len);
        *other = j;
    }
}

/* Those that nobody joined; then wipes what was left of messages and states. */
static void run_end(run *r) {
    for (int i = 0; i < NUM_WAITING; i++)
        if (r->waiting[i].out) kf_hmac(r->key, r->waiting[i].out, r->waiting[i].msg, r->waiting[i].len);
    kf_wipe(r->tails, sizeof r->tails);
    kf_wipe_below();
}

void kf_hmac_many(const kf_hmac_key *key, uint8_t *out, const uint8_t *msgs, size_t msg_len, size_t num) {
    run r;
    run_init(&r, key);
    for (size_t i = 0; i < num; i++) run_add(&r, (job){msgs + i * msg_len, msg_len, out + 32 * i});
    run_end(&r);
}

void kf_hmac_column(const kf_hmac_key *key, const kf_sink *out, const struct kf_column *in, int64_t begin, int64_t end,
                    const uint8_t *skip) {
    run r;
    run_init(&r, key);
    for (int64_t i = begin; i < end; i++) {
        if (skip && skip[i]) continue;
        const kf_span msg = kf_column_at(in, i);
        run_add(&r, (job){msg.at, (size_t)msg.len, kf_sink_at(out, i - begin)});
    }
    run_end(&r);
}
