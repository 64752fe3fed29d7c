/* What goes to the server and what comes back from it: two lists under one lock, each with an eventfd. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kf_reactor.h"

void kf_wake(int fd) {
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

#if defined(__linux__)
static void drain(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

/* ---- events ------------------------------------------------------------------------------------- */

static void push(struct kf_reactor *r, kf_event_node *node) {
    pthread_mutex_lock(&r->shared_lock);
    const int was_empty = !r->events;
    *r->events_end = node;
    r->events_end = &node->next;
    __atomic_add_fetch(&r->num_events, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&r->shared_lock);
    if (was_empty) kf_wake(r->event_fd);
}

int kf_event_push(struct kf_reactor *r, enum kf_event_kind kind, const kf_conn *c, const struct kf_text *text) {
    kf_event_node *node = calloc(1, sizeof *node);
    if (!node) return 0;
    node->event = (struct kf_event){.kind = kind, .memory = node};
    if (c) node->event.conn = c->id, node->event.uid = c->uid->uid, node->event.arrived = c->arrived;
    if (text) {
        node->frame = kf_buffer_new(text->len, text->len);
        if (!node->frame.at) {
            free(node);
            return 0;
        }
        if (text->len) memcpy(node->frame.at, text->at, text->len);
        node->event.frame = (struct kf_text){node->frame.at, text->len};
    }
    push(r, node);
    return 1;
}

#ifdef KF_TESTING
int kf_events_refused;
#endif

