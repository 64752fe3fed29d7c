/* See kft_socket.h. */
#define _GNU_SOURCE
#include "kft_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const KFT_PAIRS[] = {"b", "2", "a", "1", NULL};
const uint8_t KFT_CANONICAL[] = "\0\0\0\1a\0\0\0\0011\0\0\0\1b\0\0\0\0012";
const size_t KFT_CANONICAL_LEN = sizeof KFT_CANONICAL - 1;

/* ---- frames ---------------------------------------------------------------------------------------------- */

void kft_frame_begin(kft_frame *f, uint64_t id, uint64_t operation, int num_elements) {
    f->at = kf_msgpack_put_array(f->bytes + 4, (uint64_t)num_elements);
    f->at = kf_msgpack_put_uint(f->at, id);
    f->at = kf_msgpack_put_uint(f->at, operation);
}

void kft_frame_key(kft_frame *f, const char *key, const char *const *pairs) {
    size_t num = 0;
    if (key)
        f->at = kf_msgpack_put_str(f->at, key, strlen(key));
    else
        f->at = kf_msgpack_put_nil(f->at);
    while (pairs && pairs[num]) num++;
    f->at = kf_msgpack_put_map(f->at, num / 2);
    for (size_t i = 0; i < num; i++) f->at = kf_msgpack_put_str(f->at, pairs[i], strlen(pairs[i]));
}

void kft_frame_bin(kft_frame *f, const void *bytes, size_t len) {
    f->at = kf_msgpack_put_bin(f->at, len);
    memcpy(f->at, bytes, len);
    f->at += len;
}

size_t kft_frame_end(kft_frame *f) {
    const size_t len = (size_t)(f->at - f->bytes);
    kf_store32_be(f->bytes, (uint32_t)(len - 4));
    return len;
}

size_t kft_encrypt_frame(kft_frame *f, uint64_t id, const char *const *pairs, const void *text, size_t len) {
    kft_frame_begin(f, id, 1, 5);
    kft_frame_key(f, "k", pairs);
    kft_frame_bin(f, text, len);
    return kft_frame_end(f);
}

size_t kft_sign_batch_frame(kft_frame *f, uint64_t id) {
    kft_frame_begin(f, id, KFT_SIGN_BATCH, 5);
    kft_frame_key(f, "p", NULL);
    f->at = kf_msgpack_put_array(f->at, 3);
    f->at = kf_msgpack_put_uint(f->at, KFT_MESSAGES);
    f->at = kf_msgpack_put_uint(f->at, 1);
    f->at = kf_msgpack_put_bin(f->at, KFT_MESSAGES);
    memset(f->at, 'x', KFT_MESSAGES);
    f->at += KFT_MESSAGES;
    return kft_frame_end(f);
}

/* ---- the server's thread ----------------------------------------------------------------------------------- */

static void send_frame(kft_server *s, uint64_t conn, const uint8_t *body, size_t len, uint32_t num) {
    uint8_t frame[256];
    kf_store32_be(frame, (uint32_t)len);
    memcpy(frame + 4, body, len);
    CHECK(kf_reactor_send(s->reactor, conn, frame, 4 + len, num) == KF_OK, "send");
}

static void answer_frame(kft_server *s, const struct kf_event *e) {
    static const uint8_t welcome[] = {0x93, 0xa1, 'h', 1, 0x80}, handed[] = "\x93\xa6Handed\xc2\xa0";
    kf_msgpack in = {e->frame.at, e->frame.at + e->frame.len};
    struct kf_text magic;
    uint64_t num, id, operation;
    uint8_t body[64], *at = body;
    if (kf_msgpack_array(&in, &num) && kf_msgpack_str(&in, &magic)) {
        send_frame(s, e->conn, welcome, sizeof welcome, 1);
        CHECK(kf_reactor_admit(s->reactor, e->conn, 1) == KF_OK, "admit");
        return;
    }
    in.at = e->frame.at;
    const int whole = kf_msgpack_array(&in, &num) && kf_msgpack_uint(&in, &id);
    if (whole && kf_msgpack_uint(&in, &operation) && operation == 0) return; /* a chunk */
    __atomic_add_fetch(&s->handed, 1, __ATOMIC_RELAXED);
    if (e->rest.len) __atomic_add_fetch(&s->rests, e->rest.len, __ATOMIC_RELAXED);
    if (__atomic_load_n(&s->silent, __ATOMIC_RELAXED)) return;
    at = kf_msgpack_put_array(at, 3);
    at = whole ? kf_msgpack_put_uint(at, id) : kf_msgpack_put_nil(at);
    at = kf_msgpack_put_uint(at, 1);
    memcpy(at, handed, sizeof handed - 1);
    send_frame(s, e->conn, body, (size_t)(at - body) + sizeof handed - 1, 1);
    if (!whole) kf_reactor_drop(s->reactor, e->conn);
}

