/*
 * The key arena, root key files and the wrapping of keys. Each test runs in a child process of its own, for
 * an arena is opened once for a process and those that it forks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kf_arena.h"
#include "kft_calls.h"

enum { ARENA_BYTES = 1 }; /* asks for the smallest arena; pages make it a little larger */

static void in_child(void (*test)(void), const char *name) {
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        kft_failures = 0;
        test();
        fflush(stdout);
        _exit(kft_failures != 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "%s: child ended with %d", name, status);
}

/* ---- the cache of keys ------------------------------------------------------------------------- */

static int open_small(kft_library *l) {
    const int status = kf_arena_open(ARENA_BYTES);
    return status == KF_OK ? kft_library_open(l) : status;
}

static uint64_t load_key(const kft_library *l, uint32_t version) {
    uint8_t wrapped[KF_WRAPPED_LEN];
    uint64_t key = 0;
    CHECK(kf_key_generate(wrapped, l->store, l->key_id, version, 0) == KF_OK, "generate");
    CHECK(kf_key_load(&key, l->store, wrapped, l->key_id, version, 0) == KF_OK, "load version %u", version);
    return key;
}

static void check_eviction(void) {
    enum { KEYS = 200 };
    kft_library l;
    uint64_t keys[KEYS];
    struct kf_arena_info info;
    uint8_t prefix[KF_PREFIX_LEN];
    CHECK(open_small(&l) == KF_OK, "the library does not open");
    CHECK(kf_arena_describe(&info) == KF_OK && info.num_slots >= 16 && info.num_slots < KEYS / 2, "%d slots",
          (int)info.num_slots);
    const int cached = (int)info.num_slots - 3; /* root, store and batch stay */
    keys[0] = load_key(&l, 1);
    for (int i = 1; i < KEYS; i++) {
        keys[i] = load_key(&l, (uint32_t)i + 1);
        CHECK(kf_key_prefix(keys[0], prefix) == KF_OK, "the key in use was evicted after %d others", i);
        for (int k = 0; k < i; k++) CHECK(keys[k] != keys[i], "handle of key %d given again to key %d", k, i);
    }
    for (int i = 1; i < KEYS; i++) {
        const int expected = i <= KEYS - cached ? KF_ERR_STALE : KF_OK;
        CHECK(kf_key_check(keys[i]) == expected, "key %d of %d, %d kept: %d", i, KEYS, cached, kf_key_check(keys[i]));
    }
    CHECK(kf_store_mac(l.store, l.out, l.text, 1) == KF_OK && kf_sealed_create(&l.handle, l.header, keys[0], 0, NULL, 0) == KF_OK,
          "a store or a batch was evicted");
    CHECK(kf_arena_describe(&info) == KF_OK && info.evictions >= (uint64_t)(KEYS - cached), "%d evictions",
          (int)info.evictions);
    kft_library_close(&l);
}

static void check_full(void) {
    kft_library l;
    uint64_t batches[200], key = 0;
    int num = 0, status = KF_OK;
    CHECK(open_small(&l) == KF_OK, "the library does not open");
    while (num < 200 && (status = kf_sealed_create(&batches[num], l.header, l.key, 0, NULL, 0)) == KF_OK) num++;
    CHECK(status == KF_ERR_FULL || status == KF_ERR_STALE, "a full arena gives %d", status);
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 0) == KF_ERR_FULL && key == 0, "a key in a full arena");
    CHECK(num > 0 && kf_key_release(batches[0]) == KF_OK, "release");
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 0) == KF_OK, "no key after a slot was released");
    CHECK(kf_key_check(batches[0]) == KF_ERR_STALE, "a released batch is still there");
    kft_library_close(&l);
}

