/*
 * What a connection is sent. Pieces wait in a list while the peer does not read; whatever can be, is sent at once, and
 * by one system call for as many pieces as it takes.
 */
#if defined(__linux__)
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "kf_reactor.h"

enum { AT_ONCE = 64 /* pieces of one system call */ };

/* ---- pieces ------------------------------------------------------------------------------------- */

static void free_piece(kf_piece *piece) {
    kf_buffer_free(&piece->own);
    if (piece->answer && --piece->answer->refs == 0) {
        kf_buffer_free(&piece->answer->bytes);
        free(piece->answer);
    }
    free(piece);
}

void kf_pieces_free(kf_conn *c) {
    while (c->out) {
        kf_piece *piece = c->out;
        c->out = piece->next;
        free_piece(piece);
    }
    c->out_end = &c->out;
    c->unsent = 0;
}

static void append(kf_conn *c, kf_piece *piece) {
    *c->out_end = piece;
    c->out_end = &piece->next;
    c->unsent += piece->len;
}

/* Bytes of a buffer, which it takes. */
static int append_own(kf_conn *c, kf_buffer *own, const uint8_t *at, size_t len) {
    kf_piece *piece = calloc(1, sizeof *piece);
    if (!piece) {
        kf_buffer_free(own);
        return 0;
    }
    piece->own = *own, piece->at = at, piece->len = len;
    *own = (kf_buffer){0};
    append(c, piece);
    return 1;
}

static int append_copy(kf_conn *c, const uint8_t *bytes, size_t len) {
    kf_buffer own = kf_buffer_new(len, len);
    if (!own.at) return 0;
    memcpy(own.at, bytes, len);
    return append_own(c, &own, own.at, len);
}

static int append_part(kf_conn *c, kf_shared_answer *answer, const uint8_t *at, size_t len) {
    kf_piece *piece = calloc(1, sizeof *piece);
    if (!piece) return 0;
    piece->answer = answer, piece->at = at, piece->len = len;
    answer->refs++;
    append(c, piece);
    return 1;
}

/* ---- sending ------------------------------------------------------------------------------------ */

/* What is sent is gone from the list. */
static void advance(kf_conn *c, size_t sent) {
    c->unsent -= sent;
    while (c->out && sent >= c->out->len) {
        kf_piece *piece = c->out;
        sent -= piece->len;
        c->out = piece->next;
        free_piece(piece);
    }
    if (!c->out) {
        c->out_end = &c->out;
        return;
    }
    c->out->at += sent;
    c->out->len -= sent;
}

/* Bytes that the kernel took; 0: none now; -1: the peer is gone. */
static ssize_t send_bytes(const kf_conn *c, const uint8_t *bytes, size_t len) {
    for (;;) {
        const ssize_t sent = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) return -1;
    }
}

static ssize_t send_parts(const kf_conn *c, struct iovec *parts, size_t num) {
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = num};
    for (;;) {
        const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) return -1;
    }
}

int kf_conn_flush(struct kf_reactor *r, kf_conn *c) {
    (void)r;
    while (c->out) {
        struct iovec parts[AT_ONCE];
        size_t num = 0, asked = 0;
        for (const kf_piece *p = c->out; p && num < AT_ONCE; p = p->next, num++) {
            parts[num] = (struct iovec){(void *)(uintptr_t)p->at, p->len};
            asked += p->len;
        }
        const ssize_t sent = send_parts(c, parts, num);
        if (sent < 0) return 0;
        if (sent) kf_timeout_end(&c->writes); /* it runs anew while something is left (kf_conn_settle) */
        advance(c, (size_t)sent);
        if ((size_t)sent < asked) return 1;
    }
    return 1;
}

int kf_conn_send(struct kf_reactor *r, kf_conn *c, const uint8_t *bytes, size_t len) {
    (void)r;
    if (!c->out) {
        const ssize_t sent = send_bytes(c, bytes, len);
        if (sent < 0) return 0;
        bytes += sent, len -= (size_t)sent;
    }
    return !len || append_copy(c, bytes, len);
}

int kf_conn_send_buffer(struct kf_reactor *r, kf_conn *c, kf_buffer *buffer) {
    const size_t len = buffer->used;
    if (!len) {
        kf_buffer_free(buffer);
        return 1;
    }
    return append_own(c, buffer, buffer->at, len) && kf_conn_flush(r, c);
}

/* ---- answers in parts --------------------------------------------------------------------------- */

/* A frame's length, [id, status, and the header of a bin of len bytes. */
static size_t put_part_head(uint8_t head[KF_ANSWER_HEADS], uint64_t id, uint64_t status, uint64_t len) {
    uint8_t *at = kf_msgpack_put_array(head + KF_FRAME_LEN, 3);
    at = kf_msgpack_put_uint(at, id);
    at = kf_msgpack_put_uint(at, status);
    at = kf_msgpack_put_bin(at, len);
    kf_store32_be(head, (uint32_t)((uint64_t)(at - head) - KF_FRAME_LEN + len));
    return (size_t)(at - head);
}

/* [id, 2, part] for as much of the data as leaves the rest of the answer shorter than the limit. */
static int append_parts(kf_conn *c, const kf_job *job, size_t *sent, size_t part_len, size_t max_rest) {
    const uint8_t *data = job->answer->bytes.at + job->data.at;
    uint8_t head[KF_ANSWER_HEADS];
    for (*sent = 0; job->data.len - *sent > max_rest; *sent += part_len) {
        if (part_len > job->data.len - *sent) part_len = job->data.len - *sent;
        if (!append_copy(c, head, put_part_head(head, job->call.id, 2, part_len))) return 0;
        if (!append_part(c, job->answer, data + *sent, part_len)) return 0;
    }
    return 1;
}

/* The last frame: what precedes the data in the answer, with the data's rest. */
static int append_last(kf_conn *c, const kf_job *job, size_t sent) {
    const uint8_t *frame = job->answer->bytes.at;
    const size_t before = job->data.at - kf_msgpack_bin_head(job->data.len), rest = job->data.len - sent;
    const size_t behind = (size_t)job->answer_len - job->data.at - job->data.len;
    kf_buffer head = kf_buffer_new(before + KF_MSGPACK_HEAD_MAX, 0);
    if (!head.at) return 0;
    memcpy(head.at, frame, before);
    head.used = (size_t)(kf_msgpack_put_bin(head.at + before, rest) - head.at);
    kf_store32_be(head.at, (uint32_t)(head.used - KF_FRAME_LEN + rest + behind));
    return append_own(c, &head, head.at, head.used) &&
           append_part(c, job->answer, frame + job->data.at + sent, rest + behind);
}

int kf_conn_send_answer(struct kf_reactor *r, kf_conn *c, kf_job *job) {
    const uint64_t max = r->limits.max_frame, len = (uint64_t)job->answer_len - KF_FRAME_LEN;
    size_t sent;
    int ok;
    job->answer->refs++; /* ours, until all pieces are there */
    if (len <= max)
        ok = append_part(c, job->answer, job->answer->bytes.at, (size_t)job->answer_len);
    else
        ok = append_parts(c, job, &sent, (size_t)max - KF_ANSWER_HEADS,
                          (size_t)(max - (len - job->data.len)) - KF_MSGPACK_HEAD_MAX) &&
             append_last(c, job, sent);
    if (--job->answer->refs == 0) {
        kf_buffer_free(&job->answer->bytes);
        free(job->answer);
    }
    job->answer = NULL;
    return ok && kf_conn_flush(r, c);
}
#endif
