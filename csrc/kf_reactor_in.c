/*
 * From bytes to requests. All connections read into one buffer; what is not whole, or has to wait, is kept by its
 * connection in a buffer of its own, which is as long as the frame. Payloads that come in chunks are read to where
 * they are to be used.
 */
#if defined(__linux__)
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "kf_reactor.h"

enum { CHUNK_HEAD = 20 /* bytes of [id, 0, and the header of a bin, at most */, SHORT_FRAME = 512 };

enum step { STEP_ON, STEP_WAIT, STEP_BLOCKED, STEP_AGAIN };

/* ---- frames ------------------------------------------------------------------------------------- */

static void hello(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame) {
    kf_timeout_end(&c->reads);
    c->state = KF_CONN_ASKED;
    kf_hand_on(r, c, t, frame);
}

static enum step whole_frame(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame) {
    const kf_ticket_entry *ticket;
    const int alone = r->is_alone && t->at == 0 && t->len - t->at == KF_FRAME_LEN + frame->len;
    enum kf_hot hot = kf_hot_answer(r, c, frame, alone, t->now, &ticket, &t->cost);
    if (hot == KF_HOT_FULL) {
        kf_group_end(r);
        t->dead |= c->fd < 0;
        if (t->dead || !kf_conn_may_begin(r, c)) return STEP_BLOCKED;
        hot = kf_hot_answer(r, c, frame, alone, t->now, &ticket, &t->cost);
    }
    if (hot == KF_HOT_HELD) {
        kf_conn_hold(r, c);
        return STEP_BLOCKED;
    }
    if (hot == KF_HOT_JOB && r->call.more && kf_chunks_begin(r, c, t, frame)) return STEP_ON;
    if (hot == KF_HOT_JOB && !r->call.more)
        kf_hand_job(r, c, t, frame, ticket);
    else if (hot != KF_HOT_DONE)
        kf_hand_on(r, c, t, frame);
    return STEP_ON;
}

/* The frame at t->at: whether the next one may be looked at. */
static enum step next_frame(struct kf_reactor *r, kf_conn *c, kf_turn *t) {
    const size_t left = t->len - t->at;
    if (left && c->state != KF_CONN_HELLO && c->state != KF_CONN_READY) return STEP_BLOCKED;
    if (left < KF_FRAME_LEN) return STEP_WAIT;
    const uint8_t *frame = t->base + t->at + KF_FRAME_LEN;
    const uint64_t frame_len = kf_load32_be(t->base + t->at);
    const int ready = c->state == KF_CONN_READY;
    if (frame_len > (ready ? r->limits.max_frame : r->limits.max_hello)) {
        kf_hand_malformed(r, c, t);
        return STEP_WAIT;
    }
    if (ready && kf_chunks_part(r, c, t, frame, (size_t)frame_len, left - KF_FRAME_LEN)) return STEP_ON;
    if (left - KF_FRAME_LEN < frame_len) return STEP_WAIT;
    if (!kf_conn_may_begin(r, c)) return STEP_BLOCKED;
    if (t->cost > KF_TURN_COST) return STEP_AGAIN;
    const struct kf_text text = {frame, (size_t)frame_len};
    enum step step = STEP_ON;
    if (ready)
        step = whole_frame(r, c, t, &text);
    else
        hello(r, c, t, &text);
    if (step == STEP_ON) t->at += KF_FRAME_LEN + text.len;
    return step;
}

/* How long a buffer for what is left has to be: the frame, but of what may be a chunk only as much as tells. */
static size_t room_for(const kf_conn *c, const uint8_t *left, size_t left_len) {
    if (left_len < KF_FRAME_LEN) return SHORT_FRAME;
    const size_t frame_len = kf_load32_be(left);
    if (c->assemblies && left_len < KF_FRAME_LEN + CHUNK_HEAD && frame_len > CHUNK_HEAD) return KF_FRAME_LEN + CHUNK_HEAD;
    return KF_FRAME_LEN + frame_len;
}

/* Keeps what is left from t->at on in a buffer of the connection. whole: of frames that wait. */
static void keep(kf_conn *c, kf_turn *t, int whole) {
    const size_t left = t->len - t->at;
    if (!left) {
        kf_buffer_free(&c->in);
        c->in_len = 0;
        return;
    }
    const uint8_t *from = t->base + t->at;
    const size_t room = whole ? left : room_for(c, from, left);
    if (from == c->in.at && room <= c->in.len) {
        c->in_len = left;
        return;
    }
    kf_buffer b = kf_buffer_new(room > left ? room : left, left);
    if (!b.at) {
        t->dead = 1;
        return;
    }
    memcpy(b.at, from, left);
    kf_buffer_free(&c->in);
    c->in = b;
    c->in_len = left;
}

