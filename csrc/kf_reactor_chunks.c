/*
 * Payloads that come in chunks, put together where they are to be used. Rules:
 * - what a uid announces is counted when it begins; what a whole one holds is its connection's, as for other requests;
 * - a request that will not be whole is given up: nobody waits for its answer.
 */
#if defined(__linux__)
#include <stdlib.h>

#include "kf_reactor.h"

static void free_assembly(kf_assembly *assembly) {
    kf_buffer_free(&assembly->frame);
    kf_buffer_free(&assembly->payload);
    free(assembly);
}

static struct kf_text *growing(kf_call *call) { return call->many ? &call->columns[0].data : &call->payload[0]; }

/* Whether the chunks of a request can be put together here. */
static int may_assemble(const struct kf_reactor *r, const kf_conn *c, const kf_call *call, size_t first_len) {
    size_t num = 0;
    for (const kf_assembly *a = c->assemblies; a; a = a->next) {
        if (a->id == call->id) return 0;
        num++;
    }
    return num < KF_ASSEMBLIES_MAX && (!call->many || call->columns[0].packed) && first_len <= r->limits.max_message &&
           call->more <= r->limits.max_message - first_len;
}

int kf_chunks_begin(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame) {
    const struct kf_text first = *growing(&r->call);
    if (!may_assemble(r, c, &r->call, first.len)) return 0;
    kf_assembly *a = calloc(1, sizeof *a);
    if (!a) return 0;
    *a = (kf_assembly){.id = r->call.id, .total = first.len + r->call.more, .first_len = first.len};
    a->payload = kf_buffer_new((size_t)a->total, first.len);
    if (!a->payload.at) {
        free_assembly(a);
        return 0;
    }
    if (!kf_uid_announce(r, c->uid, a->total)) {
        free_assembly(a); /* the server says so */
        return 0;
    }
    if (first.len) memcpy(a->payload.at, first.at, first.len);
    a->frame = kf_frame_detach(c, t, frame, &a->frame_at);
    if (!a->frame.at) {
        kf_uid_recant(c->uid, a->total);
        free_assembly(a);
        t->dead = 1;
        return 1;
    }
    kf_conn_begin(c, frame->len);
    /* behind the one that is being read */
    kf_assembly **place = &c->assemblies;
    while (*place) place = &(*place)->next;
    *place = a;
    return 1;
}

/* Bytes that a whole one takes beside its frame: its payload, and as far as it is known by now what it is answered. */
static uint64_t held_by(const kf_job *job) {
    kf_answer_plan plan = {.bound = 0};
    const int known = job->ticket && kf_answer_plan_for(&plan, &job->call, job->ticket);
    return job->payload.used + (known ? plan.bound : 0);
}

/* The first assembly is whole: a job, for which a ticket is looked for now, since it may have changed meanwhile. */
static void end_assembly(struct kf_reactor *r, kf_conn *c, kf_turn *t) {
    kf_assembly *a = c->assemblies;
    kf_job *job = kf_job_new(c, NULL);
    if (!job) {
        t->dead = 1;
        return;
    }
    c->assemblies = a->next;
    job->frame = a->frame, job->frame_at = a->frame_at;
    job->payload = a->payload, job->first_len = a->first_len, job->announced = a->total;
    a->frame = a->payload = (kf_buffer){0};
    free_assembly(a);
    if (kf_call_parse(&job->call, job->frame.at + job->frame_at, job->frame.used - job->frame_at)) {
        *growing(&job->call) = (struct kf_text){job->payload.at, job->payload.used};
        const kf_ticket_entry *ticket = kf_tickets_find(&r->tickets, c->caller, &job->call);
        if (ticket) job->ticket = kf_ticket_hold(ticket);
    }
    kf_conn_owe(c, held_by(job));
    kf_workers_give(r, c, job);
}

void kf_chunks_more(struct kf_reactor *r, kf_conn *c, kf_turn *t, size_t len) {
    kf_assembly *a = c->assemblies;
    a->payload.used += len;
    c->part_left -= len;
    if (!c->part_left && a->payload.used == a->total) end_assembly(r, c, t);
}

int kf_chunks_part(struct kf_reactor *r, kf_conn *c, kf_turn *t, const uint8_t *frame, size_t frame_len, size_t there) {
    uint64_t id, part_len;
    size_t head_len;
    kf_assembly **place = &c->assemblies;
    if (!c->assemblies || !kf_call_chunk(&id, &head_len, &part_len, frame, there < frame_len ? there : frame_len))
        return 0;
    while (*place && (*place)->id != id) place = &(*place)->next;
    kf_assembly *a = *place;
    if (!a) return 0;
    if (part_len != frame_len - head_len || part_len > a->total - a->payload.used) {
        kf_hand_malformed(r, c, t);
        return 1;
    }
    *place = a->next, a->next = c->assemblies, c->assemblies = a;
    const size_t now = there - head_len < part_len ? there - head_len : (size_t)part_len;
    c->part_left = part_len;
    memcpy(a->payload.at + a->payload.used, frame + head_len, now);
    t->at += KF_FRAME_LEN + head_len + now;
    kf_chunks_more(r, c, t, now);
    return 1;
}

void kf_chunks_forget(struct kf_reactor *r, kf_conn *c) {
    while (c->assemblies) {
        kf_assembly *first = c->assemblies;
        c->assemblies = first->next;
        kf_uid_recant(c->uid, first->total);
        free_assembly(first);
        kf_conn_answered(r, c, 1);
    }
    c->part_left = 0;
}
#endif
