/*
 * Events of answered requests, as records of the audit log (docs/audit.md). Rules:
 * - every request has an event, with its time, its encryption context and its request id;
 * - events that follow each other under one ticket are one record: the first one whole, of the others what they have of
 *   their own. The log is one chain of hashes, so what it costs is its length.
 */
#include "kf_answer.h"

static const char context_name[] = "EncryptionContext", size_name[] = "NumberOfBytes", digest_name[] = "MessageType";
enum { EVENT_MEMBERS = 13, OWN_MEMBERS = 5, EVENT_HEADS = 160 /* of what is in no text */ };

static int has_size(const kf_call *call) {
    return call->op == KF_OP_DATA_KEY || call->op == KF_OP_DATA_KEY_BLOB || call->op == KF_OP_RANDOM;
}

static uint8_t *put_text(uint8_t *at, const struct kf_text *text) {
    if (text->len) memcpy(at, text->at, text->len);
    return at + text->len;
}

static uint8_t *put_request(uint8_t *at, const kf_call *call, const struct kf_ticket *t) {
    at = kf_msgpack_put_map(at, t->num_members + (uint64_t)has_size(call) + (call->num_pairs > 0) + (call->digest != 0));
    at = put_text(at, &t->members);
    if (has_size(call)) {
        at = kf_msgpack_put_str(at, size_name, sizeof size_name - 1);
        at = kf_msgpack_put_uint(at, call->size);
    }
    if (call->digest) {
        at = kf_msgpack_put_str(at, digest_name, sizeof digest_name - 1);
        at = kf_msgpack_put_str(at, "DIGEST", 6);
    }
    if (!call->num_pairs) return at;
    at = kf_msgpack_put_str(at, context_name, sizeof context_name - 1);
    return put_text(at, &call->context);
}

static char *put_decimal(char *end, uint64_t x) {
    do *--end = (char)('0' + x % 10);
    while (x /= 10);
    return end;
}

/* CONNECTION-ID: what the request is called, here and where the server answers one itself. */
static uint8_t *put_request_id(uint8_t *at, uint64_t conn, uint64_t id) {
    char text[44], *end = text + sizeof text, *start = put_decimal(end, id);
    *--start = '-';
    start = put_decimal(start, conn);
    return kf_msgpack_put_str(at, start, (size_t)(end - start));
}

/* ---- keys ------------------------------------------------------------------------------------------ */

/* Whether the ARNs of other ticket i are told already: those of one key that has several versions. */
static int is_told(const kf_answered *r, size_t i) {
    const struct kf_text *arns = &r->others->tickets[i]->arns;
    for (size_t k = 0; k <= i; k++) {
        const struct kf_text *told = k ? &r->others->tickets[k - 1]->arns : &r->ticket->arns;
        if (told->len == arns->len && memcmp(told->at, arns->at, arns->len) == 0) return 1;
    }
    return 0;
}

static size_t num_others(const kf_answered *r) { return r->others ? r->others->num : 0; }

/* From the name to the message: as the ticket has it, with the keys of the other ones. */
static uint8_t *put_facts(uint8_t *at, const kf_answered *r) {
    const kf_ticket_entry *t = r->ticket;
    const struct kf_text *event = &t->facts.event;
    if (!num_others(r)) return put_text(at, event);
    const size_t rest = (size_t)(t->arns.at + t->arns.len - event->at);
    uint64_t num = t->num_arns;
    for (size_t i = 0; i < r->others->num; i++)
        if (!is_told(r, i)) num += r->others->tickets[i]->num_arns;
    at = put_text(at, &(struct kf_text){event->at, t->arns_from});
    at = put_text(kf_msgpack_put_array(at, num), &t->arns);
    for (size_t i = 0; i < r->others->num; i++)
        if (!is_told(r, i)) at = put_text(at, &r->others->tickets[i]->arns);
    return put_text(at, &(struct kf_text){event->at + rest, event->len - rest});
}

/* ---- events ---------------------------------------------------------------------------------------- */

size_t kf_answer_event_bound(const kf_answered *r) {
    size_t len = EVENT_HEADS + r->ticket->facts.event.len + r->ticket->facts.members.len + r->call->context.len;
    for (size_t i = 0; i < num_others(r); i++) len += r->others->tickets[i]->arns.len;
    return len;
}

static uint8_t *put_counts(uint8_t *at, const kf_answered *r) {
    at = kf_msgpack_put_uint(at, kf_call_records(r->call));
    return kf_msgpack_put_uint(at, r->failed);
}

/* The whole event; request: its parameters in it. */
static uint8_t *put_event(uint8_t *at, struct kf_text *request, const kf_answered *r) {
    at = kf_msgpack_put_array(at, EVENT_MEMBERS);
    at = kf_msgpack_put_uint(at, r->now);
    at = put_facts(at, r);
    request->at = at;
    at = put_request(at, r->call, &r->ticket->facts);
    request->len = (size_t)(at - request->at);
    at = kf_msgpack_put_map(at, 0); /* response: none of an operation that uses a key */
    at = put_counts(at, r);
    *at++ = r->ticket->facts.is_read_only ? 0xc3 : 0xc2;
    return put_request_id(at, r->conn, r->call->id);
}

/* What an event behind another one has of its own. Its parameters are nil when they are the same. */
static uint8_t *put_own(uint8_t *at, const struct kf_text *first, const kf_answered *r) {
    at = kf_msgpack_put_array(at, OWN_MEMBERS);
    at = kf_msgpack_put_uint(at, r->now);
    uint8_t *const own = at;
    at = put_request(at, r->call, &r->ticket->facts);
    if ((size_t)(at - own) == first->len && memcmp(own, first->at, first->len) == 0) at = kf_msgpack_put_nil(own);
    at = put_counts(at, r);
    return put_request_id(at, r->conn, r->call->id);
}

/* Whether an event can follow the last one in its record. */
static int is_like_last(const kf_events *events, const kf_answered *r, size_t bound) {
    return events->num && !num_others(r) && events->serial == r->ticket->serial &&
           events->lens[events->num - 1] + bound <= KF_EVENT_MAX;
}

int kf_events_add(kf_events *events, const kf_answered *r) {
    const size_t bound = kf_answer_event_bound(r);
    uint8_t *const start = events->bytes + events->len;
    struct kf_text request;
    if (!kf_events_fit(events, bound)) return 0;
    const int is_like = is_like_last(events, r, bound);
    const uint8_t *end = is_like ? put_own(start, &events->request, r) : put_event(start, &request, r);
    const uint32_t len = (uint32_t)(end - start);
    if (is_like) {
        events->kinds[events->num - 1] = KF_RECORD_EVENTS;
        events->lens[events->num - 1] += len;
    } else {
        if (len > KF_EVENT_MAX) return 0;
        events->request = request;
        events->serial = num_others(r) ? 0 : r->ticket->serial;
        events->kinds[events->num] = KF_RECORD_EVENT;
        events->lens[events->num++] = len;
    }
    events->len += len;
    events->num_events++;
    return 1;
}
