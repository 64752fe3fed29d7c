/* The table of tickets (kf_ticket.h): a set of few places for each hash, so that a look-up is bounded. */
#include "kf_ticket.h"

#include <stdlib.h>

#include "kf_blob.h"
#include "kf_rng.h"

int kf_tickets_init(kf_tickets *tickets) {
    memset(tickets, 0, sizeof *tickets);
    const int status = kf_random((uint8_t *)tickets->seed, sizeof tickets->seed);
    if (status != KF_OK) return status;
    KF_DECLASSIFY(tickets->seed, sizeof tickets->seed); /* must be unknown to callers, no more: it protects no secret */
    return pthread_rwlock_init(&tickets->lock, NULL) == 0 ? KF_OK : KF_ERR_MEMORY;
}

/* ---- names --------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t add(uint64_t h, uint64_t factor, const struct kf_text *text) {
    uint64_t word;
    size_t at = 0;
    h = mix(h ^ text->len, factor);
    for (; at + sizeof word <= text->len; at += sizeof word) {
        memcpy(&word, text->at + at, sizeof word);
        h = mix(h ^ word, factor);
    }
    for (word = 0; at < text->len; at++) word = word << 8 | text->at[at];
    return mix(h ^ word, factor);
}

static uint64_t hash_of(const kf_tickets *tickets, uint64_t caller, int operation, const struct kf_text *key,
                        const struct kf_text *fact) {
    const uint64_t factor = tickets->seed[1] | 1;
    const uint64_t start = mix(tickets->seed[0] ^ caller, factor ^ (uint64_t)operation << 32);
    return add(add(start, factor, key), factor, fact);
}

static int same(const struct kf_text *a, const struct kf_text *b) {
    return a->len == b->len && (!a->len || memcmp(a->at, b->at, a->len) == 0);
}

static int is_of(const kf_ticket_entry *e, uint64_t hash, uint64_t caller, int operation, const struct kf_text *key,
                 const struct kf_text *fact) {
    return e->hash == hash && e->caller == caller && e->operation == operation && same(&e->key, key) &&
           same(&e->fact, fact);
}

enum { LOOK_AT = 64 /* records of a batch, for one that is a blob */ };

/* The header of the first record that begins as a blob does, which names a key version; NULL: there is none. */
static const uint8_t *first_header(const kf_call *call) {
    const kf_call_column *column = &call->columns[0];
    if (!call->many) return call->payload[0].len >= KF_HEADER_LEN ? call->payload[0].at : NULL;
    uint64_t at = 0;
    for (uint64_t i = 0; i < column->num && i < LOOK_AT; i++) {
        const uint8_t *header = kf_call_peek(column, i, &at, KF_HEADER_LEN, KF_BLOB_OVERHEAD);
        if (header && kf_blob_header_check(header) == KF_REC_OK) return header;
    }
    return NULL;
}

/* What the ticket of a call depends on beside its key. 0: there is none. */
static int fact_of(struct kf_text *fact, const kf_call *call) {
    *fact = call->algorithm;
    if (call->op == KF_OP_DECRYPT) *fact = (struct kf_text){first_header(call), KF_HEADER_LEN};
    return call->op != KF_OP_DECRYPT || fact->at;
}

int kf_ticket_is_for(const kf_ticket_entry *entry, const kf_call *call) {
    struct kf_text fact;
    return fact_of(&fact, call) && same(&entry->fact, &fact);
}

static const kf_ticket_entry *find(const kf_tickets *tickets, uint64_t caller, const kf_call *call,
                                   const struct kf_text *fact) {
    const int operation = call->op + (call->many ? KF_OP_BATCH : 0);
    const uint64_t hash = hash_of(tickets, caller, operation, &call->key, fact);
    kf_ticket_entry *const *set = tickets->slots + hash % (KF_TICKETS_MAX / KF_TICKET_WAYS) * KF_TICKET_WAYS;
    for (int i = 0; i < KF_TICKET_WAYS; i++)
        if (set[i] && is_of(set[i], hash, caller, operation, &call->key, fact)) return set[i];
    return NULL;
}

const kf_ticket_entry *kf_tickets_find(const kf_tickets *tickets, uint64_t caller, const kf_call *call) {
    struct kf_text fact;
    return fact_of(&fact, call) ? find(tickets, caller, call, &fact) : NULL;
}

kf_ticket_entry *kf_ticket_of_blobs(const kf_ticket_source *source, uint64_t caller, const kf_call *call,
                                    const uint8_t header[KF_HEADER_LEN]) {
    const struct kf_text fact = {header, KF_HEADER_LEN};
    if (!source->is_locked) pthread_rwlock_rdlock(&source->tickets->lock);
    const kf_ticket_entry *found = find(source->tickets, caller, call, &fact);
    kf_ticket_entry *held = found && kf_ticket_holds(found, source->epoch, source->now) ? kf_ticket_hold(found) : NULL;
    if (!source->is_locked) pthread_rwlock_unlock(&source->tickets->lock);
    return held;
}

/* ---- entries ------------------------------------------------------------------------------------- */

