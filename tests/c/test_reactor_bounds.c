/*
 * What one client can do to a server and to other clients: how much is held for it, whose work comes first, how many
 * may connect, and how connections end that do not go on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kf_reactor.h"
#include "kft_socket.h"

#if defined(__linux__)

enum { TEXT = 20, MIB = 1 << 20, CHUNK = 256 << 10 };

static kft_server server;

static uint64_t seen(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }
static void set(int *flag, int to) { __atomic_store_n(flag, to, __ATOMIC_RELAXED); }

/* A server whose limits differ from the usual ones of these tests as `change` says. */
static void serve(void (*change)(struct kf_reactor_limits *)) {
    memset(&server, 0, sizeof server);
    server.limits = (struct kf_reactor_limits){.max_frame = MIB, .max_hello = 4096, .max_message = 64 * MIB,
                                               .max_unsent = MIB, .max_pending = 4 * MIB, .max_held = 256 * MIB,
                                               .max_inflight = 64, .max_connections = 20, .max_open = 100,
                                               .hello_ms = 20000, .frame_ms = 20000, .write_ms = 20000, .threads = 1};
    change(&server.limits);
    CHECK(kft_server_open(&server, 0) == KF_OK, "open");
}

static void as_they_are(struct kf_reactor_limits *limits) { (void)limits; }

