/*
 * The reactor's parts (kf_api.h says what it does). Rules:
 * - one thread, that of kf_reactor_run, has the connections; others reach it by its inbox and an eventfd, and are
 *   reached by the queue of events. What they share is named `shared` and has a lock;
 * - a connection is known to others by a number that is never used again, not by its address;
 * - frames are read where they lie, and nothing points into a buffer that may move: what outlives the answering of one
 *   buffer is copied, or takes the buffer with it;
 * - every buffer may hold secrets and is wiped when it is given back;
 * - what one connection makes the loop do at a time is bounded: by the length of a buffer, by what its answers take,
 *   by about how long they take. Longer work is for the workers.
 */
#ifndef KF_REACTOR_H
#define KF_REACTOR_H

#include "kf_answer.h"

enum {
    KF_IN_LEN = 64 << 10,       /* that a connection reads at a time */
    KF_IN_ROOM = 256 << 10,     /* of the buffer that all connections read into */
    KF_OUT_LEN = 256 << 10,     /* of a group of answers */
    KF_ROOM_LEN = 96 << 10,     /* that making one answer takes in the loop */
    KF_RECORDS_LEN = 256 << 10, /* of the events of a group of answers */
    KF_GROUP_MAX = KF_LOG_MAX_RECORDS, /* answers in it */
    KF_EVENT_MAX = 100 << 10,   /* bytes of one event, as the server has it */
    KF_ASSEMBLIES_MAX = 4,      /* requests of one connection whose chunks are awaited here */
    KF_WORKERS = 2
};
/* Nanoseconds: work of one request beyond which it is for the workers, and the same where there is one processor, for
 * which they would only wait as well; of one connection before others have a turn; of a group that is recorded before
 * its answers leave. */
enum { KF_INLINE_COST = 100 * 1000, KF_INLINE_COST_ALONE = 400 * 1000, KF_TURN_COST = 400 * 1000,
       KF_GROUP_COST = 50 * 1000 };

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

typedef struct kf_conn {
    struct kf_conn *timer_prev, *timer_next, *again_next;
    uint64_t id, caller;
    int64_t arrived, timer_at;  /* microseconds of CLOCK_MONOTONIC; timer_at 0: no timer */
    kf_buffer in;               /* what was read and not answered; at = NULL: nothing */
    size_t in_len;
    kf_piece *out, **out_end;
    size_t unsent;
    uint64_t pending;           /* bytes of requests that others work on, and of what they will answer */
    kf_assembly *assemblies;    /* the first one takes the bytes that come next, while part_left */
    uint64_t part_left;
    int fd;
    uint32_t uid, mask, inflight;
    uint8_t state, eof;
    uint8_t is_again;           /* its turn has ended before its requests did */
    uint8_t is_listed;          /* among those in `again`, also when it has had its next turn since */
    uint8_t is_blocked;         /* a whole frame waits in `in` */
    uint8_t is_grouped;         /* an answer waits in the group */
} kf_conn;

/* Connections in the order in which their time is over. */
typedef struct {
    kf_conn *first, *last;
    int64_t length; /* microseconds */
} kf_timers;

typedef struct {
    uint32_t uid, num;
    uint64_t announced; /* bytes of payloads in chunks that have begun and are not answered */
} kf_uid_count;

/* ---- what others have to do with ---------------------------------------------------------------- */

typedef struct kf_event_node {
    struct kf_event_node *next;
    struct kf_event event;
    kf_buffer frame, rest;
} kf_event_node;

enum kf_command_kind { KF_COMMAND_SEND, KF_COMMAND_ADMIT, KF_COMMAND_DROP };

typedef struct kf_command {
    struct kf_command *next;
    enum kf_command_kind kind;
    uint32_t num_answered;
    uint64_t conn, caller;
    kf_buffer bytes;
} kf_command;

/* A request for the workers. */
typedef struct kf_job {
    struct kf_job *next;
    uint64_t conn, announced;  /* announced: counted for its uid */
    uint32_t uid;
    int64_t arrived;
    kf_buffer frame, payload;  /* payload: with its chunks, after first_len bytes that are in the frame as well */
    size_t frame_at, first_len;
    kf_call call;
    kf_ticket_entry *ticket;
    kf_answer_plan plan;
    kf_shared_answer *answer;  /* NULL: it was handed on */
    int64_t answer_len;
    kf_answer_data data;
} kf_job;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    kf_job *first, **end, *done, **done_end;
    int stopping, num;
    pthread_t threads[KF_WORKERS];
} kf_workers;

