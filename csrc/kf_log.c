/*
 * Appending to the audit log (docs/audit.md). Several processes append to one file: the lock of another file lets
 * one at a time, and a page that all of them have mapped says where the log ends. Rules:
 * - a record is wholly in the file, and the end behind it, before the call returns; what was not answered may be
 *   missing after a crash, what was answered may not;
 * - `busy` is set from before the first byte of a record until the end is behind it, in this order whatever the
 *   compiler does: a writer may be killed between any two instructions. Who finds it set knows that a writer died,
 *   appends nothing and says so: the caller repairs under the lock;
 * - a write that fails is taken back, so that the next record follows the one before it.
 */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kf.h"
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

static int append(struct kf_log_end *end, int fd, int kind, const uint8_t *body, size_t body_len) {
    uint8_t head[HEAD_LEN], chain[CHAIN_LEN];
    if (body_len > KF_LOG_MAX_BODY || kind < 0 || kind > UINT8_MAX) return KF_ERR_ARGUMENT;
    if (end->busy) return KF_ERR_FORMAT;
    put_head(head, kind, body_len);
    link_to(chain, end->chain, head, body, body_len);
    struct iovec parts[3] = {{head, HEAD_LEN}, {(void *)(uintptr_t)body, body_len}, {chain, CHAIN_LEN}};
    begin(end);
    const int status = write_at(fd, end->offset, parts, 3);
    if (status != KF_OK) {
        const int reason = errno;
        if (ftruncate(fd, (off_t)end->offset) == 0) finish(end);
        errno = reason;
        return status;
    }
    memcpy(end->chain, chain, CHAIN_LEN);
    end->offset += HEAD_LEN + body_len + CHAIN_LEN;
    end->num++;
    finish(end);
    return KF_OK;
}

int kf_log_append_locked(struct kf_log_end *end, int fd, int kind, const uint8_t *body, size_t body_len) {
    const int status = kf_init();
    return status == KF_OK ? append(end, fd, kind, body, body_len) : status;
}

int kf_log_append(struct kf_log_end *end, uint64_t *num, int lock_fd, int fd, uint64_t segment, uint64_t max_offset,
                  int kind, const uint8_t *body, size_t body_len) {
    const uint64_t begun = kf_metrics_now();
    int status = kf_init();
    if (status == KF_OK) status = lock(lock_fd);
    if (status != KF_OK) return status;
    if (end->segment != segment) status = KF_ERR_STALE;
    else if (end->offset + body_len > max_offset) status = KF_ERR_CAPACITY;
    else status = append(end, fd, kind, body, body_len);
    *num = end->num;
    const int reason = errno;
    const int unlocked = unlock(lock_fd);
    if (status == KF_OK) {
        kf_metrics_request(KF_TIMER_AUDIT, begun);
        return unlocked;
    }
    errno = reason;
    return status;
}
