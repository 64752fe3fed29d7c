/*
 * The reactor from outside: a server's thread and clients, with tickets for all hot operations. What is answered is
 * compared with what the library itself makes of it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kft_socket.h"

#if defined(__linux__)

enum { TEXT = 40, LARGE = 3 << 20 };

static kft_server server;

static uint64_t seen(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

/* Waits until a counter has reached a number. */
static int reaches(const uint64_t *counter, uint64_t num) {
    for (int i = 0; i < 1000 && seen(counter) < num; i++) usleep(5000);
    return seen(counter) >= num;
}

static void check_opens(const struct kf_text *blob, const uint8_t *text, size_t len, const char *what) {
    uint8_t *opened = kft_alloc(blob->len + 1), status;
    CHECK(blob->at && blob->len == len + KF_BLOB_OVERHEAD, "%s: a blob of %zu bytes", what, blob->len);
    if (blob->at && blob->len == len + KF_BLOB_OVERHEAD)
        CHECK(kf_blob_open_one(server.library.key, opened, &status, blob->at, blob->len, KFT_CANONICAL, KFT_CANONICAL_LEN,
                               NULL, 0) == KF_OK && memcmp(opened, text, len) == 0, "%s: it does not open", what);
    free(opened);
}

static void expect_blob(int fd, uint64_t id, const uint8_t *text, size_t len, const char *what) {
    uint8_t *frame;
    const size_t frame_len = kft_receive(&frame, fd);
    const struct kf_text blob = kft_answer_bin(frame, frame_len, id);
    check_opens(&blob, text, len, what);
    free(frame);
}

static void expect_handed(int fd, uint64_t id, const char *what) {
    uint8_t *frame;
    const size_t len = kft_receive(&frame, fd);
    CHECK(kft_is_handed(frame, len, id), "%s: not handed on", what);
    free(frame);
}

/* ---- frames in pieces ---------------------------------------------------------------------------------------- */

static void check_split(void) {
    kft_frame f;
    const int fd = kft_dial(&server);
    const size_t len = kft_encrypt_frame(&f, 300, KFT_PAIRS, server.library.text, TEXT);
    for (size_t cut = 1; cut < len; cut++) {
        kft_send(fd, f.bytes, cut);
        usleep(200);
        kft_send(fd, f.bytes + cut, len - cut);
        expect_blob(fd, 300, server.library.text, TEXT, "split");
    }
    close(fd);
}

/* More requests than one buffer holds, sent at once, so that some are cut by it, with longer ones between. */
static void check_pipelined(void) {
    enum { NUM = 3000 };
    static uint8_t text[TEXT + 1500], all[NUM * (sizeof text + 60)];
    const int fd = kft_dial(&server);
    size_t len = 0;
    kft_frame f;
    for (int i = 0; i < NUM; i++) {
        const size_t one = kft_encrypt_frame(&f, (uint64_t)i, KFT_PAIRS, text, TEXT + (size_t)(i % 50 ? 0 : 1500));
        memcpy(all + len, f.bytes, one);
        len += one;
    }
    if (fork() == 0) { /* nobody reads while it sends: what cannot be sent waits in the server */
        kft_send(fd, all, len);
        _exit(0);
    }
    for (int i = 0; i < NUM; i++) expect_blob(fd, (uint64_t)i, text, TEXT + (size_t)(i % 50 ? 0 : 1500), "pipelined");
    close(fd);
}

/* Frames that are longer than any buffer that is there before. */
static void check_large(void) {
    uint8_t *text = kft_alloc(LARGE), *frame = kft_alloc(LARGE + 100), *at = frame + 4;
    kft_random random = {5};
    kft_fill(&random, text, LARGE);
    for (size_t len = 60000; len <= LARGE; len = len * 7 / 2 + 1) {
        const int fd = kft_dial(&server);
        at = kf_msgpack_put_array(frame + 4, 5);
        at = kf_msgpack_put_uint(at, 9);
        at = kf_msgpack_put_uint(at, 1);
        at = kf_msgpack_put_str(at, "k", 1);
        at = kf_msgpack_put_map(at, 2);
        for (int i = 0; i < 4; i++) at = kf_msgpack_put_str(at, KFT_PAIRS[i], 1);
        at = kf_msgpack_put_bin(at, len);
        memcpy(at, text, len);
        at += len;
        kf_store32_be(frame, (uint32_t)(at - frame - 4));
        kft_send(fd, frame, (size_t)(at - frame));
        expect_blob(fd, 9, text, len, "large");
        close(fd);
    }
    free(text), free(frame);
}

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

