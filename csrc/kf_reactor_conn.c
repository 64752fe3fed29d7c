/* Connections: their numbers, what the kernel is asked for, their timers, and their end. */
#if defined(__linux__)
#include <stdlib.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kf_reactor.h"

/* ---- numbers ------------------------------------------------------------------------------------ */

kf_conn *kf_conn_of(struct kf_reactor *r, uint64_t id) {
    const uint32_t slot = (uint32_t)id;
    kf_conn *c = slot < r->num_slots ? r->conns[slot] : NULL;
    return c && c->id == id ? c : NULL;
}

static int grow_slots(struct kf_reactor *r) {
    const uint32_t num = r->num_slots ? 2 * r->num_slots : 64;
    kf_conn **conns = realloc(r->conns, num * sizeof *conns);
    if (conns) r->conns = conns;
    uint32_t *serials = realloc(r->serials, num * sizeof *serials);
    if (serials) r->serials = serials;
    uint32_t *free_slots = realloc(r->free_slots, num * sizeof *free_slots);
    if (free_slots) r->free_slots = free_slots;
    if (!conns || !serials || !free_slots) return 0;
    for (uint32_t i = num; i-- > r->num_slots;) {
        conns[i] = NULL, serials[i] = 0;
        free_slots[r->num_free++] = i;
    }
    r->num_slots = num;
    return 1;
}

/* ---- what others work on ------------------------------------------------------------------------- */

void kf_conn_owe(kf_conn *c, uint64_t len) {
    c->pending += len;
    kf_uid_hold(c->uid, len);
}

void kf_conn_begin(kf_conn *c, uint64_t len) {
    c->inflight++;
    kf_conn_owe(c, len);
}

/* What each of them holds is not kept: they count alike. */
void kf_conn_answered(struct kf_reactor *r, kf_conn *c, uint32_t num) {
    if (num > c->inflight) num = c->inflight;
    if (!num) return;
    const uint64_t done = num == c->inflight ? c->pending : c->pending / c->inflight * num;
    c->inflight -= num;
    c->pending -= done;
    kf_uid_release(r, c->uid, done);
}

/* ---- timers ------------------------------------------------------------------------------------- */

static void start(const struct kf_reactor *r, kf_timeouts *timers, kf_timeout *timer) {
    kf_timeout_end(timer);
    timer->at = r->now + timers->length;
    kf_ring_append(&timers->running, &timer->ring);
}

void kf_timeout_end(kf_timeout *timer) {
    kf_ring_remove(&timer->ring);
    timer->at = 0;
}

static kf_timeout *first_of(const kf_timeouts *timers) {
    const kf_ring *head = &timers->running;
    return kf_ring_is_empty(head) ? NULL : KF_RING_OF(kf_timeout, ring, head->next);
}

static kf_conn *reader_of(kf_timeout *timer) { return KF_RING_OF(kf_conn, reads, timer); }
static kf_conn *writer_of(kf_timeout *timer) { return KF_RING_OF(kf_conn, writes, timer); }

/* What of its answers lies with the kernel. That becomes less with each read, while the socket is writable again only
 * when most of it has gone. */
static int unread_by(const kf_conn *c) {
    int len = 0;
    return ioctl(c->fd, SIOCOUTQ, &len) == 0 ? len : 0;
}

static void start_writes(struct kf_reactor *r, kf_conn *c) {
    c->unread = unread_by(c);
    start(r, &r->writes, &c->writes);
}

static int goes_on(struct kf_reactor *r, kf_timeout *timer) {
    kf_conn *c = writer_of(timer);
    if (unread_by(c) >= c->unread) return 0;
    start_writes(r, c);
    return 1;
}

static void end(struct kf_reactor *r, kf_conn *c) {
    __atomic_add_fetch(&r->counts.timeouts, 1, __ATOMIC_RELAXED);
    kf_conn_close(r, c);
}

static kf_timeout *over(const struct kf_reactor *r, const kf_timeouts *timers) {
    kf_timeout *first = first_of(timers);
    return first && first->at <= r->now ? first : NULL;
}

