/*
 * Ranges are handed out by a shared counter, so that a slow core takes fewer of them. Signals are
 * blocked in the workers: they belong to the interpreter's threads. When a thread cannot be
 * created, the others do its share.
 */
#include "kf_threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "kf.h"

enum { KF_MAX_THREADS = 256 };

typedef struct {
    kf_range_fn fn;
    void *ctx;
    int64_t num, grain;
    _Atomic int64_t next;
    _Atomic int status;
} pool;

static void *work(void *arg) {
    pool *p = arg;
    while (atomic_load(&p->status) == KF_OK) {
        const int64_t begin = atomic_fetch_add(&p->next, p->grain);
        if (begin >= p->num) break;
        const int64_t end = p->num - begin < p->grain ? p->num : begin + p->grain;
        const int status = p->fn(p->ctx, begin, end);
        int expected = KF_OK;
        if (status != KF_OK) atomic_compare_exchange_strong(&p->status, &expected, status);
    }
    return NULL;
}

int kf_parallel(kf_range_fn fn, void *ctx, int64_t num, int64_t grain, int threads) {
    pthread_t worker[KF_MAX_THREADS];
    int started = 0;
    pool p = {.fn = fn, .ctx = ctx, .num = num, .grain = grain};
    if (threads < 1 || threads > KF_MAX_THREADS) return KF_ERR_ARGUMENT;
    const int64_t ranges = (num + grain - 1) / grain;
    if (threads > ranges) threads = ranges > 1 ? (int)ranges : 1;
    if (threads > 1) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        while (started < threads - 1 && pthread_create(&worker[started], NULL, work, &p) == 0) started++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    work(&p);
    for (int i = 0; i < started; i++) pthread_join(worker[i], NULL);
    return atomic_load(&p.status);
}
