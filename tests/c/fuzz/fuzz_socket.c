/*
 * Frames of the socket, genuine, changed and noise, cut anywhere, on one connection of a reactor whose parts are called
 * one after another. Law: each request is answered, or handed on, or its chunks are awaited, once; or the connection ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#if defined(__linux__)

#include "kf_reactor.h"

enum { MOST = 1 << 15, MAX_FRAME = 2048, MAX_MESSAGE = 8192, TEXT = 30, FRAMES = 24 };

/* What is sent, and what an onlooker counts in it. */
typedef struct {
    uint8_t bytes[MOST], *at;
} stream;

typedef struct {
    uint64_t requests;
    int malformed; /* the connection ends there */
} expected;

static struct kf_reactor *reactor;
static uint64_t epoch, keys[2], store;
static uint8_t genuine_blob[TEXT + KF_BLOB_OVERHEAD], other_blob[TEXT + KF_BLOB_OVERHEAD];

static void open_reactor(void) {
    const struct kf_reactor_limits limits = {.max_frame = MAX_FRAME, .max_hello = 256, .max_message = MAX_MESSAGE,
                                             .max_unsent = 1 << 24, .max_pending = 1 << 24, .max_inflight = 1 << 20, .max_held = 1 << 24,
                                             .max_connections = 4, .max_open = 4, .hello_ms = 1 << 20, .frame_ms = 1 << 20,
                                             .write_ms = 1 << 20, .threads = 1};
    static const int operations[] = {1, 3, 4, 33, 35, 36}, opening[] = {2, 34}, drawing[] = {10, 42};
    static const uint8_t text[TEXT];
    uint8_t prefix[KF_PREFIX_LEN];
    struct kf_ticket t = {.due = INT64_MAX, .max_record = 1 << 20};
    fuzz_open_library(&store, keys);
    LAW(kf_reactor_open(&reactor, NULL, 0, &epoch, &limits) == KF_OK, "open");
    LAW(kf_key_prefix(keys[0], prefix) == KF_OK, "prefix");
    LAW(kf_blob_seal_one(keys[0], genuine_blob, text, TEXT, NULL, 0, NULL, 0) == KF_OK, "seal");
    for (size_t i = 0; i < 2; i++) LAW(kf_ticket_put(reactor, 1, drawing[i], NULL, 0, NULL, 0, &t) == KF_OK, "ticket");
    t.key = keys[0];
    for (size_t i = 0; i < 6; i++)
        LAW(kf_ticket_put(reactor, 1, operations[i], (const uint8_t *)"k", 1, NULL, 0, &t) == KF_OK, "ticket");
    for (size_t i = 0; i < 2; i++)
        LAW(kf_ticket_put(reactor, 1, opening[i], NULL, 0, prefix, KF_HEADER_LEN, &t) == KF_OK, "ticket");
    t.key = keys[1];
    LAW(kf_blob_seal_one(keys[1], other_blob, text, TEXT, NULL, 0, NULL, 0) == KF_OK, "seal");
    LAW(kf_ticket_put(reactor, 1, 34, NULL, 0, other_blob, KF_HEADER_LEN, &t) == KF_OK, "ticket");
}

/* ---- what is sent ------------------------------------------------------------------------------------------ */

static uint8_t *put_bin(uint8_t *at, const uint8_t *bytes, size_t len) {
    at = kf_msgpack_put_bin(at, len);
    memcpy(at, bytes, len);
    return at + len;
}

/* A record among others: genuine, of another key, cut, changed or nil, when its length is UINT32_MAX. */
static uint32_t mixed(uint8_t bytes[sizeof genuine_blob], fuzz_input *in, const uint8_t *record, size_t len) {
    const unsigned what = fuzz_u8(in);
    memcpy(bytes, record, len);
    if (what % 8 == 0) return UINT32_MAX;
    if (what % 8 == 1 && len == sizeof other_blob) memcpy(bytes, other_blob, len);
    if (what % 8 == 2 && len) return fuzz_u8(in) % (uint32_t)len;
    if (what % 8 == 3 && len) bytes[fuzz_u8(in) % len] ^= (uint8_t)(1 + what / 8);
    return (uint32_t)len;
}

static uint8_t *put_mixed(uint8_t *at, fuzz_input *in, size_t num, const uint8_t *record, size_t len) {
    uint8_t bytes[8][sizeof genuine_blob], lengths[8 * 4];
    uint32_t lens[8], sum = 0;
    const int packed = fuzz_u8(in) & 1;
    for (size_t i = 0; i < num; i++) {
        lens[i] = mixed(bytes[i], in, record, len);
        for (int k = 0; k < 4; k++) lengths[4 * i + (size_t)k] = (uint8_t)(lens[i] >> (8 * k));
        if (lens[i] != UINT32_MAX) sum += lens[i];
    }
    at = kf_msgpack_put_array(at, packed ? 3 : num);
    if (packed) at = kf_msgpack_put_bin(put_bin(kf_msgpack_put_uint(at, num), lengths, 4 * num), sum);
    for (size_t i = 0; i < num; i++) {
        if (lens[i] == UINT32_MAX) {
            if (!packed) at = kf_msgpack_put_nil(at);
            continue;
        }
        if (!packed) at = kf_msgpack_put_bin(at, lens[i]);
        memcpy(at, bytes[i], lens[i]);
        at += lens[i];
    }
    return at;
}

