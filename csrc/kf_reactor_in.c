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

/* What is being read from, and how far it is answered. */
typedef struct {
    const uint8_t *base;
    size_t len, at;
    uint64_t cost;
    int64_t now;  /* microseconds since 1970-01-01 UTC */
    int dead;     /* the connection */
} turn;

enum step { STEP_ON, STEP_WAIT, STEP_BLOCKED, STEP_AGAIN };

/* ---- handing on --------------------------------------------------------------------------------- */

static void begin(kf_conn *c, size_t len) {
    c->inflight++;
    c->pending += len;
}

static kf_buffer copy_of(const struct kf_text *frame) {
    kf_buffer b = kf_buffer_new(frame->len, frame->len);
    if (b.at && frame->len) memcpy(b.at, frame->at, frame->len);
    return b;
}

/* A frame in a buffer of its own: the connection's, when it holds nothing else, or a copy. */
static kf_buffer detach(kf_conn *c, turn *t, const struct kf_text *frame, size_t *frame_at) {
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

/* To the server; takes the buffer. Chunks are parts of a request that it has. 0: there is no memory for it. */
static int push(struct kf_reactor *r, kf_conn *c, kf_buffer *b, size_t frame_at) {
    uint64_t id, part_len;
    size_t head_len;
    if (!b->at) return 0;
    const size_t len = b->used - frame_at;
    if (!kf_call_chunk(&id, &head_len, &part_len, b->at + frame_at, len)) begin(c, len);
    __atomic_add_fetch(&r->counts.handed, 1, __ATOMIC_RELAXED);
    if (kf_event_push_frame(r, c->id, c->arrived, b, frame_at, NULL, 0)) return 1;
    kf_buffer_free(b);
    return 0;
}

static void hand_on(struct kf_reactor *r, kf_conn *c, turn *t, const struct kf_text *frame) {
    size_t frame_at;
    kf_buffer b = detach(c, t, frame, &frame_at);
    if (!push(r, c, &b, frame_at)) t->dead = 1;
}

static void malformed(struct kf_reactor *r, kf_conn *c, turn *t) {
    kf_timers_end(r, c);
    c->state = KF_CONN_ASKED; /* until the server has sent what is wrong, and drops it */
    if (!kf_event_push(r, KF_EVENT_TOO_LONG, c, NULL)) t->dead = 1;
    t->at = t->len;
}

/* ---- groups ------------------------------------------------------------------------------------- */

/* The answers from one to the next connection's: sent, or, when they could not be recorded, requests for the server. */
static size_t end_run(struct kf_reactor *r, size_t first, int recorded) {
    const kf_group *g = &r->group;
    kf_conn *c = g->answers[first].conn;
    const size_t from = first ? g->answers[first - 1].out_end : 0;
    size_t i = first;
    int alive = c->fd >= 0;
    for (; i < g->num && g->answers[i].conn == c; i++) {
        if (recorded || !alive) continue;
        kf_buffer b = copy_of(&g->answers[i].frame);
        alive = push(r, c, &b, 0);
    }
    if (alive && recorded) alive = kf_conn_send(r, c, r->out + from, g->answers[i - 1].out_end - from);
    c->is_grouped = 0;
    if (!alive)
        kf_conn_close(r, c);
    else if (c != r->reading)
        kf_conn_settle(r, c);
    return i;
}

void kf_group_end(struct kf_reactor *r) {
    kf_group *g = &r->group;
    const int recorded = !g->recorded || !g->num || kf_hot_record(r, r->records, g->body_lens, g->num) == KF_OK;
    for (size_t i = 0; i < g->num;) i = end_run(r, i, recorded);
    if (g->has_secrets) kf_wipe(r->out, g->out_len);
    kf_wipe(r->in, g->in_len);
    g->in_len = g->out_len = g->records_len = g->num = 0;
    g->cost = 0;
    g->has_secrets = 0;
}

/* ---- work for others ---------------------------------------------------------------------------- */

static kf_job *job_of(const kf_conn *c, const kf_ticket_entry *ticket) {
    kf_job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->conn = c->id, job->uid = c->uid, job->arrived = c->arrived;
    job->ticket = ticket ? kf_ticket_hold(ticket) : NULL;
    return job;
}

static void give_job(struct kf_reactor *r, kf_conn *c, turn *t, const struct kf_text *frame,
                     const kf_ticket_entry *ticket) {
    kf_job *job = job_of(c, ticket);
    if (job) job->frame = detach(c, t, frame, &job->frame_at);
    if (!job || !job->frame.at) {
        t->dead = 1;
        if (job) kf_job_free(job);
        return;
    }
    begin(c, frame->len + r->plan.bound);
    kf_workers_give(r, job);
}

/* ---- chunks ------------------------------------------------------------------------------------- */

void kf_assembly_free(kf_assembly *assembly) {
    kf_buffer_free(&assembly->frame);
    kf_buffer_free(&assembly->payload);
    free(assembly);
}

static struct kf_text *growing(kf_call *call) { return call->many ? &call->columns[0].data : &call->payload[0]; }

/* Whether the chunks of a request can be put together here. */
static int may_assemble(const struct kf_reactor *r, const kf_conn *c, const kf_call *call, size_t first_len) {
    size_t num = 0;
    for (const kf_assembly *a = c->assemblies; a; a = a->next) {
        if (a->id == call->id) return 0;
        num++;
    }
    return num < KF_ASSEMBLIES_MAX && (!call->many || call->columns[0].packed) && first_len <= r->limits.max_message &&
           call->more <= r->limits.max_message - first_len;
}

static int begin_assembly(struct kf_reactor *r, kf_conn *c, turn *t, const struct kf_text *frame) {
    const struct kf_text first = *growing(&r->call);
    if (!may_assemble(r, c, &r->call, first.len)) return 0;
    kf_assembly *a = calloc(1, sizeof *a);
    if (!a) return 0;
    *a = (kf_assembly){.id = r->call.id, .total = first.len + r->call.more, .first_len = first.len};
    a->payload = kf_buffer_new((size_t)a->total, first.len);
    if (!a->payload.at) {
        kf_assembly_free(a);
        return 0;
    }
    if (!kf_uid_announce(r, c->uid, a->total)) {
        kf_assembly_free(a); /* the server says so */
        return 0;
    }
    if (first.len) memcpy(a->payload.at, first.at, first.len);
    a->frame = detach(c, t, frame, &a->frame_at);
    if (!a->frame.at) {
        kf_uid_recant(r, c->uid, a->total);
        kf_assembly_free(a);
        t->dead = 1;
        return 1;
    }
    begin(c, frame->len);
    /* behind the one that is being read */
    kf_assembly **place = &c->assemblies;
    while (*place) place = &(*place)->next;
    *place = a;
    return 1;
}

/* The first assembly is whole: a job, for which a ticket is looked for now, since it may have changed meanwhile. */
static void end_assembly(struct kf_reactor *r, kf_conn *c, turn *t) {
    kf_assembly *a = c->assemblies;
    kf_job *job = job_of(c, NULL);
    if (!job) {
        t->dead = 1;
        return;
    }
    c->assemblies = a->next;
    job->frame = a->frame, job->frame_at = a->frame_at;
    job->payload = a->payload, job->first_len = a->first_len, job->announced = a->total;
    a->frame = a->payload = (kf_buffer){0};
    kf_assembly_free(a);
    if (kf_call_parse(&job->call, job->frame.at + job->frame_at, job->frame.used - job->frame_at)) {
        *growing(&job->call) = (struct kf_text){job->payload.at, job->payload.used};
        const kf_ticket_entry *ticket = kf_tickets_find(&r->tickets, c->caller, &job->call);
        if (ticket) job->ticket = kf_ticket_hold(ticket);
    }
    kf_workers_give(r, job);
}

/* Bytes of the chunk that is being read have come. */
static void take_part(struct kf_reactor *r, kf_conn *c, turn *t, size_t len) {
    kf_assembly *a = c->assemblies;
    a->payload.used += len;
    c->part_left -= len;
    if (!c->part_left && a->payload.used == a->total) end_assembly(r, c, t);
}

/* A chunk of a request that is put together here, as far as it is there. 0: it is none. */
static int begin_part(struct kf_reactor *r, kf_conn *c, turn *t, const uint8_t *frame, size_t frame_len, size_t there) {
    uint64_t id, part_len;
    size_t head_len;
    kf_assembly **place = &c->assemblies;
    if (!c->assemblies || !kf_call_chunk(&id, &head_len, &part_len, frame, there < frame_len ? there : frame_len))
        return 0;
    while (*place && (*place)->id != id) place = &(*place)->next;
    kf_assembly *a = *place;
    if (!a) return 0;
    if (part_len != frame_len - head_len || part_len > a->total - a->payload.used) {
        malformed(r, c, t);
        return 1;
    }
    *place = a->next, a->next = c->assemblies, c->assemblies = a;
    const size_t now = there - head_len < part_len ? there - head_len : (size_t)part_len;
    c->part_left = part_len;
    memcpy(a->payload.at + a->payload.used, frame + head_len, now);
    t->at += KF_FRAME_LEN + head_len + now;
    take_part(r, c, t, now);
    return 1;
}

/* ---- frames ------------------------------------------------------------------------------------- */

static void hello(struct kf_reactor *r, kf_conn *c, turn *t, const struct kf_text *frame) {
    kf_timers_end(r, c);
    c->state = KF_CONN_ASKED;
    hand_on(r, c, t, frame);
}

static enum step whole_frame(struct kf_reactor *r, kf_conn *c, turn *t, const struct kf_text *frame) {
    const kf_ticket_entry *ticket;
    const int alone = r->is_alone && t->at == 0 && t->len - t->at == KF_FRAME_LEN + frame->len;
    enum kf_hot hot = kf_hot_answer(r, c, frame, alone, t->now, &ticket, &t->cost);
    if (hot == KF_HOT_FULL) {
        kf_group_end(r);
        t->dead |= c->fd < 0;
        if (t->dead || !kf_conn_may_begin(r, c)) return STEP_BLOCKED;
        hot = kf_hot_answer(r, c, frame, alone, t->now, &ticket, &t->cost);
    }
    if (hot == KF_HOT_JOB && r->call.more && begin_assembly(r, c, t, frame)) return STEP_ON;
    if (hot == KF_HOT_JOB && !r->call.more)
        give_job(r, c, t, frame, ticket);
    else if (hot != KF_HOT_DONE)
        hand_on(r, c, t, frame);
    return STEP_ON;
}

/* The frame at t->at: whether the next one may be looked at. */
static enum step next_frame(struct kf_reactor *r, kf_conn *c, turn *t) {
    const size_t left = t->len - t->at;
    if (left && c->state != KF_CONN_HELLO && c->state != KF_CONN_READY) return STEP_BLOCKED;
    if (left < KF_FRAME_LEN) return STEP_WAIT;
    const uint8_t *frame = t->base + t->at + KF_FRAME_LEN;
    const uint64_t frame_len = kf_load32_be(t->base + t->at);
    const int ready = c->state == KF_CONN_READY;
    if (frame_len > (ready ? r->limits.max_frame : r->limits.max_hello)) {
        malformed(r, c, t);
        return STEP_WAIT;
    }
    if (ready && begin_part(r, c, t, frame, (size_t)frame_len, left - KF_FRAME_LEN)) return STEP_ON;
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
static void keep(kf_conn *c, turn *t, int whole) {
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
    turn t = {.base = base, .len = len, .now = kf_clock_us(CLOCK_REALTIME)};
    enum step step = STEP_ON;
    const int own = base == c->in.at;
    r->reading = c;
    r->begun = kf_metrics_now();
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
    if (t.at) kf_timers_end(r, c); /* another frame begins */
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
    turn t = {.base = r->in};
    const ssize_t got = receive(c, a->payload.at + a->payload.used, (size_t)c->part_left);
    if (got <= 0) return got;
    pthread_rwlock_rdlock(&r->tickets.lock);
    c->arrived = r->now;
    take_part(r, c, &t, (size_t)got);
    pthread_rwlock_unlock(&r->tickets.lock);
    if (!c->part_left) kf_timers_end(r, c);
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
