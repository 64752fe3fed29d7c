/* Groups of answers: recorded together, then counted and sent; or handed on, when they could not be recorded. */
#if defined(__linux__)
#include "kf_reactor.h"

static void count(struct kf_reactor *r, const kf_use *use) {
    kf_hot_count(r, use);
    kf_hot_used(r, use);
}

/* The answers from one to the next connection's: sent, or, when they could not be recorded, requests for the server. */
static size_t end_run(struct kf_reactor *r, size_t first, int recorded) {
    const kf_group *g = &r->group;
    kf_conn *c = g->answers[first].conn;
    const size_t from = first ? g->answers[first - 1].out_end : 0;
    size_t i = first;
    int alive = c->fd >= 0;
    for (; i < g->num && g->answers[i].conn == c; i++) {
        if (recorded)
            count(r, &g->answers[i].use);
        else if (alive)
            alive = kf_hand_on_copy(r, c, &g->answers[i].frame);
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
    const int recorded = !g->recorded || !g->num || kf_hot_record(r, r->records, g->body_lens, g->num) == KF_OK;
    for (size_t i = 0; i < g->num;) i = end_run(r, i, recorded);
    kf_wipe(r->out, g->out_len);
    kf_wipe(r->in, g->in_len);
    g->in_len = g->out_len = g->records_len = g->num = 0;
    g->cost = 0;
}
#endif