/* Answers to requests of one round of the loop, which are recorded together before each is sent. */
typedef struct {
    size_t in_len;  /* bytes of the input that the requests are in */
    size_t out_len, records_len, num;
    uint64_t cost;
    int recorded, has_secrets;
    uint32_t body_lens[KF_GROUP_MAX];
    struct {
        kf_conn *conn;
        struct kf_text frame;
        size_t out_end; /* where its answer ends */
    } answers[KF_GROUP_MAX];
} kf_group;

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
    kf_uid_count *uids;
    uint32_t num_uids, max_uids;
    kf_timers hellos, frames;
    kf_conn *again, **again_end, *closed; /* closed: to be freed when the round is over */
    int64_t now, stop_at, noticed_at;     /* stop_at 0: it is not to stop */
    int64_t listen_at;                    /* when it listens again, 0: it does */

    kf_tickets tickets;
    kf_nonces nonces;
    kf_group group;
    kf_call call;
    kf_answer_plan plan;      /* of call, when it is for the workers */
    const kf_conn *reading;   /* whose requests are being answered */
    uint64_t begun;           /* since when, in nanoseconds */
    int is_alone;             /* this round is about one connection only */
    uint8_t *in, *out, *room, *records;

    pthread_mutex_t shared_lock; /* of the next six */
    kf_event_node *events, **events_end;
    kf_command *inbox, **inbox_end;
    int stop;
    uint32_t patience_ms;

    pthread_mutex_t log_lock;    /* of log, and while it is appended to; its descriptors are ours */
    struct kf_reactor_log log;
    int is_dirty;                /* atomic: what was appended has not been told of */

    kf_workers workers;
    uint32_t used[KF_REACTOR_SLOTS];   /* atomic, as the next */
    struct kf_reactor_counts counts;
};

/* ---- connections (kf_reactor_conn.c) ------------------------------------------------------------ */

kf_conn *kf_conn_of(struct kf_reactor *r, uint64_t id); /* NULL: it is closed */
kf_conn *kf_conn_open(struct kf_reactor *r, int fd, uint32_t uid);
void kf_conn_close(struct kf_reactor *r, kf_conn *c);
void kf_conn_free_closed(struct kf_reactor *r);
/* Counts a payload in chunks for a uid; 0: it would have more than max_message in all. */
int kf_uid_announce(struct kf_reactor *r, uint32_t uid, uint64_t len);
void kf_uid_recant(struct kf_reactor *r, uint32_t uid, uint64_t len);
/* Whether another request of it may be begun. */
int kf_conn_may_begin(const struct kf_reactor *r, const kf_conn *c);
/* After anything has changed: asks the kernel for what is awaited, starts or ends its timer, or closes it. */
void kf_conn_settle(struct kf_reactor *r, kf_conn *c);
void kf_conn_again(struct kf_reactor *r, kf_conn *c);
void kf_timers_start(struct kf_reactor *r, kf_timers *timers, kf_conn *c);
void kf_timers_end(struct kf_reactor *r, kf_conn *c);
void kf_timers_check(struct kf_reactor *r);

/* ---- input (kf_reactor_in.c) -------------------------------------------------------------------- */

/* Reads once, and answers or hands on what is whole. */
void kf_conn_read(struct kf_reactor *r, kf_conn *c);
/* The same for what was read before. */
void kf_conn_resume(struct kf_reactor *r, kf_conn *c);
void kf_assembly_free(kf_assembly *assembly);
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
/* Takes the buffers, of which the frame begins at frame_at, and what its chunks brought at rest_at (rest may be NULL). */
int kf_event_push_frame(struct kf_reactor *r, uint64_t conn, int64_t arrived, kf_buffer *frame, size_t frame_at,
                        kf_buffer *rest, size_t rest_at);
void kf_events_free(struct kf_reactor *r);
kf_command *kf_inbox_take(struct kf_reactor *r);
void kf_command_free(kf_command *command);
void kf_wake(int fd);

/* ---- hot requests (kf_reactor_hot.c) ------------------------------------------------------------ */

enum kf_hot { KF_HOT_DONE, KF_HOT_JOB, KF_HOT_COLD, KF_HOT_FULL };

/* Answers a frame into the group; KF_HOT_JOB: r->call and *ticket are for the workers. *cost: what it took. */
enum kf_hot kf_hot_answer(struct kf_reactor *r, kf_conn *c, const struct kf_text *frame, int alone, int64_t now,
                          const kf_ticket_entry **ticket, uint64_t *cost);
/* Whether what is answered is secret: plaintexts, data keys, random bytes; not blobs, signatures, MACs, verdicts. */
int kf_hot_is_secret(const kf_call *call);
/* Whether an answer can be sent in frames within the limit. */
int kf_hot_fits(const struct kf_reactor *r, const kf_call *call, const kf_answer_plan *plan);
/* Whether a ticket holds at a time, in microseconds since 1970-01-01 UTC. */
int kf_hot_holds(const struct kf_reactor *r, const kf_ticket_entry *ticket, int64_t now);
/* Appends events, which lie back to back, to the audit log. */
int kf_hot_record(struct kf_reactor *r, const uint8_t *events, const uint32_t *lens, size_t num);
/* failed: of its records. begun: kf_metrics_now() of then. */
void kf_hot_count(struct kf_reactor *r, const kf_call *call, const kf_ticket_entry *ticket, uint64_t failed,
                  uint64_t begun);
int64_t kf_clock_us(int clock);

/* ---- workers (kf_reactor_jobs.c) ---------------------------------------------------------------- */

int kf_workers_init(kf_workers *workers);
void kf_workers_destroy(struct kf_reactor *r);
/* Takes the job: to the workers, which are started when they are not there, or else to the server. */
void kf_workers_give(struct kf_reactor *r, kf_job *job);
/* Jobs of a connection that are not begun are done, without an answer: nobody waits for it. */
void kf_workers_forget(struct kf_reactor *r, uint64_t conn);
/* Jobs that are done, those without an answer handed on. */
kf_job *kf_workers_done(struct kf_reactor *r);
void kf_job_free(kf_job *job);

#endif
