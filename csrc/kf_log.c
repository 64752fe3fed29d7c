/*
 * Appending to the audit log (docs/audit.md). Several processes append to one file: the lock of another file lets
 * one at a time, and a page that all of them have mapped says where the log ends. Rules:
 * - a record is wholly in the file, and the end behind it, before the call returns; what was not answered may be
 *   missing after a crash, what was answered may not;
 * - `busy` is set from before the first byte of a record until the end is behind it, in this order whatever the
 *   compiler does: a writer may be killed between any two instructions. Who finds it set knows that a writer died,
 *   appends nothing and says so: the caller repairs under the lock;
 * - a write that fails is taken back, so that the next record follows the one before it;
 * - records that are appended together are one write: all of them are there, or none.
 */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kf_log.h"
#include "kf_metrics.h"
#include "kf_sha256.h"

enum { HEAD_LEN = 5, CHAIN_LEN = 32 };

/* The lock itself, for callers that have asked kf_init already. */
static int lock(int lock_fd) {
    while (flock(lock_fd, LOCK_EX) != 0) {
        if (errno != EINTR) return KF_ERR_SYSTEM;
    }
    return KF_OK;
}

static int unlock(int lock_fd) { return flock(lock_fd, LOCK_UN) == 0 ? KF_OK : KF_ERR_SYSTEM; }

int kf_log_lock(int lock_fd) {
    const int status = kf_init();
    return status == KF_OK ? lock(lock_fd) : status;
}

int kf_log_unlock(int lock_fd) {
    const int status = kf_init();
    return status == KF_OK ? unlock(lock_fd) : status;
}

static void begin(struct kf_log_end *end) {
    __atomic_store_n(&end->busy, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* no later store comes before it */
}

static void finish(struct kf_log_end *end) { __atomic_store_n(&end->busy, 0, __ATOMIC_RELEASE); }

/* u32 length of what follows it, little-endian; kind. */
static void put_head(uint8_t head[HEAD_LEN], int kind, size_t body_len) {
    const uint32_t len = (uint32_t)(1 + body_len + CHAIN_LEN);
    for (int i = 0; i < 4; i++) head[i] = (uint8_t)(len >> (8 * i));
    head[4] = (uint8_t)kind;
}

static void link_to(uint8_t chain[CHAIN_LEN], const uint8_t before[CHAIN_LEN], const uint8_t head[HEAD_LEN],
                    const uint8_t *body, size_t body_len) {
    kf_sha256_ctx ctx;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, before, CHAIN_LEN);
    kf_sha256_update(&ctx, head, HEAD_LEN);
    kf_sha256_update(&ctx, body, body_len);
    kf_sha256_final(&ctx, chain);
}

