/*
 * Counters of the process (docs/metrics.md), for any number of threads.
 *
 * Each thread adds to a block of its own, by plain loads and stores, so that counting costs no locked instruction and
 * no cache line is shared. A thread that ends gives its block back with what it has counted, for the next thread.
 * Threads that find no block of their own share one, and add to it atomically. Whoever reads adds the blocks up:
 * a reader may see one counter of a call and not yet another one, and never less than before.
 * A child of fork starts from zero: it is another process, and is asked by itself.
 */
#include "kf_metrics.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { NUM_BLOCKS = 32, SHARED = 0, FIRST_TIME_BITS = 10 };

typedef struct {
    _Alignas(64) uint64_t counters[KF_COUNTERS];
    struct kf_timer timers[KF_TIMERS];
} block;

static block blocks[NUM_BLOCKS];
static uint32_t in_use = 1u << SHARED, ever_used = 1u << SHARED; /* bit i: block i */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;
static int has_key;
static _Thread_local block *mine;
static _Thread_local uint64_t request_begun;

/* ---- whose block ------------------------------------------------------------------------------- */

static uint32_t bit_of(const block *b) { return 1u << (b - blocks); }

static void give_back(void *held) {
    pthread_mutex_lock(&lock);
    in_use &= ~bit_of(held);
    pthread_mutex_unlock(&lock);
    mine = NULL; /* what counts after this takes one again */
}

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void) {
    for (int i = 0; i < NUM_BLOCKS; i++)
        if (ever_used >> i & 1) memset(&blocks[i], 0, sizeof blocks[i]);
    in_use = 1u << SHARED | (mine ? bit_of(mine) : 0); /* the other threads are not there */
    pthread_mutex_unlock(&lock);
}

static void prepare(void) {
    has_key = pthread_key_create(&at_exit, give_back) == 0;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static block *take(void) {
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    const uint32_t free_blocks = has_key ? ~in_use : 0;
    const int i = free_blocks ? __builtin_ctz(free_blocks) : SHARED;
    in_use |= 1u << i;
    __atomic_store_n(&ever_used, ever_used | 1u << i, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    if (i != SHARED && pthread_setspecific(at_exit, &blocks[i]) != 0) {
        give_back(&blocks[i]);
        mine = &blocks[SHARED];
        return mine;
    }
    mine = &blocks[i];
    return mine;
}

static inline block *own(void) { return __builtin_expect(mine != NULL, 1) ? mine : take(); }

static inline void add(const block *b, uint64_t *to, uint64_t num) {
    if (b == &blocks[SHARED])
        __atomic_fetch_add(to, num, __ATOMIC_RELAXED);
    else
        __atomic_store_n(to, __atomic_load_n(to, __ATOMIC_RELAXED) + num, __ATOMIC_RELAXED);
}

/* ---- counting ---------------------------------------------------------------------------------- */

uint64_t kf_metrics_now(void) {
#ifdef CLOCK_UPTIME_RAW
    const clockid_t clock = CLOCK_UPTIME_RAW;
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The least i < last with value <= 2^(first + i); last if there is none. */
static int place_of(uint64_t value, int first, int last) {
    const int bits = value > 1 ? 64 - __builtin_clzll(value - 1) : 0;
    const int i = bits > first ? bits - first : 0;
    return i < last ? i : last;
}

static void add_times(block *b, struct kf_timer *t, uint64_t begun, uint64_t num) {
    const uint64_t now = kf_metrics_now(), taken = now > begun ? now - begun : 0;
    add(b, &t->nanoseconds, taken * num);
    add(b, &t->times[place_of(taken, FIRST_TIME_BITS, KF_TIMES - 1)], num);
}

void kf_metrics_count(int counter, uint64_t num) {
    if (counter < 0 || counter >= KF_COUNTERS) return;
    block *b = own();
    add(b, &b->counters[counter], num);
}

void kf_metrics_single(int timer, int failed) {
    block *b = own();
    struct kf_timer *t = &b->timers[timer];
    add(b, &t->calls, 1);
    add(b, &t->records, 1);
    if (failed) add(b, &t->failed, 1);
}

void kf_metrics_requests(int timer, uint64_t begun, uint64_t num) {
    if (timer < 0 || timer >= KF_TIMERS) return;
    block *b = own();
    struct kf_timer *t = &b->timers[timer];
    add(b, &t->calls, num);
    add(b, &t->records, num);
    if (begun) add_times(b, t, begun, num);
}

void kf_metrics_request(int timer, uint64_t begun) { kf_metrics_requests(timer, begun, 1); }

void kf_metrics_begin(void) { request_begun = kf_metrics_now(); }

uint64_t kf_metrics_begun(void) {
    const uint64_t begun = request_begun;
    request_begun = 0;
    return begun;
}

void kf_metrics_answered(int timer) {
    if (timer >= KF_TIMER_DOORS) kf_metrics_request(timer, kf_metrics_begun());
}

void kf_metrics_batch(int timer, uint64_t begun, uint64_t num, uint64_t failed, uint64_t bytes) {
    if (timer < 0 || timer >= KF_TIMERS) return;
    block *b = own();
    struct kf_timer *t = &b->timers[timer];
    add(b, &t->calls, 1);
    add(b, &t->records, num);
    add(b, &t->failed, failed);
    add(b, &t->bytes, bytes);
    add(b, &t->sizes[place_of(num, 0, KF_SIZES - 1)], 1);
    add_times(b, t, begun, 1);
}

void kf_metrics_records(int timer, uint64_t begun, int64_t num, int64_t num_bad) {
    kf_metrics_batch(timer, begun, (uint64_t)num, (uint64_t)(num_bad < 0 ? num : num_bad), 0);
}

/* ---- reading ----------------------------------------------------------------------------------- */

uint64_t kf_metrics_counter(int counter) {
    uint64_t sum = 0;
    const uint32_t used = __atomic_load_n(&ever_used, __ATOMIC_ACQUIRE);
    if (counter < 0 || counter >= KF_COUNTERS) return 0;
    for (int i = 0; i < NUM_BLOCKS; i++)
        if (used >> i & 1) sum += __atomic_load_n(&blocks[i].counters[counter], __ATOMIC_RELAXED);
    return sum;
}

int kf_metrics_timer(struct kf_timer *out, int timer) {
    enum { WORDS = sizeof *out / sizeof(uint64_t) };
    uint64_t sum[WORDS] = {0};
    const uint32_t used = __atomic_load_n(&ever_used, __ATOMIC_ACQUIRE);
    if (timer < 0 || timer >= KF_TIMERS) return KF_ERR_ARGUMENT;
    for (int i = 0; i < NUM_BLOCKS; i++) {
        if (!(used >> i & 1)) continue;
        const uint64_t *from = (const uint64_t *)(const void *)&blocks[i].timers[timer];
        for (size_t k = 0; k < WORDS; k++) sum[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
    }
    memcpy(out, sum, sizeof *out);
    return KF_OK;
}
