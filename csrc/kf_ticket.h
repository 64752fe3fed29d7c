/*
 * Tickets: how hot requests are answered (struct kf_ticket). Rules:
 * - a ticket is immutable once it is in the table; who replaces it leaves the old one to those that still hold it;
 * - it holds while the epoch is what it was and until it is due. That is asked after the request was received, so that
 *   nothing is begun under a decision that was changed before;
 * - the table is bounded. Names come from callers that are authorised, but what they choose must not make it slow:
 *   the hash has a key of its own.
 */
#ifndef KF_TICKET_H
#define KF_TICKET_H

#include <pthread.h>

#include "kf_call.h"

enum { KF_TICKETS_MAX = 8192, KF_TICKET_WAYS = 8, KF_TICKET_FACT_MAX = 64 };

typedef struct {
    struct kf_ticket facts;  /* its texts are in bytes */
    kf_sha256_ctx begun;     /* of blobs: the digest before the context is added */
    uint64_t hash, caller;
    uint64_t serial;         /* no other ticket has it */
    uint32_t refs;           /* atomic */
    int64_t asked_at;        /* atomic: when one of its requests was handed on because it does not hold; 0: none was */
    int operation;
    struct kf_text key, fact;
    struct kf_text arns;     /* of the event's keys, in msgpack; at = NULL: its event is of another form */
    uint64_t num_arns;
    size_t arns_from;        /* where in the event their array begins; it ends with them */
    uint8_t bytes[];
} kf_ticket_entry;

typedef struct {
    pthread_rwlock_t lock;   /* of slots, and of what they hold until kf_ticket_hold */
    uint64_t seed[2];
    kf_ticket_entry *slots[KF_TICKETS_MAX]; /* in sets of KF_TICKET_WAYS */
    uint32_t next;           /* which of a full set is replaced next */
    uint64_t num_put;        /* ever */
    uint64_t changes;        /* of slots: as long as there is none, what was found is there */
} kf_tickets;

int kf_tickets_init(kf_tickets *tickets);
void kf_tickets_destroy(kf_tickets *tickets);
int kf_tickets_put(kf_tickets *tickets, uint64_t caller, int operation, const struct kf_text *key,
                   const struct kf_text *fact, const struct kf_ticket *ticket);
void kf_tickets_forget(kf_tickets *tickets, uint64_t caller);

/* The ticket of a call, or NULL; under the lock, taken by the caller for reading. */
const kf_ticket_entry *kf_tickets_find(const kf_tickets *tickets, uint64_t caller, const kf_call *call);
/* Whether a ticket for the operation and key of a call is for what else it depends on. */
int kf_ticket_is_for(const kf_ticket_entry *entry, const kf_call *call);
/* Whether it holds at a time, in microseconds since 1970-01-01 UTC. */
static inline int kf_ticket_holds(const kf_ticket_entry *entry, const uint64_t *epoch, int64_t now) {
    return __atomic_load_n(epoch, __ATOMIC_ACQUIRE) == entry->facts.epoch && now < entry->facts.due;
}

/* Where tickets for the other keys of a batch of blobs are looked for. */
typedef struct {
    kf_tickets *tickets;
    const uint64_t *epoch;
    int64_t now;
    int is_locked; /* by who asks */
} kf_ticket_source;
/* The ticket of a Decrypt's blobs that begin with a header: held, to be let go; NULL: there is none that holds. */
kf_ticket_entry *kf_ticket_of_blobs(const kf_ticket_source *source, uint64_t caller, const kf_call *call,
                                    const uint8_t header[KF_HEADER_LEN]);
/* Keeps an entry beyond the lock, until it is let go. */
kf_ticket_entry *kf_ticket_hold(const kf_ticket_entry *entry);
void kf_ticket_let_go(kf_ticket_entry *entry);

#endif
