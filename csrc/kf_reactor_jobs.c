/*
 * Work that would keep other connections waiting: a few threads take it, one job of each uid after the other, answer,
 * record it, and give the answers back to the loop, in any order. Rules:
 * - a ticket is looked at again when its work begins;
 * - what cannot be answered or recorded here goes to the server, with the frame as it came.
 */
#if defined(__linux__)
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "kf_reactor.h"

kf_job *kf_job_new(const kf_conn *c, const kf_ticket_entry *ticket) {
    kf_job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->conn = c->id, job->uid = c->uid, job->arrived = c->arrived;
    kf_uid_ref(job->uid);
    job->ticket = ticket ? kf_ticket_hold(ticket) : NULL;
    return job;
}

void kf_job_free(struct kf_reactor *r, kf_job *job) {
    kf_uid_recant(job->uid, job->announced);
    kf_uid_let_go(r, job->uid);
    kf_ticket_let_go(job->ticket);
    kf_answer_let_go(&job->others);
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
    const kf_ticket_source source = {.tickets = &r->tickets, .epoch = r->epoch, .now = kf_clock_us(CLOCK_REALTIME)};
    const kf_answering a = {.call = &job->call, .ticket = job->ticket, .nonces = &nonces, .source = &source,
                            .others = &job->others, .alone = 1, .threads = r->limits.threads, .room = room};
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

static int record(struct kf_reactor *r, const kf_answered *answered) {
    if (!answered->ticket->facts.recorded) return 1;
    kf_events one = {.room = kf_answer_event_bound(answered)};
    one.bytes = malloc(one.room);
    if (!one.bytes) return 0;
    const int recorded = kf_events_add(&one, answered) && kf_hot_record(r, &one) == KF_OK;
    free(one.bytes);
    return recorded;
}

/* Whether the answer is there, and may leave. */
static int run(struct kf_reactor *r, kf_job *job) {
    const uint64_t begun = kf_metrics_now();
    if (!job->ticket || !parse(r, job) || !is_begun(r, job) || !answer(r, job)) return 0;
    const kf_answered answered = {.call = &job->call, .ticket = job->ticket, .others = &job->others,
                                  .failed = job->data.failed, .now = (uint64_t)kf_clock_us(CLOCK_REALTIME),
                                  .conn = job->conn};
    if (record(r, &answered)) {
        job->use = kf_hot_use(&answered, begun);
        kf_hot_count(r, &job->use, 1, job->use.bytes);
        return 1;
    }
    kf_buffer_free(&job->answer->bytes);
    free(job->answer);
    job->answer = NULL;
    return 0;
}

/* ---- threads ------------------------------------------------------------------------------------ */

/* Uids in turn, and of each its connections: who asks for much waits behind who asks for little. */
static kf_job *take_next(kf_workers *w) {
    if (kf_ring_is_empty(&w->uids)) return NULL;
    kf_uid *u = KF_RING_OF(kf_uid, turn, w->uids.next);
    kf_conn *c = KF_RING_OF(kf_conn, turn, u->jobs.next);
    kf_job *job = c->jobs;
    kf_ring_remove(&u->turn);
    kf_ring_remove(&c->turn);
    c->jobs = job->next;
    if (c->jobs)
        kf_ring_append(&u->jobs, &c->turn);
    else
        c->jobs_end = &c->jobs;
    if (!kf_ring_is_empty(&u->jobs)) kf_ring_append(&w->uids, &u->turn);
    return job;
}

static kf_job *next_job(kf_workers *w) {
    kf_job *job;
    pthread_mutex_lock(&w->lock);
    while ((job = take_next(w)) == NULL && !w->stopping) pthread_cond_wait(&w->wakes, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void put_last(kf_workers *w, kf_conn *c, kf_job *job) {
    *c->jobs_end = job;
    c->jobs_end = &job->next;
    if (!c->turn.next) kf_ring_append(&c->uid->jobs, &c->turn);
    if (!c->uid->turn.next) kf_ring_append(&w->uids, &c->uid->turn);
}

static int hand_on(struct kf_reactor *r, kf_job *job) {
    const kf_handed handed = {.conn = job->conn, .uid = job->uid, .arrived = job->arrived, .frame = &job->frame,
                              .frame_at = job->frame_at, .rest = &job->payload, .rest_at = job->first_len};
    __atomic_add_fetch(&r->counts.handed, 1, __ATOMIC_RELAXED);
    return kf_event_push_frame(r, &handed);
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
        if (!run(r, job)) job->is_lost = !hand_on(r, job);
        finish(r, job);
    }
    return NULL;
}

int kf_workers_init(kf_workers *w) {
    kf_ring_init(&w->uids);
    w->done_end = &w->done;
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

void kf_workers_give(struct kf_reactor *r, kf_conn *c, kf_job *job) {
    kf_workers *w = &r->workers;
    if (!start(r)) {
        job->is_lost = !hand_on(r, job);
        finish(r, job);
        return;
    }
    pthread_mutex_lock(&w->lock);
    put_last(w, c, job);
    pthread_cond_signal(&w->wakes);
    pthread_mutex_unlock(&w->lock);
}

void kf_workers_forget(struct kf_reactor *r, kf_conn *c) {
    kf_workers *w = &r->workers;
    pthread_mutex_lock(&w->lock);
    const int forgot = c->jobs != NULL;
    if (forgot) {
        *w->done_end = c->jobs;
        w->done_end = c->jobs_end;
        c->jobs = NULL, c->jobs_end = &c->jobs;
        kf_ring_remove(&c->turn);
        if (kf_ring_is_empty(&c->uid->jobs)) kf_ring_remove(&c->uid->turn);
    }
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

/* When all connections are closed: what runs is waited for. */
void kf_workers_destroy(struct kf_reactor *r) {
    kf_workers *w = &r->workers;
    pthread_mutex_lock(&w->lock);
    w->stopping = 1;
    pthread_cond_broadcast(&w->wakes);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->num; i++) pthread_join(w->threads[i], NULL);
    for (kf_job *job = kf_workers_done(r), *next; job; job = next) {
        next = job->next;
        kf_job_free(r, job);
    }
    pthread_cond_destroy(&w->wakes);
    pthread_mutex_destroy(&w->lock);
}
#endif
