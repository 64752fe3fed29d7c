/*
 * The arena's memory and its slots (kf_arena.h, docs/key-hierarchy.md).
 *
 * One mapping, made once: a canary, then slots of equal size. It is locked, left out of core dumps, and
 * wiped by the kernel in a child of fork. The wiped canary is how a child knows; opening the arena there
 * uses the same mapping again, under a new epoch, so that no handle of the parent fits.
 *
 * A slot's state is one word: generation 32 | kind 8 | doomed 8 | pins 16. Pinning is a compare and swap on it
 * and takes no lock. What changes a slot's kind holds the lock. A slot is given back only from pins == 0,
 * which changes its generation in the same step, so that no pin can come in between. A released slot that
 * is pinned is doomed: nobody pins it again, and its last unpin wipes it.
 */
#define _GNU_SOURCE
#include "kf_arena.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kf.h"
#include "kf_metrics.h"
#include "kf_util.h"

typedef union {
    kf_secret_slot secret;
    kf_root_slot root;
    kf_store_slot store;
    kf_key_slot key;
    kf_sealed_slot sealed;
    kf_mac_slot mac;
    kf_p256_slot p256;
} slot_body;

enum {
    CACHE_LINE = 64,
    SLOT_LEN = (sizeof(slot_body) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE,
    HEAD_LEN = CACHE_LINE, /* the canary's line */
    MIN_SLOTS = 16,
    MAX_SLOTS = 1 << 16,
    DEFAULT_LEN = 4 << 20
};

#define CANARY UINT64_C(0x6b6d736661737421)

#define PIN UINT64_C(1)
#define PINS(state) ((uint16_t)(state))
#define DOOMED (UINT64_C(1) << 16)
#define KIND(state) ((enum kf_slot_kind)((state) >> 24 & 0xff))
#define GENERATION(state) ((uint32_t)((state) >> 32))
#define STATE(generation, kind, pins) ((uint64_t)(generation) << 32 | (uint64_t)(kind) << 24 | (pins))

typedef struct {
    uint64_t state;
    uint64_t used; /* the clock when it was last pinned */
} slot_meta;

static struct {
    uint8_t *base; /* set once */
    size_t len;
    slot_meta *slots;
    uint16_t *free_slots; /* a stack */
    uint32_t num_slots, num_free;
    uint16_t epoch; /* from 1; counts the forks before this process that opened the arena anew */
    uint64_t clock, loads, evictions;
    int lock_errno, locked, dontdump, wipeonfork;
} arena;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static volatile uint64_t *canary(void) { return (volatile uint64_t *)(void *)arena.base; }

static uint8_t *body_of(uint32_t slot) { return arena.base + HEAD_LEN + (size_t)slot * SLOT_LEN; }

static uint8_t *base(void) { return __atomic_load_n(&arena.base, __ATOMIC_ACQUIRE); }

/* 0 in a child of fork that has not opened the arena again. */
static int alive(void) { return __atomic_load_n(canary(), __ATOMIC_ACQUIRE) == CANARY; }

int kf_arena_is_open(void) { return base() && alive(); }

/* ---- fork ------------------------------------------------------------------------------------ */

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

/* Where the kernel does not wipe the mapping, this does; emulators accept the advice and do nothing. */
static void after_fork_in_child(void) {
    if (arena.base && alive()) kf_wipe(arena.base, arena.len);
    pthread_mutex_unlock(&lock);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static size_t round_to_pages(size_t len) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (len + page - 1) / page * page;
}

static uint32_t slots_in(size_t len) {
    const size_t n = (len - HEAD_LEN) / SLOT_LEN;
    return n < MAX_SLOTS ? (uint32_t)n : MAX_SLOTS;
}

/* Locks as much of the wanted length as the limit allows, halving down to the smallest arena. If even
 * that is refused, the arena works unlocked, unless KMSFAST_REQUIRE_MLOCK says otherwise. */
static int lock_memory(uint8_t *at, size_t *len, size_t smallest) {
    const char *required = getenv("KMSFAST_REQUIRE_MLOCK");
    size_t try = *len;
    arena.locked = 1, arena.lock_errno = 0;
    while (mlock(at, try) != 0) {
        if (try == smallest) {
            arena.locked = 0, arena.lock_errno = errno;
            return required && *required && strcmp(required, "0") != 0 ? KF_ERR_SYSTEM : KF_OK;
        }
        try = round_to_pages(try / 2);
        if (try < smallest) try = smallest;
    }
    *len = try;
    return KF_OK;
}

static void advise(void) {
#ifdef MADV_DONTDUMP
    arena.dontdump = madvise(arena.base, arena.len, MADV_DONTDUMP) == 0;
#endif
#ifdef MADV_WIPEONFORK
    arena.wipeonfork = madvise(arena.base, arena.len, MADV_WIPEONFORK) == 0;
#endif
}

static int map_memory(uint64_t max_bytes) {
    const size_t smallest = round_to_pages(HEAD_LEN + (size_t)MIN_SLOTS * SLOT_LEN);
    const size_t largest = round_to_pages(HEAD_LEN + (size_t)MAX_SLOTS * SLOT_LEN);
    size_t wanted = max_bytes == 0 ? DEFAULT_LEN : max_bytes > largest ? largest : round_to_pages(max_bytes);
    if (wanted < smallest) wanted = smallest;
    uint8_t *at = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return KF_ERR_MEMORY;
    size_t len = wanted;
    const int status = lock_memory(at, &len, smallest);
    slot_meta *slots = calloc(slots_in(len), sizeof *slots);
    uint16_t *free_slots = calloc(slots_in(len), sizeof *free_slots);
    if (status != KF_OK || !slots || !free_slots) {
        const int error = arena.lock_errno;
        munmap(at, wanted);
        free(slots);
        free(free_slots);
        errno = error;
        return status != KF_OK ? status : KF_ERR_MEMORY;
    }
    if (len < wanted) munmap(at + len, wanted - len);
    arena.slots = slots, arena.free_slots = free_slots;
    arena.num_slots = slots_in(len), arena.len = len;
    __atomic_store_n(&arena.base, at, __ATOMIC_RELEASE);
    advise();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    return KF_OK;
}

/* All slots free, each of a generation that no handle was given for. The stack pops slot 0 first. */
static void reset_slots(void) {
    for (uint32_t i = 0; i < arena.num_slots; i++) {
        slot_meta *meta = &arena.slots[i];
        __atomic_store_n(&meta->state, STATE(GENERATION(meta->state) + 1, KF_KIND_FREE, 0), __ATOMIC_RELAXED);
        arena.free_slots[i] = (uint16_t)(arena.num_slots - 1 - i);
    }
    arena.num_free = arena.num_slots;
    arena.loads = arena.evictions = 0;
}

static int open_locked(uint64_t max_bytes) {
    int status = KF_OK;
    if (!arena.base) {
        status = map_memory(max_bytes);
    } else if (alive()) {
        return KF_OK;
    } else {
        size_t len = arena.len; /* locks are not inherited; the other properties are */
        status = lock_memory(arena.base, &len, arena.len);
    }
    if (status != KF_OK) return status;
    reset_slots();
    if (++arena.epoch == 0) arena.epoch = 1;
    __atomic_store_n(canary(), CANARY, __ATOMIC_RELEASE);
    return KF_OK;
}

int kf_arena_open(uint64_t max_bytes) {
    int status = kf_init();
    if (status != KF_OK) return status;
    pthread_mutex_lock(&lock);
    status = open_locked(max_bytes);
    pthread_mutex_unlock(&lock);
    return status;
}

int kf_arena_describe(struct kf_arena_info *out) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&lock);
    if (arena.base) {
        const int is_alive = alive();
        *out = (struct kf_arena_info){.num_slots = arena.num_slots,
                                      .used_slots = is_alive ? arena.num_slots - arena.num_free : 0,
                                      .loads = arena.loads,
                                      .evictions = arena.evictions,
                                      .bytes = arena.len,
                                      .locked = is_alive && arena.locked,
                                      .lock_errno = arena.lock_errno,
                                      .dontdump = arena.dontdump,
                                      .wipeonfork = arena.wipeonfork,
                                      .forked = !is_alive};
    }
    pthread_mutex_unlock(&lock);
    return KF_OK;
}

