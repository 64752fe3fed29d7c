/* Counters: edges of histograms, many threads at once and one after another, forks, and what the core counts itself. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kf_base64.h"
#include "kft.h"
#include "kft_calls.h"

enum { COUNTER = KF_COUNTERS - 1, TIMER = KF_TIMERS - 1, THREADS = 48, EACH = 5000, AFTER = 200 };

static struct kf_timer timer_of(int timer) {
    struct kf_timer t;
    CHECK(kf_metrics_timer(&t, timer) == KF_OK, "timer %d", timer);
    return t;
}

static void check_sizes(void) {
    static const struct {
        uint64_t num;
        int place;
    } cases[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {1 << 20, 20}, {(1 << 20) + 1, 21}, {UINT64_MAX, 21}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct kf_timer before = timer_of(TIMER);
        kf_metrics_batch(TIMER, kf_metrics_now(), cases[i].num, 1, 7);
        const struct kf_timer after = timer_of(TIMER);
        for (int k = 0; k < KF_SIZES; k++)
            CHECK(after.sizes[k] - before.sizes[k] == (k == cases[i].place), "batch %zu, size %d", i, k);
        CHECK(after.calls == before.calls + 1 && after.records == before.records + cases[i].num, "batch %zu", i);
        CHECK(after.failed == before.failed + 1 && after.bytes == before.bytes + 7, "batch %zu", i);
    }
}

/* A call that begins so long ago has taken no less; and one that has not begun took no time. */
static void check_times(void) {
    for (int bits = 12; bits < 36; bits++) {
        const struct kf_timer before = timer_of(TIMER);
        const uint64_t long_ago = (UINT64_C(3) << bits) / 2; /* half way between two bounds: there is time to count */
        kf_metrics_request(TIMER, kf_metrics_now() - long_ago);
        const struct kf_timer after = timer_of(TIMER);
        const int place = bits + 1 - 10 < KF_TIMES - 1 ? bits + 1 - 10 : KF_TIMES - 1;
        CHECK(after.times[place] == before.times[place] + 1, "a call of %d bits of nanoseconds", bits);
        CHECK(after.nanoseconds - before.nanoseconds >= long_ago, "nanoseconds");
    }
    const struct kf_timer before = timer_of(TIMER);
    kf_metrics_request(TIMER, UINT64_MAX);
    const struct kf_timer after = timer_of(TIMER);
    CHECK(after.times[0] == before.times[0] + 1 && after.nanoseconds == before.nanoseconds, "a clock set back");
}

static void check_range(void) {
    struct kf_timer t;
    kf_metrics_count(-1, 1), kf_metrics_count(KF_COUNTERS, 1);
    kf_metrics_request(-1, 0), kf_metrics_request(KF_TIMERS, 0), kf_metrics_batch(KF_TIMERS, 0, 1, 0, 0);
    CHECK(kf_metrics_counter(-1) == 0 && kf_metrics_counter(KF_COUNTERS) == 0, "counters out of range");
    CHECK(kf_metrics_timer(&t, -1) == KF_ERR_ARGUMENT && kf_metrics_timer(&t, KF_TIMERS) == KF_ERR_ARGUMENT, "timers");
}

/* Waits until all threads have come as often. */
static void meet(int *met, int times) {
    __atomic_fetch_add(met, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(met, __ATOMIC_ACQUIRE) < THREADS * times) sched_yield();
}

static void *count_many(void *met) {
    if (met) meet(met, 1);
    for (int i = 0; i < EACH; i++) kf_metrics_count(COUNTER, 1);
    if (met) meet(met, 2); /* none gives its block back before all have one */
    return NULL;
}

/* More threads than there are blocks, and then more that come after each other. */
static void check_threads(void) {
    pthread_t threads[THREADS];
    const uint64_t before = kf_metrics_counter(COUNTER);
    int started = 0, met = 0;
    for (int i = 0; i < THREADS; i++) started += pthread_create(&threads[i], NULL, count_many, &met) == 0;
    CHECK(started == THREADS, "%d threads", started); /* fewer would wait for ever */
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(kf_metrics_counter(COUNTER) == before + (uint64_t)THREADS * EACH, "threads at once");
    for (int i = 0; i < AFTER; i++) {
        if (pthread_create(&threads[0], NULL, count_many, NULL) == 0) pthread_join(threads[0], NULL);
    }
    CHECK(kf_metrics_counter(COUNTER) == before + (uint64_t)(THREADS + AFTER) * EACH, "threads that end");
}

