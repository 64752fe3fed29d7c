/* What the floor and the load client share: frames of the socket (docs/socket.md), and a clock. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { WIRE_LEN = 4, WIRE_ID_AT = 5, WIRE_ID_LEN = 4 /* ids are sent as 0xce and 4 bytes, behind the array's byte */ };

static inline uint32_t wire_load32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void wire_store32(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)(x >> 24), p[1] = (uint8_t)(x >> 16), p[2] = (uint8_t)(x >> 8), p[3] = (uint8_t)x;
}

static inline uint8_t *wire_put_str(uint8_t *at, const char *text) {
    const size_t len = strlen(text);
    if (len > 255) abort();
    if (len < 32)
        *at++ = (uint8_t)(0xa0 | len);
    else
        *at++ = 0xd9, *at++ = (uint8_t)len;
    memcpy(at, text, len);
    return at + len;
}

static inline uint8_t *wire_put_bin(uint8_t *at, uint32_t len) {
    if (len < 256) {
        *at++ = 0xc4, *at++ = (uint8_t)len;
    } else {
        *at++ = 0xc6;
        wire_store32(at, len);
        at += 4;
    }
    return at;
}

static inline uint64_t wire_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline void wire_fail(const char *what) {
    perror(what);
    exit(1);
}

static inline struct sockaddr_un wire_address(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "%s is too long for a socket's path\n", path);
        exit(2);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static inline void wire_widen(int fd) {
    const int room = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

#endif