static void check_kinds(void) {
    kft_library l;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    CHECK(kf_store_mac(l.key, l.out, l.text, 1) == KF_ERR_KIND, "a key makes MACs of rows");
    CHECK(kf_key_prefix(l.store, l.out) == KF_ERR_KIND, "a store has a prefix");
    CHECK(kf_root_from_secret(&l.handle, l.root) == KF_ERR_KIND, "a root key is a secret");
    CHECK(kf_key_check(0) == KF_ERR_STALE && kf_key_check(UINT64_MAX) != KF_OK, "a handle that was never given");
    CHECK(kf_key_check(l.key + 1) == KF_ERR_STALE || kf_key_check(l.key + 1) == KF_OK, "the next slot");
    CHECK(kf_key_check(l.key + 0x10000) == KF_ERR_STALE, "the next generation");
    CHECK(kf_key_release(0) == KF_OK, "release of nothing");
    kft_library_close(&l);
}

/* A slot released while a call uses it lives until that call ends, for that call only. */
static void check_release_in_use(void) {
    kft_library l;
    void *body, *again;
    static const kf_key_slot zero;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    CHECK(kf_slot_pin(&body, l.key, KF_KIND_KEY) == KF_OK, "pin");
    CHECK(kf_key_release(l.key) == KF_OK, "release");
    CHECK(memcmp(((kf_key_slot *)body)->prefix, l.prefix, KF_PREFIX_LEN) == 0, "wiped while in use");
    CHECK(kf_slot_pin(&again, l.key, KF_KIND_KEY) == KF_ERR_STALE, "a released key can be pinned");
    kf_slot_unpin(l.key);
    CHECK(memcmp(body, &zero, sizeof zero) == 0, "not wiped after its last use");
    kft_library_close(&l);
}

/* ---- threads --------------------------------------------------------------------------------------- */

enum { NUM_THREADS = 4, ROUNDS = 4000 };

/* Loads, uses and releases keys of its own number; a wrong prefix would mean that a slot changed hands. */
static void *churn(void *arg) {
    const kft_library *l = arg;
    static uint32_t next_id;
    const uint32_t id = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED);
    uint8_t key_id[16], wrapped[KF_WRAPPED_LEN], prefix[KF_PREFIX_LEN];
    intptr_t wrong = 0;
    uint64_t keys[4] = {0};
    memset(key_id, (int)id, sizeof key_id);
    if (kf_key_generate(wrapped, l->store, key_id, id, 0) != KF_OK) return (void *)1;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t *key = &keys[i % 4];
        const int status = kf_key_prefix(*key, prefix);
        if (status == KF_OK)
            wrong += memcmp(prefix + 4, key_id, 16) != 0 || prefix[23] != id;
        else if (status != KF_ERR_STALE || kf_key_load(key, l->store, wrapped, key_id, id, 0) != KF_OK)
            wrong++;
        if (i % 7 == 0) kf_key_release(keys[(i + 1) % 4]);
    }
    return (void *)wrong;
}

