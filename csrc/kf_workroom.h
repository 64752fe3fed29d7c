/*
 * Memory for secrets of a running call that are too many for its stack, such as the nonces of a batch of signatures.
 * It is left out of core dumps, wiped by the kernel in a child of fork, and locked as far as the limit allows.
 */
#ifndef KF_WORKROOM_H
#define KF_WORKROOM_H

#include <stddef.h>

/* At least len bytes, aligned to a cache line, of unknown but no secret contents; NULL: there is no memory. */
void *kf_workroom_take(size_t len);
/* Wipes the len bytes that were asked for, and takes the room back. */
void kf_workroom_give(void *memory, size_t len);

/* Up to this length a room is kept for the next call. */
enum { KF_WORKROOM_MOST = (2 << 20) - 64, KF_WORKROOMS = 8 };

#endif