/* The bytes that were read at a place of the common buffer: kept as long as the group's requests are there. */
static void release_input(struct kf_reactor *r, size_t at, size_t len) {
    if (r->group.num)
        r->group.in_len = at + len;
    else
        kf_wipe(r->in + at, len);
}

/* Answers, hands on or keeps all that is there. */
static void consume(struct kf_reactor *r, kf_conn *c, const uint8_t *base, size_t len) {
    kf_turn t = {.base = base, .len = len, .now = r->today};
    enum step step = STEP_ON;
    const int own = base == c->in.at;
    kf_conn_unhold(r, c); /* what it waited for is looked at anew */
    r->reading = c;
    pthread_rwlock_rdlock(&r->tickets.lock);
    while (step == STEP_ON && !t.dead) step = next_frame(r, c, &t);
    pthread_rwlock_unlock(&r->tickets.lock);
    /* what is not recorded need not wait, and a buffer of the connection's own cannot */
    if (r->group.num && (own || !r->group.recorded || r->group.cost > KF_GROUP_COST)) {
        kf_group_end(r); /* the group's input is wiped before this one's, of which some may be left */
        t.dead |= c->fd < 0;
    }
    r->reading = NULL;
    c->is_blocked = step == STEP_BLOCKED;
    if (t.at) kf_timeout_end(&c->reads); /* another frame begins */
    if (!t.dead) keep(c, &t, step == STEP_BLOCKED || step == STEP_AGAIN);
    if (!own) release_input(r, (size_t)(base - r->in), len);
    if (t.dead) {
        kf_conn_close(r, c);
        return;
    }
    if (step == STEP_AGAIN) kf_conn_again(r, c);
    kf_conn_settle(r, c);
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Bytes read; 0: none are there; -1: there will be none. */
static ssize_t receive(const kf_conn *c, uint8_t *to, size_t len) {
    for (;;) {
        const ssize_t got = recv(c->fd, to, len, MSG_DONTWAIT);
        if (got > 0) return got;
        if (got == 0) return -1;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) return -1;
    }
}

/* To where the chunk that is being read belongs. */
static ssize_t receive_part(struct kf_reactor *r, kf_conn *c) {
    kf_assembly *a = c->assemblies;
    kf_turn t = {.base = r->in};
    const ssize_t got = receive(c, a->payload.at + a->payload.used, (size_t)c->part_left);
    if (got <= 0) return got;
    pthread_rwlock_rdlock(&r->tickets.lock);
    c->arrived = r->now;
    kf_chunks_more(r, c, &t, (size_t)got);
    pthread_rwlock_unlock(&r->tickets.lock);
    if (!c->part_left) kf_timeout_end(&c->reads);
    if (t.dead)
        kf_conn_close(r, c);
    else
        kf_conn_settle(r, c);
    return got;
}

static ssize_t receive_frames(struct kf_reactor *r, kf_conn *c) {
    const int own = c->in.at != NULL;
    if (!own && KF_IN_ROOM - r->group.in_len < KF_IN_LEN) kf_group_end(r);
    uint8_t *base = own ? c->in.at : r->in + r->group.in_len;
    const size_t have = own ? c->in_len : 0, room = own ? c->in.len : KF_IN_LEN;
    const size_t most = own ? room_for(c, base, have) : room; /* a mapping may be longer than the frame */
    const ssize_t got = receive(c, base + have, (most < room ? most : room) - have);
    if (got <= 0) return got;
    c->arrived = r->now;
    if (own) c->in.used = have + (size_t)got > c->in.used ? have + (size_t)got : c->in.used;
    consume(r, c, base, have + (size_t)got);
    return got;
}

void kf_conn_read(struct kf_reactor *r, kf_conn *c) {
    const ssize_t got = c->part_left ? receive_part(r, c) : receive_frames(r, c);
    if (got >= 0) return;
    c->eof = 1;
    kf_chunks_forget(r, c);
    /* the server may wait for chunks too */
    if (c->inflight && !kf_event_push(r, KF_EVENT_HALF_CLOSED, c, NULL))
        kf_conn_close(r, c);
    else
        kf_conn_settle(r, c);
}

void kf_conn_resume(struct kf_reactor *r, kf_conn *c) {
    if (c->fd >= 0 && (c->is_blocked || c->is_again) && kf_conn_may_begin(r, c)) {
        c->is_blocked = c->is_again = 0;
        consume(r, c, c->in.at, c->in_len);
    } else {
        kf_conn_settle(r, c);
    }
}
#endif