int kf_event_push_frame(struct kf_reactor *r, const kf_handed *h) {
#ifdef KF_TESTING
    for (int left = __atomic_load_n(&kf_events_refused, __ATOMIC_RELAXED); left > 0;)
        if (__atomic_compare_exchange_n(&kf_events_refused, &left, left - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return 0;
#endif
    kf_event_node *node = calloc(1, sizeof *node);
    if (!node) return 0;
    node->frame = *h->frame;
    *h->frame = (kf_buffer){0};
    if (h->rest) {
        node->rest = *h->rest;
        *h->rest = (kf_buffer){0};
    }
    node->event = (struct kf_event){.kind = KF_EVENT_FRAME, .conn = h->conn, .uid = h->uid->uid, .arrived = h->arrived, .memory = node,
                                    .frame = {node->frame.at + h->frame_at, node->frame.used - h->frame_at}};
    if (node->rest.at)
        node->event.rest = (struct kf_text){node->rest.at + h->rest_at, node->rest.used - h->rest_at};
    node->uid = h->uid;
    node->len = node->frame.used + node->rest.used;
    node->queued = h->is_chunk ? node->event.frame.len : 0;
    kf_uid_ref(h->uid);
    kf_uid_hold(h->uid, node->len);
    push(r, node);
    return 1;
}

void kf_reactor_take(struct kf_reactor *r, struct kf_event *out) {
    *out = (struct kf_event){.kind = KF_EVENT_NONE};
    pthread_mutex_lock(&r->shared_lock);
    kf_event_node *node = r->events;
    if (node) {
        r->events = node->next;
        if (!r->events) r->events_end = &r->events;
        __atomic_sub_fetch(&r->num_events, 1, __ATOMIC_RELAXED);
        *out = node->event;
    } else {
        drain(r->event_fd); /* under the lock: who pushes next finds the list empty, and wakes */
    }
    pthread_mutex_unlock(&r->shared_lock);
}

static void free_buffers(kf_event_node *node) {
    kf_buffer_free(&node->frame);
    kf_buffer_free(&node->rest);
}

/* What is counted goes back to the loop, which looks for it in each round, and is woken when somebody waits for it. */
static void give_back(struct kf_reactor *r, kf_event_node *node) {
    pthread_mutex_lock(&r->shared_lock);
    node->next = r->returned;
    __atomic_store_n(&r->returned, node, __ATOMIC_RELAXED);
    const int is_awaited = r->num_hungry != 0;
    pthread_mutex_unlock(&r->shared_lock);
    if (is_awaited) kf_wake(r->wake_fd);
}

void kf_reactor_done(struct kf_reactor *r, struct kf_event *event) {
    kf_event_node *node = event->memory;
    *event = (struct kf_event){.kind = KF_EVENT_NONE};
    if (!node) return;
    free_buffers(node);
    if (node->uid)
        give_back(r, node);
    else
        free(node);
}

void kf_conn_hungry(struct kf_reactor *r, kf_conn *c, int is_hungry) {
    if (c->is_hungry == is_hungry) return;
    c->is_hungry = (uint8_t)is_hungry;
    pthread_mutex_lock(&r->shared_lock);
    r->num_hungry += is_hungry ? 1 : UINT32_MAX;
    pthread_mutex_unlock(&r->shared_lock);
}

static kf_event_node *take_returned(struct kf_reactor *r) {
    if (!__atomic_load_n(&r->returned, __ATOMIC_RELAXED)) return NULL;
    pthread_mutex_lock(&r->shared_lock);
    kf_event_node *all = r->returned;
    __atomic_store_n(&r->returned, NULL, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&r->shared_lock);
    return all;
}

static void count_out(struct kf_reactor *r, kf_event_node *node) {
    kf_uid_release(r, node->uid, node->len);
    kf_uid_let_go(r, node->uid);
}

static void take_back(struct kf_reactor *r, kf_event_node *node) {
    kf_conn *c = node->queued ? kf_conn_of(r, node->event.conn) : NULL;
    count_out(r, node);
    if (c) {
        c->queued -= node->queued;
        kf_conn_resume(r, c);
    }
    free(node);
}

/* Until there are none: who waits since then was not known to whoever gave the last ones back. */
void kf_events_returned(struct kf_reactor *r) {
    for (kf_event_node *all; (all = take_returned(r)) != NULL;)
        for (kf_event_node *next; all; all = next) {
            next = all->next;
            take_back(r, all);
        }
}

void kf_events_free(struct kf_reactor *r) {
    kf_events_returned(r);
    while (r->events) {
        kf_event_node *node = r->events;
        r->events = node->next;
        free_buffers(node);
        if (node->uid) count_out(r, node);
        free(node);
    }
    r->events_end = &r->events;
}

/* ---- commands ----------------------------------------------------------------------------------- */

static int give(struct kf_reactor *r, kf_command command) {
    kf_command *c = malloc(sizeof *c);
    if (!c) {
        kf_buffer_free(&command.bytes);
        return KF_ERR_MEMORY;
    }
    *c = command;
    pthread_mutex_lock(&r->shared_lock);
    const int was_empty = !r->inbox;
    *r->inbox_end = c;
    r->inbox_end = &c->next;
    pthread_mutex_unlock(&r->shared_lock);
    if (was_empty) kf_wake(r->wake_fd);
    return KF_OK;
}

int kf_reactor_send(struct kf_reactor *r, uint64_t conn, const uint8_t *frames, size_t frames_len,
                    uint32_t num_answered) {
    kf_buffer bytes = kf_buffer_new(frames_len, frames_len);
    if (!bytes.at) return KF_ERR_MEMORY;
    if (frames_len) memcpy(bytes.at, frames, frames_len);
    return give(r, (kf_command){.kind = KF_COMMAND_SEND, .conn = conn, .num_answered = num_answered, .bytes = bytes});
}

int kf_reactor_admit(struct kf_reactor *r, uint64_t conn, uint64_t caller) {
    return give(r, (kf_command){.kind = KF_COMMAND_ADMIT, .conn = conn, .caller = caller});
}

int kf_reactor_drop(struct kf_reactor *r, uint64_t conn) {
    return give(r, (kf_command){.kind = KF_COMMAND_DROP, .conn = conn});
}

kf_command *kf_inbox_take(struct kf_reactor *r) {
    pthread_mutex_lock(&r->shared_lock);
    kf_command *all = r->inbox;
    r->inbox = NULL;
    r->inbox_end = &r->inbox;
    drain(r->wake_fd);
    pthread_mutex_unlock(&r->shared_lock);
    return all;
}

void kf_command_free(kf_command *command) {
    kf_buffer_free(&command->bytes);
    free(command);
}
#endif
