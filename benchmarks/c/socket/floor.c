/*
 * The floor: what a server costs that only moves frames. One thread, epoll, one read and one write for as many frames as
 * a read brings; of a request its id is copied, and nothing else is looked at. usage: floor PATH ANSWER_LEN
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "wire.h"

enum { IN_LEN = 64 << 10, EVENTS = 64 };

typedef struct {
    int fd, has_said_hello, waits;
    uint8_t *in;
    size_t len, cap;
    uint8_t *out;
    size_t out_len, out_at, out_cap;
} conn;

static uint32_t answer_len;

static void reserve(uint8_t **bytes, size_t *cap, size_t need) {
    if (need <= *cap) return;
    size_t len = *cap ? *cap : IN_LEN;
    while (len < need) len *= 2;
    *bytes = realloc(*bytes, len);
    if (!*bytes) wire_fail("realloc");
    *cap = len;
}

/* [id, 0, bytes], of answer_len bytes; to the hello three bytes that are no error. */
static void answer(conn *c, const uint8_t *frame) {
    const uint32_t len = c->has_said_hello ? answer_len : 3;
    reserve(&c->out, &c->out_cap, c->out_len + WIRE_LEN + len);
    uint8_t *at = c->out + c->out_len;
    wire_store32(at, len);
    at[WIRE_LEN] = 0x93;
    if (c->has_said_hello) {
        memcpy(at + WIRE_ID_AT, frame + 1, 1 + WIRE_ID_LEN);
        at[WIRE_ID_AT + 1 + WIRE_ID_LEN] = 0;
    }
    c->has_said_hello = 1;
    c->out_len += WIRE_LEN + len;
}

static void answer_all(conn *c) {
    size_t at = 0;
    while (c->len - at >= WIRE_LEN) {
        const size_t len = wire_load32(c->in + at);
        if (c->len - at - WIRE_LEN < len) {
            reserve(&c->in, &c->cap, c->len - at + WIRE_LEN + len);
            break;
        }
        answer(c, c->in + at + WIRE_LEN);
        at += WIRE_LEN + len;
    }
    memmove(c->in, c->in + at, c->len - at);
    c->len -= at;
}

static int flush(int epoll, conn *c) {
    while (c->out_at < c->out_len) {
        const ssize_t sent = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent < 0) break;
        c->out_at += (size_t)sent;
    }
    const int waits = c->out_at < c->out_len;
    if (!waits) c->out_at = c->out_len = 0;
    if (waits != c->waits) {
        struct epoll_event e = {.events = waits ? EPOLLOUT : EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
        c->waits = waits;
    }
    return 1;
}

static int serve(int epoll, conn *c) {
    if (c->out_at < c->out_len) return flush(epoll, c);
    reserve(&c->in, &c->cap, c->len + IN_LEN / 2);
    const ssize_t got = recv(c->fd, c->in + c->len, c->cap - c->len, MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return 0;
    c->len += (size_t)got;
    answer_all(c);
    return !c->out_len || flush(epoll, c);
}

static void accept_one(int epoll, int listening) {
    const int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    if (!c) return;
    wire_widen(fd);
    c->fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: floor PATH ANSWER_LEN\n"), 2;
    const struct sockaddr_un address = wire_address(argv[1]);
    answer_len = (uint32_t)atoi(argv[2]);
    if (answer_len < 16) return fprintf(stderr, "an answer has 16 bytes at least\n"), 2;
    const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listening, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 512) != 0)
        wire_fail(argv[1]);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &e);
    puts("ready");
    fflush(stdout);
    for (;;) {
        const int num = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < num; i++) {
            conn *c = events[i].data.ptr;
            if (!c) {
                accept_one(epoll, listening);
            } else if (!serve(epoll, c)) {
                close(c->fd);
                free(c->in), free(c->out), free(c);
            }
        }
    }
}
