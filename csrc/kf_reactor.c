/* The loop: accepts, reads, takes what others bring, and ends (kf_reactor.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kf_reactor.h"

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

enum { EVENTS_AT_ONCE = 128, GROUPS_MAX = 1024, SEND_ROOM = 1 << 20, NOTICE_US = 40 * 1000, ACCEPTS_AT_ONCE = 64,
       LISTEN_US = 100 * 1000 /* to wait for descriptors or memory */ };

/* ---- accepting ---------------------------------------------------------------------------------- */

/* The gids of a peer: the primary one, and the others, which old kernels do not tell. Returns their number. */
static size_t groups_of(int fd, const struct ucred *peer, uint32_t gids[GROUPS_MAX + 1]) {
    size_t num = 1;
    gids[0] = peer->gid;
#ifdef SO_PEERGROUPS
    socklen_t len = GROUPS_MAX * sizeof *gids;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids + 1, &len) == 0) num += len / sizeof *gids;
#endif
    return num;
}

static int listen_to(struct kf_reactor *r, int operation) {
    for (size_t i = 0; i < r->num_listening; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &r->listening[i]};
        if (epoll_ctl(r->epoll_fd, operation, r->listening[i], &e) != 0 && operation == EPOLL_CTL_ADD) return 0;
    }
    return 1;
}

/* Who waits to be accepted would wake the loop for nothing. */
static void pause_listening(struct kf_reactor *r) {
    r->listen_at = r->now + LISTEN_US;
    listen_to(r, EPOLL_CTL_DEL);
}

static void listen_again(struct kf_reactor *r) {
    if (!r->listen_at || r->now < r->listen_at || r->stop_at) return;
    r->listen_at = 0;
    listen_to(r, EPOLL_CTL_ADD);
}

/* One connection, with who is at its other end; 0: there is none. */
static int accept_one(struct kf_reactor *r, int listening) {
    uint32_t gids[GROUPS_MAX + 1];
    struct ucred peer;
    socklen_t len = sizeof peer;
    const int room = SEND_ROOM, fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) pause_listening(r);
    if (fd < 0) return errno == EINTR || errno == ECONNABORTED;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        close(fd);
        return 1;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    const struct kf_text groups = {(const uint8_t *)gids, sizeof *gids * groups_of(fd, &peer, gids)};
    kf_conn *c = kf_conn_open(r, fd, peer.uid);
    if (c && !kf_event_push(r, KF_EVENT_CONNECTED, c, &groups)) kf_conn_close(r, c);
    return 1;
}

static void accept_some(struct kf_reactor *r, int listening) {
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        if (__atomic_load_n(&r->num_events, __ATOMIC_RELAXED) > KF_EVENTS_MAX) {
            pause_listening(r); /* the server does not keep up with who comes and goes */
            return;
        }
        if (!accept_one(r, listening)) return;
    }
}

/* ---- what others bring -------------------------------------------------------------------------- */

static void obey(struct kf_reactor *r, kf_command *command) {
    kf_conn *c = kf_conn_of(r, command->conn);
    int alive = 1;
    if (!c) return;
    switch (command->kind) {
    case KF_COMMAND_SEND:
        kf_conn_answered(r, c, command->num_answered);
        alive = kf_conn_send_buffer(r, c, &command->bytes);
        break;
    case KF_COMMAND_ADMIT:
        if (c->state != KF_CONN_ASKED) return;
        c->state = KF_CONN_READY;
        c->caller = command->caller;
        break;
    case KF_COMMAND_DROP:
        kf_timeout_end(&c->reads);
        c->state = KF_CONN_ENDING;
        break;
    }
    if (alive)
        kf_conn_resume(r, c);
    else
        kf_conn_close(r, c);
}

static void obey_all(struct kf_reactor *r) {
    for (kf_command *command = kf_inbox_take(r), *next; command; command = next) {
        next = command->next;
        obey(r, command);
        kf_command_free(command);
    }
}

