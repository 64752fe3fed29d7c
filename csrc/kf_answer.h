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
    size_t around; /* of these, of errors of records */
    size_t room;   /* bytes that making it takes beside that */
    uint64_t cost; /* about how many nanoseconds */
} kf_answer_plan;

/* The digest of a call's context under its ticket's key, kept for calls that have both in common. */
typedef struct {
    int is_known;
    uint8_t bytes[KF_DIGEST_LEN];
} kf_known_digest;

/* The tickets under which a batch was answered beside its own, held. */
enum { KF_ANSWER_KEYS_MAX = 16 /* with its own */ };
typedef struct {
    kf_ticket_entry *tickets[KF_ANSWER_KEYS_MAX - 1];
    size_t num;
} kf_answer_others;
void kf_answer_let_go(kf_answer_others *others);

typedef struct {
    const kf_call *call;
    const kf_ticket_entry *ticket;
    kf_nonces *nonces;
    kf_known_digest *digest; /* or NULL */
    const kf_ticket_source *source;
    kf_answer_others *others; /* none at first */
    int alone, threads;
    void *room; /* aligned to 8 */
} kf_answering;

/* Where in the answer the bytes of its bin, or of its column, are: what may be sent in parts. 0 bytes: nothing. failed:
 * records that are answered by no, signatures and MACs that do not verify, or that have an error. */
typedef struct {
    size_t at, len;
    uint64_t failed;
    int has_errors; /* which are in the answer, behind its values */
} kf_answer_data;

/* 0: the ticket does not cover what is asked for. */
int kf_answer_plan_for(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket);
/* The length of the frame written to out, its 4 bytes of length included, or a negative enum kf_status. */
int64_t kf_answer(uint8_t *out, kf_answer_data *data, const kf_answering *a);

/* What is recorded of a request. */
typedef struct {
    const kf_call *call;
    const kf_ticket_entry *ticket;
    const kf_answer_others *others; /* or NULL */
    uint64_t failed, now, conn;     /* now: microseconds since 1970-01-01 UTC */
} kf_answered;

/* How many bytes its event takes at most. */
size_t kf_answer_event_bound(const kf_answered *answered);

/* Records of events, to be appended together. */
enum { KF_RECORD_EVENT = 1, KF_RECORD_EVENTS = 4, /* docs/audit.md */
       KF_EVENT_MAX = 100 << 10 /* bytes of one event, as the server has it, and of several */ };
typedef struct {
    uint8_t *bytes; /* their bodies, back to back, in room bytes */
    size_t room, len, num;
    uint64_t num_events;
    uint64_t serial;        /* of the last record: its ticket, */
    struct kf_text request; /* and the parameters of its first event */
    uint32_t lens[KF_LOG_MAX_RECORDS];
    uint8_t kinds[KF_LOG_MAX_RECORDS];
} kf_events;

/* Whether an event of at most so many bytes can be added. */
static inline int kf_events_fit(const kf_events *events, size_t bound) {
    return events->num < KF_LOG_MAX_RECORDS && bound <= events->room - events->len;
}
/* 0: the event is too long, or does not fit. */
int kf_events_add(kf_events *events, const kf_answered *answered);
static inline void kf_events_forget(kf_events *events) { events->len = events->num = 0, events->num_events = 0; }

/* ---- what the files of answers share ------------------------------------------------------------ */

/* The plan of an operation, whose answers are written by its maker. Makers return where the next byte goes, or NULL and
 * *status: why not. */
typedef struct {
    int (*plan)(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket);
    uint8_t *(*make)(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a);
} kf_answer_maker;

extern const kf_answer_maker kf_answer_blobs, kf_answer_opened, kf_answer_data_keys, kf_answer_random;
extern const kf_answer_maker kf_answer_signatures, kf_answer_verified, kf_answer_macs, kf_answer_macs_verified;

/* The digest of a request's context under the ticket's key, and its canonical context, for functions on batches. */
void kf_answer_digest(uint8_t digest[KF_DIGEST_LEN], const kf_answering *a);
size_t kf_answer_context_len(const kf_call *call);
void kf_answer_put_context(uint8_t *at, const kf_call *call);
/* The ticket for blobs that begin with a header, which no other one was found for; NULL: there is none. */
const kf_ticket_entry *kf_answer_other(const kf_answering *a, const uint8_t header[KF_HEADER_LEN]);

/* The room of an answer, from which pieces are cut, aligned to 8. An answer that needs none has NULL as its room. */
static inline size_t kf_answer_piece(size_t len) { return (len + 7) & ~(size_t)7; }
static inline void *kf_answer_cut(void **room, size_t len) {
    uint8_t *at = *room;
    if (len) *room = at + kf_answer_piece(len);
    return at;
}

enum { KF_ANSWER_HEADS = 64 /* bytes of an answer's headers, of all arrays and columns in it, at most */ };

#endif
