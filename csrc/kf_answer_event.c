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

size_t kf_answer_event_bound(const kf_call *call, const kf_ticket_entry *ticket) {
    return EVENT_HEADS + ticket->facts.event.len + ticket->facts.members.len + call->context.len;
}

/* The whole event; request: its parameters in it. */
static uint8_t *put_event(uint8_t *at, struct kf_text *request, const kf_call *call, const kf_ticket_entry *ticket,
                          uint64_t failed, uint64_t now, uint64_t conn) {
    const struct kf_ticket *t = &ticket->facts;
    at = kf_msgpack_put_array(at, EVENT_MEMBERS);
    at = kf_msgpack_put_uint(at, now);
    at = put_text(at, &t->event);
    request->at = at;
    at = put_request(at, call, t);
    request->len = (size_t)(at - request->at);
    at = kf_msgpack_put_map(at, 0); /* response: none of an operation that uses a key */
    at = kf_msgpack_put_uint(at, kf_call_records(call));
    at = kf_msgpack_put_uint(at, failed);
    *at++ = t->is_read_only ? 0xc3 : 0xc2;
    return put_request_id(at, conn, call->id);
}

/* ---- several ------------------------------------------------------------------------------------- */

/* What an event behind another one has of its own. Its parameters are nil when they are the same. */
static uint8_t *put_own(uint8_t *at, const struct kf_text *first, const kf_call *call, const kf_ticket_entry *ticket,
                        uint64_t failed, uint64_t now, uint64_t conn) {
    at = kf_msgpack_put_array(at, OWN_MEMBERS);
    at = kf_msgpack_put_uint(at, now);
    uint8_t *const own = at;
    at = put_request(at, call, &ticket->facts);
    if ((size_t)(at - own) == first->len && memcmp(own, first->at, first->len) == 0) at = kf_msgpack_put_nil(own);
    at = kf_msgpack_put_uint(at, kf_call_records(call));
    at = kf_msgpack_put_uint(at, failed);
    return put_request_id(at, conn, call->id);
}

int kf_events_add(kf_events *events, const kf_call *call, const kf_ticket_entry *ticket, uint64_t failed, uint64_t now,
                  uint64_t conn) {
    const size_t bound = kf_answer_event_bound(call, ticket);
    uint8_t *const start = events->bytes + events->len;
    if (!kf_events_fit(events, bound)) return 0;
    if (events->num && events->serial == ticket->serial && events->lens[events->num - 1] + bound <= KF_EVENT_MAX) {
        const size_t len = (size_t)(put_own(start, &events->request, call, ticket, failed, now, conn) - start);
        events->kinds[events->num - 1] = KF_RECORD_EVENTS;
        events->lens[events->num - 1] += (uint32_t)len;
        events->len += len;
    } else {
        struct kf_text request;
        const size_t len = (size_t)(put_event(start, &request, call, ticket, failed, now, conn) - start);
        if (len > KF_EVENT_MAX) return 0;
        events->request = request;
        events->serial = ticket->serial;
        events->kinds[events->num] = KF_RECORD_EVENT;
        events->lens[events->num++] = (uint32_t)len;
        events->len += len;
    }
    events->num_events++;
    return 1;
}