static void finish_jobs(struct kf_reactor *r) {
    for (kf_job *job = kf_workers_done(r), *next; job; job = next) {
        kf_conn *c = kf_conn_of(r, job->conn);
        next = job->next;
        if (job->answer) kf_hot_used(r, &job->use);
        if (c && job->is_lost) kf_conn_close(r, c);
        if (c && job->answer) {
            kf_conn_answered(r, c, 1);
            if (kf_conn_send_answer(r, c, job))
                kf_conn_resume(r, c);
            else
                kf_conn_close(r, c);
        }
        kf_job_free(r, job);
    }
}

/* Says that the log is to be synced, at once after a while without, then not too often. */
static void notice(struct kf_reactor *r) {
    if (r->now < r->noticed_at + NOTICE_US) return;
    if (!__atomic_exchange_n(&r->is_dirty, 0, __ATOMIC_ACQ_REL)) return;
    r->noticed_at = r->now;
    if (!kf_event_push(r, KF_EVENT_RECORDED, NULL, NULL)) __atomic_store_n(&r->is_dirty, 1, __ATOMIC_RELEASE);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static void begin_to_stop(struct kf_reactor *r) {
    pthread_mutex_lock(&r->shared_lock);
    const int stop = r->stop;
    const int64_t patience = (int64_t)r->patience_ms * 1000;
    pthread_mutex_unlock(&r->shared_lock);
    if (!stop || r->stop_at) return;
    r->stop_at = r->now + patience;
    listen_to(r, EPOLL_CTL_DEL);
    for (uint32_t i = 0; i < r->num_slots; i++)
        if (r->conns[i]) kf_conn_settle(r, r->conns[i]);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* Milliseconds to wait for something; -1: for ever. */
static int wait_ms(const struct kf_reactor *r) {
    int64_t until = kf_timeouts_until(r);
    if (r->again || kf_holds_are_over(r)) return 0;
    if (r->stop_at) until = earlier(until, r->stop_at);
    else if (r->listen_at) until = earlier(until, r->listen_at);
    if (__atomic_load_n(&r->is_dirty, __ATOMIC_ACQUIRE)) until = earlier(until, r->noticed_at + NOTICE_US);
    if (until == INT64_MAX) return -1;
    const int64_t left = until - r->now;
    return left <= 0 ? 0 : left > 3600 * 1000000LL ? 3600 * 1000 : (int)(left / 1000 + 1);
}

static void serve(struct kf_reactor *r, const struct epoll_event *e) {
    const void *who = e->data.ptr;
    if (who == &r->wake_fd) {
        kf_group_end(r);
        obey_all(r);
        finish_jobs(r);
        begin_to_stop(r);
        return;
    }
    if ((const int *)who >= r->listening && (const int *)who < r->listening + r->num_listening) {
        accept_some(r, *(const int *)who);
        return;
    }
    kf_conn *c = e->data.ptr;
    if (c->fd < 0) return; /* closed in this round */
    if (e->events & (EPOLLHUP | EPOLLERR)) { /* nobody is there to be answered */
        kf_conn_close(r, c);
        return;
    }
    if (e->events & EPOLLOUT) {
        if (!kf_conn_flush(r, c)) {
            kf_conn_close(r, c);
            return;
        }
        kf_conn_resume(r, c);
    }
    if (c->fd >= 0 && e->events & EPOLLIN && c->mask & EPOLLIN) kf_conn_read(r, c);
}

/* Those whose turn ended before their requests did. */
static void serve_again(struct kf_reactor *r) {
    kf_conn *c = r->again;
    r->again = NULL;
    r->again_end = &r->again;
    for (kf_conn *next; c; c = next) {
        next = c->again_next;
        c->is_listed = 0;
        kf_conn_resume(r, c);
        kf_uid_wake(r, c->uid);
    }
}

static int is_done(const struct kf_reactor *r) { return r->stop_at && (!r->num_open || r->now >= r->stop_at); }

static void begin_round(struct kf_reactor *r) {
    r->begun = kf_metrics_now();
    r->now = (int64_t)(r->begun / 1000);
    r->today = kf_clock_us(CLOCK_REALTIME);
    if (!r->num_held) r->renewals = __atomic_load_n(&r->num_renewed, __ATOMIC_SEQ_CST);
}

int kf_reactor_run(struct kf_reactor *r) {
    struct epoll_event events[EVENTS_AT_ONCE];
    r->now = kf_clock_us(CLOCK_MONOTONIC);
    while (!is_done(r)) {
        const int num = epoll_wait(r->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(r));
        if (num < 0 && errno != EINTR) return KF_ERR_SYSTEM;
        begin_round(r);
        r->is_alone = num == 1 && !r->again;
        for (int i = 0; i < num; i++) serve(r, &events[i]);
        serve_again(r);
        kf_holds_check(r);
        kf_group_end(r);
        kf_events_returned(r);
        kf_nonces_end(&r->nonces);
        kf_wipe_below();
        kf_timeouts_check(r);
        listen_again(r);
        notice(r);
        kf_conn_free_closed(r);
    }
    for (uint32_t i = 0; i < r->num_slots; i++)
        if (r->conns[i]) kf_conn_close(r, r->conns[i]);
    kf_conn_free_closed(r);
    return KF_OK;
}

void kf_reactor_stop(struct kf_reactor *r, uint32_t patience_ms) {
    pthread_mutex_lock(&r->shared_lock);
    r->stop = 1;
    r->patience_ms = patience_ms;
    pthread_mutex_unlock(&r->shared_lock);
    kf_wake(r->wake_fd);
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static int open_files(struct kf_reactor *r) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &r->wake_fd};
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->epoll_fd < 0 || r->wake_fd < 0 || r->event_fd < 0) return 0;
    for (size_t i = 0; i < r->num_listening; i++) { /* who has gone again must not make the loop wait */
        const int flags = fcntl(r->listening[i], F_GETFL);
        if (flags < 0 || fcntl(r->listening[i], F_SETFL, flags | O_NONBLOCK) != 0) return 0;
    }
    return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &e) == 0 && listen_to(r, EPOLL_CTL_ADD);
}