static size_t put_chunk(uint8_t *to, uint64_t id, const uint8_t *bytes, size_t len) {
    uint8_t *at = kf_msgpack_put_array(to + 4, 3);
    at = kf_msgpack_put_uint(at, id);
    at = kf_msgpack_put_uint(at, 0);
    at = kf_msgpack_put_bin(at, len);
    if (len) memcpy(at, bytes, len);
    at += len;
    kf_store32_be(to, (uint32_t)(at - to - 4));
    return (size_t)(at - to);
}

/* The answer to an id, put together from its parts; others before it are dropped. */
static uint8_t *joined(size_t *len, int fd, uint64_t id) {
    uint8_t *all = kft_alloc(2 * LARGE + 4096), *frame;
    for (*len = 0;;) {
        const size_t frame_len = kft_receive(&frame, fd);
        kf_msgpack in = {frame, frame + frame_len};
        struct kf_text part = {NULL, 0};
        uint64_t num, got = 0, status = 1;
        const int ok = frame_len && kf_msgpack_array(&in, &num) && kf_msgpack_uint(&in, &got) &&
                       kf_msgpack_uint(&in, &status) && (got != id || kf_msgpack_bin(&in, &part));
        CHECK(ok, "no part of an answer");
        if (ok && got == id) memcpy(all + *len, part.at, part.len);
        *len += got == id ? part.len : 0;
        free(frame);
        if (!ok || (got == id && status != 2)) return all;
    }
}

static void check_chunks(size_t first, size_t part, int drip) {
    const size_t total = LARGE / 2 + 12345;
    uint8_t *text = kft_alloc(total), *buffer = kft_alloc(part + 64);
    kft_random random = {first};
    kft_frame f;
    size_t len;
    kft_fill(&random, text, total);
    const int fd = kft_dial(&server);
    kft_frame_begin(&f, 77, 1, 6);
    kft_frame_key(&f, "k", KFT_PAIRS);
    kft_frame_bin(&f, text, first);
    f.at = kf_msgpack_put_map(f.at, 1);
    f.at = kf_msgpack_put_str(f.at, "more", 4);
    f.at = kf_msgpack_put_uint(f.at, total - first);
    kft_send(fd, f.bytes, kft_frame_end(&f));
    for (size_t at = first; at < total; at += part) {
        const size_t now = part < total - at ? part : total - at, whole = put_chunk(buffer, 77, text + at, now);
        for (size_t sent = 0; sent < (drip ? 30 : 0); sent++) { /* heads of chunks byte by byte */
            kft_send(fd, buffer + sent, 1);
            if (at == first) usleep(300);
        }
        kft_send(fd, buffer + (drip ? 30 : 0), whole - (drip ? 30 : 0));
        kft_send(fd, f.bytes, kft_encrypt_frame(&f, 5, KFT_PAIRS, text, TEXT)); /* another request between */
    }
    uint8_t *blob = joined(&len, fd, 77);
    const struct kf_text answer = {blob, len};
    check_opens(&answer, text, total, "chunks");
    free(text), free(buffer), free(blob);
    close(fd);
}

/* More bytes than were announced: the connection ends, and no other. */
static void check_too_many_bytes(void) {
    const uint64_t before = seen(&server.too_long);
    uint8_t buffer[200], *frame;
    kft_frame f;
    const int fd = kft_dial(&server);
    kft_frame_begin(&f, 1, 1, 6);
    kft_frame_key(&f, "k", NULL);
    kft_frame_bin(&f, "abc", 3);
    f.at = kf_msgpack_put_map(f.at, 1);
    f.at = kf_msgpack_put_str(f.at, "more", 4);
    f.at = kf_msgpack_put_uint(f.at, 10);
    kft_send(fd, f.bytes, kft_frame_end(&f));
    kft_send(fd, buffer, put_chunk(buffer, 1, (const uint8_t *)"0123456789a", 11));
    CHECK(kft_receive(&frame, fd) == 0 && seen(&server.too_long) == before + 1, "a chunk too long");
    free(frame);
    close(fd);
}

/* ---- operations ---------------------------------------------------------------------------------------------------- */

