/* Groups of answers: recorded together, then counted and sent; or handed on, when they could not be recorded. */
#if defined(__linux__)
#include "kf_reactor.h"

static int are_like(const kf_use *a, const kf_use *b) {
    return a->index < KF_OP_BATCH && a->index == b->index && a->timer == b->timer && a->slots[0] == b->slots[0];
}

/* Counts all answers, like ones that follow each other together. */
static void count_all(struct kf_reactor *r) {
    const kf_group *g = &r->group;
    for (size_t first = 0, i; first < g->num; first = i) {
        const kf_use *use = &g->answers[first].use;
        uint64_t bytes = use->bytes;
        for (i = first + 1; i < g->num && are_like(use, &g->answers[i].use); i++) bytes += g->answers[i].use.bytes;
        kf_hot_count(r, use, i - first, bytes);
        kf_hot_used(r, &g->answers[i - 1].use);
    }
}

/* The answers from one to the next connection's: sent, or, when they could not be recorded, requests for the server. */
static size_t end_run(struct kf_reactor *r, size_t first, int recorded) {
    const kf_group *g = &r->group;
    kf_conn *c = g->answers[first].conn;
    const size_t from = first ? g->answers[first - 1].out_end : 0;
    size_t i = first;
    int alive = c->fd >= 0;
    for (; i < g->num && g->answers[i].conn == c; i++) {
        if (!recorded && alive) alive = kf_hand_on_copy(r, c, &g->answers[i].frame);
    }
    if (alive && recorded) alive = kf_conn_send(r, c, r->out + from, g->answers[i - 1].out_end - from);
    c->is_grouped = 0;
    if (!alive)
        kf_conn_close(r, c);
    else if (c != r->reading)
        kf_conn_settle(r, c);
    return i;
}

void kf_group_end(struct kf_reactor *r) {
    kf_group *g = &r->group;
    const int recorded = !g->recorded || !g->num || kf_hot_record(r, &g->events) == KF_OK;
    if (recorded) count_all(r);
    for (size_t i = 0; i < g->num;) i = end_run(r, i, recorded);
    if (g->has_secrets) kf_wipe(r->out, g->out_len);
    kf_wipe(r->in, g->in_len);
    kf_events_forget(&g->events);
    g->in_len = g->out_len = g->num = 0;
    g->cost = 0;
    g->has_secrets = 0;
}
#endif