void kf_timeouts_check(struct kf_reactor *r) {
    kf_timeout *timer;
    while ((timer = over(r, &r->hellos)) != NULL || (timer = over(r, &r->frames)) != NULL) end(r, reader_of(timer));
    while ((timer = over(r, &r->writes)) != NULL)
        if (!goes_on(r, timer)) end(r, writer_of(timer));
}

int64_t kf_timeouts_until(const struct kf_reactor *r) {
    const kf_timeouts *const all[] = {&r->hellos, &r->frames, &r->writes, &r->holds};
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const kf_timeout *first = first_of(all[i]);
        if (first && first->at < until) until = first->at;
    }
    return until;
}

/* ---- requests that are held ---------------------------------------------------------------------- */

static void set_held(struct kf_reactor *r, uint32_t num) { __atomic_store_n(&r->num_held, num, __ATOMIC_SEQ_CST); }

void kf_conn_hold(struct kf_reactor *r, kf_conn *c) {
    start(r, &r->holds, &c->held);
    set_held(r, r->num_held + 1);
}

void kf_conn_unhold(struct kf_reactor *r, kf_conn *c) {
    if (!c->held.at) return;
    kf_timeout_end(&c->held);
    set_held(r, r->num_held - 1);
}

int kf_holds_are_over(const struct kf_reactor *r) {
    return r->num_held && __atomic_load_n(&r->num_renewed, __ATOMIC_SEQ_CST) != r->renewals;
}

/* Each once, though it may be held again. */
void kf_holds_check(struct kf_reactor *r) {
    const int renewed = kf_holds_are_over(r);
    if (renewed) r->renewals = __atomic_load_n(&r->num_renewed, __ATOMIC_SEQ_CST);
    for (uint32_t num = r->num_held; num && r->num_held; num--) {
        kf_conn *c = KF_RING_OF(kf_conn, held, first_of(&r->holds));
        if (!renewed && c->held.at > r->now) break;
        kf_conn_unhold(r, c);
        kf_conn_resume(r, c);
        kf_uid_wake(r, c->uid);
    }
}

/* ---- the kernel's part -------------------------------------------------------------------------- */

int kf_conn_may_begin(const struct kf_reactor *r, const kf_conn *c) {
    return (c->state == KF_CONN_HELLO || c->state == KF_CONN_READY) && c->unsent <= r->limits.max_unsent &&
           c->inflight < r->limits.max_inflight && c->pending + c->queued <= r->limits.max_pending &&
           (c->state == KF_CONN_HELLO || kf_uid_has_room(r, c->uid));
}

/* Not while a request waits: as long as none does, chunks of those that were begun may come. */
static int reads(const struct kf_reactor *r, const kf_conn *c) {
    return (c->state == KF_CONN_HELLO || c->state == KF_CONN_READY) && c->unsent <= r->limits.max_unsent &&
           !c->is_again && !c->is_blocked && !c->eof && !r->stop_at;
}

/* A connection that is to end, by itself or with the reactor, does when everything is answered. */
static int is_over(const struct kf_reactor *r, const kf_conn *c) {
    if (c->is_grouped) return 0;
    if (c->out || c->is_again || c->is_blocked) return c->state == KF_CONN_ENDING && !c->out;
    if (c->state == KF_CONN_ENDING) return 1;
    return (c->eof || r->stop_at) && (!c->inflight || c->state == KF_CONN_HELLO);
}

/* A request waits for its uid to hold less, or for the server to take chunks. */
static void wait_for_others(struct kf_reactor *r, kf_conn *c) {
    const int waits = c->is_blocked || c->is_again, is_full = waits && !kf_uid_has_room(r, c->uid);
    if (!is_full)
        kf_ring_remove(&c->waiting);
    else if (!c->waiting.next)
        kf_ring_append(&c->uid->waiting, &c->waiting);
    kf_conn_hungry(r, c, is_full || (waits && c->queued));
}