static int32_t body_kind(const uint8_t *frame, size_t len) { return len > 3 ? frame[3] : -1; }

static void check_single_operations(void) {
    const int fd = kft_dial(&server);
    const kft_library *l = &server.library;
    uint8_t *frame;
    kft_frame f;
    size_t len;
    kft_frame_begin(&f, 1, 2, 5), kft_frame_key(&f, NULL, NULL), kft_frame_bin(&f, l->blob, KFT_BLOB_LEN);
    kft_send(fd, f.bytes, kft_frame_end(&f));
    len = kft_receive(&frame, fd);
    struct kf_text got = kft_answer_bin(frame, len, 1);
    CHECK(got.at && got.len == TEXT && memcmp(got.at, l->text, TEXT) == 0, "decrypt");
    free(frame);
    f.bytes[60] ^= 1; /* within the blob */
    kft_send(fd, f.bytes, kft_frame_end(&f));
    expect_handed(fd, 1, "a blob that does not open");
    for (uint64_t op = 3; op <= 4; op++) {
        kft_frame_begin(&f, 2, op, 5), kft_frame_key(&f, "k", KFT_PAIRS), f.at = kf_msgpack_put_uint(f.at, 32);
        kft_send(fd, f.bytes, kft_frame_end(&f));
        len = kft_receive(&frame, fd);
        if (op == 3) /* [2, 0, [plain, blob]] */ {
            const struct kf_text blob = {frame + 4 + 34 + 2, 32 + KF_BLOB_OVERHEAD};
            CHECK(len == 4 + 34 + 2 + blob.len, "a data key of %zu bytes", len);
            check_opens(&blob, frame + 6, 32, "data key");
        } else {
            CHECK(kft_answer_bin(frame, len, 2).len == 32 + KF_BLOB_OVERHEAD, "a data key's blob");
        }
        free(frame);
    }
    kft_frame_begin(&f, 3, 10, 5), kft_frame_key(&f, NULL, NULL), f.at = kf_msgpack_put_uint(f.at, 100);
    kft_send(fd, f.bytes, kft_frame_end(&f));
    len = kft_receive(&frame, fd);
    CHECK(kft_answer_bin(frame, len, 3).len == 100, "random bytes");
    free(frame);
    close(fd);
}

/* Signs or makes a MAC of the text, then has it verified as it is and changed. */
static void check_sign_and_verify(uint64_t op, const char *key) {
    const int fd = kft_dial(&server);
    uint8_t *frame, tag[80];
    kft_frame f;
    kft_frame_begin(&f, 1, op, 5), kft_frame_key(&f, key, NULL), kft_frame_bin(&f, server.library.text, TEXT);
    kft_send(fd, f.bytes, kft_frame_end(&f));
    const size_t len = kft_receive(&frame, fd);
    const struct kf_text got = kft_answer_bin(frame, len, 1);
    CHECK(got.at && got.len >= 32 && got.len <= 72, "operation %d", (int)op);
    memcpy(tag, got.at ? got.at : tag, got.at ? got.len : 0);
    free(frame);
    for (int changed = 0; changed < 2; changed++) {
        kft_frame_begin(&f, 2, op + 1, 5), kft_frame_key(&f, key, NULL);
        f.at = kf_msgpack_put_array(f.at, 2);
        tag[20] ^= (uint8_t)changed;
        kft_frame_bin(&f, server.library.text, TEXT), kft_frame_bin(&f, tag, got.len);
        kft_send(fd, f.bytes, kft_frame_end(&f));
        if (changed) {
            expect_handed(fd, 2, "what does not verify");
            continue;
        }
        const size_t answer_len = kft_receive(&frame, fd);
        CHECK(body_kind(frame, answer_len) == 0xc3, "operation %d: not true", (int)op + 1);
        free(frame);
    }
    close(fd);
}