/* Whether something is there to be read within a time. */
static int comes(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static void expect_answer(int fd, uint64_t id, const char *what) {
    uint8_t *frame;
    const size_t len = kft_receive(&frame, fd);
    CHECK(kft_answer_bin(frame, len, id).at != NULL, "%s: no answer", what);
    free(frame);
}

static void expect_end(int fd, const char *what) {
    uint8_t *frame;
    CHECK(comes(fd, 5000) && kft_receive(&frame, fd) == 0, "%s: the connection stays", what);
    close(fd);
}

static void encrypt(int fd, uint64_t id) {
    kft_frame f;
    kft_send(fd, f.bytes, kft_encrypt_frame(&f, id, KFT_PAIRS, server.library.text, TEXT));
}

/* A request of which `more` bytes are to come; by an unknown key it is the server's. */
static void begin_chunks(int fd, uint64_t id, const char *key, uint64_t more) {
    kft_frame f;
    kft_frame_begin(&f, id, 1, 6), kft_frame_key(&f, key, KFT_PAIRS), kft_frame_bin(&f, "x", 1);
    f.at = kf_msgpack_put_map(f.at, 1);
    f.at = kf_msgpack_put_str(f.at, "more", 4);
    f.at = kf_msgpack_put_uint(f.at, more);
    kft_send(fd, f.bytes, kft_frame_end(&f));
}

static size_t put_chunk(uint8_t *to, uint64_t id, size_t len) {
    uint8_t *at = kf_msgpack_put_uint(kf_msgpack_put_uint(kf_msgpack_put_array(to + 4, 3), id), 0);
    at = kf_msgpack_put_bin(at, len);
    memset(at, 'x', len);
    kf_store32_be(to, (uint32_t)(at + len - to - 4));
    return (size_t)(at + len - to);
}

static void sign_many(int fd, uint64_t id) {
    kft_frame f;
    kft_send(fd, f.bytes, kft_sign_batch_frame(&f, id));
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

/* How many chunks go before the server takes no more for a while; what of one is cut off is left to be sent. */
static size_t send_while_taken(int fd, const uint8_t *chunk, size_t len, size_t most, size_t *left) {
    size_t num = 0;
    for (*left = 0; num < most && !*left; num++)
        for (size_t at = 0; at < len && !*left;) {
            const ssize_t sent = send(fd, chunk + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (sent > 0) at += (size_t)sent;
            else if (poll(&p, 1, 300) == 0) *left = len - at;
        }
    return num;
}

/* Chunks that the server does not take are held to a bound, and all of them arrive when it goes on. */
static void check_queue(size_t num_conns, size_t most_mib) {
    enum { NUM = 160 };
    int fds[8];
    size_t num[8], left[8], total = 0;
    uint8_t *chunk = kft_alloc(CHUNK + 64);
    const size_t len = put_chunk(chunk, 1, CHUNK);
    for (size_t i = 0; i < num_conns; i++) {
        fds[i] = kft_dial(&server);
        begin_chunks(fds[i], 1, "unknown", (uint64_t)NUM * CHUNK);
        uint8_t *frame;
        kft_receive(&frame, fds[i]); /* refused; its chunks come all the same */
        free(frame);
    }
    set(&server.stalled, 1);
    for (size_t i = 0; i < num_conns; i++) {
        num[i] = send_while_taken(fds[i], chunk, len, NUM, &left[i]);
        total += num[i] * CHUNK;
    }
    CHECK(total <= most_mib * MIB, "%zu MiB of %zu connections are held", total / MIB, num_conns);
    set(&server.stalled, 0);
    for (size_t i = 0; i < num_conns; i++) {
        kft_send(fds[i], chunk + len - left[i], left[i]);
        for (size_t k = num[i]; k < NUM; k++) kft_send(fds[i], chunk, len);
        encrypt(fds[i], 2);
        expect_answer(fds[i], 2, "behind the chunks");
        close(fds[i]);
    }
    free(chunk);
}

static void little_held(struct kf_reactor_limits *limits) { limits->max_held = 2 * MIB; }

/* A whole request in chunks counts with its payload. */
static void check_pending(void) {
    enum { TOTAL = 6 * MIB };
    uint8_t *chunk = kft_alloc(CHUNK + 64);
    const size_t len = put_chunk(chunk, 1, CHUNK);
    const int fd = kft_dial(&server), other = kft_dial(&server);
    set(&server.silent, 1);
    begin_chunks(fd, 1, "k", TOTAL);
    encrypt(fd, 2);
    expect_answer(fd, 2, "before the chunks");
    __atomic_store_n(&server.epoch, 2, __ATOMIC_RELEASE); /* the ticket ends: it is the server's, who says nothing */
    for (size_t sent = 0; sent < TOTAL; sent += CHUNK) kft_send(fd, chunk, len);
    for (int i = 0; i < 1000 && !seen(&server.rests); i++) usleep(5000);
    CHECK(seen(&server.rests) == TOTAL, "the payload is not handed on");
    __atomic_store_n(&server.epoch, 0, __ATOMIC_RELEASE);
    encrypt(fd, 3);
    encrypt(other, 4);
    expect_answer(other, 4, "another connection");
    CHECK(!comes(fd, 300), "a request is begun beside %d bytes", TOTAL);
    set(&server.silent, 0);
    close(fd), close(other);
    free(chunk);
}

/* ---- turns ------------------------------------------------------------------------------------------------------------ */

static int dial_as(uint32_t uid) {
    syscall(SYS_setresuid, -1, uid, -1); /* of this thread alone */
    const int fd = kft_dial(&server);
    syscall(SYS_setresuid, -1, 0, -1);
    return fd;
}

/* One job of who comes late is done before the many of others: another connection, or, where that can be, another uid. */
static void check_fair(int by_uid) {
    enum { CONNS = 4, EACH = 15 };
    struct kf_reactor_counts begun, before, after;
    int fds[CONNS];
    uint8_t *frame;
    if (by_uid && geteuid() != 0) return;
    chmod(server.library.dir, 0755), chmod(server.path, 0777);
    const int late = by_uid ? dial_as(12345) : kft_dial(&server);
    kf_reactor_counts(server.reactor, &begun);
    for (int k = 0; k < CONNS; k++) {
        fds[k] = kft_dial(&server);
        for (uint64_t i = 0; i < (by_uid ? EACH : k ? 0 : EACH * CONNS); i++) sign_many(fds[k], i);
    }
    kf_reactor_counts(server.reactor, &before);
    sign_many(late, 1);
    CHECK(kft_receive(&frame, late) > 0, "no answer");
    free(frame);
    kf_reactor_counts(server.reactor, &after);
    const uint64_t left = EACH * CONNS - (before.hot[KFT_SIGN_BATCH] - begun.hot[KFT_SIGN_BATCH]);
    const uint64_t done = after.hot[KFT_SIGN_BATCH] - before.hot[KFT_SIGN_BATCH];
    CHECK(done <= left / 2, "%d of %d jobs are done before it", (int)done, (int)left);
    for (int k = 0; k < CONNS; k++) close(fds[k]);
    close(late);
}

/* ---- connections that do not go on ---------------------------------------------------------------------------------------- */

static void hasty(struct kf_reactor_limits *limits) { limits->write_ms = 400; }

/* Asks until the server reads no more. */
static void ask_without_reading(int fd) {
    kft_frame f;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    const size_t len = kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT);
    while (poll(&p, 1, 100) == 1 && send(fd, f.bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    }
}

static void check_unread(void) {
    struct kf_reactor_counts counts;
    uint8_t some[4096];
    const int idle = kft_dial(&server), slow = kft_dial(&server), deaf = kft_dial(&server);
    ask_without_reading(slow);
    for (int i = 0; i < 12; i++) { /* for longer than it may be deaf */
        for (int k = 0; k < 20; k++) CHECK(recv(slow, some, sizeof some, 0) > 0, "who reads slowly is cut off");
        usleep(100000);
    }
    const uint64_t closed = seen(&server.closed);
    close(slow);
    for (int i = 0; i < 500 && seen(&server.closed) == closed; i++) usleep(5000);
    ask_without_reading(deaf);
    for (int i = 0; i < 500 && seen(&server.closed) == closed + 1; i++) usleep(5000);
    kf_reactor_counts(server.reactor, &counts);
    CHECK(seen(&server.closed) == closed + 2 && counts.timeouts == 1, "who does not read stays");
    encrypt(idle, 1);
    expect_answer(idle, 1, "who is idle");
    close(deaf), close(idle);
}

/* Nothing more can come of requests whose chunks are missing. */
static void check_half_closed(const char *key, int with_frame) {
    const uint64_t told = seen(&server.half_closed);
    const int fd = kft_dial(&server);
    set(&server.silent, 1);
    begin_chunks(fd, 1, key, 100);
    if (with_frame) encrypt(fd, 2);
    shutdown(fd, SHUT_WR);
    if (with_frame) expect_answer(fd, 2, "half closed");
    expect_end(fd, key);
    set(&server.silent, 0);
    CHECK(seen(&server.half_closed) == told + (*key == 'u'), "%s: told", key);
}

#ifdef KF_TESTING
/* A request that cannot be handed on ends its connection: who waits for an answer is not left alone. */
static void check_lost(void) {
    const int fd = kft_dial(&server), other = kft_dial(&server);
    __atomic_store_n(&server.epoch, 2, __ATOMIC_RELEASE);
    kf_events_refused = 1;
    encrypt(fd, 1);
    expect_end(fd, "lost by the loop");
    const int job = kft_dial(&server);
    __atomic_store_n(&server.epoch, 0, __ATOMIC_RELEASE);
    set(&server.stalled, 1);
    for (uint64_t i = 0; i < 8; i++) sign_many(job, i);
    __atomic_store_n(&server.epoch, 2, __ATOMIC_RELEASE); /* what is not begun is the server's */
    kf_events_refused = 1;
    for (uint8_t *frame; kft_receive(&frame, job);) free(frame);
    set(&server.stalled, 0);
    CHECK(kf_events_refused == 0, "no job was lost");
    __atomic_store_n(&server.epoch, 0, __ATOMIC_RELEASE);
    encrypt(other, 1);
    expect_answer(other, 1, "another connection");
    close(job), close(other);
}
#endif

/* ---- how many --------------------------------------------------------------------------------------------------------------- */

static const uint8_t full[] = {0, 0, 0, 1, 0x90};
static void three(struct kf_reactor_limits *limits) {
    limits->max_open = 3;
    limits->full = (struct kf_text){full, sizeof full};
}

static void check_open(void) {
    int fds[3];
    uint8_t *frame;
    for (int i = 0; i < 3; i++) fds[i] = kft_dial(&server);
    const int more = kft_dial_silently(&server);
    CHECK(kft_receive(&frame, more) == 1 && frame[0] == 0x90, "the fourth is not told");
    free(frame);
    expect_end(more, "the fourth");
    encrypt(fds[2], 1);
    expect_answer(fds[2], 1, "the third");
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static int64_t cpu_ms_of(pthread_t thread) {
    clockid_t clock;
    struct timespec t = {0};
    if (pthread_getcpuclockid(thread, &clock) == 0) clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Without descriptors who connects waits, and so does the loop. */
static void check_descriptors(void) {
    struct rlimit before, none;
    uint8_t *frame = NULL;
    static const uint8_t hello[] = {0, 0, 0, 12, 0x94, 0xa7, 'k', 'm', 's', 'f', 'a', 's', 't', 1, 1, 0x80};
    const int there = kft_dial(&server);
    getrlimit(RLIMIT_NOFILE, &before);
    const int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)late + 1, .rlim_max = before.rlim_max};
    usleep(100000);
    setrlimit(RLIMIT_NOFILE, &none);
    kft_connect(&server, late);
    kft_send(late, hello, sizeof hello);
    const int64_t begun = cpu_ms_of(server.loop);
    const int came = comes(late, 500);
    CHECK(cpu_ms_of(server.loop) - begun < 200, "the loop is busy");
    encrypt(there, 1);
    expect_answer(there, 1, "who was there");
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(!came, "somebody is served without a descriptor");
    CHECK(comes(late, 3000) && kft_receive(&frame, late) > 0, "who has waited is not served");
    free(frame);
    close(late), close(there);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------- */

/* What all connections read into is left out of core dumps. */
static void check_dumped(void) {
    char line[512];
    unsigned long begin = 0, end = 0;
    const unsigned long at = (unsigned long)server.reactor->in;
    int left_out = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) begin = from, end = to;
        if (strncmp(line, "VmFlags:", 8) == 0 && begin <= at && at < end) left_out = strstr(line, " dd") != NULL;
    }
    if (maps) fclose(maps);
    CHECK(left_out, "received bytes are in core dumps");
}

/* A child that was forked meanwhile has a copy of a connection that has ended: epoll names it no more. */
static void check_copied(void) {
    const uint64_t closed = seen(&server.closed);
    const int fd = kft_dial(&server);
    const pid_t child = fork();
    if (child == 0)
        for (;;) pause();
    shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < 5000 && seen(&server.closed) == closed; i++) usleep(1000);
    const int64_t before = cpu_ms_of(server.loop);
    usleep(300000);
    const int64_t busy = cpu_ms_of(server.loop) - before;
    CHECK(busy < 50, "the loop was busy for %lld ms with a connection that has ended", (long long)busy);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(fd);
}

void test_reactor_bounds(const kft_env *env) {
    (void)env;
    serve(as_they_are);
    check_copied();
    check_queue(1, 7);
    check_pending();
    check_fair(0);
    check_fair(1);
    check_half_closed("k", 0);
    check_half_closed("k", 1);
    check_half_closed("unknown", 0);
    check_half_closed("unknown", 1);
    check_descriptors();
    check_dumped();
#ifdef KF_TESTING
    check_lost();
#endif
    kft_server_close(&server);
    serve(little_held);
    check_queue(8, 16);
    kft_server_close(&server);
    serve(hasty);
    check_unread();
    kft_server_close(&server);
    serve(three);
    check_open();
    kft_server_close(&server);
}

#else

void test_reactor_bounds(const kft_env *env) { (void)env; }

#endif
