/*
 * Answers to requests by number, under a ticket. Rules:
 * - an answer is whole and right, or there is none: whatever does not succeed is for the server, which knows the one
 *   error of it. What was written for it until then is wiped;
 * - nothing is allocated here: who asks has planned how much room the answer takes;
 * - of secrets only the answer itself keeps anything.
 */
#ifndef KF_ANSWER_H
#define KF_ANSWER_H

#include "kf_rng.h"
#include "kf_ticket.h"

enum { KF_FRAME_LEN = 4 /* bytes of the length before a frame */ };

/* Nonces of single records, drawn for the requests that are answered in one go, and forgotten with them. */
enum { KF_NONCES = 64 };
typedef struct {
    kf_rng rng;
    int seeded;
    size_t left; /* nonces not used yet, at the end of drawn */
    uint8_t drawn[KF_NONCES * KF_NONCE_LEN];
} kf_nonces;

/* A fresh one. alone: no other is likely to be asked for, so that one system call is enough. */
int kf_nonces_next(kf_nonces *nonces, uint8_t nonce[KF_NONCE_LEN], int alone);
void kf_nonces_end(kf_nonces *nonces);

typedef struct {
    size_t bound;  /* bytes of the answer, its length included, at most */
    size_t room;   /* bytes that making it takes beside that */
    uint64_t cost; /* about how many nanoseconds */
} kf_answer_plan;

typedef struct {
    const kf_call *call;
    const kf_ticket_entry *ticket;
    kf_nonces *nonces;
    int alone, threads;
    void *room; /* aligned to 8 */
} kf_answering;

/* Where in the answer the bytes of its bin, or of its column, are: what may be sent in parts. 0 bytes: nothing. failed:
 * records that are answered by no, signatures and MACs that do not verify. */
typedef struct {
    size_t at, len;
    uint64_t failed;
} kf_answer_data;

/* 0: the ticket does not cover what is asked for. */
int kf_answer_plan_for(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket);
/* The length of the frame written to out, its 4 bytes of length included, or a negative enum kf_status. */
int64_t kf_answer(uint8_t *out, kf_answer_data *data, const kf_answering *a);

/* How many bytes the event of an answered request takes at most (docs/audit.md), and the event itself: its length. */
size_t kf_answer_event_bound(const kf_call *call, const kf_ticket_entry *ticket);
size_t kf_answer_event(uint8_t *out, const kf_call *call, const kf_ticket_entry *ticket, uint64_t failed, uint64_t now,
                       uint64_t conn);

/* ---- what the files of answers share ------------------------------------------------------------ */

/* The plan of an operation, whose answers are written by its maker. Makers return where the next byte goes, or NULL and
 * *status: why not. */
typedef struct {
    int (*plan)(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket);
    uint8_t *(*make)(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a);
} kf_answer_maker;

extern const kf_answer_maker kf_answer_blobs, kf_answer_opened, kf_answer_data_keys, kf_answer_random;
extern const kf_answer_maker kf_answer_signatures, kf_answer_verified, kf_answer_macs, kf_answer_macs_verified;

/* The room of an answer, from which pieces are cut, aligned to 8. An answer that needs none has NULL as its room. */
static inline size_t kf_answer_piece(size_t len) { return (len + 7) & ~(size_t)7; }
static inline void *kf_answer_cut(void **room, size_t len) {
    uint8_t *at = *room;
    if (len) *room = at + kf_answer_piece(len);
    return at;
}

enum { KF_ANSWER_HEADS = 64 /* bytes of an answer's headers, of all arrays and columns in it, at most */ };

#endif