/* A batch of n texts to Encrypt, as a list or packed; then its answer's column to Decrypt. */
/* An answer to a batch whose last record does not open: [1, 0, [values, errors]]. */
static void check_last_failed(const uint8_t *answer, size_t len, const uint8_t *sent, int form, size_t num) {
    static const uint8_t refusal[] = "\xba" "InvalidCiphertextException\xc2\xa0";
    kf_msgpack in = {answer + 4, answer + len};
    struct kf_text bytes = {0}, lengths = {0};
    uint64_t x = 0;
    CHECK(len > 4 && memcmp(answer, "\x93\x01\x00\x92", 4) == 0 && kf_msgpack_array(&in, &x), "no batch");
    if (form) {
        CHECK(kf_msgpack_uint(&in, &x) && x == num && kf_msgpack_bin(&in, &lengths) && lengths.len == 4 * num &&
                  memcmp(lengths.at + 4 * num - 4, "\xff\xff\xff\xff", 4) == 0 && kf_msgpack_bin(&in, &bytes), "form %d", form);
        size_t sum = 0;
        for (size_t i = 0; i + 1 < num; i++) sum += lengths.at[4 * i];
        CHECK(bytes.len == sum, "%zu bytes of %zu records", bytes.len, num - 1);
    } else {
        CHECK(memcmp(in.at, sent + (in.at - answer - 4), 2) == 0 || num == 1, "the first record");
        for (uint64_t i = 0; i + 1 < num; i++) CHECK(kf_msgpack_bin(&in, &bytes), "record %d", (int)i);
        CHECK(kf_msgpack_nil(&in), "the last record");
    }
    CHECK(kf_msgpack_array(&in, &x) && x == 1 && kf_msgpack_array(&in, &x) && x == 4 && kf_msgpack_uint(&in, &x) &&
              x == num - 1, "its error");
    CHECK(in.at && (size_t)(in.end - in.at) == sizeof refusal - 1 && memcmp(in.at, refusal, sizeof refusal - 1) == 0, "its code");
}

static void check_batch(int form, size_t num) {
    enum { WIDTH = 30 };
    const int fd = kft_dial(&server);
    const size_t most = num * (WIDTH + 110) + 200;
    uint8_t *texts = kft_alloc(num * WIDTH + 1), *frame = kft_alloc(most), *at, *answer;
    kft_random random = {num};
    kft_fill(&random, texts, num * WIDTH);
    at = kf_msgpack_put_array(frame + 4, 5);
    at = kf_msgpack_put_uint(at, 1), at = kf_msgpack_put_uint(at, 33);
    at = kf_msgpack_put_str(at, "k", 1), at = kf_msgpack_put_nil(at);
    const uint8_t *const column = at;
    at = form ? kf_msgpack_put_array(at, 3) : kf_msgpack_put_array(at, num);
    if (form) at = kf_msgpack_put_uint(at, num);
    if (form == 1) at = kf_msgpack_put_uint(at, WIDTH);
    if (form == 2) {
        at = kf_msgpack_put_bin(at, 4 * num);
        for (size_t i = 0; i < num; i++, at += 4) at[0] = WIDTH, at[1] = at[2] = at[3] = 0;
    }
    if (form) at = kf_msgpack_put_bin(at, num * WIDTH);
    for (size_t i = 0; i < num; i++, at += WIDTH) {
        if (!form) at = kf_msgpack_put_bin(at, WIDTH);
        memcpy(at, texts + i * WIDTH, WIDTH);
    }
    const size_t column_len = (size_t)(at - column);
    uint8_t *sent = kft_alloc(column_len);
    memcpy(sent, column, column_len);
    kf_store32_be(frame, (uint32_t)(at - frame - 4));
    kft_send(fd, frame, (size_t)(at - frame));
    size_t len = kft_receive(&answer, fd);
    /* [1, 0, [values, nil]] */
    CHECK(len > 6 && memcmp(answer, "\x93\x01\x00\x92", 4) == 0 && answer[len - 1] == 0xc0, "batch of form %d", form);
    at = kf_msgpack_put_array(frame + 4, 5);
    at = kf_msgpack_put_uint(at, 1), at = kf_msgpack_put_uint(at, 34), at = kf_msgpack_put_nil(at), at = kf_msgpack_put_nil(at);
    memcpy(at, answer + 4, len - 5);
    at += len - 5;
    free(answer);
    kf_store32_be(frame, (uint32_t)(at - frame - 4));
    kft_send(fd, frame, (size_t)(at - frame));
    len = kft_receive(&answer, fd);
    CHECK(len == 5 + column_len && memcmp(answer + 4, sent, column_len) == 0, "form %d, %zu: it comes back changed", form, num);
    free(answer);
    at[-1] ^= 1; /* the last record's tag */
    kft_send(fd, frame, (size_t)(at - frame));
    len = kft_receive(&answer, fd);
    check_last_failed(answer, len, sent, form, num);
    free(answer);
    free(texts), free(frame), free(sent);
    close(fd);
}

