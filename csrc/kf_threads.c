/*
 * Each thread has a part of the batch, which it takes range by range; one that is through helps the others, so that
 * a slow core does less. Parts, and not one counter for all: two threads that write next to each other wait for
 * the same new page, which is 2 MiB long where the system gives huge ones. Signals are blocked in the
 * workers: they belong to the interpreter's threads. When a thread cannot be created, the others do its share.
 */
#include "kf_threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "kf.h"

enum { KF_MAX_THREADS = 256 };

typedef struct {
    _Alignas(64) _Atomic int64_t next;
    int64_t end;
} part;

typedef struct {
    kf_range_fn fn;
    void *ctx;
    int64_t grain;
    _Atomic int status, joined;
    int num_parts;
    part parts[KF_MAX_THREADS];
} pool;

static void *work(void *arg) {
    pool *p = arg;
    const int mine = atomic_fetch_add(&p->joined, 1);
    for (int k = 0; k < p->num_parts; k++) {
        part *from = &p->parts[(mine + k) % p->num_parts];
        while (atomic_load(&p->status) == KF_OK) {
            const int64_t begin = atomic_fetch_add(&from->next, p->grain);
            if (begin >= from->end) break;
            const int64_t end = from->end - begin < p->grain ? from->end : begin + p->grain;
            const int status = p->fn(p->ctx, begin, end);
            int expected = KF_OK;
            if (status != KF_OK) atomic_compare_exchange_strong(&p->status, &expected, status);
        }
    }
    return NULL;
}

int kf_parallel(kf_range_fn fn, void *ctx, int64_t num, int64_t grain, int threads) {
    pthread_t worker[KF_MAX_THREADS];
    int started = 0;
    if (threads < 1 || threads > KF_MAX_THREADS) return KF_ERR_ARGUMENT;
    const int64_t ranges = (num + grain - 1) / grain;
    if (threads > ranges) threads = ranges > 1 ? (int)ranges : 1;
    pool p;
    p.fn = fn, p.ctx = ctx, p.grain = grain, p.num_parts = threads;
    atomic_init(&p.status, KF_OK);
    atomic_init(&p.joined, 0);
    for (int i = 0; i < threads; i++) {
        atomic_init(&p.parts[i].next, ranges * i / threads * grain);
        p.parts[i].end = i + 1 < threads ? ranges * (i + 1) / threads * grain : num;
    }
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
