/*
 * Rooms for secrets of running calls (kf_workroom.h).
 * Rules:
 * - a mapping costs system calls and a page fault for every page: KF_WORKROOMS of them, as many as threads that were
 *   at work at one time, are kept for the process. Calls beyond, and long ones, have mappings for once;
 * - a room that nobody has taken holds no secret: it is wiped when it is given back;
 * - what says that a room is taken is in the room. A child that was forked while other threads had rooms finds them
 *   wiped, and so free; where the kernel does not wipe them (emulators accept the advice and do nothing) they stay
 *   taken there, and are not used again;
 * - keys come first: a room is locked only while the arena is there and has locked what it wants. Locking is tried once
 *   in each process and goes as far as the limit allows.
 */
#define _GNU_SOURCE
#include "kf_workroom.h"

#include <stdint.h>
#include <sys/mman.h>

#include "kf_arena.h"
#include "kf_util.h"

/* Past the end of what was asked for, AddressSanitizer is to see accesses as it does past malloc's memory. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

/* What a room starts with; the caller's bytes follow. Zeros, as the kernel gives them and leaves them to a child: free,
 * and not locked. */
typedef struct {
    uint64_t taken, tried; /* tried: to lock it */
    size_t once;           /* the length of a mapping that is not kept */
} __attribute__((aligned(64))) room;

_Static_assert(sizeof(room) == 64, "a cache line");

enum { KEPT_LEN = sizeof(room) + KF_WORKROOM_MOST };

static room *rooms[KF_WORKROOMS]; /* mapped when they are needed first, for ever */

static room *map(size_t len) {
    room *r = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) return NULL;
#ifdef MADV_DONTDUMP
    madvise(r, len, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
    madvise(r, len, MADV_WIPEONFORK);
#endif
    return r;
}

static void lock_if_it_fits(room *r, size_t len) {
    if (r->tried || !kf_arena_is_open()) return;
    r->tried = 1;
    (void)!mlock(r, len); /* without it the room serves as well: kf_workroom.h promises no more */
}

/* Room i, mapped by whoever is first; NULL: there is no memory. */
static room *kept(int i) {
    room *r = __atomic_load_n(&rooms[i], __ATOMIC_ACQUIRE), *mine;
    if (r || !(mine = map(KEPT_LEN))) return r;
    if (__atomic_compare_exchange_n(&rooms[i], &r, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return mine;
    munmap(mine, KEPT_LEN);
    return r;
}

static room *take_kept(void) {
    for (int i = 0; i < KF_WORKROOMS; i++) {
        room *r = kept(i);
        if (!r) return NULL;
        if (!__atomic_exchange_n(&r->taken, 1, __ATOMIC_ACQUIRE)) {
            lock_if_it_fits(r, KEPT_LEN);
            return r;
        }
    }
    return NULL;
}

static room *take_once(size_t len) {
    room *r = map(len);
    if (!r) return NULL;
    r->once = len;
    lock_if_it_fits(r, len);
    return r;
}

void *kf_workroom_take(size_t len) {
    if (len > SIZE_MAX / 2) return NULL;
    room *r = len <= KF_WORKROOM_MOST ? take_kept() : NULL;
    if (!r) r = take_once(sizeof *r + len);
    if (!r) return NULL;
    if (!r->once) ASAN_POISON_MEMORY_REGION((uint8_t *)(r + 1) + len, KF_WORKROOM_MOST - len);
    return r + 1;
}

void kf_workroom_give(void *memory, size_t len) {
    room *r = (room *)memory - 1;
    kf_wipe(memory, len);
    if (r->once) {
        munmap(r, r->once);
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION((uint8_t *)memory + len, KF_WORKROOM_MOST - len);
    __atomic_store_n(&r->taken, 0, __ATOMIC_RELEASE);
}
