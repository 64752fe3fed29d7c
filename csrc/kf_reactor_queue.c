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
    pthread_mutex_unlock(&r->shared_lock);
    if (was_empty) kf_wake(r->event_fd);
}

int kf_event_push(struct kf_reactor *r, enum kf_event_kind kind, const kf_conn *c, const struct kf_text *text) {
    kf_event_node *node = calloc(1, sizeof *node);
    if (!node) return 0;
    node->event = (struct kf_event){.kind = kind, .memory = node};
    if (c) node->event.conn = c->id, node->event.uid = c->uid, node->event.arrived = c->arrived;
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

int kf_event_push_frame(struct kf_reactor *r, uint64_t conn, int64_t arrived, kf_buffer *frame, size_t frame_at,
                        kf_buffer *rest, size_t rest_at) {
    kf_event_node *node = calloc(1, sizeof *node);
    if (!node) return 0;
    node->frame = *frame;
    *frame = (kf_buffer){0};
    if (rest) {
        node->rest = *rest;
        *rest = (kf_buffer){0};
    }
    node->event = (struct kf_event){.kind = KF_EVENT_FRAME, .conn = conn, .arrived = arrived, .memory = node,
                                    .frame = {node->frame.at + frame_at, node->frame.used - frame_at}};
    if (node->rest.at) node->event.rest = (struct kf_text){node->rest.at + rest_at, node->rest.used - rest_at};
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
        *out = node->event;
    } else {
        drain(r->event_fd); /* under the lock: who pushes next finds the list empty, and wakes */
    }
    pthread_mutex_unlock(&r->shared_lock);
}

static void free_node(kf_event_node *node) {
    kf_buffer_free(&node->frame);
    kf_buffer_free(&node->rest);
    free(node);
}

void kf_reactor_done(struct kf_reactor *r, struct kf_event *event) {
    (void)r;
    if (event->memory) free_node(event->memory);
    *event = (struct kf_event){.kind = KF_EVENT_NONE};
}

void kf_events_free(struct kf_reactor *r) {
    while (r->events) {
        kf_event_node *node = r->events;
        r->events = node->next;
        free_node(node);
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
