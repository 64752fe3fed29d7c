/*
 * Work that would keep other connections waiting: a few threads take it in its order, answer, record it, and give the
 * answers back to the loop, in any order. Rules:
 * - a ticket is looked at again when its work begins;
 * - what cannot be answered or recorded here goes to the server, with the frame as it came.
 */
#if defined(__linux__)
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "kf_reactor.h"

void kf_job_free(kf_job *job) {
    kf_ticket_let_go(job->ticket);
    kf_buffer_free(&job->frame);
    kf_buffer_free(&job->payload);
    if (job->answer) {
        kf_buffer_free(&job->answer->bytes);
        free(job->answer);
    }
    free(job);
}

/* ---- one job ------------------------------------------------------------------------------------ */

/* Finds the request in the buffer that it is in now. */
static int parse(const struct kf_reactor *r, kf_job *job) {
    const struct kf_text payload = {job->payload.at, job->payload.used};
    kf_call *call = &job->call;
    if (!kf_call_parse(call, job->frame.at + job->frame_at, job->frame.used - job->frame_at)) return 0;
    if (payload.at) *(call->many ? &call->columns[0].data : &call->payload[0]) = payload;
    return kf_answer_plan_for(&job->plan, call, job->ticket) && kf_hot_fits(r, call, &job->plan);
}

static int is_begun(const struct kf_reactor *r, const kf_job *job) {
    const int64_t waited = kf_clock_us(CLOCK_MONOTONIC) - job->arrived;
    return kf_hot_holds(r, job->ticket, kf_clock_us(CLOCK_REALTIME)) &&
           (!job->call.deadline || waited < (int64_t)job->call.deadline * 1000);
}

static int answer(struct kf_reactor *r, kf_job *job) {
    kf_nonces nonces = {.seeded = 0};
    kf_shared_answer *shared = calloc(1, sizeof *shared);
    void *room = job->plan.room ? malloc(job->plan.room) : NULL;
    if (!shared || (job->plan.room && !room)) {
        free(shared), free(room);
        return 0;
    }
    shared->bytes = kf_buffer_new(job->plan.bound, job->plan.bound);
    const kf_answering a = {.call = &job->call, .ticket = job->ticket, .nonces = &nonces, .alone = 1,
                            .threads = r->limits.threads, .room = room};
    job->answer_len = shared->bytes.at ? kf_answer(shared->bytes.at, &job->data, &a) : KF_ERR_MEMORY;
    free(room);
    kf_wipe_below();
    if (job->answer_len >= 0) {
        /* blobs, signatures and MACs are no secrets, and their bytes need not be wiped */
        shared->bytes.used = kf_hot_is_secret(&job->call) ? (size_t)job->answer_len : 0;
        job->answer = shared;
        return 1;
    }
    kf_buffer_free(&shared->bytes);
    free(shared);
    return 0;
}

static int record(struct kf_reactor *r, const kf_job *job) {
    if (!job->ticket->facts.recorded) return 1;
    uint8_t *event = malloc(kf_answer_event_bound(&job->call, job->ticket));
    if (!event) return 0;
    const uint32_t len = (uint32_t)kf_answer_event(event, &job->call, job->ticket, job->data.failed,
                                                   (uint64_t)kf_clock_us(CLOCK_REALTIME), job->conn);
    const int recorded = len <= KF_EVENT_MAX && kf_hot_record(r, event, &len, 1) == KF_OK;
    free(event);
    return recorded;
}

/* Whether the answer is there, and may leave. */
static int run(struct kf_reactor *r, kf_job *job) {
    const uint64_t begun = kf_metrics_now();
    if (!job->ticket || !parse(r, job) || !is_begun(r, job) || !answer(r, job)) return 0;
    if (record(r, job)) {
        kf_hot_count(r, &job->call, job->ticket, job->data.failed, begun);
        return 1;
    }
    kf_buffer_free(&job->answer->bytes);
    free(job->answer);
    job->answer = NULL;
    return 0;
}