static void *serve(void *arg) {
    kft_server *s = arg;
    struct kf_event e;
    while (!__atomic_load_n(&s->stopping, __ATOMIC_ACQUIRE)) {
        struct pollfd fd = {.fd = kf_reactor_event_fd(s->reactor), .events = POLLIN};
        poll(&fd, 1, 50);
        if (__atomic_load_n(&s->stalled, __ATOMIC_RELAXED)) {
            usleep(1000);
            continue;
        }
        for (kf_reactor_take(s->reactor, &e); e.kind != KF_EVENT_NONE; kf_reactor_take(s->reactor, &e)) {
            if (e.kind == KF_EVENT_FRAME) answer_frame(s, &e);
            if (e.kind == KF_EVENT_CLOSED) __atomic_add_fetch(&s->closed, 1, __ATOMIC_RELAXED);
            if (e.kind == KF_EVENT_HALF_CLOSED) { /* none of its requests is whole */
                __atomic_add_fetch(&s->half_closed, 1, __ATOMIC_RELAXED);
                kf_reactor_send(s->reactor, e.conn, NULL, 0, UINT32_MAX);
            }
            if (e.kind == KF_EVENT_RECORDED) __atomic_add_fetch(&s->recorded, 1, __ATOMIC_RELAXED);
            if (e.kind == KF_EVENT_TOO_LONG) {
                __atomic_add_fetch(&s->too_long, 1, __ATOMIC_RELAXED);
                kf_reactor_drop(s->reactor, e.conn);
            }
            kf_reactor_done(s->reactor, &e);
        }
    }
    return NULL;
}

static void *loop(void *arg) {
    CHECK(kf_reactor_run(((kft_server *)arg)->reactor) == KF_OK, "the loop failed");
    return NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

static int put(kft_server *s, int operation, const char *key, const void *fact, size_t fact_len,
               const struct kf_ticket *ticket) {
    return kf_ticket_put(s->reactor, 1, operation, (const uint8_t *)key, strlen(key), fact, fact_len, ticket);
}

static int put_tickets(kft_server *s, int recorded) {
    static const uint8_t event[] = "\xa1n\xa1r\x90\x97\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0", members[] = "\xa5KeyId\xa1k";
    struct kf_ticket t = {.key = s->library.key, .due = INT64_MAX, .max_record = 1 << 30, .recorded = recorded,
                          .event = {event, sizeof event - 1}, .members = {members, sizeof members - 1}, .num_members = 1,
                          .mac_len = KFT_MAC_LEN, .is_read_only = 1};
    int status = KF_OK;
    memcpy(t.public64, s->library.public_key, 64);
    for (int many = 0; many <= 32 && status == KF_OK; many += 32) {
        t.key = s->library.key, t.slot = 1;
        for (int op = 1; op <= 4 && status == KF_OK; op++)
            if (op != 2) status = put(s, op + many, "k", NULL, 0, &t);
        if (status == KF_OK) status = put(s, 2 + many, "", s->library.prefix, KF_HEADER_LEN, &t);
        t.key = s->library.p256, t.slot = 2;
        for (int op = 5; op <= 6 && status == KF_OK; op++) status = put(s, op + many, "p", NULL, 0, &t);
        t.key = s->library.mac_key, t.slot = 3;
        for (int op = 7; op <= 8 && status == KF_OK; op++) status = put(s, op + many, "m", NULL, 0, &t);
        t.key = 0, t.slot = 4;
        if (status == KF_OK) status = put(s, 10 + many, "", NULL, 0, &t);
    }
    return status;
}

int kft_server_open(kft_server *s, int recorded) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int status = kft_library_open(&s->library);
    snprintf(s->path, sizeof s->path, "%.60s/s", s->library.dir);
    memcpy(address.sun_path, s->path, strlen(s->path) + 1);
    s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(s->listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(s->listening, 64) != 0)
        return KF_ERR_SYSTEM;
    if (!s->limits.max_frame)
        s->limits = (struct kf_reactor_limits){.max_frame = 4 << 20, .max_hello = 4096, .max_message = 64 << 20,
                                               .max_unsent = 1 << 20, .max_pending = 16 << 20, .max_held = 256 << 20,
                                               .max_inflight = 64, .max_connections = 20, .max_open = 100, .hello_ms = 5000,
                                               .frame_ms = 5000, .write_ms = 5000, .threads = 2};
    s->epoch = 0;
    if (status == KF_OK) status = kf_reactor_open(&s->reactor, &s->listening, 1, &s->epoch, &s->limits);
    if (status == KF_OK) status = put_tickets(s, recorded);
    if (status != KF_OK) return status;
    pthread_create(&s->loop, NULL, loop, s);
    pthread_create(&s->server, NULL, serve, s);
    return KF_OK;
}

