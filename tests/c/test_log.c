/* Appending to the audit log: what is written, what is refused, and what is taken back. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kf_sha256.h"
#include "kft.h"

enum { HEAD = 5, CHAIN = 32, FULL = 1 << 20 };

static int new_file(void) {
    char name[] = "/tmp/kft_log_XXXXXX";
    const int fd = mkstemp(name);
    unlink(name);
    return fd;
}

static void expected_chain(uint8_t out[CHAIN], const uint8_t before[CHAIN], const uint8_t *covered, size_t len) {
    kf_sha256_ctx ctx;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, before, CHAIN);
    kf_sha256_update(&ctx, covered, len);
    kf_sha256_final(&ctx, out);
}

static int append_one(struct kf_log_end *end, uint64_t *num, int lock, int fd, uint64_t segment, uint64_t max_offset,
                      int kind, const uint8_t *body, size_t len) {
    const uint32_t len32 = (uint32_t)len;
    return kf_log_append(end, num, lock, fd, segment, max_offset, kind, body, &len32, 1);
}

static void check_format(int lock, int fd) {
    struct kf_log_end end = {.segment = 7};
    uint8_t chain[CHAIN] = {0}, record[HEAD + 300 + CHAIN], body[300];
    uint64_t num = 0, offset = 0;
    for (size_t len = 0; len <= sizeof body; len += 100) {
        memset(body, (int)len, sizeof body);
        CHECK(append_one(&end, &num, lock, fd, 7, FULL, 3, body, len) == KF_OK, "a record is appended");
        const size_t covered = HEAD + len;
        CHECK(pread(fd, record, covered + CHAIN, (off_t)offset) == (ssize_t)(covered + CHAIN), "it is in the file");
        const uint32_t rest = (uint32_t)(record[0] | record[1] << 8 | record[2] << 16 | record[3] << 24);
        CHECK(rest == 1 + len + CHAIN && record[4] == 3 && !memcmp(record + HEAD, body, len), "as it was given");
        expected_chain(chain, chain, record, covered);
        CHECK(!memcmp(record + covered, chain, CHAIN) && !memcmp(end.chain, chain, CHAIN), "with its hash");
        offset += covered + CHAIN;
        CHECK(end.offset == offset && end.num == num && !end.busy, "the end is behind it");
    }
    CHECK(num == 4 && lseek(fd, 0, SEEK_END) == (off_t)offset, "and nothing else is in the file");
}

/* Records that are appended together are those that are appended one by one. */
static void check_together(int lock, int fd) {
    enum { MOST = KF_LOG_MAX_RECORDS, EACH = 40 };
    struct kf_log_end together = {.segment = 1}, alone = {.segment = 1};
    static uint8_t bodies[(MOST + 1) * EACH], file[2][MOST * (HEAD + EACH + CHAIN)];
    uint32_t lens[MOST + 1];
    uint64_t num = 0, num_alone = 0;
    const int other = new_file();
    size_t body = 0, size;
    for (size_t i = 0; i < sizeof bodies; i++) bodies[i] = (uint8_t)(i * 7);
    for (uint32_t i = 0; i <= MOST; i++) lens[i] = i % EACH;
    for (size_t i = 0; i < MOST; body += lens[i], i++)
        CHECK(append_one(&alone, &num_alone, lock, other, 1, FULL, 1, bodies + body, lens[i]) == KF_OK, "one by one");
    size = (size_t)alone.offset;
    CHECK(kf_log_append(&together, &num, lock, fd, 1, size - HEAD - CHAIN - 1, 1, bodies, lens, MOST) ==
              KF_ERR_CAPACITY && together.num == 0, "no room for the last one");
    CHECK(kf_log_append(&together, &num, lock, fd, 1, FULL, 1, bodies, lens, 0) == KF_ERR_ARGUMENT &&
              kf_log_append(&together, &num, lock, fd, 1, FULL, 1, bodies, lens, MOST + 1) == KF_ERR_ARGUMENT,
          "none, and too many");
    CHECK(kf_log_append(&together, &num, lock, fd, 1, size - HEAD - CHAIN, 1, bodies, lens, MOST) == KF_OK, "together");
    CHECK(!memcmp(&together, &alone, sizeof alone) && num == num_alone, "one end");
    CHECK(pread(fd, file[0], size, 0) == (ssize_t)size && pread(other, file[1], size, 0) == (ssize_t)size &&
              !memcmp(file[0], file[1], size), "one file");
    close(other);
}

static void check_refusals(int lock, int fd) {
    struct kf_log_end end = {.segment = 2};
    uint64_t num = 0;
    const uint8_t body[8] = {0};
    CHECK(append_one(&end, &num, lock, fd, 1, FULL, 1, body, 8) == KF_ERR_STALE, "another segment takes records");
    CHECK(append_one(&end, &num, lock, fd, 2, 7, 1, body, 8) == KF_ERR_CAPACITY, "the segment is full");
    CHECK(append_one(&end, &num, lock, fd, 2, FULL, 256, body, 8) == KF_ERR_ARGUMENT, "a kind is one byte");
    CHECK(append_one(&end, &num, lock, fd, 2, SIZE_MAX, 1, body, KF_LOG_MAX_BODY + 1) == KF_ERR_ARGUMENT,
          "a body has an end");
    end.busy = 1;
    CHECK(append_one(&end, &num, lock, fd, 2, FULL, 1, body, 8) == KF_ERR_FORMAT, "a writer died");
    end.busy = 0;
    CHECK(append_one(&end, &num, -1, fd, 2, FULL, 1, body, 8) == KF_ERR_SYSTEM && errno == EBADF, "no lock");
    CHECK(append_one(&end, &num, lock, -1, 2, FULL, 1, body, 8) == KF_ERR_SYSTEM && errno == EBADF, "no file");
    end.busy = 0;
    CHECK(end.offset == 0 && end.num == 0, "nothing was appended");
}

/* In a child, whose limit on the size of files is its own. */
static int full_disk(int lock, int fd) {
    struct kf_log_end end = {.segment = 1};
    uint64_t num = 0;
    uint8_t body[4000] = {0};
    const uint32_t lens[2] = {100, 3800};
    const struct rlimit limit = {1000, 1000};
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (append_one(&end, &num, lock, fd, 1, FULL, 1, body, 100) != KF_OK) return 2;
    const uint64_t offset = end.offset;
    if (append_one(&end, &num, lock, fd, 1, FULL, 1, body, sizeof body) != KF_ERR_SYSTEM || errno != EFBIG) return 3;
    if (kf_log_append(&end, &num, lock, fd, 1, FULL, 1, body, lens, 2) != KF_ERR_SYSTEM) return 7; /* not one of them */
    if (end.offset != offset || end.num != 1 || end.busy) return 4;
    if (lseek(fd, 0, SEEK_END) != (off_t)offset) return 5;
    return append_one(&end, &num, lock, fd, 1, FULL, 1, body, 100) == KF_OK && num == 2 ? 0 : 6;
}

void test_log(const kft_env *env) {
    (void)env;
    const int lock = new_file(), files[4] = {new_file(), new_file(), new_file(), new_file()};
    int status = -1;
    check_format(lock, files[0]);
    check_refusals(lock, files[1]);
    check_together(lock, files[3]);
    const pid_t child = fork();
    if (child == 0) _exit(full_disk(lock, files[2]));
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "the child ends");
    CHECK(WEXITSTATUS(status) == 0, "a record that the disk has no room for is taken back, and the log goes on");
    for (int i = 0; i < 4; i++) close(files[i]);
    close(lock);
}
