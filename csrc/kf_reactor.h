/*
 * The reactor's parts (kf_api.h says what it does). Rules:
 * - one thread, that of kf_reactor_run, has the connections; others reach it by its inbox and an eventfd, and are
 *   reached by the queue of events. What they share is named `shared` and has a lock;
 * - a connection is known to others by a number that is never used again, not by its address;
 * - frames are read where they lie, and nothing points into a buffer that may move: what outlives the answering of one
 *   buffer is copied, or takes the buffer with it;
 * - every buffer may hold secrets and is wiped when it is given back; those that all connections share, and long ones,
 *   are left out of core dumps;
 * - what one connection makes the loop do at a time is bounded: by the length of a buffer, by what its answers take,
 *   by about how long they take. Longer work is for the workers;
 * - when a ticket or the log has ended, one request goes to the server, and those like it wait for what that brings, but
 *   not for long: else all that are under way would go there at once.
 */
#ifndef KF_REACTOR_H
#define KF_REACTOR_H

#include "kf_answer.h"
#include "kf_ring.h"

enum {
    KF_IN_LEN = 64 << 10,       /* that a connection reads at a time */
    KF_IN_ROOM = 256 << 10,     /* of the buffer that all connections read into */
    KF_OUT_LEN = 256 << 10,     /* of a group of answers */
    KF_ROOM_LEN = 96 << 10,     /* that making one answer takes in the loop */
    KF_RECORDS_LEN = 256 << 10, /* of the events of a group of answers */
    KF_GROUP_MAX = KF_LOG_MAX_RECORDS, /* answers in it */
    KF_ASSEMBLIES_MAX = 4,      /* requests of one connection whose chunks are awaited here */
    KF_EVENTS_MAX = 16 << 10,   /* that wait for the server, beyond which nobody is accepted */
    KF_WORKERS = 2
};
/* Nanoseconds: work of one request beyond which it is for the workers, and the same where there is one processor, for
 * which they would only wait as well; of one connection before others have a turn; of a group that is recorded before
 * its answers leave. */
enum { KF_INLINE_COST = 100 * 1000, KF_INLINE_COST_ALONE = 400 * 1000, KF_TURN_COST = 400 * 1000,
       KF_GROUP_COST = 50 * 1000 };
/* Microseconds that requests wait for a ticket or a log that has ended, while the server answers the first of them. */
enum { KF_HOLD_US = 20 * 1000 };

/* ---- memory (kf_reactor_memory.c) --------------------------------------------------------------- */

/* A buffer of len bytes, of which used ones have been written, that is wiped when it is freed. Long ones take memory
 * only as far as they are written; of these some are kept for the next who asks. */
typedef struct {
    uint8_t *at;
    size_t len, used;
    int mapped;
} kf_buffer;

/* used: of the new buffer, what the caller is sure to write at most; at is NULL when there is no memory. */
kf_buffer kf_buffer_new(size_t len, size_t used);
void kf_buffer_free(kf_buffer *buffer);
/* Gives back what is kept. */
void kf_buffers_forget(void);

/* An answer that several pieces of output are of; counted by the loop's thread alone. */
typedef struct {
    kf_buffer bytes;
    uint32_t refs;
} kf_shared_answer;

typedef struct kf_piece {
    struct kf_piece *next;
    const uint8_t *at;
    size_t len;
    kf_shared_answer *answer; /* or NULL: the bytes are in own */
    kf_buffer own;
} kf_piece;

/* ---- connections -------------------------------------------------------------------------------- */

enum kf_conn_state {
    KF_CONN_HELLO,  /* nothing has come yet */
    KF_CONN_ASKED,  /* its hello is with the server */
    KF_CONN_READY,
    KF_CONN_ENDING  /* is not read any more, and closed when all is sent */
};

/* The payload of a request that comes in chunks. */
typedef struct kf_assembly {
    struct kf_assembly *next;
    uint64_t id, total;      /* total: bytes of payload; there are payload.used of them */
    size_t first_len;        /* of these, in the request itself */
    size_t frame_at;
    kf_buffer frame, payload; /* frame: the request, from frame_at on */
} kf_assembly;