/* ---- slots --------------------------------------------------------------------------------------- */

static uint64_t handle_of(uint32_t slot, uint32_t generation) {
    return (uint64_t)arena.epoch << 48 | (uint64_t)generation << 16 | slot;
}

/* The slot that a handle names, if it could be of this process. */
static int find(slot_meta **meta, uint64_t handle) {
    if (!base()) return KF_ERR_STALE;
    if (!alive()) return KF_ERR_FORKED;
    const uint32_t slot = handle & 0xffff;
    if (handle >> 48 != arena.epoch) return handle >> 48 ? KF_ERR_FORKED : KF_ERR_STALE;
    if (slot >= arena.num_slots) return KF_ERR_STALE;
    *meta = &arena.slots[slot];
    return KF_OK;
}

static int names(uint64_t state, uint64_t handle) {
    return GENERATION(state) == (uint32_t)(handle >> 16) && KIND(state) != KF_KIND_FREE && !(state & DOOMED);
}

/* Wipes a slot that just became free and puts it on the stack. A slot whose generations have all been
 * given out stays out of use. Called with the lock held. */
static void give_back(uint32_t slot) {
    kf_wipe(body_of(slot), SLOT_LEN);
    if (GENERATION(arena.slots[slot].state) != UINT32_MAX) arena.free_slots[arena.num_free++] = (uint16_t)slot;
}