/* ---- what is not hot -------------------------------------------------------------------------------------------------- */

static void check_epoch(void) {
    kft_frame f;
    const int fd = kft_dial(&server);
    const size_t len = kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT);
    __atomic_store_n(&server.epoch, 2, __ATOMIC_RELEASE);
    kft_send(fd, f.bytes, len);
    expect_handed(fd, 1, "another epoch");
    __atomic_store_n(&server.epoch, 0, __ATOMIC_RELEASE);
    kft_send(fd, f.bytes, len);
    expect_blob(fd, 1, server.library.text, TEXT, "the epoch again");
    close(fd);
}

static void check_other_frames(void) {
    static const uint8_t garbage[] = {0, 0, 0, 3, 0xc1, 0xff, 0}, empty[] = {0, 0, 0, 0}, giant[] = {0xff, 0xff, 0xff, 0xff, 1};
    const struct {
        const uint8_t *bytes;
        size_t len;
    } all[] = {{garbage, sizeof garbage}, {empty, sizeof empty}, {giant, sizeof giant}};
    const int other = kft_dial(&server);
    kft_frame f;
    uint8_t *frame;
    for (size_t i = 0; i < 3; i++) {
        const int fd = kft_dial(&server);
        kft_send(fd, all[i].bytes, all[i].len);
        while (kft_receive(&frame, fd)) free(frame); /* an error, then the end */
        free(frame);
        close(fd);
    }
    kft_send(other, f.bytes, kft_encrypt_frame(&f, 4, KFT_PAIRS, server.library.text, TEXT));
    expect_blob(other, 4, server.library.text, TEXT, "another connection");
    kft_frame_begin(&f, 5, 1, 5), kft_frame_key(&f, "other", NULL), kft_frame_bin(&f, "x", 1);
    kft_send(other, f.bytes, kft_frame_end(&f));
    expect_handed(other, 5, "a key without a ticket");
    close(other);
}

static void check_limit_of_connections(void) {
    int fds[24], open = 0;
    uint8_t *frame;
    for (int i = 0; i < 24; i++) {
        fds[i] = kft_dial(&server);
        open += fds[i] >= 0;
    }
    CHECK(open == 20, "%d connections of a limit of 20", open);
    const int refused = kft_dial_silently(&server);
    CHECK(refused < 0 || kft_receive(&frame, refused) == 0, "the 21st is served");
    if (refused >= 0) close(refused);
    const uint64_t before = seen(&server.closed);
    for (int i = 0; i < 24; i++)
        if (fds[i] >= 0) close(fds[i]);
    CHECK(reaches(&server.closed, before + 20), "they are not closed");
}

/* Clients that end in the middle of a frame, or do not read. */
static void check_dying_clients(void) {
    kft_frame f;
    const size_t len = kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT);
    for (size_t cut = 0; cut < len; cut += 7) {
        const int fd = kft_dial(&server);
        for (int i = 0; i < 50; i++) kft_send(fd, f.bytes, len);
        kft_send(fd, f.bytes, cut);
        close(fd);
    }
    const int slow = kft_dial(&server);
    fcntl(slow, F_SETFL, O_NONBLOCK);
    size_t taken = 0;
    for (ssize_t sent; taken < (64U << 20); taken += (size_t)sent) {
        sent = send(slow, f.bytes, len, MSG_NOSIGNAL);
        if (sent < (ssize_t)len) usleep(100000), sent = send(slow, f.bytes, len, MSG_NOSIGNAL);
        if (sent < 0) break;
    }
    CHECK(taken < (16U << 20), "%zu bytes were taken from a client that does not read", taken);
    close(slow);
}

/* The answers of what was read before the peer has said that nothing more comes. */
static void check_half_closed(void) {
    kft_frame f;
    uint8_t *frame;
    const int fd = kft_dial(&server);
    kft_send(fd, f.bytes, kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT));
    shutdown(fd, SHUT_WR);
    expect_blob(fd, 1, server.library.text, TEXT, "half closed");
    CHECK(kft_receive(&frame, fd) == 0, "the connection stays");
    free(frame);
    close(fd);
}

/* Clients whose requests take more than one turn, and of each tenth the server's answer, which comes between turns:
 * nobody is forgotten, and the loop goes on. */
