/* What any thread may ask of a reactor: its tickets, the log that it appends to, and what it has counted. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kf_reactor.h"

int kf_reactor_event_fd(const struct kf_reactor *r) { return r->event_fd; }

/* Who renews counts first, then looks for who waits; who waits is counted first, then looks for what was renewed. */
void kf_holds_renewed(struct kf_reactor *r) {
    __atomic_add_fetch(&r->num_renewed, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&r->num_held, __ATOMIC_SEQ_CST)) kf_wake(r->wake_fd);
}

int kf_ticket_put(struct kf_reactor *r, uint64_t caller, int operation, const uint8_t *key, size_t key_len,
                  const uint8_t *fact, size_t fact_len, const struct kf_ticket *ticket) {
    const struct kf_text name = {key, key_len}, of = {fact, fact_len};
    const int status = kf_tickets_put(&r->tickets, caller, operation, &name, &of, ticket);
    if (status == KF_OK) kf_holds_renewed(r);
    return status;
}

void kf_ticket_forget(struct kf_reactor *r, uint64_t caller) { kf_tickets_forget(&r->tickets, caller); }

/* As it was at one time: the loop may be writing it (kf_hot_used). */
static struct kf_reactor_use use_of(const kf_slot *slot, uint32_t number) {
    struct kf_reactor_use use = {.slot = number};
    uint32_t before;
    do {
        before = __atomic_load_n(&slot->turn, __ATOMIC_ACQUIRE);
        use.conn = __atomic_load_n(&slot->conn, __ATOMIC_ACQUIRE);
        use.id = __atomic_load_n(&slot->id, __ATOMIC_ACQUIRE);
    } while (before & 1 || before != __atomic_load_n(&slot->turn, __ATOMIC_RELAXED));
    return use;
}

size_t kf_reactor_used(struct kf_reactor *r, struct kf_reactor_use *out, size_t max) {
    size_t num = 0;
    for (uint32_t i = 0; i < KF_REACTOR_SLOTS && num < max; i++) {
        uint32_t *is_new = &r->slots[i].is_new;
        if (__atomic_load_n(is_new, __ATOMIC_RELAXED) && __atomic_exchange_n(is_new, 0, __ATOMIC_ACQUIRE))
            out[num++] = use_of(&r->slots[i], i);
    }
    return num;
}

static void close_log(struct kf_reactor_log *log) {
    if (log->fd >= 0) close(log->fd);
    if (log->lock_fd >= 0) close(log->lock_fd);
}

int kf_reactor_record(struct kf_reactor *r, const struct kf_reactor_log *log) {
    struct kf_reactor_log ours = {.fd = -1, .lock_fd = -1}, old;
    if (log) {
        ours = *log;
        ours.fd = fcntl(log->fd, F_DUPFD_CLOEXEC, 3);
        ours.lock_fd = fcntl(log->lock_fd, F_DUPFD_CLOEXEC, 3);
        if (ours.fd < 0 || ours.lock_fd < 0) {
            const int reason = errno;
            close_log(&ours);
            errno = reason;
            return KF_ERR_SYSTEM;
        }
    }
    pthread_mutex_lock(&r->log_lock);
    old = r->log;
    r->log = ours;
    __atomic_store_n(&r->refused_at, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&r->log_lock);
    kf_holds_renewed(r);
    close_log(&old);
    return KF_OK;
}

void kf_reactor_counts(struct kf_reactor *r, struct kf_reactor_counts *out) {
    const uint64_t *from = (const uint64_t *)&r->counts;
    uint64_t *to = (uint64_t *)out;
    for (size_t i = 0; i < sizeof *out / sizeof *to; i++) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
}
