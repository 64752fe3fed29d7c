/* Requests that tickets cover, answered into a group, and their record in the audit log. */
#include <time.h>

#include "kf_log.h"
#include "kf_metrics.h"
#include "kf_reactor.h"

int64_t kf_clock_us(int clock) {
    struct timespec t;
    clock_gettime((clockid_t)clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int kf_hot_holds(const struct kf_reactor *r, const kf_ticket_entry *ticket, int64_t now) {
    return kf_ticket_holds(ticket, r->epoch, now);
}

kf_use kf_hot_use(const kf_answered *answered, uint64_t begun) {
    const kf_call *call = answered->call;
    kf_use use = {.conn = answered->conn, .id = call->id, .failed = answered->failed, .begun = begun,
                  .bytes = call->many ? call->columns[0].data.len : call->payload[0].len,
                  .records = kf_call_records(call), .timer = answered->ticket->facts.timer,
                  .index = call->op + (call->many ? KF_OP_BATCH : 0), .num_slots = 1};
    use.slots[0] = answered->ticket->facts.slot;
    for (size_t i = 0; i < answered->others->num; i++)
        use.slots[use.num_slots++] = answered->others->tickets[i]->facts.slot;
    return use;
}

void kf_hot_count(struct kf_reactor *r, const kf_use *use, uint64_t num, uint64_t bytes) {
    __atomic_add_fetch(&r->counts.hot[use->index], num, __ATOMIC_RELAXED);
    __atomic_add_fetch(&r->counts.records[use->index], num * use->records, __ATOMIC_RELAXED);
    __atomic_add_fetch(&r->counts.bytes[use->index], bytes, __ATOMIC_RELAXED);
    if (use->timer < KF_TIMER_DOORS) return;
    if (use->index >= KF_OP_BATCH)
        kf_metrics_batch(use->timer, use->begun, use->records, use->failed, bytes);
    else
        kf_metrics_requests(use->timer, use->begun, num);
}

/* Readers try again when `turn` was odd, or has changed meanwhile. */
static void note(kf_slot *slot, const kf_use *use) {
    const uint32_t turn = slot->turn;
    __atomic_store_n(&slot->turn, turn + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->conn, use->conn, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->id, use->id, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->turn, turn + 2, __ATOMIC_RELEASE);
    if (!__atomic_load_n(&slot->is_new, __ATOMIC_RELAXED)) __atomic_store_n(&slot->is_new, 1, __ATOMIC_RELEASE);
}

void kf_hot_used(struct kf_reactor *r, const kf_use *use) {
    for (uint32_t i = 0; i < use->num_slots; i++) note(&r->slots[use->slots[i]], use);
}

int kf_hot_record(struct kf_reactor *r, const kf_events *events) {
    int status = KF_ERR_STALE;
    pthread_mutex_lock(&r->log_lock);
    if (r->log.end)
        status = kf_log_append_kinds(&r->log, events->kinds, events->bytes, events->lens, events->num, events->num_events);
    if (status != KF_OK && !__atomic_load_n(&r->refused_at, __ATOMIC_RELAXED))
        __atomic_store_n(&r->refused_at, kf_clock_us(CLOCK_MONOTONIC), __ATOMIC_RELAXED);
    pthread_mutex_unlock(&r->log_lock);
    if (status == KF_OK)
        __atomic_store_n(&r->is_dirty, 1, __ATOMIC_RELEASE);
    else
        __atomic_add_fetch(&r->counts.unrecorded, events->num_events, __ATOMIC_RELAXED);
    return status;
}

int kf_hot_is_secret(const kf_call *call) {
    return call->op == KF_OP_DECRYPT || call->op == KF_OP_DATA_KEY || call->op == KF_OP_RANDOM;
}

/* Whether an answer can be sent in parts. */
static int is_divisible(const kf_call *call, const kf_answer_plan *plan, size_t max_frame) {
    if (!call->many) return call->op <= KF_OP_DECRYPT || call->op == KF_OP_RANDOM;
    if (call->op == KF_OP_RANDOM) return 1;
    if (call->op != KF_OP_ENCRYPT && call->op != KF_OP_DECRYPT && call->op != KF_OP_MAC) return 0;
    return call->columns[0].packed && 4 * call->columns[0].num + plan->around + 2 * KF_ANSWER_HEADS < max_frame;
}

int kf_hot_fits(const struct kf_reactor *r, const kf_call *call, const kf_answer_plan *plan) {
    /* what a message of the greatest length becomes when it is encrypted is not too long */
    const uint64_t whole = r->limits.max_message + 2 * KF_BLOB_OVERHEAD + KF_ANSWER_HEADS;
    return plan->bound <= (is_divisible(call, plan, r->limits.max_frame) ? whole : r->limits.max_frame);
}

static int fits(const struct kf_reactor *r, const kf_answer_plan *plan, size_t event_len, int recorded) {
    const kf_group *g = &r->group;
    if (g->num == KF_GROUP_MAX || (g->num && g->recorded != recorded)) return 0;
    return plan->bound <= KF_OUT_LEN - g->out_len && kf_events_fit(&g->events, event_len);
}

/* The ticket of r->call. */
static const kf_ticket_entry *ticket_of(struct kf_reactor *r, uint64_t caller) {
    kf_known *k = &r->known;
    if (k->ticket && k->head == r->head.serial && k->caller == caller && k->changes == r->tickets.changes &&
        kf_ticket_is_for(k->ticket, &r->call))
        return k->ticket;
    k->ticket = kf_tickets_find(&r->tickets, caller, &r->call);
    k->head = r->head.serial, k->caller = caller, k->changes = r->tickets.changes;
    k->digest.is_known = 0;
    return k->ticket;
}

/* Writes the answer to r->call, and its event, where the next ones go in the group: the answer's length, or 0. */
static size_t make(struct kf_reactor *r, const kf_conn *c, const kf_answer_plan *plan, const kf_ticket_entry *t, int alone,
                   int64_t now) {
    kf_group *g = &r->group;
    kf_answer_data data;
    kf_answer_others others = {.num = 0};
    const kf_ticket_source source = {.tickets = &r->tickets, .epoch = r->epoch, .now = now, .is_locked = 1};
    const kf_answering a = {.call = &r->call, .ticket = t, .nonces = &r->nonces, .digest = &r->known.digest,
                            .source = &source, .others = &others, .alone = alone, .threads = 1, .room = r->room};
    int64_t len = kf_answer(r->out + g->out_len, &data, &a);
    const kf_answered answered = {.call = &r->call, .ticket = t, .others = &others, .failed = data.failed,
                                  .now = (uint64_t)now, .conn = c->id};
    if (len < 0 || (t->facts.recorded && !kf_events_add(&g->events, &answered))) {
        kf_wipe(r->out + g->out_len, plan->bound);
        len = 0;
    } else {
        g->answers[g->num].use = kf_hot_use(&answered, r->begun);
    }
    kf_answer_let_go(&others);
    return (size_t)len;
}

static int is_recent(const struct kf_reactor *r, int64_t at) { return at && r->now < at + r->holds.length; }

/* A ticket has ended: its first request goes to the server, whose answer brings the next ticket, and is waited for. */
static enum kf_hot renew(struct kf_reactor *r, const kf_ticket_entry *ticket) {
    int64_t *asked_at = (int64_t *)(uintptr_t)&ticket->asked_at;
    if (is_recent(r, __atomic_load_n(asked_at, __ATOMIC_RELAXED))) return KF_HOT_HELD;
    if (!__atomic_load_n(asked_at, __ATOMIC_RELAXED)) __atomic_store_n(asked_at, r->now, __ATOMIC_RELAXED);
    return KF_HOT_COLD;
}

/* The log has ended: what could not be recorded is with the server, which makes the next one. */
static int waits_for_log(const struct kf_reactor *r, const kf_ticket_entry *ticket) {
    return ticket->facts.recorded && is_recent(r, __atomic_load_n(&r->refused_at, __ATOMIC_RELAXED));
}

enum kf_hot kf_hot_answer(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame, int alone, int64_t now,
                          const kf_ticket_entry **ticket, uint64_t *cost) {
    kf_group *g = &r->group;
    kf_answer_plan plan;
    if (!c->caller || !kf_call_parse_next(&r->call, &r->head, frame->at, frame->len)) return KF_HOT_COLD;
    r->plan = (kf_answer_plan){.bound = 0};
    const kf_ticket_entry *t = *ticket = ticket_of(r, c->caller);
    if (!t) return KF_HOT_COLD;
    if (!kf_hot_holds(r, t, now)) return renew(r, t);
    if (waits_for_log(r, t)) return KF_HOT_HELD;
    if (r->call.more) return KF_HOT_JOB;
    if (!kf_answer_plan_for(&plan, &r->call, t) || !kf_hot_fits(r, &r->call, &plan)) return KF_HOT_COLD;
    const size_t event_len = kf_answer_event_bound(&(kf_answered){.call = &r->call, .ticket = t});
    if (event_len > KF_RECORDS_LEN) return KF_HOT_COLD;
    r->plan = plan;
    const uint64_t most = r->limits.threads > 1 ? KF_INLINE_COST : KF_INLINE_COST_ALONE;
    if (plan.cost > most || plan.room > KF_ROOM_LEN || plan.bound > KF_OUT_LEN || plan.bound > r->limits.max_frame)
        return KF_HOT_JOB;
    if (r->call.deadline && kf_clock_us(CLOCK_MONOTONIC) - c->arrived >= (int64_t)r->call.deadline * 1000)
        return KF_HOT_COLD;
    if (!fits(r, &plan, event_len, t->facts.recorded)) return KF_HOT_FULL;
    const size_t len = make(r, c, &plan, t, alone, now);
    *cost += plan.cost;
    if (!len) return KF_HOT_COLD;
    g->recorded = t->facts.recorded;
    g->has_secrets |= kf_hot_is_secret(&r->call);
    g->cost += plan.cost;
    g->out_len += len;
    g->answers[g->num].conn = c, g->answers[g->num].frame = *frame, g->answers[g->num].out_end = g->out_len;
    g->num++;
    c->is_grouped = 1;
    return KF_HOT_DONE;
}