/* What all connections of a uid have together; there as long as one of them, a job or an event of it is. */
typedef struct kf_uid {
    struct kf_uid *next;
    uint32_t uid, num;  /* num: connections */
    uint32_t refs;      /* atomic, as held: workers add to both, as long as they have a job of it */
    uint64_t held;      /* bytes of requests that others work on, of what they will answer, and of events not taken */
    uint64_t announced; /* bytes of payloads in chunks that have begun and are not answered */
    kf_ring waiting;    /* connections that wait until less is held */
    kf_ring turn, jobs; /* under the lock of the workers: its place among uids, and connections that have jobs */
} kf_uid;

typedef struct {
    kf_ring ring;
    int64_t at; /* microseconds of CLOCK_MONOTONIC; 0: it does not run */
} kf_timeout;

struct kf_job;

typedef struct kf_conn {
    struct kf_conn *again_next, *next_closed;
    uint64_t id, caller;
    int64_t arrived;            /* microseconds of CLOCK_MONOTONIC */
    kf_timeout reads, writes;   /* of its hello or a frame; of answers that are not read */
    kf_timeout held;            /* of a request that waits for its ticket or the log to be renewed */
    kf_uid *uid;
    kf_ring waiting;            /* among those of its uid */
    kf_ring turn;               /* under the lock of the workers, as the next two */
    struct kf_job *jobs, **jobs_end;
    kf_buffer in;               /* what was read and not answered; at = NULL: nothing */
    size_t in_len;
    kf_piece *out, **out_end;
    size_t unsent;
    uint64_t pending;           /* bytes of requests that others work on, and of what they will answer */
    uint64_t queued;            /* bytes of chunks that the server has not taken */
    kf_assembly *assemblies;    /* the first one takes the bytes that come next, while part_left */
    uint64_t part_left;
    int fd;
    int unread;                 /* of what it was sent, when the timer of its writes began */
    uint32_t mask, inflight;
    uint8_t state, eof;
    uint8_t is_again;           /* its turn has ended before its requests did */
    uint8_t is_listed;          /* among those in `again`, also when it has had its next turn since */
    uint8_t is_blocked;         /* a whole frame waits in `in` */
    uint8_t is_grouped;         /* an answer waits in the group */
    uint8_t is_hungry;          /* it waits for the server to take events */
} kf_conn;

/* Connections in the order in which their time is over. */
typedef struct {
    kf_ring running;
    int64_t length; /* microseconds */
} kf_timeouts;

/* ---- what others have to do with ---------------------------------------------------------------- */

typedef struct kf_event_node {
    struct kf_event_node *next;
    struct kf_event event;
    kf_buffer frame, rest;
    kf_uid *uid;          /* of frames: whose bytes they are; NULL: they are not counted */
    uint64_t len, queued; /* bytes of both; of these, that a connection has in chunks */
} kf_event_node;

enum kf_command_kind { KF_COMMAND_SEND, KF_COMMAND_ADMIT, KF_COMMAND_DROP };

typedef struct kf_command {
    struct kf_command *next;
    enum kf_command_kind kind;
    uint32_t num_answered;
    uint64_t conn, caller;
    kf_buffer bytes;
} kf_command;

/* What is counted of an answered request. */
typedef struct {
    uint64_t conn, id, bytes, records, failed;
    uint64_t begun; /* kf_metrics_now() of then */
    uint32_t slots[KF_ANSWER_KEYS_MAX], num_slots;
    int32_t timer, index; /* index: of the counts by operation */
} kf_use;

/* A request for the workers. */
typedef struct kf_job {
    struct kf_job *next;
    uint64_t conn, announced;  /* announced: counted for its uid */
    kf_uid *uid;
    int64_t arrived;
    kf_buffer frame, payload;  /* payload: with its chunks, after first_len bytes that are in the frame as well */
    size_t frame_at, first_len;
    kf_call call;
    kf_ticket_entry *ticket;
    kf_answer_plan plan;
    kf_shared_answer *answer;  /* NULL: it was handed on */
    int64_t answer_len;
    kf_answer_data data;
    kf_answer_others others;
    kf_use use;
    int is_lost;               /* there was no memory to hand it on */
} kf_job;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    kf_ring uids;              /* that have jobs, in turn */
    kf_job *done, **done_end;
    int stopping, num;
    pthread_t threads[KF_WORKERS];
} kf_workers;

