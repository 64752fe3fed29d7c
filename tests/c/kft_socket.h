/* What the tests of the socket share: frames, built and read, and a reactor with a server's thread around it. */
#ifndef KFT_SOCKET_H
#define KFT_SOCKET_H

#include <pthread.h>

#include "kf_msgpack.h"
#include "kft_calls.h"

/* A frame that is being built; its length is filled in by kft_frame_end. */
typedef struct {
    uint8_t bytes[1 << 12], *at;
} kft_frame;

void kft_frame_begin(kft_frame *frame, uint64_t id, uint64_t operation, int num_elements);
/* Its key and its context: pairs are given as name, value, ..., NULL. */
void kft_frame_key(kft_frame *frame, const char *key, const char *const *pairs);
void kft_frame_bin(kft_frame *frame, const void *bytes, size_t len);
/* Returns the frame's length, with its own 4 bytes. */
size_t kft_frame_end(kft_frame *frame);
/* [id, 1 (Encrypt), "k", context, text] in one call. */
size_t kft_encrypt_frame(kft_frame *frame, uint64_t id, const char *const *pairs, const void *text, size_t len);
/* A batch of Sign with "p", of messages of one byte: work for a while. */
enum { KFT_SIGN_BATCH = 37, KFT_MESSAGES = 3000 };
size_t kft_sign_batch_frame(kft_frame *frame, uint64_t id);

extern const char *const KFT_PAIRS[];          /* a context */
extern const uint8_t KFT_CANONICAL[];          /* and its canonical form */
extern const size_t KFT_CANONICAL_LEN;

/* A reactor that runs, with one caller, number 1, and tickets for the keys of the library: "k" (blobs), "p" (P-256),
 * "m" (HMAC). The server's thread answers what it is handed by [id, 1, ["Handed", false, ""]], and counts it. */
typedef struct {
    kft_library library;
    struct kf_reactor *reactor;
    struct kf_reactor_limits limits;
    uint64_t epoch;
    char path[128];
    int listening, stopping;  /* stopping: atomic */
    int stalled, silent;      /* atomic: it takes no events; it answers nothing that it is handed */
    uint64_t handed, rests, closed, half_closed, too_long, recorded; /* atomic: events */
    pthread_t loop, server;
} kft_server;

/* limits.max_frame 0: the usual ones. recorded: tickets ask for events. */
int kft_server_open(kft_server *server, int recorded);
/* Stops it, and frees all. */
void kft_server_close(kft_server *server);
/* A connection that has said hello; -1: none. */
int kft_dial(const kft_server *server);
int kft_dial_silently(const kft_server *server);
/* Whether a socket is connected. */
int kft_connect(const kft_server *server, int fd);
void kft_send(int fd, const void *bytes, size_t len);
/* The next frame, to be freed: its length without its 4 bytes, or 0 at the end of the connection. */
size_t kft_receive(uint8_t **frame, int fd);
/* Of [id, status, bin]: the bin; at = NULL: it is something else. */
struct kf_text kft_answer_bin(const uint8_t *frame, size_t len, uint64_t id);
int kft_is_handed(const uint8_t *frame, size_t len, uint64_t id);

#endif