void kft_server_close(kft_server *s) {
    kf_reactor_stop(s->reactor, 2000);
    pthread_join(s->loop, NULL);
    __atomic_store_n(&s->stopping, 1, __ATOMIC_RELEASE);
    pthread_join(s->server, NULL);
    kf_reactor_close(s->reactor);
    close(s->listening);
    unlink(s->path);
    kft_library_close(&s->library);
}

/* ---- clients --------------------------------------------------------------------------------------------------------- */

int kft_connect(const kft_server *s, int fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, s->path, strlen(s->path) + 1);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

int kft_dial_silently(const kft_server *s) {
    const struct timeval patience = {.tv_sec = 20};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (kft_connect(s, fd)) return fd;
    close(fd);
    return -1;
}

void kft_send(int fd, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len) {
        const ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return; /* the next answer says so */
        at += sent, len -= (size_t)sent;
    }
}

static int receive_all(int fd, uint8_t *to, size_t len) {
    while (len) {
        const ssize_t got = recv(fd, to, len, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        to += got, len -= (size_t)got;
    }
    return 1;
}

size_t kft_receive(uint8_t **frame, int fd) {
    uint8_t head[4];
    *frame = NULL;
    if (!receive_all(fd, head, sizeof head)) return 0;
    const size_t len = kf_load32_be(head);
    *frame = kft_alloc(len + 1);
    return receive_all(fd, *frame, len) ? len : 0;
}

int kft_dial(const kft_server *s) {
    static const uint8_t hello[] = {0, 0, 0, 12, 0x94, 0xa7, 'k', 'm', 's', 'f', 'a', 's', 't', 1, 1, 0x80};
    uint8_t *answer;
    const int fd = kft_dial_silently(s);
    if (fd < 0) return -1;
    kft_send(fd, hello, sizeof hello);
    const size_t len = kft_receive(&answer, fd);
    free(answer);
    if (len) return fd;
    close(fd);
    return -1;
}

struct kf_text kft_answer_bin(const uint8_t *frame, size_t len, uint64_t id) {
    kf_msgpack in = {frame, frame + len};
    struct kf_text out = {NULL, 0};
    uint64_t num = 0, got = 0, status = 0;
    if (!len || !kf_msgpack_array(&in, &num) || num != 3 || !kf_msgpack_uint(&in, &got) || got != id ||
        !kf_msgpack_uint(&in, &status) || status || !kf_msgpack_bin(&in, &out) || in.at != in.end)
        out.at = NULL;
    return out;
}

int kft_is_handed(const uint8_t *frame, size_t len, uint64_t id) {
    kf_msgpack in = {frame, frame + len};
    uint64_t num = 0, got = 0, status = 0;
    return len && kf_msgpack_array(&in, &num) && num == 3 && kf_msgpack_uint(&in, &got) && got == id &&
           kf_msgpack_uint(&in, &status) && status == 1;
}
