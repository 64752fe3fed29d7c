/* Connections: their numbers, what the kernel is asked for, their timers, and their end. */
#if defined(__linux__)
#include <stdlib.h>
#include <sys/epoll.h>
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

/* ---- connections of a uid ----------------------------------------------------------------------- */

static kf_uid_count *uid_count(struct kf_reactor *r, uint32_t uid) {
    for (uint32_t i = 0; i < r->num_uids; i++)
        if (r->uids[i].uid == uid) return &r->uids[i];
    return NULL;
}

/* Counts one more; 0: that is too many. */
static int add_uid(struct kf_reactor *r, uint32_t uid) {
    kf_uid_count *known = uid_count(r, uid);
    if (known) return known->num < r->limits.max_connections && ++known->num;
    if (r->num_uids == r->max_uids) {
        const uint32_t max = r->max_uids ? 2 * r->max_uids : 16;
        kf_uid_count *uids = realloc(r->uids, max * sizeof *uids);
        if (!uids) return 0;
        r->uids = uids, r->max_uids = max;
    }
    r->uids[r->num_uids++] = (kf_uid_count){.uid = uid, .num = 1};
    return 1;
}

static void drop_if_unused(struct kf_reactor *r, kf_uid_count *known) {
    if (!known->num && !known->announced) *known = r->uids[--r->num_uids];
}

static void remove_uid(struct kf_reactor *r, uint32_t uid) {
    kf_uid_count *known = uid_count(r, uid);
    known->num--;
    drop_if_unused(r, known);
}

int kf_uid_announce(struct kf_reactor *r, uint32_t uid, uint64_t len) {
    kf_uid_count *known = uid_count(r, uid);
    if (len > r->limits.max_message - known->announced) return 0;
    known->announced += len;
    return 1;
}

void kf_uid_recant(struct kf_reactor *r, uint32_t uid, uint64_t len) {
    kf_uid_count *known = len ? uid_count(r, uid) : NULL;
    if (!known) return;
    known->announced -= len;
    drop_if_unused(r, known);
}

/* ---- timers ------------------------------------------------------------------------------------- */

static kf_timers *timers_of(struct kf_reactor *r, const kf_conn *c) {
    return c->state == KF_CONN_HELLO ? &r->hellos : &r->frames;
}

void kf_timers_end(struct kf_reactor *r, kf_conn *c) {
    kf_timers *t = timers_of(r, c);
    if (!c->timer_at) return;
    *(c->timer_prev ? &c->timer_prev->timer_next : &t->first) = c->timer_next;
    *(c->timer_next ? &c->timer_next->timer_prev : &t->last) = c->timer_prev;
    c->timer_prev = c->timer_next = NULL;
    c->timer_at = 0;
}

void kf_timers_start(struct kf_reactor *r, kf_timers *t, kf_conn *c) {
    kf_timers_end(r, c);
    c->timer_at = r->now + t->length;
    c->timer_prev = t->last, c->timer_next = NULL;
    *(t->last ? &t->last->timer_next : &t->first) = c;
    t->last = c;
}

static void check(struct kf_reactor *r, kf_timers *t) {
    while (t->first && t->first->timer_at <= r->now) {
        __atomic_add_fetch(&r->counts.timeouts, 1, __ATOMIC_RELAXED);
        kf_conn_close(r, t->first);
    }
}

void kf_timers_check(struct kf_reactor *r) {
    check(r, &r->hellos);
    check(r, &r->frames);
}

/* ---- the kernel's part -------------------------------------------------------------------------- */

int kf_conn_may_begin(const struct kf_reactor *r, const kf_conn *c) {
    return (c->state == KF_CONN_HELLO || c->state == KF_CONN_READY) && c->unsent <= r->limits.max_unsent &&
           c->inflight < r->limits.max_inflight && c->pending <= r->limits.max_pending;
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
    if (c->state == KF_CONN_HELLO) return; /* its timer runs since it was accepted */
    /* a frame that has begun, or a peer that does not take the last that it is sent */
    const int waits = is_read ? c->in.at || c->part_left : c->state == KF_CONN_ENDING;
    if (!waits)
        kf_timers_end(r, c);
    else if (!c->timer_at)
        kf_timers_start(r, &r->frames, c);
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

/* Takes the descriptor. NULL: it was closed. */
kf_conn *kf_conn_open(struct kf_reactor *r, int fd, uint32_t uid) {
    struct epoll_event e = {.events = EPOLLIN};
    const int counted = add_uid(r, uid);
    kf_conn *c = counted && (r->num_free || grow_slots(r)) ? calloc(1, sizeof *c) : NULL;
    e.data.ptr = c;
    if (!c || epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
        if (counted) remove_uid(r, uid);
        const struct kf_text *refusal = &r->limits.refusal;
        if (refusal->len) (void)!send(fd, refusal->at, refusal->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        __atomic_add_fetch(&r->counts.refused, 1, __ATOMIC_RELAXED);
        free(c);
        close(fd);
        return NULL;
    }
    const uint32_t slot = r->free_slots[--r->num_free];
    c->id = (uint64_t)++r->serials[slot] << 32 | slot;
    c->fd = fd, c->uid = uid, c->mask = EPOLLIN, c->out_end = &c->out, c->arrived = r->now;
    r->conns[slot] = c;
    r->num_open++;
    __atomic_store_n(&r->counts.connections, r->num_open, __ATOMIC_RELAXED);
    kf_timers_start(r, &r->hellos, c);
    return c;
}

/* The memory of a connection stays until the round is over, in which it may still be named. */
void kf_conn_close(struct kf_reactor *r, kf_conn *c) {
    const uint32_t slot = (uint32_t)c->id;
    if (c->fd < 0) return;
    kf_timers_end(r, c);
    close(c->fd);
    c->fd = -1;
    remove_uid(r, c->uid);
    r->conns[slot] = NULL;
    r->free_slots[r->num_free++] = slot;
    r->num_open--;
    __atomic_store_n(&r->counts.connections, r->num_open, __ATOMIC_RELAXED);
    kf_buffer_free(&c->in);
    kf_pieces_free(c);
    while (c->assemblies) {
        kf_assembly *first = c->assemblies;
        c->assemblies = first->next;
        kf_uid_recant(r, c->uid, first->total);
        kf_assembly_free(first);
    }
    if (c->inflight) kf_workers_forget(r, c->id);
    kf_event_push(r, KF_EVENT_CLOSED, c, NULL);
    c->timer_next = r->closed;
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
        r->closed = c->timer_next;
        free(c);
    }
}
#endif