static void check_child(void) {
    const uint64_t before = kf_metrics_counter(COUNTER);
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const int from_zero = kf_metrics_counter(COUNTER) == 0 && timer_of(TIMER).calls == 0;
        kf_metrics_count(COUNTER, 5);
        _exit(!(from_zero && kf_metrics_counter(COUNTER) == 5));
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a child counts from zero");
    CHECK(kf_metrics_counter(COUNTER) == before, "the parent counts on");
}

static void check_calls(void) {
    enum { LEN = 40, NUM = 5 };
    kft_library l;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    uint8_t text[NUM * LEN] = {0}, blobs[NUM * (LEN + KF_BLOB_OVERHEAD)], back[LEN], status;
    const uint8_t skip[NUM] = {0, 1, 0, 0, 1};
    const struct kf_column in = {.data = text, .data_len = sizeof text, .width = LEN};
    const struct kf_timer seals = timer_of(KF_TIMER_SEAL), opens = timer_of(KF_TIMER_OPEN);
    const uint64_t uses = kf_metrics_counter(KF_COUNTER_ARENA_USES);
    CHECK(kf_blob_seal(l.key, blobs, sizeof blobs, NULL, NULL, &in, NUM, skip, NULL, 0, NULL, 1) == KF_OK, "seal");
    CHECK(kf_metrics_counter(KF_COUNTER_ARENA_USES) == uses + 1, "one pin for a batch");
    CHECK(kf_blob_open_one(l.key, back, &status, blobs, LEN + KF_BLOB_OVERHEAD, NULL, 0, NULL, 0) == KF_OK, "open");
    blobs[LEN + KF_BLOB_OVERHEAD - 1] ^= 1;
    CHECK(kf_blob_open_one(l.key, back, &status, blobs, LEN + KF_BLOB_OVERHEAD, NULL, 0, NULL, 0) == KF_ERR_AUTH, "open");
    const struct kf_timer sealed = timer_of(KF_TIMER_SEAL), opened = timer_of(KF_TIMER_OPEN);
    CHECK(sealed.calls == seals.calls + 1 && sealed.records == seals.records + 3, "records that were not left out");
    CHECK(sealed.sizes[2] == seals.sizes[2] + 1, "a batch of three");
    CHECK(opened.calls == opens.calls + 2 && opened.records == opens.records + 2, "single records");
    CHECK(opened.failed == opens.failed + 1, "one was refused");
    CHECK(memcmp(opened.times, opens.times, sizeof opened.times) == 0, "single records are not timed");
    kft_library_close(&l);
}

/* What a template answers is counted by its timer, timed once since the request began, and not when it is refused. */
static void check_answers(void) {
    static const char body[] = "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}";
    uint8_t answer[400];
    kft_library l;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    struct kf_reply reply = {.binding = l.binding, .timer = TIMER};
    const size_t len = KF_BASE64_LEN(3 + KF_BLOB_OVERHEAD);
    const struct kf_timer before = timer_of(TIMER);
    const uint64_t usual = kf_metrics_counter(KF_COUNTER_USUAL);
    kf_metrics_begin();
    CHECK(kf_reply_encrypt(&reply, answer, len - 1, (const uint8_t *)body, sizeof body - 1) == KF_ERR_ARGUMENT, "room");
    CHECK(kf_reply_encrypt(&reply, answer, len, (const uint8_t *)body, sizeof body - 1) == (int)len, "encrypt");
    CHECK(kf_metrics_begun() == 0, "the request was counted");
    CHECK(kf_reply_encrypt(&reply, answer, len, (const uint8_t *)body, sizeof body - 1) == (int)len, "encrypt");
    const struct kf_timer after = timer_of(TIMER);
    uint64_t timed = 0;
    for (int i = 0; i < KF_TIMES; i++) timed += after.times[i] - before.times[i];
    CHECK(after.calls == before.calls + 2 && timed == 1, "two answers, one of them timed");
    CHECK(kf_metrics_counter(KF_COUNTER_USUAL) == usual + 2, "answers from templates");
    kf_metrics_begin();
    reply.timer = 0;
    CHECK(kf_reply_encrypt(&reply, answer, len, (const uint8_t *)body, sizeof body - 1) == (int)len, "encrypt");
    CHECK(kf_metrics_begun() != 0, "nobody has counted it");
    kft_library_close(&l);
}

void test_metrics(const kft_env *env) {
    (void)env;
    check_sizes();
    check_times();
    check_range();
    check_threads();
    check_child();
    check_calls();
    check_answers();
}