void kf_conn_settle(struct kf_reactor *r, kf_conn *c) {
    if (c->fd < 0) return;
    if (is_over(r, c)) {
        kf_conn_close(r, c);
        return;
    }
    const int is_read = reads(r, c);
    const uint32_t mask = (is_read ? (uint32_t)EPOLLIN : 0) | (c->out ? (uint32_t)EPOLLOUT : 0);
    if (mask != c->mask) {
        struct epoll_event e = {.events = mask, .data.ptr = c};
        epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        c->mask = mask;
    }
    wait_for_others(r, c);
    if (!c->out)
        kf_timeout_end(&c->writes);
    else if (!c->writes.at)
        start_writes(r, c);
    if (c->state == KF_CONN_HELLO) return; /* its timer runs since it was accepted */
    /* a frame that has begun, or a peer that does not take the last that it is sent */
    const int waits = is_read ? c->in.at || c->part_left : c->state == KF_CONN_ENDING;
    if (!waits)
        kf_timeout_end(&c->reads);
    else if (!c->reads.at)
        start(r, &r->frames, &c->reads);
}

void kf_conn_again(struct kf_reactor *r, kf_conn *c) {
    c->is_again = 1;
    if (c->is_listed) return;
    c->is_listed = 1;
    c->again_next = NULL;
    *r->again_end = c;
    r->again_end = &c->again_next;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static void refuse(struct kf_reactor *r, int fd, const struct kf_text *why) {
    if (why->len) (void)!send(fd, why->at, why->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    __atomic_add_fetch(&r->counts.refused, 1, __ATOMIC_RELAXED);
    close(fd);
}

/* Takes the descriptor. NULL: it was closed. */
kf_conn *kf_conn_open(struct kf_reactor *r, int fd, uint32_t uid) {
    struct epoll_event e = {.events = EPOLLIN};
    kf_uid *u = kf_uid_of(r, uid);
    const int may = u && u->num < r->limits.max_connections && r->num_open < r->limits.max_open;
    kf_conn *c = may && (r->num_free || grow_slots(r)) ? calloc(1, sizeof *c) : NULL;
    e.data.ptr = c;
    if (!c || epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
        refuse(r, fd, u && u->num >= r->limits.max_connections ? &r->limits.refusal : &r->limits.full);
        if (u) kf_uid_let_go(r, u);
        free(c);
        return NULL;
    }
    const uint32_t slot = r->free_slots[--r->num_free];
    c->id = (uint64_t)++r->serials[slot] << 32 | slot;
    c->fd = fd, c->uid = u, c->mask = EPOLLIN, c->out_end = &c->out, c->jobs_end = &c->jobs, c->arrived = r->now;
    u->num++;
    r->conns[slot] = c;
    r->num_open++;
    __atomic_store_n(&r->counts.connections, r->num_open, __ATOMIC_RELAXED);
    start(r, &r->hellos, &c->reads);
    return c;
}

/* The memory of a connection stays until the round is over, in which it may still be named. */
void kf_conn_close(struct kf_reactor *r, kf_conn *c) {
    const uint32_t slot = (uint32_t)c->id;
    if (c->fd < 0) return;
    kf_timeout_end(&c->reads);
    kf_timeout_end(&c->writes);
    kf_conn_unhold(r, c);
    /* A child that was forked meanwhile may have a copy, for which epoll would go on to name this connection. */
    epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1;
    c->uid->num--;
    r->conns[slot] = NULL;
    r->free_slots[r->num_free++] = slot;
    r->num_open--;
    __atomic_store_n(&r->counts.connections, r->num_open, __ATOMIC_RELAXED);
    kf_buffer_free(&c->in);
    kf_pieces_free(c);
    kf_ring_remove(&c->waiting);
    kf_conn_hungry(r, c, 0);
    kf_workers_forget(r, c);
    kf_chunks_forget(r, c);
    kf_conn_answered(r, c, c->inflight);
    kf_uid_wake(r, c->uid); /* it may have been its turn */
    kf_event_push(r, KF_EVENT_CLOSED, c, NULL);
    c->next_closed = r->closed;
    r->closed = c;
}

void kf_conn_free_closed(struct kf_reactor *r) {
    kf_conn **again = &r->again;
    while (*again) /* those that are closed are waiting for nothing */
        if ((*again)->fd < 0)
            *again = (*again)->again_next;
        else
            again = &(*again)->again_next;
    r->again_end = again;
    while (r->closed) {
        kf_conn *c = r->closed;
        r->closed = c->next_closed;
        kf_uid_let_go(r, c->uid);
        free(c);
    }
}
#endif