/* Answers to requests of one round of the loop, which are recorded together before each is sent. */
typedef struct {
    size_t in_len;  /* bytes of the input that the requests are in */
    size_t out_len, num;
    uint64_t cost;
    int recorded, has_secrets;
    kf_events events;
    struct {
        kf_conn *conn;
        struct kf_text frame;
        size_t out_end; /* where its answer ends */
        kf_use use;
    } answers[KF_GROUP_MAX];
} kf_group;

/* The ticket of the request before, and what was computed under it; good for one that has its head and caller. */
typedef struct {
    uint64_t head, caller;    /* head: its serial */
    uint64_t changes;         /* of tickets, when it was found */
    const kf_ticket_entry *ticket;
    kf_known_digest digest;
} kf_known;

/* The last use of a ticket's slot. turn: odd while it is written, by the loop alone. All atomic. */
typedef struct {
    uint32_t is_new, turn;
    uint64_t conn, id;
} kf_slot;

struct kf_reactor {
    struct kf_reactor_limits limits;
    const uint64_t *epoch;
    int *listening;
    size_t num_listening;
    int epoll_fd, wake_fd, event_fd;

    kf_conn **conns;      /* by the lower half of their number */
    uint32_t *serials;    /* the upper half */
    uint32_t *free_slots;
    uint32_t num_slots, num_free, num_open;
    kf_uid *uids;
    kf_timeouts hellos, frames, writes, holds;
    kf_conn *again, **again_end, *closed; /* closed: to be freed when the round is over */
    int64_t now, stop_at, noticed_at;     /* stop_at 0: it is not to stop */
    int64_t listen_at;                    /* when it listens again, 0: it does */

    kf_tickets tickets;
    kf_nonces nonces;
    kf_group group;
    kf_call call;
    kf_call_head head;        /* of call */
    uint64_t renewals;        /* of the tickets and the log that those which are held have seen */
    kf_known known;
    kf_answer_plan plan;      /* of call, when it is for the workers */
    const kf_conn *reading;   /* whose requests are being answered */
    int is_alone;             /* this round is about one connection only */
    uint64_t begun;           /* this round, in nanoseconds of kf_metrics_now, */
    int64_t today;            /* and in microseconds since 1970-01-01 UTC */
    kf_buffer common;         /* what the next three, and the group's events, are in */
    uint8_t *in, *out, *room;

    pthread_mutex_t shared_lock; /* of the next nine */
    kf_event_node *events, **events_end;
    uint32_t num_events;         /* atomic as well, as the next */
    kf_event_node *returned;     /* that the server is done with */
    uint32_t num_hungry;         /* connections that wait for these */
    kf_command *inbox, **inbox_end;
    int stop;
    uint32_t patience_ms;

    pthread_mutex_t log_lock;    /* of log, and while it is appended to; its descriptors are ours */
    struct kf_reactor_log log;
    int is_dirty;                /* atomic: what was appended has not been told of */
    int64_t refused_at;          /* atomic: when it first could not be appended to; 0: it can */
    uint64_t num_renewed;        /* atomic: of tickets and of the log, ever */
    uint32_t num_held;           /* atomic: connections that wait for that; of the loop's thread, as it adds */

    kf_workers workers;
    kf_slot slots[KF_REACTOR_SLOTS];
    struct kf_reactor_counts counts;   /* atomic */
};

/* ---- connections (kf_reactor_conn.c) ------------------------------------------------------------ */

