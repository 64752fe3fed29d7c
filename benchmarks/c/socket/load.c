/*
 * The load client: encrypts by number over the socket, one request at a time or many, on one connection or many, and
 * prints rates and latencies as JSON. It says hello as any client does, and takes every answer for an error that is none.
 *   load PATH [-k KEY] [-s PAYLOAD] [-c CHUNK] [-n CONNECTIONS] [-d DEPTH] [-r REQUESTS | -t SECONDS]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "wire.h"

enum { EVENTS = 64, IN_LEN = 256 << 10, MOST_LATENCIES = 8 << 20 };

static const char *key = "alias/bench";
static size_t payload_len = 64, chunk_len = (size_t)8 << 20, num_conns = 1, depth = 1;
static uint64_t num_requests = UINT64_MAX, num_done;
static double seconds = 1;

/* One request with all of its chunks, whose id is filled in where its frames have it. */
static uint8_t *request;
enum { MOST_FRAMES = 4096 };
static size_t request_len, id_at[MOST_FRAMES], num_ids;

static uint32_t *latencies;
static size_t num_latencies;

typedef struct {
    int fd, waits;
    uint8_t *in, *out;
    size_t len, need_at, out_len, out_at;
    uint64_t *sent; /* when, by id modulo depth */
    uint32_t next_id;
} conn;

/* ---- the request --------------------------------------------------------------------------------------------- */

static uint8_t *put_id(uint8_t *frame, uint8_t array) {
    frame[WIRE_LEN] = array;
    frame[WIRE_ID_AT] = 0xce;
    id_at[num_ids++] = (size_t)(frame + WIRE_ID_AT + 1 - request);
    return frame + WIRE_ID_AT + 1 + WIRE_ID_LEN;
}

static uint8_t *put_chunk(uint8_t *frame, uint32_t len) {
    uint8_t *at = put_id(frame, 0x93);
    *at++ = 0;
    at = wire_put_bin(at, len) + len;
    wire_store32(frame, (uint32_t)(at - frame - WIRE_LEN));
    return at;
}

static void make_request(void) {
    const size_t first = payload_len < chunk_len ? payload_len : chunk_len;
    size_t more = payload_len - first;
    request = calloc(1, payload_len + 64 * (more / chunk_len + 2) + 512);
    if (!request) wire_fail("request");
    uint8_t *at = put_id(request, more ? 0x96 : 0x95);
    *at++ = 1; /* Encrypt */
    at = wire_put_str(at, key);
    *at++ = 0x82;
    at = wire_put_str(at, "tenant");
    at = wire_put_str(at, "acme-42");
    at = wire_put_str(at, "app");
    at = wire_put_str(at, "orders");
    at = wire_put_bin(at, (uint32_t)first) + first;
    if (more) {
        *at++ = 0x81;
        at = wire_put_str(at, "more");
        *at++ = 0xce;
        wire_store32(at, (uint32_t)more);
        at += 4;
    }
    wire_store32(request, (uint32_t)(at - request - WIRE_LEN));
    while (more) {
        const size_t part = more < chunk_len ? more : chunk_len;
        at = put_chunk(at, (uint32_t)part);
        more -= part;
    }
    request_len = (size_t)(at - request);
}

static void number(uint8_t *bytes, uint32_t id) {
    for (size_t i = 0; i < num_ids; i++) wire_store32(bytes + id_at[i], id);
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void send_all(int fd, const uint8_t *bytes, size_t len) {
    while (len) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) wire_fail("send");
        if (sent > 0) bytes += sent, len -= (size_t)sent;
    }
}

static size_t receive(int fd, uint8_t *bytes, size_t len) {
    for (;;) {
        const ssize_t got = recv(fd, bytes, len, 0);
        if (got > 0) return (size_t)got;
        if (got == 0) return fprintf(stderr, "the server has closed the connection\n"), exit(1), 0;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) wire_fail("recv");
    }
}

static void refuse(const uint8_t *frame, size_t len) {
    fprintf(stderr, "the server answers an error: %.*s\n", (int)(len < 300 ? len : 300), frame);
    exit(1);
}

static int dial(const char *path) {
    static const uint8_t hello[] = {0, 0, 0, 12, 0x94, 0xa7, 'k', 'm', 's', 'f', 'a', 's', 't', 1, 1, 0x80};
    const struct sockaddr_un address = wire_address(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint8_t answer[4096];
    size_t len = 0;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) wire_fail(path);
    wire_widen(fd);
    send_all(fd, hello, sizeof hello);
    while (len < WIRE_LEN || len < WIRE_LEN + wire_load32(answer)) len += receive(fd, answer + len, sizeof answer - len);
    if (answer[WIRE_LEN] != 0x93 || answer[WIRE_LEN + 1] == 0xc0) refuse(answer + WIRE_LEN, len - WIRE_LEN);
    return fd;
}

static void conn_init(conn *c, const char *path) {
    *c = (conn){.fd = dial(path)};
    c->in = malloc(IN_LEN + payload_len + 4096), c->out = malloc(request_len * depth);
    c->sent = calloc(depth, sizeof *c->sent);
    if (!c->in || !c->out || !c->sent) wire_fail("connection");
}

static void add_request(conn *c, uint64_t now) {
    uint8_t *to = c->out + c->out_len;
    memcpy(to, request, request_len);
    number(to, c->next_id);
    c->sent[c->next_id++ % depth] = now;
    c->out_len += request_len;
}

