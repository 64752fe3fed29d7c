/*
 * Root keys: from a file, or from a secret that a key derivation function wrote. The file is
 * 16 bytes of magic and 32 random bytes; it is created once, never written over, and refused when
 * others than its owner may read it. It gets its name when it is complete and on the disk, so that
 * whenever the process or the machine dies, the name leads to a whole key or to nothing; what may be
 * left is a file "<name>.<16 hexadecimal digits>.new", which was never a root key.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_rng.h"
#include "kf_util.h"

enum { MAGIC_LEN = 16, MATERIAL_LEN = 32, FILE_LEN = MAGIC_LEN + MATERIAL_LEN };

static const uint8_t magic[MAGIC_LEN + 1] = "kmsfast-root-v1\n";

/* ---- files ----------------------------------------------------------------------------------- */

static int write_all(int fd, const uint8_t *bytes, size_t len) {
    while (len) {
        const ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return KF_ERR_SYSTEM;
        bytes += n, len -= (size_t)n;
    }
    return KF_OK;
}

/* Bytes read, up to len; -1 with errno. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t len) {
    size_t got = 0;
    while (got < len) {
        const ssize_t n = read(fd, bytes + got, len - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static void close_quietly(int fd) {
    const int error = errno;
    close(fd);
    errno = error;
}

/* Syncs the directory that holds path, so that the new name survives a loss of power. */
static int sync_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!name) return KF_ERR_MEMORY;
    const int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(name);
    if (fd < 0) return KF_ERR_SYSTEM;
    const int status = fsync(fd) == 0 ? KF_OK : KF_ERR_SYSTEM;
    close_quietly(fd);
    return status;
}

static void unlink_quietly(const char *path) {
    const int error = errno;
    unlink(path);
    errno = error;
}

/* A fresh key under a name of its own, complete and on the disk. */
static int write_new(const char *path) {
    uint8_t bytes[FILE_LEN];
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return KF_ERR_SYSTEM;
    memcpy(bytes, magic, MAGIC_LEN);
    int status = kf_random(bytes + MAGIC_LEN, MATERIAL_LEN);
    KF_DECLASSIFY(bytes, sizeof bytes); /* this file is where the root key is kept */
    if (status == KF_OK) status = write_all(fd, bytes, sizeof bytes);
    kf_wipe(bytes, sizeof bytes);
    if (status == KF_OK && fsync(fd) != 0) status = KF_ERR_SYSTEM;
    close_quietly(fd);
    if (status != KF_OK) unlink_quietly(path);
    return status;
}

/* Gives the file its name, unless there is a file of that name. */
static int rename_new(const char *from, const char *to) {
#if defined(__linux__)
    const unsigned int no_replace = 1; /* RENAME_NOREPLACE of linux/fs.h; musl has neither name nor function */
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, no_replace) == 0) return KF_OK;
#elif defined(__APPLE__)
    if (renamex_np(from, to, RENAME_EXCL) == 0) return KF_OK;
#else
    errno = ENOSYS;
#endif
    if (errno != EINVAL && errno != ENOSYS) return KF_ERR_SYSTEM; /* else: not on this file system */
    if (link(from, to) != 0) return KF_ERR_SYSTEM;
    return unlink(from) == 0 ? KF_OK : KF_ERR_SYSTEM;
}

int kf_root_file_create(const char *path) {
    uint64_t tag;
    int status = kf_init();
    if (status == KF_OK) status = kf_random((uint8_t *)&tag, sizeof tag);
    if (status != KF_OK) return status;
    const size_t room = strlen(path) + sizeof ".0123456789abcdef.new";
    char *fresh = malloc(room);
    if (!fresh) return KF_ERR_MEMORY;
    KF_DECLASSIFY(&tag, sizeof tag); /* it is part of a file's name */
    snprintf(fresh, room, "%s.%016llx.new", path, (unsigned long long)tag);
    status = write_new(fresh);
    if (status == KF_OK && (status = rename_new(fresh, path)) != KF_OK) unlink_quietly(fresh);
    free(fresh);
    return status == KF_OK ? sync_directory(path) : status;
}

/* Reads the open file straight into a slot. */
static int load_from(uint64_t *root, int fd) {
    uint8_t head[MAGIC_LEN], beyond;
    struct stat st;
    void *body;
    if (fstat(fd, &st) != 0) return KF_ERR_SYSTEM;
    if (!S_ISREG(st.st_mode) || st.st_size != FILE_LEN) return KF_ERR_FORMAT;
    if (st.st_mode & (S_IRWXG | S_IRWXO)) return KF_ERR_ARGUMENT;
    const ssize_t got = read_all(fd, head, sizeof head);
    if (got < 0) return KF_ERR_SYSTEM;
    if (got != MAGIC_LEN || memcmp(head, magic, MAGIC_LEN) != 0) return KF_ERR_FORMAT;
    uint64_t handle;
    int status = kf_slot_new(&handle, &body, KF_KIND_ROOT);
    if (status != KF_OK) return status;
    if (read_all(fd, ((kf_root_slot *)body)->material, MATERIAL_LEN) != MATERIAL_LEN || read(fd, &beyond, 1) != 0)
        status = KF_ERR_FORMAT;
    kf_slot_unpin(handle);
    if (status == KF_OK)
        *root = handle;
    else
        kf_key_release(handle);
    return status;
}

int kf_root_file_load(uint64_t *root, const char *path) {
    int status = kf_init();
    if (status != KF_OK) return status;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* not to wait for the writer of a FIFO */
    if (fd < 0) return KF_ERR_SYSTEM;
    status = load_from(root, fd);
    close_quietly(fd);
    return status;
}

/* ---- secrets --------------------------------------------------------------------------------- */

int kf_secret_new(uint64_t *secret, uint8_t **bytes) {
    void *body;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_new(secret, &body, KF_KIND_SECRET);
    if (status != KF_OK) return status;
    *bytes = ((kf_secret_slot *)body)->bytes; /* secrets are never evicted: the address stays good */
    kf_slot_unpin(*secret);
    return KF_OK;
}

int kf_root_from_secret(uint64_t *root, uint64_t secret) {
    void *from, *to;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&from, secret, KF_KIND_SECRET);
    if (status != KF_OK) return status;
    status = kf_slot_new(root, &to, KF_KIND_ROOT);
    if (status == KF_OK) {
        memcpy(((kf_root_slot *)to)->material, ((kf_secret_slot *)from)->bytes, MATERIAL_LEN);
        kf_slot_unpin(*root);
    }
    kf_slot_unpin(secret);
    if (status == KF_OK) kf_key_release(secret);
    return status;
}