static void check_turns(void) {
    enum { CLIENTS = 3, NUM = 400, EACH = 10 };
    static uint8_t all[NUM * 64];
    int fds[CLIENTS];
    size_t len = 0;
    kft_frame f;
    uint8_t *frame;
    for (uint64_t i = 0; i < NUM; i++) {
        kft_frame_begin(&f, i, 5, 5), kft_frame_key(&f, i % EACH ? "p" : "unknown", NULL);
        kft_frame_bin(&f, server.library.text, 20);
        const size_t one = kft_frame_end(&f);
        memcpy(all + len, f.bytes, one);
        len += one;
    }
    for (int k = 0; k < CLIENTS; k++) fds[k] = kft_dial(&server);
    for (int k = 0; k < CLIENTS; k++) kft_send(fds[k], all, len);
    for (int k = 0; k < CLIENTS; k++) {
        int got = 0;
        for (size_t frame_len = 1; got < NUM && frame_len; got += frame_len != 0) {
            frame_len = kft_receive(&frame, fds[k]);
            free(frame);
        }
        CHECK(got == NUM, "%d answers of client %d", got, k);
        close(fds[k]);
    }
}

/* A client that has gone is not worked for any more: of its batches only those that were begun. */
static void check_forgotten_jobs(void) {
    enum { NUM = 60 };
    struct kf_reactor_counts before, after;
    kft_frame f;
    uint8_t *frame;
    kf_reactor_counts(server.reactor, &before);
    for (int k = 0; k < 2; k++) { /* the second is behind all of the first */
        const int fd = kft_dial(&server);
        for (int i = 0; i < (k ? 1 : NUM); i++) {
            kft_send(fd, f.bytes, kft_sign_batch_frame(&f, (uint64_t)i));
        }
        CHECK(kft_receive(&frame, fd) > 0, "no answer to a batch");
        free(frame);
        close(fd);
    }
    kf_reactor_counts(server.reactor, &after);
    CHECK(after.hot[KFT_SIGN_BATCH] - before.hot[KFT_SIGN_BATCH] <= NUM / 2, "%d batches", (int)(after.hot[KFT_SIGN_BATCH] - before.hot[KFT_SIGN_BATCH]));
}

static size_t put_begun(kft_frame *f, uint64_t id, uint64_t more) {
    kft_frame_begin(f, id, 1, 6), kft_frame_key(f, "k", KFT_PAIRS), kft_frame_bin(f, "x", 1);
    f->at = kf_msgpack_put_map(f->at, 1);
    f->at = kf_msgpack_put_str(f->at, "more", 4);
    f->at = kf_msgpack_put_uint(f->at, more);
    return kft_frame_end(f);
}

/* What all connections of a uid have begun in chunks is bounded, and counted out when one of them ends. */
static void check_announced(void) {
    enum { MORE = 60 << 20 };
    const uint64_t closed = seen(&server.closed);
    const int one = kft_dial(&server), other = kft_dial(&server);
    kft_frame f;
    kft_send(one, f.bytes, put_begun(&f, 1, MORE));
    kft_send(one, f.bytes, kft_encrypt_frame(&f, 2, KFT_PAIRS, server.library.text, TEXT));
    expect_blob(one, 2, server.library.text, TEXT, "beside chunks");
    kft_send(other, f.bytes, put_begun(&f, 3, MORE));
    expect_handed(other, 3, "more than a uid may have");
    close(one);
    CHECK(reaches(&server.closed, closed + 1), "the first one stays");
    kft_send(other, f.bytes, put_begun(&f, 4, MORE));
    kft_send(other, f.bytes, kft_encrypt_frame(&f, 5, KFT_PAIRS, server.library.text, TEXT));
    expect_blob(other, 5, server.library.text, TEXT, "there is room again");
    close(other);
}

static void check_timeouts(void) {
    struct kf_reactor_counts counts;
    kft_frame f;
    uint8_t *frame;
    const int silent = kft_dial_silently(&server), begun = kft_dial(&server), idle = kft_dial(&server);
    kft_send(begun, f.bytes, kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT) - 1);
    CHECK(kft_receive(&frame, silent) == 0, "without a hello");
    free(frame);
    CHECK(kft_receive(&frame, begun) == 0, "a frame that does not end");
    free(frame);
    kf_reactor_counts(server.reactor, &counts);
    CHECK(counts.timeouts == 2, "%d timeouts", (int)counts.timeouts);
    kft_send(idle, f.bytes, kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT));
    expect_blob(idle, 1, server.library.text, TEXT, "an idle connection");
    close(silent), close(begun), close(idle);
}