static void check_threads(void) {
    kft_library l;
    pthread_t threads[NUM_THREADS];
    CHECK(open_small(&l) == KF_OK, "the library does not open");
    for (int i = 0; i < NUM_THREADS; i++) CHECK(pthread_create(&threads[i], NULL, churn, &l) == 0, "thread");
    for (int i = 0; i < NUM_THREADS; i++) {
        void *wrong;
        CHECK(pthread_join(threads[i], &wrong) == 0 && wrong == NULL, "%d wrong keys in thread %d", (int)(intptr_t)wrong, i);
    }
    kft_library_close(&l);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Drops the right to lock more than limit bytes. 0 when this process cannot drop it. */
static int limit_locking(rlim_t limit) {
    const struct rlimit rlimit = {limit, limit};
    return setrlimit(RLIMIT_MEMLOCK, &rlimit) == 0 && (getuid() != 0 || setresuid(65534, 65534, 65534) == 0);
}

static void check_lock_refused(void) {
    struct kf_arena_info info;
    unsetenv("KMSFAST_REQUIRE_MLOCK");
    if (!limit_locking(0)) return;
    CHECK(kf_arena_open(0) == KF_OK, "the arena does not open unlocked");
    CHECK(kf_arena_describe(&info) == KF_OK && !info.locked && info.lock_errno != 0, "no word of the refusal");
}

static void check_lock_required(void) {
    struct kf_arena_info info;
    setenv("KMSFAST_REQUIRE_MLOCK", "1", 1);
    if (!limit_locking(0)) return;
    CHECK(kf_arena_open(0) == KF_ERR_SYSTEM && errno != 0, "opened unlocked although a lock is required");
    CHECK(kf_arena_describe(&info) == KF_OK && info.num_slots == 0, "slots without an arena");
}

static void check_lock_limited(void) {
    struct kf_arena_info info;
    if (!limit_locking(1 << 17)) return;
    CHECK(kf_arena_open(0) == KF_OK && kf_arena_describe(&info) == KF_OK, "the arena does not open");
    CHECK(info.locked && info.bytes <= 1 << 17 && info.num_slots >= 16, "%d bytes, locked %d", (int)info.bytes, info.locked);
}

/* What the kernel says of the mapping that holds the canary: locked, not dumped, wiped on fork. */
static void check_kernel_flags(void) {
    uint64_t secret;
    uint8_t *bytes;
    struct kf_arena_info info;
    char line[512], flags[512] = "";
    unsigned long from, to;
    int inside = 0;
    CHECK(kf_arena_open(0) == KF_OK && kf_secret_new(&secret, &bytes) == KF_OK, "the arena does not open");
    CHECK(kf_arena_describe(&info) == KF_OK, "describe");
    FILE *maps = fopen("/proc/self/smaps", "r");
    if (!maps) return;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = (unsigned long)bytes >= from && (unsigned long)bytes < to;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) snprintf(flags, sizeof flags, "%s", line);
    }
    fclose(maps);
    if (!*flags || getenv("KFT_EMULATED")) return; /* qemu accepts advice without passing it on */
    CHECK(!info.locked == !strstr(flags, " lo"), "locked %d, kernel: %s", info.locked, flags);
    CHECK(!info.dontdump == !strstr(flags, " dd"), "dontdump %d, kernel: %s", info.dontdump, flags);
    CHECK(!info.wipeonfork == !strstr(flags, " wf"), "wipeonfork %d, kernel: %s", info.wipeonfork, flags);
}

/* ---- root keys and wrapping ---------------------------------------------------------------------- */

static void write_file(const char *path, const void *bytes, size_t len, mode_t mode) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && fchmod(fd, mode) == 0, "write %s", path);
    close(fd);
}

static void check_root_files(void) {
    kft_library l;
    uint8_t bytes[64] = {0};
    char path[128];
    uint64_t root = 0;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    CHECK(kf_root_file_create(l.root_path) == KF_ERR_SYSTEM && errno == EEXIST, "written over an existing root key");
    const int fd = open(l.root_path, O_RDONLY);
    struct stat st;
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 48, "file of the root key");
    CHECK(read(fd, bytes, 48) == 48 && memcmp(bytes, "kmsfast-root-v1\n", 16) == 0, "contents of the root key");
    close(fd);

    snprintf(path, sizeof path, "%s/other", l.dir);
    CHECK(kf_root_file_load(&root, path) == KF_ERR_SYSTEM && errno == ENOENT, "a missing file");
    write_file(path, bytes, 48, 0644);
    CHECK(kf_root_file_load(&root, path) == KF_ERR_ARGUMENT, "readable by others");
    write_file(path, bytes, 48, 0600);
    CHECK(kf_root_file_load(&root, path) == KF_OK, "a copy of the root key");
    kf_key_release(root);
    for (size_t len = 0; len <= 49; len++) {
        write_file(path, bytes, len, 0600);
        const int status = kf_root_file_load(&root, path);
        CHECK(status == (len == 48 ? KF_OK : KF_ERR_FORMAT), "a file of %zu bytes: %d", len, status);
    }
    bytes[3] ^= 1;
    write_file(path, bytes, 48, 0600);
    CHECK(kf_root_file_load(&root, path) == KF_ERR_FORMAT, "wrong magic");
    CHECK(kf_root_file_load(&root, l.dir) == KF_ERR_FORMAT, "a directory");
    unlink(path);
    CHECK(mkfifo(path, 0600) == 0 && kf_root_file_load(&root, path) == KF_ERR_FORMAT, "a FIFO");
    unlink(path);
    CHECK(symlink("nowhere", path) == 0 && kf_root_file_create(path) == KF_ERR_SYSTEM, "created through a symbolic link");
    unlink(path);
    snprintf(path, sizeof path, "%s/none/root", l.dir);
    CHECK(kf_root_file_create(path) == KF_ERR_SYSTEM && errno == ENOENT, "created in a missing directory");
    kft_library_close(&l);
}

