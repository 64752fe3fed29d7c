/*
 * What the connections of one uid have together: how many they are, and what is held for them. Rules:
 * - a uid that holds more than its share begins nothing new: its connections wait in a row, and go on one after the
 *   other as it holds less. What it holds is with the server and the workers, who need no client to be done with it;
 * - the loop alone finds and forgets uids; who has a reference may count.
 */
#if defined(__linux__)
#include <stdlib.h>

#include "kf_reactor.h"

kf_uid *kf_uid_of(struct kf_reactor *r, uint32_t uid) {
    kf_uid *u = r->uids;
    while (u && u->uid != uid) u = u->next;
    if (!u) {
        u = calloc(1, sizeof *u);
        if (!u) return NULL;
        u->uid = uid;
        kf_ring_init(&u->waiting);
        kf_ring_init(&u->jobs);
        u->next = r->uids;
        r->uids = u;
    }
    kf_uid_ref(u);
    return u;
}

void kf_uid_ref(kf_uid *u) { __atomic_add_fetch(&u->refs, 1, __ATOMIC_RELAXED); }

void kf_uid_let_go(struct kf_reactor *r, kf_uid *u) {
    if (__atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL)) return;
    kf_uid **place = &r->uids;
    while (*place != u) place = &(*place)->next;
    *place = u->next;
    free(u);
}

int kf_uid_announce(const struct kf_reactor *r, kf_uid *u, uint64_t len) {
    if (len > r->limits.max_message - u->announced) return 0;
    u->announced += len;
    return 1;
}

void kf_uid_recant(kf_uid *u, uint64_t len) { u->announced -= len; }

void kf_uid_hold(kf_uid *u, uint64_t len) { __atomic_add_fetch(&u->held, len, __ATOMIC_RELAXED); }

void kf_uid_release(struct kf_reactor *r, kf_uid *u, uint64_t len) {
    __atomic_sub_fetch(&u->held, len, __ATOMIC_RELAXED);
    kf_uid_wake(r, u);
}

int kf_uid_has_room(const struct kf_reactor *r, const kf_uid *u) {
    return __atomic_load_n(&u->held, __ATOMIC_RELAXED) <= r->limits.max_held;
}

void kf_uid_wake(struct kf_reactor *r, kf_uid *u) {
    if (kf_ring_is_empty(&u->waiting) || !kf_uid_has_room(r, u)) return;
    kf_conn *c = KF_RING_OF(kf_conn, waiting, u->waiting.next);
    kf_ring_remove(&c->waiting);
    kf_conn_again(r, c);
}
#endif