static void add_latency(uint64_t ns) {
    if (num_latencies < MOST_LATENCIES) latencies[num_latencies++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* Takes whole frames; returns how many requests they answer. */
static size_t take_answers(conn *c, uint64_t now) {
    size_t at = 0, answered = 0;
    while (c->len - at >= WIRE_LEN + 8) {
        const uint8_t *frame = c->in + at + WIRE_LEN;
        const size_t len = wire_load32(c->in + at);
        const uint32_t id = frame[1] < 0x80 ? frame[1] : frame[1] == 0xcc ? frame[2]
                            : frame[1] == 0xcd ? (uint32_t)frame[2] << 8 | frame[3] : wire_load32(frame + 2);
        const size_t status_at = frame[1] < 0x80 ? 2 : frame[1] == 0xcc ? 3 : frame[1] == 0xcd ? 4 : 6;
        if (c->len - at - WIRE_LEN < len) break;
        if (frame[0] != 0x93 || frame[status_at] == 1) refuse(frame, len);
        if (frame[status_at] == 0) {
            add_latency(now - c->sent[id % depth]);
            answered++;
        }
        at += WIRE_LEN + len;
    }
    memmove(c->in, c->in + at, c->len - at);
    c->len -= at;
    num_done += answered;
    return answered;
}

/* ---- one at a time ------------------------------------------------------------------------------------------------ */

static void ping_pong(conn *c, uint64_t until) {
    for (uint64_t now = wire_now(); now < until && num_done < num_requests;) {
        number(request, c->next_id);
        c->sent[c->next_id++ % depth] = now;
        send_all(c->fd, request, request_len);
        do {
            c->len += receive(c->fd, c->in + c->len, IN_LEN + payload_len + 4096 - c->len);
            now = wire_now();
        } while (!take_answers(c, now));
    }
}

/* ---- many at a time ------------------------------------------------------------------------------------------------- */

static void flush(int epoll, conn *c) {
    while (c->out_at < c->out_len) {
        const ssize_t sent = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0 && errno != EINTR) wire_fail("send");
        if (sent > 0) c->out_at += (size_t)sent;
    }
    const int waits = c->out_at < c->out_len;
    if (!waits) c->out_at = c->out_len = 0;
    if (waits == c->waits) return;
    struct epoll_event e = {.events = EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->waits = waits;
}

static void serve(int epoll, conn *c, uint32_t events) {
    if (events & EPOLLIN) {
        c->len += receive(c->fd, c->in + c->len, IN_LEN + payload_len + 4096 - c->len);
        const uint64_t now = wire_now();
        size_t answered = take_answers(c, now);
        if (answered && c->out_at) {
            memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
            c->out_len -= c->out_at, c->out_at = 0;
        }
        while (answered--) add_request(c, now);
    }
    flush(epoll, c);
}

static void pipeline(conn *conns, uint64_t until) {
    struct epoll_event events[EVENTS];
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < num_conns; i++) {
        conn *c = &conns[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
        const uint64_t now = wire_now();
        for (size_t k = 0; k < depth; k++) add_request(c, now);
        flush(epoll, c);
    }
    while (wire_now() < until && num_done < num_requests) {
        const int num = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < num; i++) serve(epoll, events[i].data.ptr, events[i].events);
    }
    close(epoll);
}

/* ---- results ---------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The shares of requests of curve_latency.py. */
static const double shares[] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999};

static double microseconds(double part) {
    return num_latencies ? latencies[(size_t)((double)(num_latencies - 1) * part)] / 1e3 : 0;
}

static void report(uint64_t done, double elapsed) {
    qsort(latencies, num_latencies, sizeof *latencies, compare);
    printf("{\"requests\": %llu, \"rate\": %.1f, \"bytes_rate\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"shares_us\": [",
           (unsigned long long)done, (double)done / elapsed, (double)done * (double)payload_len / elapsed,
           microseconds(0.5), microseconds(0.99));
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        printf("%s%.2f", i ? ", " : "", microseconds(shares[i]));
    puts("]}");
}

static void read_options(int argc, char **argv) {
    for (int option; (option = getopt(argc, argv, "k:s:c:n:d:r:t:")) != -1;) switch (option) {
        case 'k': key = optarg; break;
        case 's': payload_len = (size_t)atoll(optarg); break;
        case 'c': chunk_len = (size_t)atoll(optarg); break;
        case 'n': num_conns = (size_t)atoll(optarg); break;
        case 'd': depth = (size_t)atoll(optarg); break;
        case 'r': num_requests = (uint64_t)atoll(optarg), seconds = 3600; break;
        case 't': seconds = atof(optarg); break;
        default: exit(2);
    }
    if (!num_conns || !depth || chunk_len < 1024 || payload_len / chunk_len >= MOST_FRAMES) exit(2);
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: load PATH [-k KEY] [-s PAYLOAD] [-c CHUNK] [-n CONNECTIONS] [-d DEPTH] [-r REQUESTS | -t SECONDS]\n"), 2;
    const char *path = argv[1];
    read_options(argc - 1, argv + 1);
    make_request();
    latencies = malloc(MOST_LATENCIES * sizeof *latencies);
    conn *conns = calloc(num_conns, sizeof *conns);
    if (!latencies || !conns) wire_fail("memory");
    for (size_t i = 0; i < num_conns; i++) conn_init(&conns[i], path);
    const uint64_t start = wire_now(), until = start + (uint64_t)(seconds * 1e9);
    if (num_conns == 1 && depth == 1)
        ping_pong(conns, until);
    else
        pipeline(conns, until);
    report(num_done, (double)(wire_now() - start) / 1e9);
    return 0;
}
