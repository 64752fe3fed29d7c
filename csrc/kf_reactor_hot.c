/* Requests that tickets cover, answered into a group, and their record in the audit log. */
#include <time.h>

#include "kf_reactor.h"

enum { LOG_EVENT = 1 /* docs/audit.md */ };

int64_t kf_clock_us(int clock) {
    struct timespec t;
    clock_gettime((clockid_t)clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int kf_hot_holds(const struct kf_reactor *r, const kf_ticket_entry *ticket, int64_t now) {
    return __atomic_load_n(r->epoch, __ATOMIC_ACQUIRE) == ticket->facts.epoch && now < ticket->facts.due;
}

void kf_hot_count(struct kf_reactor *r, const kf_call *call, const kf_ticket_entry *ticket, uint64_t failed,
                  uint64_t begun) {
    const int i = call->op + (call->many ? KF_OP_BATCH : 0);
    const uint64_t bytes = call->many ? call->columns[0].data.len : call->payload[0].len;
    __atomic_add_fetch(&r->counts.hot[i], 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&r->counts.records[i], kf_call_records(call), __ATOMIC_RELAXED);
    __atomic_add_fetch(&r->counts.bytes[i], bytes, __ATOMIC_RELAXED);
    uint32_t *used = &r->used[ticket->facts.slot];
    if (!__atomic_load_n(used, __ATOMIC_RELAXED)) __atomic_store_n(used, 1, __ATOMIC_RELEASE);
    if (ticket->facts.timer < KF_TIMER_DOORS) return;
    if (call->many)
        kf_metrics_batch(ticket->facts.timer, begun, kf_call_records(call), failed, bytes);
    else
        kf_metrics_request(ticket->facts.timer, begun);
}

int kf_hot_record(struct kf_reactor *r, const uint8_t *events, const uint32_t *lens, size_t num) {
    uint64_t count;
    int status = KF_ERR_STALE;
    pthread_mutex_lock(&r->log_lock);
    if (r->log.end)
        status = kf_log_append(r->log.end, &count, r->log.lock_fd, r->log.fd, r->log.segment, r->log.max_offset,
                               LOG_EVENT, events, lens, num);
    pthread_mutex_unlock(&r->log_lock);
    if (status == KF_OK)
        __atomic_store_n(&r->is_dirty, 1, __ATOMIC_RELEASE);
    else
        __atomic_add_fetch(&r->counts.unrecorded, num, __ATOMIC_RELAXED);
    return status;
}

int kf_hot_is_secret(const kf_call *call) {
    return call->op == KF_OP_DECRYPT || call->op == KF_OP_DATA_KEY || call->op == KF_OP_RANDOM;
}

/* Whether an answer can be sent in parts. */
static int is_divisible(const kf_call *call, size_t max_frame) {
    if (!call->many) return call->op <= KF_OP_DECRYPT || call->op == KF_OP_RANDOM;
    if (call->op == KF_OP_RANDOM) return 1;
    if (call->op != KF_OP_ENCRYPT && call->op != KF_OP_DECRYPT && call->op != KF_OP_MAC) return 0;
    return call->columns[0].packed && 4 * call->columns[0].num + 2 * KF_ANSWER_HEADS < max_frame;
}

int kf_hot_fits(const struct kf_reactor *r, const kf_call *call, const kf_answer_plan *plan) {
    /* what a message of the greatest length becomes when it is encrypted is not too long */
    const uint64_t whole = r->limits.max_message + 2 * KF_BLOB_OVERHEAD + KF_ANSWER_HEADS;
    return plan->bound <= (is_divisible(call, r->limits.max_frame) ? whole : r->limits.max_frame);
}

/* Writes the event of the answer that comes next in the group. 0: it is too long, or does not fit any more. */
static int add_event(struct kf_reactor *r, const kf_conn *c, const kf_ticket_entry *ticket, uint64_t failed,
                     int64_t now) {
    kf_group *g = &r->group;
    const size_t len = kf_answer_event(r->records + g->records_len, &r->call, ticket, failed, (uint64_t)now, c->id);
    if (len > KF_EVENT_MAX) return 0;
    g->body_lens[g->num] = (uint32_t)len;
    g->records_len += len;
    return 1;
}

static int fits(const struct kf_reactor *r, const kf_answer_plan *plan, size_t event_len, int recorded) {
    const kf_group *g = &r->group;
    if (g->num == KF_GROUP_MAX || (g->num && g->recorded != recorded)) return 0;
    return plan->bound <= KF_OUT_LEN - g->out_len && event_len <= KF_RECORDS_LEN - g->records_len;
}

enum kf_hot kf_hot_answer(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame, int alone, int64_t now,
                          const kf_ticket_entry **ticket, uint64_t *cost) {
    kf_group *g = &r->group;
    kf_answer_plan plan;
    kf_answer_data data;
    if (!c->caller || !kf_call_parse(&r->call, frame->at, frame->len)) return KF_HOT_COLD;
    r->plan = (kf_answer_plan){.bound = 0};
    const kf_ticket_entry *t = *ticket = kf_tickets_find(&r->tickets, c->caller, &r->call);
    if (!t || !kf_hot_holds(r, t, now)) return KF_HOT_COLD;
    if (r->call.more) return KF_HOT_JOB;
    if (!kf_answer_plan_for(&plan, &r->call, t) || !kf_hot_fits(r, &r->call, &plan)) return KF_HOT_COLD;
    const size_t event_len = kf_answer_event_bound(&r->call, t);
    if (event_len > KF_RECORDS_LEN) return KF_HOT_COLD;
    r->plan = plan;
    const uint64_t most = r->limits.threads > 1 ? KF_INLINE_COST : KF_INLINE_COST_ALONE;
    if (plan.cost > most || plan.room > KF_ROOM_LEN || plan.bound > KF_OUT_LEN || plan.bound > r->limits.max_frame)
        return KF_HOT_JOB;
    if (r->call.deadline && kf_clock_us(CLOCK_MONOTONIC) - c->arrived >= (int64_t)r->call.deadline * 1000)
        return KF_HOT_COLD;
    if (!fits(r, &plan, event_len, t->facts.recorded)) return KF_HOT_FULL;
    const kf_answering a = {.call = &r->call, .ticket = t, .nonces = &r->nonces, .alone = alone, .threads = 1,
                            .room = r->room};
    const int64_t len = kf_answer(r->out + g->out_len, &data, &a);
    *cost += plan.cost;
    if (len < 0 || (t->facts.recorded && !add_event(r, c, t, data.failed, now))) {
        kf_wipe(r->out + g->out_len, plan.bound);
        return KF_HOT_COLD;
    }
    g->recorded = t->facts.recorded;
    g->has_secrets |= kf_hot_is_secret(&r->call);
    g->cost += plan.cost;
    g->out_len += (size_t)len;
    g->answers[g->num].conn = c, g->answers[g->num].frame = *frame, g->answers[g->num].out_end = g->out_len;
    g->num++;
    c->is_grouped = 1;
    kf_hot_count(r, &r->call, t, data.failed, r->begun);
    return KF_HOT_DONE;
}