static uint8_t *put_payload(uint8_t *at, fuzz_input *in, unsigned op) {
    static const uint8_t text[TEXT];
    const size_t num = fuzz_u8(in) % 8u;
    const uint8_t *const record = op % 32 == 2 ? genuine_blob : text;
    const size_t len = op % 32 == 2 ? sizeof genuine_blob : fuzz_u8(in) % TEXT;
    if (op < 3) return put_bin(at, record, len);
    if (op < 32) return kf_msgpack_put_uint(at, fuzz_u8(in) * 5u);
    if (op != 33 && op != 34) return kf_msgpack_put_uint(kf_msgpack_put_uint(kf_msgpack_put_array(at, 2), num), fuzz_u8(in));
    const unsigned form = fuzz_u8(in) % 4u;
    if (form > 1) return put_mixed(at, in, num, record, len);
    if (form) {
        at = kf_msgpack_put_uint(kf_msgpack_put_array(at, 3), num);
        at = kf_msgpack_put_uint(at, len);
        at = kf_msgpack_put_bin(at, num * len);
        for (size_t i = 0; i < num; i++, at += len) memcpy(at, record, len);
        return at;
    }
    at = kf_msgpack_put_array(at, num);
    for (size_t i = 0; i < num; i++) at = put_bin(at, record, len);
    return at;
}

/* A request as clients write them. */
static uint8_t *put_request(uint8_t *at, fuzz_input *in, unsigned op, uint64_t more) {
    at = kf_msgpack_put_array(at, more ? 6 : 5);
    at = kf_msgpack_put_uint(at, fuzz_u8(in) % 4u);
    at = kf_msgpack_put_uint(at, op);
    at = op % 32 == 2 || op % 32 == 10 ? kf_msgpack_put_nil(at) : kf_msgpack_put_str(at, "k", 1);
    if (fuzz_u8(in) & 1 && op % 32 != 2)
        at = kf_msgpack_put_str(kf_msgpack_put_str(kf_msgpack_put_map(at, 1), "a", 1), "b", 1);
    else
        at = kf_msgpack_put_nil(at);
    at = put_payload(at, in, op);
    if (more) at = kf_msgpack_put_uint(kf_msgpack_put_str(kf_msgpack_put_map(at, 1), "more", 4), more);
    return at;
}

static uint8_t *put_chunk(uint8_t *at, fuzz_input *in) {
    static const uint8_t bytes[256];
    at = kf_msgpack_put_array(at, 3);
    at = kf_msgpack_put_uint(kf_msgpack_put_uint(at, fuzz_u8(in) % 4u), 0);
    return put_bin(at, bytes, fuzz_u8(in));
}

/* A frame: genuine, with one byte changed, noise, or with a length that is not its own. */
static void add_frame(stream *s, fuzz_input *in) {
    static const unsigned operations[] = {1, 2, 3, 4, 10, 33, 34, 35, 36, 42, 1, 1, 9, 5, 2, 33};
    uint8_t *const start = s->at + 4, *at = start;
    const unsigned what = fuzz_u8(in), kind = what >> 4;
    if (kind < 9) at = put_request(at, in, operations[what & 15], kind == 8 ? fuzz_u64(in, 2) % 600 : 0);
    else if (kind < 13) at = put_chunk(at, in);
    else at += (fuzz_bytes(in, at, what & 15), what & 15);
    if (kind == 7 || kind == 12) start[fuzz_u8(in) % (size_t)(at - start)] ^= fuzz_u8(in);
    uint32_t len = (uint32_t)(at - start);
    if (kind == 15 && fuzz_u8(in) > 200) len = (uint32_t)fuzz_u64(in, 4);
    kf_store32_be(s->at, len);
    s->at = at;
}

/* ---- what must come of it -------------------------------------------------------------------------------------- */

static int is_chunk(const uint8_t *frame, size_t len) {
    uint64_t id, part;
    size_t head;
    return kf_call_chunk(&id, &head, &part, frame, len);
}

static expected count(const stream *s) {
    expected e = {0, 0};
    for (const uint8_t *at = s->bytes; s->at - at >= 4;) {
        const size_t len = kf_load32_be(at);
        if (len > MAX_FRAME) {
            e.malformed = 1;
            break;
        }
        if ((size_t)(s->at - at) - 4 < len) break;
        e.requests += !is_chunk(at + 4, len);
        at += 4 + len;
    }
    return e;
}