/* Ends the generation of an unpinned slot; 0 if somebody pinned it meanwhile. */
static int end_generation(slot_meta *meta, uint64_t state) {
    const uint64_t next = STATE(GENERATION(state) + 1, KF_KIND_FREE, 0);
    return __atomic_compare_exchange_n(&meta->state, &state, next, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* What can be loaded again: key versions. */
static int evictable(enum kf_slot_kind kind) {
    return kind == KF_KIND_KEY || kind == KF_KIND_HMAC || kind == KF_KIND_P256;
}

/* Frees the least recently used key that no call is using. */
static int evict(void) {
    for (;;) {
        slot_meta *oldest = NULL;
        uint64_t oldest_state = 0, oldest_used = UINT64_MAX;
        for (uint32_t i = 0; i < arena.num_slots; i++) {
            slot_meta *meta = &arena.slots[i];
            const uint64_t state = __atomic_load_n(&meta->state, __ATOMIC_RELAXED);
            const uint64_t used = __atomic_load_n(&meta->used, __ATOMIC_RELAXED);
            if (evictable(KIND(state)) && PINS(state) == 0 && used < oldest_used)
                oldest = meta, oldest_state = state, oldest_used = used;
        }
        if (!oldest) return KF_ERR_FULL;
        if (end_generation(oldest, oldest_state)) {
            give_back((uint32_t)(oldest - arena.slots));
            arena.evictions++;
            return KF_OK;
        }
    }
}

/* A clock of pins. Two threads may read the same time, which does no harm. */
static void stamp(slot_meta *meta) {
    const uint64_t now = __atomic_load_n(&arena.clock, __ATOMIC_RELAXED) + 1;
    __atomic_store_n(&arena.clock, now, __ATOMIC_RELAXED);
    __atomic_store_n(&meta->used, now, __ATOMIC_RELAXED);
}

static int new_locked(uint64_t *handle, void **body, enum kf_slot_kind kind) {
    int status = arena.base ? (alive() ? KF_OK : KF_ERR_FORKED) : open_locked(0);
    while (status == KF_OK && arena.num_free == 0) status = evict();
    if (status != KF_OK) return status;
    const uint32_t slot = arena.free_slots[--arena.num_free];
    slot_meta *meta = &arena.slots[slot];
    const uint32_t generation = GENERATION(meta->state);
    stamp(meta);
    __atomic_store_n(&meta->state, STATE(generation, kind, PIN), __ATOMIC_RELEASE);
    *handle = handle_of(slot, generation);
    *body = body_of(slot);
    arena.loads++;
    return KF_OK;
}

int kf_slot_new(uint64_t *handle, void **body, enum kf_slot_kind kind) {
    pthread_mutex_lock(&lock);
    const int status = new_locked(handle, body, kind);
    pthread_mutex_unlock(&lock); /* counting may take a lock of its own, which a fork takes in another order */
    if (status == KF_OK && evictable(kind)) kf_metrics_count(KF_COUNTER_ARENA_LOADS, 1);
    return status;
}

int kf_slot_pin(void **body, uint64_t handle, enum kf_slot_kind kind) {
    slot_meta *meta;
    const int status = find(&meta, handle);
    if (status != KF_OK) return status;
    uint64_t state = __atomic_load_n(&meta->state, __ATOMIC_RELAXED);
    do {
        if (!names(state, handle)) return KF_ERR_STALE;
        if (KIND(state) != kind) return KF_ERR_KIND;
        if (PINS(state) == UINT16_MAX) return KF_ERR_FULL;
    } while (!__atomic_compare_exchange_n(&meta->state, &state, state + PIN, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    stamp(meta);
    if (evictable(kind)) kf_metrics_count(KF_COUNTER_ARENA_USES, 1);
    *body = body_of((uint32_t)(handle & 0xffff));
    return KF_OK;
}

void kf_slot_unpin(uint64_t handle) {
    slot_meta *meta;
    if (find(&meta, handle) != KF_OK) return; /* this call forked; the child's arena is another one */
    const uint64_t state = __atomic_sub_fetch(&meta->state, PIN, __ATOMIC_RELEASE);
    if (!(state & DOOMED) || PINS(state)) return;
    pthread_mutex_lock(&lock);
    if (end_generation(meta, state)) give_back((uint32_t)(meta - arena.slots));
    pthread_mutex_unlock(&lock);
}

int kf_key_check(uint64_t handle) {
    slot_meta *meta;
    int status = kf_init();
    if (status == KF_OK) status = find(&meta, handle);
    if (status != KF_OK) return status;
    return names(__atomic_load_n(&meta->state, __ATOMIC_RELAXED), handle) ? KF_OK : KF_ERR_STALE;
}

int kf_key_release(uint64_t handle) {
    slot_meta *meta;
    const int status = kf_init();
    if (status != KF_OK) return status;
    if (find(&meta, handle) != KF_OK) return KF_OK; /* nothing of it is left to wipe */
    pthread_mutex_lock(&lock);
    uint64_t state = __atomic_load_n(&meta->state, __ATOMIC_RELAXED);
    while (names(state, handle)) {
        if (PINS(state) == 0 && end_generation(meta, state)) {
            give_back((uint32_t)(meta - arena.slots));
            break;
        }
        if (PINS(state) && __atomic_compare_exchange_n(&meta->state, &state, state | DOOMED, 0, __ATOMIC_ACQ_REL,
                                                       __ATOMIC_RELAXED))
            break;
        state = __atomic_load_n(&meta->state, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&lock);
    return KF_OK;
}
