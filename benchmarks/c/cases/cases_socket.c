/*
 * The reactor of the socket, from frame to frame, in this process. Many requests are sent at once and all their answers
 * read at once, so that how threads meet has next to no part in it. What the kernel does is timed but not counted.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cases.h"
#include "kf_msgpack.h"

#if defined(__linux__)

enum { MOST = 256, FRAMES_ROOM = 1 << 17, FIRST_ID = 1000, OP_ENCRYPT = 1, OP_DECRYPT = 2, OP_ENCRYPT_MANY = 33 };

static struct {
    const cases_keys *keys;
    struct kf_reactor *reactor;
    uint64_t epoch;
    int listening, client, log, lock;
    struct kf_log_end end;
    uint8_t frames[FRAMES_ROOM], answers[FRAMES_ROOM];
    size_t frames_len, answers_len;
} state;

static uint32_t load32(const uint8_t *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }

static void store32(uint8_t *at, size_t x) { at[0] = (uint8_t)(x >> 24), at[1] = (uint8_t)(x >> 16), at[2] = (uint8_t)(x >> 8), at[3] = (uint8_t)x; }

/* ---- the server ------------------------------------------------------------------------------------------------------ */

/* Answers the hello of the one connection, and lets everybody be caller 1. */
static void *serve(void *arg) {
    static const uint8_t welcome[] = {0, 0, 0, 5, 0x93, 0xa1, 'h', 1, 0x80};
    (void)arg;
    for (;;) {
        struct pollfd fd = {.fd = kf_reactor_event_fd(state.reactor), .events = POLLIN};
        struct kf_event e;
        poll(&fd, 1, -1);
        for (kf_reactor_take(state.reactor, &e); e.kind != KF_EVENT_NONE; kf_reactor_take(state.reactor, &e)) {
            if (e.kind == KF_EVENT_FRAME && kf_reactor_send(state.reactor, e.conn, welcome, sizeof welcome, 1) == KF_OK)
                kf_reactor_admit(state.reactor, e.conn, 1);
            kf_reactor_done(state.reactor, &e);
        }
    }
    return NULL;
}

static void *loop(void *arg) {
    (void)arg;
    if (kf_reactor_run(state.reactor) != KF_OK) fprintf(stderr, "cases: the reactor fails\n");
    exit(1);
}

static int put_tickets(void) {
    static const uint8_t event[] = "\xa1n\xa1r\x90\x97\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0", members[] = "\xa5KeyId\xa1k";
    const struct kf_ticket t = {.key = state.keys->key, .due = INT64_MAX, .max_record = 1 << 30, .recorded = 1,
                                .event = {event, sizeof event - 1}, .members = {members, sizeof members - 1},
                                .num_members = 1, .slot = 1};
    const uint8_t *key = (const uint8_t *)"k";
    return kf_ticket_put(state.reactor, 1, OP_ENCRYPT, key, 1, NULL, 0, &t) == KF_OK &&
           kf_ticket_put(state.reactor, 1, OP_ENCRYPT_MANY, key, 1, NULL, 0, &t) == KF_OK &&
           kf_ticket_put(state.reactor, 1, OP_DECRYPT, NULL, 0, state.keys->prefix, KF_HEADER_LEN, &t) == KF_OK;
}

static int listens(struct sockaddr_un *address) {
    char folder[] = "/tmp/kmsfast-cases-XXXXXX";
    if (!mkdtemp(folder)) return 0;
    snprintf(address->sun_path, sizeof address->sun_path, "%s/s", folder);
    state.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    state.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int good = bind(state.listening, (struct sockaddr *)address, sizeof *address) == 0 &&
                     listen(state.listening, 4) == 0 &&
                     connect(state.client, (struct sockaddr *)address, sizeof *address) == 0;
    unlink(address->sun_path), rmdir(folder);
    return good;
}

