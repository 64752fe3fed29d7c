/*
 * Bursts when a ticket or the log ends: one request goes to the server, the others wait for what its answer brings, and
 * go there as well when it brings nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "kf_reactor.h"
#include "kft_socket.h"

#if defined(__linux__)

enum { TEXT = 20, NUM = 50, LONG = 100 * 1000 * 1000, SHORT = 30 * 1000 /* microseconds */, LARGE_LOG = 1 << 30 };

static kft_server server;

static uint64_t handed(void) { return __atomic_load_n(&server.handed, __ATOMIC_RELAXED); }

static void serve(int recorded, int64_t hold_us) {
    memset(&server, 0, sizeof server);
    CHECK(kft_server_open(&server, recorded) == KF_OK, "open");
    server.reactor->holds.length = hold_us; /* the loop looks at it when there are requests */
}

static int comes(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static void send_many(int fd, uint64_t first, size_t num) {
    static uint8_t all[NUM * sizeof((kft_frame *)0)->bytes];
    kft_frame f;
    size_t all_len = 0;
    for (size_t i = 0; i < num; i++) {
        const size_t len = kft_encrypt_frame(&f, first + i, KFT_PAIRS, server.library.text, TEXT);
        memcpy(all + all_len, f.bytes, len);
        all_len += len;
    }
    kft_send(fd, all, all_len);
}

static void expect(int fd, uint64_t first, size_t num, int is_handed, const char *what) {
    for (size_t i = 0; i < num; i++) {
        uint8_t *frame;
        const size_t len = kft_receive(&frame, fd);
        const int right = is_handed ? kft_is_handed(frame, len, first + i) : kft_answer_bin(frame, len, first + i).at != NULL;
        CHECK(right, "%s: answer %d", what, (int)(first + i));
        free(frame);
    }
}

static void end_tickets(uint64_t epoch) { __atomic_store_n(&server.epoch, epoch, __ATOMIC_RELEASE); }

static void renew(uint64_t epoch) {
    const struct kf_ticket t = {.key = server.library.key, .epoch = epoch, .due = INT64_MAX, .max_record = 1 << 30};
    CHECK(kf_ticket_put(server.reactor, 1, KF_OP_ENCRYPT, (const uint8_t *)"k", 1, NULL, 0, &t) == KF_OK, "a ticket");
}

static void check_renewed_ticket(void) {
    serve(0, LONG);
    const int first = kft_dial(&server), second = kft_dial(&server), leaving = kft_dial(&server);
    end_tickets(2);
    send_many(first, 0, NUM);
    expect(first, 0, 1, 1, "the first under a ticket that has ended");
    send_many(second, 0, NUM);
    send_many(leaving, 0, 1);
    CHECK(!comes(second, 50) && !comes(first, 0) && handed() == 1, "%d went to the server", (int)handed());
    close(leaving);
    renew(2);
    expect(first, 1, NUM - 1, 0, "under the next ticket");
    expect(second, 0, NUM, 0, "of another connection");
    CHECK(handed() == 1, "%d went to the server", (int)handed());
    close(first), close(second);
    kft_server_close(&server);
}

/* The server says no: nobody waits again. */
static void check_no_ticket(void) {
    serve(0, SHORT);
    const int fd = kft_dial(&server);
    end_tickets(2);
    send_many(fd, 0, 20);
    expect(fd, 0, 20, 1, "without another ticket");
    CHECK(handed() == 20, "%d went to the server", (int)handed());
    close(fd);
    kft_server_close(&server);
}

static int new_file(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%.100s/%s", server.library.dir, name);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unlink(path);
    return fd;
}

static void check_renewed_log(void) {
    struct kf_log_end end = {.segment = 1};
    serve(1, LONG);
    const int fd = kft_dial(&server), fd_log = new_file("log"), fd_lock = new_file("lock");
    const struct kf_reactor_log log = {&end, fd_lock, fd_log, 1, LARGE_LOG}, ended = {&end, fd_lock, fd_log, 2, LARGE_LOG};
    kf_reactor_record(server.reactor, &ended);
    send_many(fd, 0, 1);
    expect(fd, 0, 1, 1, "what is for a log that has ended");
    send_many(fd, 1, NUM);
    CHECK(!comes(fd, 50) && handed() == 1, "%d went to the server", (int)handed());
    kf_reactor_record(server.reactor, &log);
    expect(fd, 1, NUM, 0, "in the next log");
    CHECK(handed() == 1 && end.num > 0, "%d went to the server, %d records", (int)handed(), (int)end.num);
    close(fd), close(fd_log), close(fd_lock);
    kft_server_close(&server);
}

void test_reactor_holds(const kft_env *env) {
    (void)env;
    check_renewed_ticket();
    check_no_ticket();
    check_renewed_log();
}

#else

void test_reactor_holds(const kft_env *env) { (void)env; }

#endif