void test_reactor(const kft_env *env) {
    (void)env;
    memset(&server, 0, sizeof server);
    CHECK(kft_server_open(&server, 0) == KF_OK, "open");
    check_split();
    check_pipelined();
    check_large();
    check_chunks(0, 700000, 0);
    check_chunks(1000, 65536, 1);
    check_chunks(3000, 5000, 1);
    check_too_many_bytes();
    check_single_operations();
    check_sign_and_verify(5, "p");
    check_sign_and_verify(7, "m");
    for (int form = 0; form < 3; form++)
        for (size_t num = 1; num <= 5000; num = num * 17 + 1) check_batch(form, num);
    check_epoch();
    check_other_frames();
    check_limit_of_connections();
    check_dying_clients();
    check_half_closed();
    check_turns();
    check_forgotten_jobs();
    check_announced();
    kft_server_close(&server);
}

void test_reactor_timeouts(const kft_env *env) {
    (void)env;
    memset(&server, 0, sizeof server);
    server.limits = (struct kf_reactor_limits){.max_frame = 1 << 20, .max_hello = 4096, .max_message = 1 << 20,
                                               .max_unsent = 1 << 20, .max_pending = 1 << 20, .max_inflight = 64,
                                               .max_held = 1 << 24, .max_connections = 20, .max_open = 20, .hello_ms = 300,
                                               .frame_ms = 300, .write_ms = 300, .threads = 1};
    CHECK(kft_server_open(&server, 0) == KF_OK, "open");
    check_timeouts();
    kft_server_close(&server);
}

/* ---- recorded ----------------------------------------------------------------------------------------------------------- */

static int new_file(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%.100s/%s", server.library.dir, name);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unlink(path);
    return fd;
}

/* Of many MACs those that do not verify are counted in the event, whether the loop or a worker answers. */
static void check_refused_recorded(int fd, int fd_log, const struct kf_log_end *end) {
    static const uint16_t sizes[] = {2, 1000};
    kft_frame f;
    uint8_t *frame, tail[1024];
    for (size_t k = 0; k < 2; k++) {
        const uint16_t num = sizes[k];
        const uint64_t before = end->offset;
        kft_frame_begin(&f, 9, 40, 5), kft_frame_key(&f, "m", NULL);
        f.at = kf_msgpack_put_array(f.at, 2);
        for (int column = 0; column < 2; column++) {
            f.at = kf_msgpack_put_array(f.at, 3);
            f.at = kf_msgpack_put_uint(f.at, num);
            f.at = kf_msgpack_put_uint(f.at, 1);
            memset(tail, column, num);
            kft_frame_bin(&f, tail, num);
        }
        kft_send(fd, f.bytes, kft_frame_end(&f));
        const size_t len = kft_receive(&frame, fd);
        CHECK(len > num && frame[1] == 9 && frame[2] == 0, "no answer to %d MACs", num);
        free(frame);
        const uint64_t event_len = end->offset - before;
        const int there = event_len < sizeof tail && pread(fd_log, tail, event_len, (off_t)before) == (ssize_t)event_len;
        uint8_t counts[8], *at = kf_msgpack_put_uint(kf_msgpack_put_uint(kf_msgpack_put_map(counts, 0), num), num);
        CHECK(there && memmem(tail, event_len, counts, (size_t)(at - counts)), "not said to have failed: %d", num);
    }
}

/* The request id in what an event behind another one has of its own. */
static struct kf_text own_request_id(kf_msgpack *in) {
    struct kf_text id;
    uint64_t number;
    if (kf_msgpack_array(in, &number) && number == 5 && kf_msgpack_uint(in, &number) && kf_msgpack_nil(in) &&
        kf_msgpack_uint(in, &number) && kf_msgpack_uint(in, &number) && kf_msgpack_str(in, &id))
        return id;
    return (struct kf_text){0};
}