static int start(void) {
    static const uint8_t hello[] = {0, 0, 0, 12, 0x94, 0xa7, 'k', 'm', 's', 'f', 'a', 's', 't', 1, 1, 0x80};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct kf_reactor_limits limits = {.max_frame = 4 << 20, .max_hello = 4096, .max_message = 64 << 20,
                                             .max_unsent = 1 << 20, .max_pending = 16 << 20, .max_held = 256 << 20,
                                             .max_inflight = 64, .max_connections = 20, .max_open = 100, .hello_ms = 60000,
                                             .frame_ms = 60000, .write_ms = 60000, .threads = 1};
    pthread_t threads[2];
    uint8_t welcome[9];
    state.keys = cases_open_keys();
    if (!state.keys || !listens(&address)) return 0;
    if (kf_reactor_open(&state.reactor, &state.listening, 1, &state.epoch, &limits) != KF_OK || !put_tickets()) return 0;
    state.log = cases_new_file(), state.lock = cases_new_file(), state.end = (struct kf_log_end){.segment = 1};
    const struct kf_reactor_log log = {&state.end, state.lock, state.log, 1, 1ULL << 40};
    if (kf_reactor_record(state.reactor, &log) != KF_OK) return 0;
    if (pthread_create(&threads[0], NULL, loop, NULL) || pthread_create(&threads[1], NULL, serve, NULL)) return 0;
    return send(state.client, hello, sizeof hello, 0) == sizeof hello &&
           recv(state.client, welcome, sizeof welcome, MSG_WAITALL) == sizeof welcome;
}

static int ready(void) {
    static int started;
    state.frames_len = 0, state.answers_len = 0;
    return started || (started = start());
}

/* ---- requests and answers -------------------------------------------------------------------------------------------- */

static uint8_t *put_context(uint8_t *at) {
    at = kf_msgpack_put_map(at, 2);
    at = kf_msgpack_put_str(at, "column", 6), at = kf_msgpack_put_str(at, "email", 5);
    return kf_msgpack_put_str(kf_msgpack_put_str(at, "table", 5), "orders", 6);
}

static uint8_t *put_bin(uint8_t *at, const uint8_t *bytes, size_t len) {
    at = kf_msgpack_put_bin(at, len);
    memcpy(at, bytes, len);
    return at + len;
}

/* [id, operation, key, context, payload], without the payload: where that goes. */
static uint8_t *begin(uint64_t id, uint64_t operation, int with_key) {
    uint8_t *at = kf_msgpack_put_array(state.frames + state.frames_len + 4, 5);
    at = kf_msgpack_put_uint(kf_msgpack_put_uint(at, id), operation);
    return put_context(with_key ? kf_msgpack_put_str(at, "k", 1) : kf_msgpack_put_nil(at));
}

static void end(const uint8_t *at) {
    uint8_t *start_of = state.frames + state.frames_len;
    store32(start_of, (size_t)(at - start_of - 4));
    state.frames_len = (size_t)(at - state.frames);
}

static int singles(const cases_case *c, uint64_t operation, const uint8_t *payload, size_t len, size_t answer_len) {
    for (int i = 0; i < c->num; i++) end(put_bin(begin(FIRST_ID + (uint64_t)i, operation, operation == OP_ENCRYPT), payload, len));
    /* 4 of the length, the array, 3 of the id, the status, the bin */
    state.answers_len = (size_t)c->num * (4 + 1 + 3 + 1 + kf_msgpack_bin_head(answer_len) + answer_len);
    return state.frames_len + len < FRAMES_ROOM && state.answers_len < FRAMES_ROOM;
}

static int encrypt(const cases_case *c) {
    cases_fill(cases_in, (size_t)c->len, 12);
    return ready() && singles(c, OP_ENCRYPT, cases_in, (size_t)c->len, (size_t)c->len + KF_BLOB_OVERHEAD);
}

static int decrypt(const cases_case *c) {
    const size_t len = (size_t)c->len;
    cases_fill(cases_in, len, 12);
    return ready() && kf_blob_seal_one(state.keys->key, cases_out, cases_in, len, CASES_CONTEXT, CASES_CONTEXT_LEN, NULL, 0) ==
                          KF_OK &&
           singles(c, OP_DECRYPT, cases_out, len + KF_BLOB_OVERHEAD, len);
}

/* All requests at once, then all answers. Each answer says success. */
static size_t exchange(const cases_case *c) {
    size_t failed = 0, at = 0;
    if (send(state.client, state.frames, state.frames_len, MSG_NOSIGNAL) != (ssize_t)state.frames_len) return (size_t)c->num;
    if (recv(state.client, state.answers, state.answers_len, MSG_WAITALL) != (ssize_t)state.answers_len) return (size_t)c->num;
    for (int i = 0; i < c->num; i++, at += 4 + load32(state.answers + at)) failed += state.answers[at + 8] != 0;
    return failed;
}

const cases_case CASES_SOCKET[] = {
    {"socket Encrypt 64 B", 128, 64, encrypt, exchange},
    {"socket Decrypt 64 B", 128, 64, decrypt, exchange},
    {0},
};

#else

const cases_case CASES_SOCKET[] = {{0}};

#endif