/* Frames with status 0; what the parts and errors of the server would be is not sent here. */
static uint64_t answers_in(int fd) {
    static uint8_t in[1 << 18];
    uint64_t num = 0, id, status, elements;
    size_t len = 0;
    for (ssize_t got; len < sizeof in && (got = recv(fd, in + len, sizeof in - len, MSG_DONTWAIT)) > 0;) len += (size_t)got;
    for (const uint8_t *at = in; (size_t)(in + len - at) >= 4;) {
        const size_t frame = kf_load32_be(at);
        LAW(frame <= MAX_FRAME && (size_t)(in + len - at) - 4 >= frame, "an answer of %zu bytes", frame);
        kf_msgpack m = {at + 4, at + 4 + frame};
        LAW(kf_msgpack_array(&m, &elements) && elements == 3 && kf_msgpack_uint(&m, &id) && kf_msgpack_uint(&m, &status) &&
                (status == 0 || status == 2), "no answer");
        num += status == 0;
        at += 4 + frame;
    }
    return num;
}

/* Frames that were handed on; *closed: the connection is, or is to be. */
static uint64_t events_in(int *closed) {
    struct kf_event e;
    uint64_t num = 0;
    for (kf_reactor_take(reactor, &e); e.kind != KF_EVENT_NONE; kf_reactor_take(reactor, &e)) {
        if (e.kind == KF_EVENT_FRAME) num += !is_chunk(e.frame.at, e.frame.len);
        if (e.kind == KF_EVENT_CLOSED || e.kind == KF_EVENT_TOO_LONG) *closed = 1;
        kf_reactor_done(reactor, &e);
    }
    return num;
}

/* Waits for the workers: each of their jobs comes back. */
static void finish_jobs(kf_conn *c, uint64_t *handed, int *closed) {
    for (;;) {
        uint64_t open = 0;
        for (const kf_assembly *a = c->assemblies; a; a = a->next) open++;
        for (kf_job *job = kf_workers_done(reactor), *next; job; job = next) {
            next = job->next;
            if (job->answer) {
                kf_conn_answered(reactor, c, 1);
                LAW(kf_conn_send_answer(reactor, c, job), "an answer cannot be sent");
            }
            kf_job_free(reactor, job);
        }
        const uint64_t more = events_in(closed);
        *handed += more;
        if (c->inflight == *handed + open) return;
        usleep(50);
    }
}

static void read_or_resume(kf_conn *c) {
    if (!c->is_again && !c->is_blocked) {
        kf_conn_read(reactor, c);
        return;
    }
    reactor->again = NULL;
    reactor->again_end = &reactor->again;
    kf_conn_resume(reactor, c);
}

static void run(const uint8_t *data, size_t len) {
    static stream s;
    fuzz_input in = {data, len};
    uint64_t handed = 0, answers = 0, open = 0;
    int pair[2], closed = 0;
    if (!reactor) open_reactor();
    s.at = s.bytes;
    for (int i = 0; i < FRAMES && in.left && s.at - s.bytes < MOST - 4096; i++) add_frame(&s, &in);
    const expected e = count(&s);
    LAW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0, "socketpair");
    kf_conn *c = kf_conn_open(reactor, pair[0], 0);
    LAW(c != NULL, "connection");
    kf_timeout_end(&c->reads);
    c->state = KF_CONN_READY, c->caller = 1;
    for (const uint8_t *at = s.bytes; at < s.at && c->fd >= 0;) {
        size_t piece = 1 + (fuzz_u8(&in) & 1 ? fuzz_u8(&in) : fuzz_u64(&in, 2));
        if (piece > (size_t)(s.at - at)) piece = (size_t)(s.at - at);
        LAW(send(pair[1], at, piece, 0) == (ssize_t)piece, "send: %d", errno);
        at += piece;
        for (int i = 0; i < 64 && c->fd >= 0 && c->state == KF_CONN_READY; i++) read_or_resume(c);
        kf_group_end(reactor);
        kf_nonces_end(&reactor->nonces);
        if (c->fd < 0 || c->state != KF_CONN_READY) break;
        kf_conn_flush(reactor, c);
        answers += answers_in(pair[1]);
    }
    if (c->fd >= 0) {
        finish_jobs(c, &handed, &closed);
        LAW(kf_conn_flush(reactor, c) && !c->out, "something is left");
        answers += answers_in(pair[1]);
        for (const kf_assembly *a = c->assemblies; a; a = a->next) open++;
        if (!closed)
            LAW(!e.malformed && answers + handed + open == e.requests, "%d requests, %d answers, %d handed on, %d open",
                (int)e.requests, (int)answers, (int)handed, (int)open);
        LAW(answers + handed + open <= e.requests, "more answers than requests");
        kf_conn_close(reactor, c);
    }
    kf_conn_free_closed(reactor);
    events_in(&closed);
    kf_events_returned(reactor);
    close(pair[1]);
    fuzz_socket.tried += e.requests, fuzz_socket.past_header += answers + handed, fuzz_socket.opened += answers;
}

#else

static void run(const uint8_t *data, size_t len) { (void)data, (void)len; }

#endif

fuzz_target fuzz_socket = {.name = "socket", .run = run};