/* All bytes of the record, at offset; a file on a full disk takes a part of them. */
static int write_at(int fd, uint64_t offset, struct iovec *parts, int num) {
    while (num > 0) {
        ssize_t done = pwritev(fd, parts, num, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            if (done == 0) errno = EIO;
            return KF_ERR_SYSTEM;
        }
        offset += (uint64_t)done;
        while (num > 0 && (size_t)done >= parts->iov_len) {
            done -= (ssize_t)parts->iov_len;
            parts++, num--;
        }
        if (num > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return KF_OK;
}

/* Records that lie back to back in one buffer. */
typedef struct {
    const uint8_t *kinds; /* of each; NULL: all are of one */
    int kind;
    const uint8_t *bodies;
    const uint32_t *lens;
    size_t num;
} records;

/* Their bytes in the file; 0: one of them is too long, or they are too many. */
static uint64_t size_of(const records *all) {
    uint64_t size = 0;
    if (all->num < 1 || all->num > KF_LOG_MAX_RECORDS) return 0;
    for (size_t i = 0; i < all->num; i++) {
        if (all->lens[i] > KF_LOG_MAX_BODY) return 0;
        size += HEAD_LEN + all->lens[i] + CHAIN_LEN;
    }
    return size;
}

static int append(struct kf_log_end *end, int fd, const records *all) {
    uint8_t heads[KF_LOG_MAX_RECORDS][HEAD_LEN], chains[KF_LOG_MAX_RECORDS][CHAIN_LEN];
    struct iovec parts[3 * KF_LOG_MAX_RECORDS], *part = parts;
    const uint64_t size = size_of(all);
    const uint8_t *body = all->bodies, *before = end->chain;
    if (!size || all->kind < 0 || all->kind > UINT8_MAX) return KF_ERR_ARGUMENT;
    if (end->busy) return KF_ERR_FORMAT;
    for (size_t i = 0; i < all->num; i++) {
        const size_t len = all->lens[i];
        put_head(heads[i], all->kinds ? all->kinds[i] : all->kind, len);
        link_to(chains[i], before, heads[i], body, len);
        *part++ = (struct iovec){heads[i], HEAD_LEN};
        *part++ = (struct iovec){(void *)(uintptr_t)body, len};
        *part++ = (struct iovec){chains[i], CHAIN_LEN};
        before = chains[i], body += len;
    }
    begin(end);
    const int status = write_at(fd, end->offset, parts, (int)(part - parts));
    if (status != KF_OK) {
        const int reason = errno;
        if (ftruncate(fd, (off_t)end->offset) == 0) finish(end);
        errno = reason;
        return status;
    }
    memcpy(end->chain, before, CHAIN_LEN);
    end->offset += size;
    end->num += all->num;
    finish(end);
    return KF_OK;
}

int kf_log_append_locked(struct kf_log_end *end, int fd, int kind, const uint8_t *body, size_t body_len) {
    const int status = kf_init();
    const uint32_t len = body_len > KF_LOG_MAX_BODY ? UINT32_MAX : (uint32_t)body_len;
    const records one = {.kind = kind, .bodies = body, .lens = &len, .num = 1};
    return status == KF_OK ? append(end, fd, &one) : status;
}

/* num_events: how many are in them. */
static int append_all(const struct kf_reactor_log *place, uint64_t *num, const records *all, uint64_t num_events) {
    struct kf_log_end *end = place->end;
    const uint64_t size = size_of(all), begun = kf_metrics_now();
    int status = kf_init();
    if (status == KF_OK && !size) return KF_ERR_ARGUMENT;
    if (status == KF_OK) status = lock(place->lock_fd);
    if (status != KF_OK) return status;
    if (end->segment != place->segment) status = KF_ERR_STALE;
    else if (end->offset + size - HEAD_LEN - CHAIN_LEN > place->max_offset) status = KF_ERR_CAPACITY;
    else status = append(end, place->fd, all);
    *num = end->num;
    const int reason = errno;
    const int unlocked = unlock(place->lock_fd);
    if (status == KF_OK) {
        kf_metrics_requests(KF_TIMER_AUDIT, begun, num_events);
        return unlocked;
    }
    errno = reason;
    return status;
}

int kf_log_append(struct kf_log_end *end, uint64_t *num, int lock_fd, int fd, uint64_t segment, uint64_t max_offset,
                  int kind, const uint8_t *bodies, const uint32_t *lens, size_t num_bodies) {
    const struct kf_reactor_log place = {.end = end, .lock_fd = lock_fd, .fd = fd, .segment = segment, .max_offset = max_offset};
    const records all = {.kind = kind, .bodies = bodies, .lens = lens, .num = num_bodies};
    return append_all(&place, num, &all, num_bodies);
}

int kf_log_append_kinds(const struct kf_reactor_log *place, const uint8_t *kinds, const uint8_t *bodies,
                        const uint32_t *lens, size_t num_bodies, uint64_t num_events) {
    uint64_t num;
    const records all = {.kinds = kinds, .bodies = bodies, .lens = lens, .num = num_bodies};
    return append_all(place, &num, &all, num_events);
}
