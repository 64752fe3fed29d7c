/*
 * Room for the results of sealing. The kernel clears every page that it gives to a process, which can take as long
 * as sealing a record takes; so the last room that was given back is kept for the next batch.
 * Rules:
 * - only ciphertext is ever written to a room: what it still holds from earlier is no secret;
 * - one room is kept in a process, of no more than KEPT_MAX bytes, and the kernel may take its pages back whenever
 *   memory is short (MADV_FREE);
 * - rooms are large: what fits into malloc's own memory needs none.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "kf.h"

enum { HUGE_PAGE = 2 << 20, KEPT_MAX = 256 << 20 };

/* What a room starts with; the caller's bytes follow. */
typedef struct {
    size_t len; /* of the mapping */
} __attribute__((aligned(64))) room;

static room *kept;

static void destroy(room *r) {
    if (r) munmap(r, r->len);
}

static room *create(size_t len) {
    room *r = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(r, len, MADV_HUGEPAGE); /* where there are none, it refuses and nothing changes */
#endif
    r->len = len;
    return r;
}

/* Neither too small nor so large that most of it would lie idle. */
static int fits(const room *r, size_t len) {
    return len <= r->len && r->len / 2 <= len;
}

uint8_t *kf_room_take(size_t len) {
    if (len > SIZE_MAX / 2) return NULL;
    len = (len + sizeof(room) + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    room *r = __atomic_exchange_n(&kept, NULL, __ATOMIC_ACQ_REL);
    if (!r || !fits(r, len)) {
        destroy(r);
        r = create(len);
    }
    return r ? (uint8_t *)(r + 1) : NULL;
}

void kf_room_give(uint8_t *bytes) {
    room *r = (room *)(void *)bytes - 1;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE); /* the first, which says how long the room is, stays */
    if (r->len > KEPT_MAX || madvise((uint8_t *)r + page, r->len - page, MADV_FREE) != 0)
        destroy(r);
    else
        destroy(__atomic_exchange_n(&kept, r, __ATOMIC_ACQ_REL));
}
