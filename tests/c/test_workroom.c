/* Work rooms: what the kernel knows of them, what is kept, what a child finds. */
#define _GNU_SOURCE
#include "kf_workroom.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kf_arena.h"
#include "kf_p256_ecdsa.h"
#include "kft.h"
#include "kft_p256.h"

enum { LEN = 100000, MANY = KF_WORKROOMS + 2 };

static void check_keeping(void) {
    uint8_t *rooms[MANY];
    for (int i = 0; i < MANY; i++) {
        rooms[i] = kf_workroom_take(LEN);
        CHECK(rooms[i] && ((uintptr_t)rooms[i] & 63) == 0, "room %d", i);
        memset(rooms[i], i + 1, LEN);
    }
    for (int i = 0; i < MANY; i++) CHECK(rooms[i][0] == i + 1 && rooms[i][LEN - 1] == i + 1, "room %d is another's", i);
    for (int i = 0; i < MANY; i++) kf_workroom_give(rooms[i], LEN);
    uint8_t *again = kf_workroom_take(LEN);
    size_t left = 0;
    CHECK(again == rooms[0], "a room that was given back serves again");
    for (size_t i = 0; i < LEN; i++) left += again[i] != 0;
    CHECK(left == 0, "%d bytes of the call before", (int)left);
    kf_workroom_give(again, LEN);
    uint8_t *large = kf_workroom_take(KF_WORKROOM_MOST + 1);
    CHECK(large != NULL, "a large room");
    large[KF_WORKROOM_MOST] = 1;
    kf_workroom_give(large, KF_WORKROOM_MOST + 1);
    CHECK(kf_workroom_take(SIZE_MAX - 10) == NULL && kf_workroom_take((size_t)1 << 61) == NULL, "an end to memory");
}

/* The line of flags that the kernel has for the mapping of at; "" where it does not say. */
static void kernel_flags(char flags[512], const void *at) {
    char line[512];
    unsigned long from, to;
    int inside = 0;
    flags[0] = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    if (!maps) return;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = (uintptr_t)at >= from && (uintptr_t)at < to;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) snprintf(flags, 512, "%s", line);
    }
    fclose(maps);
}

static void check_flags(void) {
    struct kf_arena_info info;
    char flags[512];
    CHECK(kf_arena_open(0) == KF_OK && kf_arena_describe(&info) == KF_OK, "the arena does not open");
    uint8_t *room = kf_workroom_take(LEN);
    kernel_flags(flags, room);
    kf_workroom_give(room, LEN);
    if (!*flags || getenv("KFT_EMULATED")) return; /* qemu accepts advice without passing it on */
    CHECK(!info.dontdump || strstr(flags, " dd"), "not left out of dumps: %s", flags);
    CHECK(!info.wipeonfork || strstr(flags, " wf"), "not wiped on fork: %s", flags);
    void *page = mmap(NULL, KF_WORKROOM_MOST + 64, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && mlock(page, KF_WORKROOM_MOST + 64) == 0)
        CHECK(strstr(flags, " lo"), "not locked though it would fit: %s", flags);
    munmap(page, KF_WORKROOM_MOST + 64);
}

/* In a child the rooms that other threads of the parent had are wiped and free. */
static void check_fork(void) {
    uint8_t *room = kf_workroom_take(LEN);
    memset(room, 7, LEN);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (getenv("KFT_EMULATED")) _exit(0);
        size_t left = 0;
        for (size_t i = 0; i < LEN; i++) left += room[i] != 0;
        _exit(left ? 1 : kf_workroom_take(LEN) != room ? 2 : 0);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child found the parent's: %d", status);
    CHECK(room[0] == 7 && room[LEN - 1] == 7, "the fork wiped the parent's room");
    kf_workroom_give(room, LEN);
}

/* No batch of signatures is too long for a kept room. */
static void check_lengths(void) {
    const kf_p256_impl *impl;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++)
        CHECK(kf_p256_signing_len(impl, KF_P256_SUM_MAX) <= KF_WORKROOM_MOST, "%s needs %d bytes", impl->name,
              (int)kf_p256_signing_len(impl, KF_P256_SUM_MAX));
}

void test_workroom(const kft_env *env) {
    (void)env;
    check_keeping();
    check_flags();
    check_fork();
    check_lengths();
}