/* ---- threads ------------------------------------------------------------------------------------ */

static kf_job *next_job(kf_workers *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping) pthread_cond_wait(&w->wakes, &w->lock);
    kf_job *job = w->first;
    if (job) {
        w->first = job->next;
        if (!w->first) w->end = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void finish(struct kf_reactor *r, kf_job *job) {
    kf_workers *w = &r->workers;
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->done_end = job;
    w->done_end = &job->next;
    pthread_mutex_unlock(&w->lock);
    kf_wake(r->wake_fd);
}

static void *work(void *arg) {
    struct kf_reactor *r = arg;
    for (kf_job *job; (job = next_job(&r->workers)) != NULL;) {
        if (!run(r, job)) {
            __atomic_add_fetch(&r->counts.handed, 1, __ATOMIC_RELAXED);
            kf_event_push_frame(r, job->conn, job->arrived, &job->frame, job->frame_at, &job->payload, job->first_len);
        }
        finish(r, job);
    }
    return NULL;
}

int kf_workers_init(kf_workers *w) {
    w->end = &w->first, w->done_end = &w->done;
    if (pthread_mutex_init(&w->lock, NULL) != 0) return KF_ERR_MEMORY;
    if (pthread_cond_init(&w->wakes, NULL) == 0) return KF_OK;
    pthread_mutex_destroy(&w->lock);
    return KF_ERR_MEMORY;
}

/* Threads are there from the first job on; signals belong to the interpreter's. */
static int start(struct kf_reactor *r) {
    kf_workers *w = &r->workers;
    sigset_t all, before;
    if (w->num == KF_WORKERS) return 1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (w->num < KF_WORKERS && pthread_create(&w->threads[w->num], NULL, work, r) == 0) w->num++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->num > 0;
}

void kf_workers_give(struct kf_reactor *r, kf_job *job) {
    kf_workers *w = &r->workers;
    if (!start(r)) {
        kf_uid_recant(r, job->uid, job->announced);
        kf_event_push_frame(r, job->conn, job->arrived, &job->frame, job->frame_at, &job->payload, job->first_len);
        kf_job_free(job);
        return;
    }
    pthread_mutex_lock(&w->lock);
    *w->end = job;
    w->end = &job->next;
    pthread_cond_signal(&w->wakes);
    pthread_mutex_unlock(&w->lock);
}

void kf_workers_forget(struct kf_reactor *r, uint64_t conn) {
    kf_workers *w = &r->workers;
    int forgot = 0;
    pthread_mutex_lock(&w->lock);
    kf_job **place = &w->first;
    while (*place) {
        kf_job *job = *place;
        if (job->conn != conn) {
            place = &job->next;
            continue;
        }
        *place = job->next;
        job->next = NULL;
        *w->done_end = job;
        w->done_end = &job->next;
        forgot = 1;
    }
    w->end = place;
    pthread_mutex_unlock(&w->lock);
    if (forgot) kf_wake(r->wake_fd);
}

kf_job *kf_workers_done(struct kf_reactor *r) {
    kf_workers *w = &r->workers;
    pthread_mutex_lock(&w->lock);
    kf_job *all = w->done;
    w->done = NULL;
    w->done_end = &w->done;
    pthread_mutex_unlock(&w->lock);
    return all;
}

/* Jobs that are waiting are done first. */
void kf_workers_destroy(struct kf_reactor *r) {
    kf_workers *w = &r->workers;
    pthread_mutex_lock(&w->lock);
    w->stopping = 1;
    pthread_cond_broadcast(&w->wakes);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->num; i++) pthread_join(w->threads[i], NULL);
    for (kf_job *job = kf_workers_done(r), *next; job; job = next) {
        next = job->next;
        kf_job_free(job);
    }
    pthread_cond_destroy(&w->wakes);
    pthread_mutex_destroy(&w->lock);
}
#endif