static int copy_text(struct kf_text *text) {
    uint8_t *copy = malloc(text->len + 1);
    if (copy && text->len) memcpy(copy, text->at, text->len);
    text->at = copy;
    return copy != NULL;
}

static int open_memory(struct kf_reactor *r, const int *listen_fds, size_t num_fds) {
    enum { ALL = KF_IN_ROOM + KF_OUT_LEN + KF_ROOM_LEN + KF_RECORDS_LEN };
    r->listening = malloc((num_fds ? num_fds : 1) * sizeof *r->listening);
    r->common = kf_buffer_new(ALL, ALL);
    const int refusal = copy_text(&r->limits.refusal), full = copy_text(&r->limits.full);
    if (!r->listening || !r->common.at || !refusal || !full) return 0;
    r->in = r->common.at, r->out = r->in + KF_IN_ROOM, r->room = r->out + KF_OUT_LEN, r->group.events.bytes = r->room + KF_ROOM_LEN;
    r->group.events.room = KF_RECORDS_LEN;
    if (num_fds) memcpy(r->listening, listen_fds, num_fds * sizeof *listen_fds);
    r->num_listening = num_fds;
    return 1;
}

static void close_file(int fd) {
    if (fd >= 0) close(fd);
}

static void free_all(struct kf_reactor *r) {
    close_file(r->epoll_fd), close_file(r->wake_fd), close_file(r->event_fd);
    close_file(r->log.fd), close_file(r->log.lock_fd);
    kf_buffer_free(&r->common);
    free(r->listening), free((void *)(uintptr_t)r->limits.refusal.at), free((void *)(uintptr_t)r->limits.full.at);
    free(r->conns), free(r->serials), free(r->free_slots);
    pthread_mutex_destroy(&r->shared_lock);
    pthread_mutex_destroy(&r->log_lock);
    free(r);
}

static int are_sensible(const struct kf_reactor_limits *l) {
    return l->max_frame >= 1024 && l->max_frame <= UINT32_MAX && l->max_hello >= 16 && l->max_hello <= KF_IN_LEN / 2 &&
           l->max_message >= l->max_frame && l->max_inflight && l->max_connections && l->max_open && l->threads >= 1;
}