/* How many events the records of like requests hold, whose ids are 0, 1, 2 and so on. */
static size_t events_in(const uint8_t *log, size_t len, uint64_t conn) {
    size_t num = 0;
    for (size_t at = 0; at < len;) {
        const size_t rest = (size_t)(log[at] | log[at + 1] << 8 | log[at + 2] << 16);
        const uint8_t *body = log + at + 5, *end = log + at + 4 + rest - 32;
        char id[40];
        at += 4 + rest;
        CHECK(body[-1] == 1 || body[-1] == 4, "a record of kind %d", body[-1]);
        CHECK(body[0] == 0x9d && body[1] == 0xcf, "no event");
        CHECK(memmem(body, (size_t)(end - body), "EncryptionContext\x82\xa1" "b\xa1" "2\xa1" "a\xa1" "1", 26) != NULL,
              "its context");
        size_t id_len = (size_t)snprintf(id, sizeof id, "%llu-%zu", (unsigned long long)conn, num++);
        const uint8_t *own = memmem(body, (size_t)(end - body), id, id_len);
        CHECK(own, "no request id %s", id);
        if (!own) return 0;
        kf_msgpack in = {own + id_len, end};
        CHECK((in.at == end) == (body[-1] == 1), "the kind of a record of one event");
        while (in.at < end) {
            const struct kf_text found = own_request_id(&in);
            id_len = (size_t)snprintf(id, sizeof id, "%llu-%zu", (unsigned long long)conn, num++);
            CHECK(found.len == id_len && memcmp(found.at, id, id_len) == 0, "no request id %s", id);
            if (!found.len) return 0;
        }
    }
    return num;
}

void test_reactor_recorded(const kft_env *env) {
    enum { NUM = 200, LARGE_LOG = 1 << 30 };
    struct kf_log_end end = {.segment = 1};
    kft_frame f;
    size_t len;
    (void)env;
    memset(&server, 0, sizeof server);
    CHECK(kft_server_open(&server, 1) == KF_OK, "open");
    const int fd = kft_dial(&server), fd_log = new_file("log"), fd_lock = new_file("lock");
    len = kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT);
    kft_send(fd, f.bytes, len);
    expect_handed(fd, 1, "no log");
    const struct kf_reactor_log log = {&end, fd_lock, fd_log, 1, LARGE_LOG}, small = {&end, fd_lock, fd_log, 1, 100};
    kf_reactor_record(server.reactor, &log);
    static uint8_t all[NUM * sizeof f.bytes];
    size_t all_len = 0;
    for (uint64_t i = 0; i < NUM; i++) {
        const size_t one = kft_encrypt_frame(&f, i, KFT_PAIRS, server.library.text, TEXT);
        memcpy(all + all_len, f.bytes, one);
        all_len += one;
    }
    kft_send(fd, all, all_len);
    for (uint64_t i = 0; i < NUM; i++) expect_blob(fd, i, server.library.text, TEXT, "recorded");
    CHECK(end.num < NUM && reaches(&server.recorded, 1), "%d records", (int)end.num);
    uint8_t *event = kft_alloc(end.offset);
    CHECK(pread(fd_log, event, end.offset, 0) == (ssize_t)end.offset, "the log is not as long as it says");
    CHECK(events_in(event, end.offset, (uint64_t)1 << 32 /* the first connection */) == NUM, "not every request is recorded once");
    len = kft_encrypt_frame(&f, 1, KFT_PAIRS, server.library.text, TEXT);
    check_refused_recorded(fd, fd_log, &end);
    struct kf_reactor_counts before, after;
    const uint64_t num_before = end.num;
    kf_reactor_counts(server.reactor, &before);
    kf_reactor_record(server.reactor, &small);
    kft_send(fd, f.bytes, len);
    expect_handed(fd, 1, "a full log");
    CHECK(end.num == num_before, "recorded beyond its end");
    kf_reactor_record(server.reactor, NULL);
    kft_send(fd, f.bytes, len);
    expect_handed(fd, 1, "no log any more");
    kf_reactor_counts(server.reactor, &after);
    CHECK(after.unrecorded == before.unrecorded + 2 && after.hot[1] == before.hot[1], "what is not recorded is counted");
    free(event);
    close(fd), close(fd_log), close(fd_lock);
    kft_server_close(&server);
}

#else

void test_reactor(const kft_env *env) { (void)env; }
void test_reactor_timeouts(const kft_env *env) { (void)env; }
void test_reactor_recorded(const kft_env *env) { (void)env; }

#endif