static void check_wrapping(void) {
    kft_library l;
    uint64_t other_root = 0, store = 0, key = 0, secret = 0;
    uint8_t *bytes, rewrapped[KF_WRAPPED_LEN], mac[32], other_mac[32];
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    CHECK(kf_secret_new(&secret, &bytes) == KF_OK, "secret");
    memset(bytes, 7, 32);
    CHECK(kf_root_from_secret(&other_root, secret) == KF_OK && kf_key_check(secret) == KF_ERR_STALE, "root from secret");
    CHECK(kf_store_load(&store, other_root, l.wrapped_store, l.store_id) == KF_ERR_AUTH, "another root opens the store");
    CHECK(kf_store_rewrap(rewrapped, other_root, l.root, l.wrapped_store, l.store_id) == KF_OK, "rewrap");
    CHECK(kf_store_load(&store, l.root, rewrapped, l.store_id) == KF_ERR_AUTH, "the old root opens it still");
    CHECK(kf_store_load(&store, other_root, rewrapped, l.store_id) == KF_OK, "the new root does not open it");
    CHECK(kf_store_mac(l.store, mac, l.text, KFT_TEXT_LEN) == KF_OK && kf_store_mac(store, other_mac, l.text, KFT_TEXT_LEN) == KF_OK &&
          memcmp(mac, other_mac, 32) == 0, "another store key after rewrap");
    CHECK(kf_store_mac_check(store, mac, l.text, KFT_TEXT_LEN) == KF_OK, "MAC");
    mac[31] ^= 0x80;
    CHECK(kf_store_mac_check(store, mac, l.text, KFT_TEXT_LEN) == KF_ERR_AUTH, "a changed MAC");
    l.store_id[0] ^= 1;
    CHECK(kf_store_load(&store, l.root, l.wrapped_store, l.store_id) == KF_ERR_AUTH, "another store id");

    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 2, 0) == KF_ERR_AUTH, "another version");
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 1) == KF_ERR_AUTH, "other flags");
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 2) == KF_ERR_ARGUMENT, "reserved flags");
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.store_id, 1, 0) == KF_ERR_AUTH, "another key id");
    for (int bit = 0; bit < 8 * KF_WRAPPED_LEN; bit += 5) {
        l.wrapped_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 0) == KF_ERR_AUTH, "bit %d changed", bit);
        l.wrapped_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(kf_key_load(&key, l.store, l.wrapped_key, l.key_id, 1, 0) == KF_OK, "unchanged");
    kft_library_close(&l);
}

void test_arena(const kft_env *env) {
    (void)env;
    in_child(check_eviction, "eviction");
    in_child(check_full, "full arena");
    in_child(check_kinds, "kinds");
    in_child(check_release_in_use, "release in use");
    in_child(check_threads, "threads");
    in_child(check_lock_refused, "lock refused");
    in_child(check_lock_required, "lock required");
    in_child(check_lock_limited, "lock limited");
    in_child(check_kernel_flags, "flags of the mapping");
    in_child(check_root_files, "root key files");
    in_child(check_wrapping, "wrapping");
}
