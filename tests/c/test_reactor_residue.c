/*
 * What requests leave in the server's memory. A plaintext that is nowhere else goes through it in all ways: answered at
 * once, by the workers, in chunks, handed on; then all memory that can be written is searched for it. It is kept
 * masked, so that the search does not find itself.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "kf_util.h"
#include "kft_socket.h"
#include "kft_stack.h"

#if KFT_STACK_TELLS && defined(__linux__)

enum { SECRET = 32, MASK = 0xa5, MANY = 4000, LARGE = 400000 };

static kft_server server;
static uint8_t masked[SECRET];

static void put_secret(uint8_t *to, size_t len) {
    for (size_t i = 0; i < len; i++) to[i] = masked[i % SECRET] ^ MASK;
}

static int is_secret(const volatile uint8_t *at) {
    size_t i = 0;
    while (i < SECRET && at[i] == (masked[i] ^ MASK)) i++;
    return i == SECRET;
}

/* How often the secret is in the memory of this process. */
static int found(void) {
    char line[512];
    unsigned long begin, end;
    int num = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx rw", &begin, &end) != 2 || !strstr(line, " rw") || strstr(line, "[v")) continue;
        for (const volatile uint8_t *at = (const uint8_t *)begin; at + SECRET <= (const uint8_t *)end; at++)
            if (*at == (masked[0] ^ MASK) && is_secret(at)) num++;
    }
    if (maps) fclose(maps);
    return num;
}

static void send_and_forget(int fd, uint8_t *bytes, size_t len) {
    kft_send(fd, bytes, len);
    kf_wipe(bytes, len);
}

/* The next frame is read; of it only the blob is kept. */
static size_t receive_and_forget(int fd, uint8_t *blob) {
    uint8_t *frame;
    const size_t len = kft_receive(&frame, fd);
    const struct kf_text bin = kft_answer_bin(frame, len, 1);
    const size_t blob_len = bin.at ? bin.len : 0;
    if (blob && blob_len) memcpy(blob, bin.at, blob_len);
    if (frame) kf_wipe(frame, len);
    free(frame);
    return blob_len;
}

static size_t put_record(uint8_t *frame, uint64_t op, const char *key, const uint8_t *blob, size_t len) {
    uint8_t *at = kf_msgpack_put_array(frame + 4, 5);
    at = kf_msgpack_put_uint(kf_msgpack_put_uint(at, 1), op);
    at = key ? kf_msgpack_put_str(at, key, strlen(key)) : kf_msgpack_put_nil(at);
    at = kf_msgpack_put_bin(kf_msgpack_put_nil(at), len);
    if (blob)
        memcpy(at, blob, len);
    else
        put_secret(at, len);
    kf_store32_be(frame, (uint32_t)(at + len - frame - 4));
    return (size_t)(at + len - frame);
}

/* One record of len bytes, encrypted and decrypted. */
static void exercise_record(int fd, size_t len) {
    uint8_t *frame = kft_alloc(len + 200), *blob = kft_alloc(len + 200);
    send_and_forget(fd, frame, put_record(frame, 1, "k", NULL, len));
    const size_t blob_len = receive_and_forget(fd, blob);
    CHECK(blob_len == len + KF_BLOB_OVERHEAD, "encrypt");
    send_and_forget(fd, frame, put_record(frame, 2, NULL, blob, blob_len));
    CHECK(receive_and_forget(fd, NULL) == len, "decrypt");
    free(frame), free(blob);
}

/* What has no ticket, and what is cut into pieces. */
static void exercise_others(int fd) {
    uint8_t frame[MANY + 200];
    size_t len = put_record(frame, 1, "nobody's", NULL, MANY);
    send_and_forget(fd, frame, len);
    (void)receive_and_forget(fd, NULL);
    len = put_record(frame, 1, "k", NULL, MANY);
    kft_send(fd, frame, len / 2);
    usleep(20000);
    kft_send(fd, frame + len / 2, len - len / 2);
    kf_wipe(frame, len);
    (void)receive_and_forget(fd, NULL);
}

static void exercise_chunks(int fd) {
    uint8_t *frame = kft_alloc(LARGE + 200), *at = kf_msgpack_put_array(frame + 4, 6);
    at = kf_msgpack_put_uint(kf_msgpack_put_uint(at, 1), 1);
    at = kf_msgpack_put_nil(kf_msgpack_put_str(at, "k", 1));
    at = kf_msgpack_put_bin(at, 0);
    at = kf_msgpack_put_uint(kf_msgpack_put_str(kf_msgpack_put_map(at, 1), "more", 4), LARGE);
    kf_store32_be(frame, (uint32_t)(at - frame - 4));
    kft_send(fd, frame, (size_t)(at - frame));
    at = kf_msgpack_put_uint(kf_msgpack_put_uint(kf_msgpack_put_array(frame + 4, 3), 1), 0);
    at = kf_msgpack_put_bin(at, LARGE);
    put_secret(at, LARGE);
    kf_store32_be(frame, (uint32_t)(at + LARGE - frame - 4));
    send_and_forget(fd, frame, (size_t)(at + LARGE - frame));
    CHECK(receive_and_forget(fd, NULL) == LARGE + KF_BLOB_OVERHEAD, "chunks");
    free(frame);
}

void test_reactor_residue(const kft_env *env) {
    kft_random random = {91};
    (void)env;
    kft_fill(&random, masked, SECRET);
    memset(&server, 0, sizeof server);
    CHECK(kft_server_open(&server, 0) == KF_OK, "open");
    uint8_t here[SECRET];
    put_secret(here, SECRET);
    __asm__ volatile("" : : "r"(here) : "memory");
    CHECK(found() == 1, "the search does not find what is there");
    kf_wipe(here, SECRET);
    CHECK(found() == 0, "it finds what is not there");
    const int fd = kft_dial(&server);
    exercise_record(fd, MANY);
    exercise_record(fd, LARGE);
    exercise_others(fd);
    exercise_chunks(fd);
    exercise_record(fd, MANY + 500); /* nothing is answered after it at the same place */
    usleep(50000); /* an answer leaves before its request is wiped */
    const int open = found();
    CHECK(open == 0, "%d times with the connection open", open);
    close(fd);
    usleep(50000);
    const int closed = found();
    CHECK(closed == 0, "%d times with the connection closed", closed);
    kft_server_close(&server);
}

#else

void test_reactor_residue(const kft_env *env) { (void)env; }

#endif