kf_ticket_entry *kf_ticket_hold(const kf_ticket_entry *entry) {
    kf_ticket_entry *e = (kf_ticket_entry *)(uintptr_t)entry;
    __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    return e;
}

void kf_ticket_let_go(kf_ticket_entry *entry) {
    if (entry && __atomic_sub_fetch(&entry->refs, 1, __ATOMIC_ACQ_REL) == 0) free(entry);
}

static uint8_t *copy(uint8_t *at, struct kf_text *out, const struct kf_text *text) {
    if (text->len) memcpy(at, text->at, text->len);
    *out = (struct kf_text){text->len ? at : NULL, text->len};
    return at + text->len;
}

/* The digest of the key's blobs before the context. */
static int begin(kf_sha256_ctx *hash, uint64_t key) {
    uint8_t prefix[KF_PREFIX_LEN];
    const int status = kf_key_prefix(key, prefix);
    if (status == KF_OK) kf_blob_digest_begin(hash, prefix);
    return status;
}

static int has_blobs(int operation) {
    const int op = operation & (KF_OP_BATCH - 1);
    return op >= KF_OP_ENCRYPT && op <= KF_OP_DATA_KEY_BLOB;
}

/* Where the ARNs are in name, region, keys and what follows. */
static void find_arns(kf_ticket_entry *e) {
    const struct kf_text *event = &e->facts.event;
    struct kf_text text;
    if (!event->len) return;
    kf_msgpack in = {event->at, event->at + event->len};
    if (!kf_msgpack_str(&in, &text) || !kf_msgpack_str(&in, &text)) return;
    const uint8_t *const from = in.at;
    if (!kf_msgpack_array(&in, &e->num_arns)) return;
    const uint8_t *const start = in.at;
    for (uint64_t i = 0; i < e->num_arns; i++)
        if (!kf_msgpack_str(&in, &text)) return;
    e->arns_from = (size_t)(from - event->at);
    e->arns = (struct kf_text){start, (size_t)(in.at - start)};
}

static kf_ticket_entry *entry_of(const struct kf_text *key, const struct kf_text *fact, const struct kf_ticket *ticket) {
    kf_ticket_entry *e = calloc(1, sizeof *e + key->len + fact->len + ticket->event.len + ticket->members.len);
    if (!e) return NULL;
    uint8_t *at = e->bytes;
    e->facts = *ticket;
    at = copy(at, &e->key, key);
    at = copy(at, &e->fact, fact);
    at = copy(at, &e->facts.event, &ticket->event);
    copy(at, &e->facts.members, &ticket->members);
    find_arns(e);
    e->refs = 1;
    return e;
}

/* Which place of a set a new ticket gets: that of its predecessor, a free one, or in turn. */
static kf_ticket_entry **place_of(kf_tickets *tickets, const kf_ticket_entry *e) {
    kf_ticket_entry **set = tickets->slots + e->hash % (KF_TICKETS_MAX / KF_TICKET_WAYS) * KF_TICKET_WAYS;
    kf_ticket_entry **place = set + tickets->next++ % KF_TICKET_WAYS;
    for (int i = 0; i < KF_TICKET_WAYS; i++) {
        if (set[i] && is_of(set[i], e->hash, e->caller, e->operation, &e->key, &e->fact)) return set + i;
        if (!set[i]) place = set + i;
    }
    return place;
}

int kf_tickets_put(kf_tickets *tickets, uint64_t caller, int operation, const struct kf_text *key,
                   const struct kf_text *fact, const struct kf_ticket *ticket) {
    if (!caller || fact->len > KF_TICKET_FACT_MAX || ticket->slot >= KF_REACTOR_SLOTS) return KF_ERR_ARGUMENT;
    kf_ticket_entry *e = entry_of(key, fact, ticket);
    if (!e) return KF_ERR_MEMORY;
    e->caller = caller, e->operation = operation;
    e->hash = hash_of(tickets, caller, operation, &e->key, &e->fact);
    const int status = has_blobs(operation) ? begin(&e->begun, ticket->key) : KF_OK;
    if (status != KF_OK) {
        kf_ticket_let_go(e);
        return status;
    }
    pthread_rwlock_wrlock(&tickets->lock);
    e->serial = ++tickets->num_put;
    tickets->changes++;
    kf_ticket_entry **place = place_of(tickets, e), *old = *place;
    *place = e;
    pthread_rwlock_unlock(&tickets->lock);
    kf_ticket_let_go(old);
    return KF_OK;
}

void kf_tickets_forget(kf_tickets *tickets, uint64_t caller) {
    pthread_rwlock_wrlock(&tickets->lock);
    tickets->changes++;
    for (size_t i = 0; i < KF_TICKETS_MAX; i++)
        if (tickets->slots[i] && (!caller || tickets->slots[i]->caller == caller)) {
            kf_ticket_let_go(tickets->slots[i]);
            tickets->slots[i] = NULL;
        }
    pthread_rwlock_unlock(&tickets->lock);
}

void kf_tickets_destroy(kf_tickets *tickets) {
    kf_tickets_forget(tickets, 0);
    pthread_rwlock_destroy(&tickets->lock);
}
