/*
 * Requests that are not answered in the loop: to the server, or to the workers. What they hold is counted for their
 * connection and its uid until they are answered.
 */
#if defined(__linux__)
#include <stdlib.h>

#include "kf_reactor.h"

static kf_buffer copy_of(const struct kf_text *frame) {
    kf_buffer b = kf_buffer_new(frame->len, frame->len);
    if (b.at && frame->len) memcpy(b.at, frame->at, frame->len);
    return b;
}

kf_buffer kf_frame_detach(kf_conn *c, const kf_turn *t, const struct kf_text *frame, size_t *frame_at) {
    *frame_at = 0;
    if (t->base == c->in.at && frame->at == t->base + KF_FRAME_LEN && frame->at + frame->len == t->base + t->len) {
        kf_buffer b = c->in;
        b.used = t->len;
        c->in = (kf_buffer){0};
        *frame_at = KF_FRAME_LEN;
        return b;
    }
    return copy_of(frame);
}

/* Takes the buffer. Chunks are parts of a request that the server has, and held until it takes them. */
static int push(struct kf_reactor *r, kf_conn *c, kf_buffer *b, size_t frame_at) {
    uint64_t id, part_len;
    size_t head_len;
    if (!b->at) return 0;
    const size_t len = b->used - frame_at;
    const int is_chunk = kf_call_chunk(&id, &head_len, &part_len, b->at + frame_at, len);
    const kf_handed handed = {.conn = c->id, .uid = c->uid, .arrived = c->arrived, .frame = b, .frame_at = frame_at,
                              .is_chunk = is_chunk};
    if (!kf_event_push_frame(r, &handed)) {
        kf_buffer_free(b);
        return 0;
    }
    if (is_chunk)
        c->queued += len;
    else
        kf_conn_begin(c, len);
    __atomic_add_fetch(&r->counts.handed, 1, __ATOMIC_RELAXED);
    return 1;
}

int kf_hand_on_copy(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame) {
    kf_buffer b = copy_of(frame);
    return push(r, c, &b, 0);
}

void kf_hand_on(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame) {
    size_t frame_at;
    kf_buffer b = kf_frame_detach(c, t, frame, &frame_at);
    if (!push(r, c, &b, frame_at)) t->dead = 1;
}

void kf_hand_malformed(struct kf_reactor *r, kf_conn *c, kf_turn *t) {
    kf_timeout_end(&c->reads);
    c->state = KF_CONN_ASKED; /* until the server has sent what is wrong, and drops it */
    if (!kf_event_push(r, KF_EVENT_TOO_LONG, c, NULL)) t->dead = 1;
    t->at = t->len;
}

void kf_hand_job(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame,
                 const kf_ticket_entry *ticket) {
    kf_job *job = kf_job_new(c, ticket);
    if (job) job->frame = kf_frame_detach(c, t, frame, &job->frame_at);
    if (!job || !job->frame.at) {
        t->dead = 1;
        if (job) kf_job_free(r, job);
        return;
    }
    kf_conn_begin(c, frame->len + r->plan.bound);
    kf_workers_give(r, c, job);
}
#endif