kf_conn *kf_conn_of(struct kf_reactor *r, uint64_t id); /* NULL: it is closed */
kf_conn *kf_conn_open(struct kf_reactor *r, int fd, uint32_t uid);
void kf_conn_close(struct kf_reactor *r, kf_conn *c);
void kf_conn_free_closed(struct kf_reactor *r);
/* Whether another request of it may be begun. */
int kf_conn_may_begin(const struct kf_reactor *r, const kf_conn *c);
/* After anything has changed: asks the kernel for what is awaited, starts or ends its timer, or closes it. */
void kf_conn_settle(struct kf_reactor *r, kf_conn *c);
void kf_conn_again(struct kf_reactor *r, kf_conn *c);
/* Its next request waits until a ticket or the log is renewed, or a time has passed; and does not any more. */
void kf_conn_hold(struct kf_reactor *r, kf_conn *c);
void kf_conn_unhold(struct kf_reactor *r, kf_conn *c);
/* Whether something was renewed that connections wait for. */
int kf_holds_are_over(const struct kf_reactor *r);
/* Goes on with those whose wait is over. */
void kf_holds_check(struct kf_reactor *r);
/* A ticket or the log was renewed; by any thread. */
void kf_holds_renewed(struct kf_reactor *r);
/* Another of its requests is others' now, who hold so many bytes for it; num of them are answered. */
void kf_conn_begin(kf_conn *c, uint64_t len);
/* They hold more. */
void kf_conn_owe(kf_conn *c, uint64_t len);
void kf_conn_answered(struct kf_reactor *r, kf_conn *c, uint32_t num);
void kf_timeout_end(kf_timeout *timer);
void kf_timeouts_check(struct kf_reactor *r);
/* When the first one is over; INT64_MAX: none runs. */
int64_t kf_timeouts_until(const struct kf_reactor *r);

/* ---- uids (kf_reactor_uid.c) -------------------------------------------------------------------- */

/* Known from now on, or once more; NULL: there is no memory. */
kf_uid *kf_uid_of(struct kf_reactor *r, uint32_t uid);
void kf_uid_ref(kf_uid *u);
void kf_uid_let_go(struct kf_reactor *r, kf_uid *u);
/* Counts a payload in chunks; 0: it would have more than max_message in all. */
int kf_uid_announce(const struct kf_reactor *r, kf_uid *u, uint64_t len);
void kf_uid_recant(kf_uid *u, uint64_t len);
/* Counts what is held for it; who waits goes on when it is less again. */
void kf_uid_hold(kf_uid *u, uint64_t len);
void kf_uid_release(struct kf_reactor *r, kf_uid *u, uint64_t len);
int kf_uid_has_room(const struct kf_reactor *r, const kf_uid *u);
/* The next one that waits has its turn, if there is room. */
void kf_uid_wake(struct kf_reactor *r, kf_uid *u);

/* ---- input (kf_reactor_in.c) -------------------------------------------------------------------- */

/* What is being read from, and how far it is answered. */
typedef struct {
    const uint8_t *base;
    size_t len, at;
    uint64_t cost;
    int64_t now;  /* microseconds since 1970-01-01 UTC */
    int dead;     /* the connection */
} kf_turn;

/* Reads once, and answers or hands on what is whole. */
void kf_conn_read(struct kf_reactor *r, kf_conn *c);
/* The same for what was read before. */
void kf_conn_resume(struct kf_reactor *r, kf_conn *c);

/* ---- requests for others (kf_reactor_hand.c) ---------------------------------------------------- */

/* A frame in a buffer of its own: the connection's, when it holds nothing else, or a copy. */
kf_buffer kf_frame_detach(kf_conn *c, const kf_turn *t, const struct kf_text *frame, size_t *frame_at);
/* A frame to the server. 0: there is no memory for it. */
int kf_hand_on_copy(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame);
void kf_hand_on(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame);
void kf_hand_malformed(struct kf_reactor *r, kf_conn *c, kf_turn *t);
/* A frame to the workers. */
void kf_hand_job(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame,
                 const kf_ticket_entry *ticket);

/* ---- chunks (kf_reactor_chunks.c) --------------------------------------------------------------- */

/* The call's chunks are put together here from now on. 0: they cannot be. */
int kf_chunks_begin(struct kf_reactor *r, kf_conn *c, kf_turn *t, const struct kf_text *frame);
/* A chunk of a request that is put together here, as far as it is there. 0: it is none. */
int kf_chunks_part(struct kf_reactor *r, kf_conn *c, kf_turn *t, const uint8_t *frame, size_t frame_len, size_t there);
/* Bytes of the chunk that is being read have come. */
void kf_chunks_more(struct kf_reactor *r, kf_conn *c, kf_turn *t, size_t len);
/* No more come: its requests that are not whole are none any more. */
void kf_chunks_forget(struct kf_reactor *r, kf_conn *c);

/* ---- groups (kf_reactor_group.c) ---------------------------------------------------------------- */

/* Records what was answered in this round, then sends it. */
void kf_group_end(struct kf_reactor *r);

/* ---- output (kf_reactor_out.c): 0: the connection is dead --------------------------------------- */