int kf_reactor_open(struct kf_reactor **out, const int *listen_fds, size_t num_fds, const uint64_t *epoch,
                    const struct kf_reactor_limits *limits) {
    int status = kf_init();
    if (status == KF_OK && (!epoch || !are_sensible(limits))) status = KF_ERR_ARGUMENT;
    struct kf_reactor *r = status == KF_OK ? calloc(1, sizeof *r) : NULL;
    if (!r) return status == KF_OK ? KF_ERR_MEMORY : status;
    r->limits = *limits, r->epoch = epoch;
    r->epoll_fd = r->wake_fd = r->event_fd = r->log.fd = r->log.lock_fd = -1;
    r->hellos.length = (int64_t)limits->hello_ms * 1000, r->frames.length = (int64_t)limits->frame_ms * 1000;
    r->writes.length = (int64_t)limits->write_ms * 1000, r->holds.length = KF_HOLD_US;
    kf_ring_init(&r->hellos.running), kf_ring_init(&r->frames.running), kf_ring_init(&r->writes.running);
    kf_ring_init(&r->holds.running);
    r->again_end = &r->again, r->events_end = &r->events, r->inbox_end = &r->inbox;
    pthread_mutex_init(&r->shared_lock, NULL);
    pthread_mutex_init(&r->log_lock, NULL);
    if (!open_memory(r, listen_fds, num_fds)) status = KF_ERR_MEMORY;
    if (status == KF_OK && !open_files(r)) status = KF_ERR_SYSTEM;
    if (status == KF_OK) status = kf_tickets_init(&r->tickets);
    if (status == KF_OK && (status = kf_workers_init(&r->workers)) != KF_OK) kf_tickets_destroy(&r->tickets);
    if (status == KF_OK) {
        *out = r;
        return KF_OK;
    }
    const int reason = errno;
    free_all(r);
    errno = reason;
    return status;
}

void kf_reactor_close(struct kf_reactor *r) {
    for (uint32_t i = 0; i < r->num_slots; i++)
        if (r->conns[i]) kf_conn_close(r, r->conns[i]);
    kf_conn_free_closed(r);
    kf_workers_destroy(r);
    for (kf_command *command = kf_inbox_take(r), *next; command; command = next) {
        next = command->next;
        kf_command_free(command);
    }
    kf_events_free(r);
    kf_tickets_destroy(&r->tickets);
    free_all(r);
    kf_buffers_forget();
}

#else

int kf_reactor_open(struct kf_reactor **out, const int *listen_fds, size_t num_fds, const uint64_t *epoch,
                    const struct kf_reactor_limits *limits) {
    (void)out, (void)listen_fds, (void)num_fds, (void)epoch, (void)limits;
    errno = ENOSYS;
    return KF_ERR_SYSTEM;
}
int kf_reactor_run(struct kf_reactor *r) {
    (void)r;
    return KF_ERR_SYSTEM;
}
void kf_reactor_take(struct kf_reactor *r, struct kf_event *out) {
    (void)r;
    *out = (struct kf_event){.kind = KF_EVENT_NONE};
}
void kf_reactor_done(struct kf_reactor *r, struct kf_event *event) { (void)r, (void)event; }
int kf_reactor_send(struct kf_reactor *r, uint64_t conn, const uint8_t *frames, size_t frames_len,
                    uint32_t num_answered) {
    (void)r, (void)conn, (void)frames, (void)frames_len, (void)num_answered;
    return KF_ERR_SYSTEM;
}
int kf_reactor_admit(struct kf_reactor *r, uint64_t conn, uint64_t caller) {
    (void)r, (void)conn, (void)caller;
    return KF_ERR_SYSTEM;
}
int kf_reactor_drop(struct kf_reactor *r, uint64_t conn) {
    (void)r, (void)conn;
    return KF_ERR_SYSTEM;
}
void kf_reactor_stop(struct kf_reactor *r, uint32_t patience_ms) { (void)r, (void)patience_ms; }
void kf_reactor_close(struct kf_reactor *r) { (void)r; }

#endif
