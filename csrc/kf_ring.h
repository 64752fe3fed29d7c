/*
 * Rings: lists whose members know both neighbours, so that each of them can leave at once. A member is in one ring at a
 * time; one that is zero is in none.
 */
#ifndef KF_RING_H
#define KF_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct kf_ring {
    struct kf_ring *prev, *next; /* of a head: itself when the ring is empty; of a member: NULL when it is in none */
} kf_ring;

#define KF_RING_OF(type, member, ring) ((type *)(void *)((uint8_t *)(ring) - offsetof(type, member)))

static inline void kf_ring_init(kf_ring *head) { head->prev = head->next = head; }
static inline int kf_ring_is_empty(const kf_ring *head) { return head->next == head; }
static inline void kf_ring_append(kf_ring *head, kf_ring *member) {
    member->prev = head->prev, member->next = head;
    head->prev->next = member;
    head->prev = member;
}
static inline void kf_ring_remove(kf_ring *member) {
    if (!member->next) return;
    member->prev->next = member->next;
    member->next->prev = member->prev;
    member->prev = member->next = NULL;
}

#endif