int kf_conn_send(struct kf_reactor *r, kf_conn *c, const uint8_t *bytes, size_t len);
/* Takes the buffer. */
int kf_conn_send_buffer(struct kf_reactor *r, kf_conn *c, kf_buffer *buffer);
/* An answer of the workers, in parts where it is long. */
int kf_conn_send_answer(struct kf_reactor *r, kf_conn *c, kf_job *job);
int kf_conn_flush(struct kf_reactor *r, kf_conn *c);
void kf_pieces_free(kf_conn *c);

/* ---- events and commands (kf_reactor_queue.c) --------------------------------------------------- */

/* text: copied; or NULL. 0: there is no memory. */
int kf_event_push(struct kf_reactor *r, enum kf_event_kind kind, const kf_conn *c, const struct kf_text *text);
typedef struct {
    uint64_t conn;
    kf_uid *uid;
    int64_t arrived;
    kf_buffer *frame, *rest;   /* taken; rest: what its chunks brought, or NULL */
    size_t frame_at, rest_at;  /* where they begin */
    int is_chunk;
} kf_handed;

/* 0: there is no memory. */
int kf_event_push_frame(struct kf_reactor *r, const kf_handed *handed);
#ifdef KF_TESTING
extern int kf_events_refused; /* atomic: for so many frames there is no memory */
#endif
/* Counts what the server is done with, and goes on with who waited for that. */
void kf_events_returned(struct kf_reactor *r);
/* Whether it waits for that. */
void kf_conn_hungry(struct kf_reactor *r, kf_conn *c, int is_hungry);
void kf_events_free(struct kf_reactor *r);
kf_command *kf_inbox_take(struct kf_reactor *r);
void kf_command_free(kf_command *command);
void kf_wake(int fd);

/* ---- hot requests (kf_reactor_hot.c) ------------------------------------------------------------ */

enum kf_hot { KF_HOT_DONE, KF_HOT_JOB, KF_HOT_COLD, KF_HOT_FULL, KF_HOT_HELD };

/* Answers a frame into the group; KF_HOT_JOB: r->call and *ticket are for the workers. *cost: what it took. */
enum kf_hot kf_hot_answer(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame, int alone, int64_t now,
                          const kf_ticket_entry **ticket, uint64_t *cost);
/* Whether what is answered is secret: plaintexts, data keys, random bytes; not blobs, signatures, MACs, verdicts. */
int kf_hot_is_secret(const kf_call *call);
/* Whether an answer can be sent in frames within the limit. */
int kf_hot_fits(const struct kf_reactor *r, const kf_call *call, const kf_answer_plan *plan);
/* Whether a ticket holds at a time, in microseconds since 1970-01-01 UTC. */
int kf_hot_holds(const struct kf_reactor *r, const kf_ticket_entry *ticket, int64_t now);
/* Appends events to the audit log. */
int kf_hot_record(struct kf_reactor *r, const kf_events *events);
/* begun: kf_metrics_now() of then. */
kf_use kf_hot_use(const kf_answered *answered, uint64_t begun);
/* When it is recorded: by any thread, of num like ones (of a batch: 1) the bytes of all; and by the loop's. */
void kf_hot_count(struct kf_reactor *r, const kf_use *use, uint64_t num, uint64_t bytes);
void kf_hot_used(struct kf_reactor *r, const kf_use *use);
int64_t kf_clock_us(int clock);

/* ---- workers (kf_reactor_jobs.c) ---------------------------------------------------------------- */

int kf_workers_init(kf_workers *workers);
void kf_workers_destroy(struct kf_reactor *r);
/* Takes the job: to the workers, which are started when they are not there, or else to the server. */
void kf_workers_give(struct kf_reactor *r, kf_conn *c, kf_job *job);
/* Jobs of a connection that are not begun are done, without an answer: nobody waits for it. */
void kf_workers_forget(struct kf_reactor *r, kf_conn *c);
/* Jobs that are done, those without an answer handed on. */
kf_job *kf_workers_done(struct kf_reactor *r);
/* Of a connection, under a ticket or NULL; NULL: there is no memory. */
kf_job *kf_job_new(const kf_conn *c, const kf_ticket_entry *ticket);
void kf_job_free(struct kf_reactor *r, kf_job *job);

#endif
