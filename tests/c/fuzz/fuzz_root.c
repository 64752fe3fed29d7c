/*
 * Root key files. Law: a file loads exactly when it is the magic and 32 bytes, and readable by its
 * owner alone; then the same file gives the same key.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static void run(const uint8_t *data, size_t len) {
    static const fuzz_record genuine = {"kmsfast-root-v1\n 32 bytes that make up a root k", 48};
    static uint64_t store, keys[2];
    fuzz_input in = {data, len};
    fuzz_record file;
    uint64_t root = 0;
    char path[64];
    if (!store) fuzz_open_library(&store, keys);
    const uint8_t mode_choice = fuzz_u8(&in);
    const mode_t mode = mode_choice % 4 ? 0600 : (mode_t)(mode_choice << 1);
    fuzz_make_record(&in, &file, &genuine, 1);
    const int fd = memfd_create("root", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file.bytes, file.len) != (ssize_t)file.len || fchmod(fd, mode)) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const int status = kf_root_file_load(&root, path);
    const int header_right = file.len == 48 && memcmp(file.bytes, genuine.bytes, 16) == 0;
    const int denied = status == KF_ERR_SYSTEM && !(mode & 0400); /* by the kernel, unless this is root */
    if (!denied) {
        const int expected = file.len != 48    ? KF_ERR_FORMAT
                             : mode & 077      ? KF_ERR_ARGUMENT
                             : header_right    ? KF_OK
                                               : KF_ERR_FORMAT;
        LAW(status == expected, "load: %d, expected %d", status, expected);
    }
    fuzz_root.tried++, fuzz_root.past_header += (uint64_t)header_right, fuzz_root.opened += status == KF_OK;
    if (status == KF_OK) kf_key_release(root);
    close(fd);
}

fuzz_target fuzz_root = {.name = "root", .run = run};
