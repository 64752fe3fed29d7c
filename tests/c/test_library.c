/* The library as its callers see it: dispatch, blobs under every implementation, and forks. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kft_calls.h"

/* ---- dispatch --------------------------------------------------------------------------------------- */

void test_dispatch(const kft_env *env) {
    (void)env;
    char first[32];
    snprintf(first, sizeof first, "%s", kf_impl_name());
    CHECK(kf_init() == KF_OK, "kf_init");
    if (!getenv("KMSFAST_IMPL"))
        CHECK(strcmp(first, kf_impl_available(0)) == 0, "%s in use, %s available", first, kf_impl_available(0));
    int last_is_portable = 0;
    for (int i = 0; kf_impl_available(i); i++) {
        const char *name = kf_impl_available(i);
        last_is_portable = strcmp(name, "portable") == 0;
        CHECK(kf_impl_force(name) == KF_OK && strcmp(kf_impl_name(), name) == 0, "force %s", name);
    }
    CHECK(last_is_portable, "portable is not the last choice");
    CHECK(kf_impl_available(-1) == NULL && kf_impl_available(99) == NULL, "implementations out of range");
    CHECK(kf_impl_force("none such") == KF_ERR_ARGUMENT && kf_impl_force(NULL) == KF_ERR_ARGUMENT, "force nonsense");
    CHECK(strcmp(kf_impl_name(), "portable") == 0, "a refused force changed the implementation");
    CHECK(kf_impl_force(first) == KF_OK, "force %s", first);
}

/* ---- blobs ------------------------------------------------------------------------------------------- */

enum { NUM = 300, WIDTH = 50, BLOB = WIDTH + KF_BLOB_OVERHEAD, SEALED = WIDTH + KF_TAG_LEN };

/* Sealed under one implementation, opened under another, with one bad record. */
static void check_blob_batch(const kft_library *l, const char *sealer, const char *opener) {
    static uint8_t texts[NUM * WIDTH], blobs[NUM * BLOB], opened[NUM * WIDTH], status[NUM];
    const uint8_t *context = (const uint8_t *)"context";
    enum { VICTIM = 131 };
    int64_t bad = -1, other = -1;
    kft_random random = {11};
    kft_fill(&random, texts, sizeof texts);
    const struct kf_column plain = {.data = texts, .data_len = sizeof texts, .width = WIDTH};
    const struct kf_column sealed = {.data = blobs, .data_len = sizeof blobs, .width = BLOB};

    kf_impl_force(sealer);
    CHECK(kf_blob_seal(l->key, blobs, sizeof blobs, NULL, NULL, &plain, NUM, NULL, context, 7, NULL, 2) == KF_OK,
          "seal under %s", sealer);
    blobs[VICTIM * BLOB + BLOB - 1] ^= 1;
    kf_impl_force(opener);
    memset(opened, 0x5a, sizeof opened);
    const int result = kf_blob_open(opened, sizeof opened, NULL, NULL, status, &bad, &other, &l->key, l->prefix, 1, NULL,
                                    &sealed, NUM, NULL, context, 7, NULL, 2);
    CHECK(result == KF_OK && bad == 1 && other == 0, "%s to %s: %d, %d bad", sealer, opener, result, (int)bad);
    memset(texts + VICTIM * WIDTH, 0, WIDTH);
    CHECK(memcmp(opened, texts, sizeof texts) == 0, "%s to %s: texts differ", sealer, opener);
    for (int i = 0; i < NUM; i++)
        CHECK(status[i] == (i == VICTIM ? KF_REC_AUTH : KF_REC_OK), "status %d of record %d", status[i], i);

    const int wrong = kf_blob_open(opened, sizeof opened, NULL, NULL, status, &bad, &other, &l->key, l->prefix, 1, NULL,
                                   &sealed, NUM, NULL, context, 6, NULL, 1);
    memset(texts, 0, sizeof texts);
    CHECK(wrong == KF_OK && bad == NUM && memcmp(opened, texts, sizeof texts) == 0, "a wrong context opens");
}

static void check_sealed_batch(const kft_library *l, const char *sealer, const char *opener) {
    static uint8_t texts[NUM * WIDTH], records[NUM * SEALED], opened[NUM * WIDTH], status[NUM];
    uint8_t header[KF_SEALED_HEADER_LEN];
    uint64_t writer = 0, reader = 0;
    int64_t bad = -1;
    kft_random random = {12};
    kft_fill(&random, texts, sizeof texts);
    const struct kf_column plain = {.data = texts, .data_len = sizeof texts, .width = WIDTH};
    const struct kf_column sealed = {.data = records, .data_len = sizeof records, .width = SEALED};

    kf_impl_force(sealer);
    CHECK(kf_sealed_create(&writer, header, l->key, WIDTH, NULL, 0) == KF_OK, "create under %s", sealer);
    CHECK(kf_sealed_seal(writer, records, sizeof records, NULL, NULL, &plain, NUM, 1, 1) == KF_OK, "seal");
    CHECK(kf_sealed_seal(writer, records, sizeof records, NULL, NULL, &plain, NUM, 1, 1) == KF_ERR_FINISHED,
          "a finished batch seals on");
    kf_impl_force(opener);
    CHECK(kf_sealed_load(&reader, l->key, header, NULL, 0) == KF_OK, "load under %s", opener);
    const int result = kf_sealed_open(reader, opened, sizeof opened, NULL, NULL, status, &bad, 0, &sealed, NUM, 1, 1);
    CHECK(result == KF_OK && bad == 0 && memcmp(opened, texts, sizeof texts) == 0, "%s to %s", sealer, opener);
    const int shifted = kf_sealed_open(reader, opened, sizeof opened, NULL, NULL, status, &bad, 1, &sealed, NUM, 1, 1);
    CHECK(shifted == KF_OK && bad == NUM, "records open under another index");
    kf_key_release(writer);
    kf_key_release(reader);
}

void test_blobs(const kft_env *env) {
    (void)env;
    kft_library library;
    char first[32];
    snprintf(first, sizeof first, "%s", kf_impl_name());
    CHECK(kft_library_open(&library) == KF_OK, "the library does not open");
    for (int i = 0; kf_impl_available(i); i++) {
        for (int k = 0; kf_impl_available(k); k++) {
            check_blob_batch(&library, kf_impl_available(i), kf_impl_available(k));
            check_sealed_batch(&library, kf_impl_available(i), kf_impl_available(k));
        }
    }
    kf_impl_force(first);
    kft_library_close(&library);
}

/* ---- forks -------------------------------------------------------------------------------------------- */

/* In a child: the parent's keys are gone, and every call on them says so and writes nothing. */
static void check_keys_are_gone(kft_library *l) {
    memset(l->out, 0x5a, sizeof l->out), memset(l->zeroed, 0x5a, sizeof l->zeroed);
    l->handle = 0;
    for (size_t i = 0; i < KFT_NUM_CALLS; i++) {
        if (!KFT_CALLS[i].uses_keys) continue;
        const int status = KFT_CALLS[i].call(l);
        CHECK(status == KF_ERR_FORKED, "%s returns %d after a fork", KFT_CALLS[i].name, status);
    }
    kft_check_unwritten(l);
    CHECK(l->handle == 0, "a handle was made after a fork");
    struct kf_arena_info info = {0};
    CHECK(kf_arena_describe(&info) == KF_OK && info.forked == 1, "the arena does not know of the fork");
}

/* In a child that opened the arena anew: the old handles stay dead, new ones work. */
static void check_reopened(kft_library *l) {
    uint8_t blob[KFT_BLOB_LEN], text[KFT_TEXT_LEN], status;
    const uint64_t old_key = l->key, old_store = l->store, old_batch = l->batch;
    CHECK(kf_arena_open(0) == KF_OK, "the arena does not open in the child");
    memset(l->out, 0x5a, sizeof l->out);
    int result = kf_blob_seal_one(old_key, l->out, l->text, KFT_TEXT_LEN, NULL, 0, NULL, 0);
    CHECK(result == KF_ERR_FORKED || result == KF_ERR_STALE, "the parent's key seals: %d", result);
    result = kf_bound_seal(&l->binding, l->out, l->text, KFT_TEXT_LEN);
    CHECK(result == KF_ERR_FORKED || result == KF_ERR_STALE, "the parent's binding seals: %d", result);
    result = kf_bound_open(&l->binding, l->out, l->blob, KFT_BLOB_LEN);
    CHECK(result == KF_ERR_FORKED || result == KF_ERR_STALE, "the parent's binding opens: %d", result);
    result = kf_store_mac(old_store, l->out, l->text, KFT_TEXT_LEN);
    CHECK(result == KF_ERR_FORKED || result == KF_ERR_STALE, "the parent's store works: %d", result);
    result = kf_sealed_seal(old_batch, l->out, KFT_TEXT_LEN + 16, NULL, NULL, &l->texts, 1, 1, 1);
    CHECK(result == KF_ERR_FORKED || result == KF_ERR_STALE, "the parent's batch seals: %d", result);
    CHECK(l->out[0] == 0x5a, "output under a dead handle");

    CHECK(kf_root_file_load(&l->root, l->root_path) == KF_OK, "root key in the child");
    CHECK(kf_store_load(&l->store, l->root, l->wrapped_store, l->store_id) == KF_OK, "store in the child");
    CHECK(kf_key_load(&l->key, l->store, l->wrapped_key, l->key_id, 1, 0) == KF_OK, "key in the child");
    CHECK(l->key != old_key && l->store != old_store, "a handle of the parent came back");
    CHECK(kf_blob_open_one(l->key, text, &status, l->blob, KFT_BLOB_LEN, NULL, 0, NULL, 0) == KF_OK &&
          memcmp(text, l->text, KFT_TEXT_LEN) == 0, "the parent's blob does not open in the child");
    CHECK(kf_blob_seal_one(l->key, blob, l->text, KFT_TEXT_LEN, NULL, 0, NULL, 0) == KF_OK, "seal in the child");
    CHECK(kf_blob_open_one(l->key, text, &status, blob, KFT_BLOB_LEN, NULL, 0, NULL, 0) == KF_OK, "open in the child");
}

static int wait_ok(pid_t child) {
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void check_child(kft_library *l) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        kft_failures = 0;
        check_keys_are_gone(l);
        check_reopened(l);
        fflush(stdout);
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            check_keys_are_gone(l);
            fflush(stdout);
            _exit(kft_failures != 0);
        }
        CHECK(wait_ok(grandchild), "grandchild");
        _exit(kft_failures != 0);
    }
    CHECK(wait_ok(child), "child");
    memset(l->out, 0, sizeof l->out);
    CHECK(kf_blob_open_one(l->key, l->out, l->out + 900, l->blob, KFT_BLOB_LEN, NULL, 0, NULL, 0) == KF_OK,
          "the parent lost its key to a fork");
}

enum { CHILDREN = 64, BLOBS_EACH = 200, ALL_NONCES = CHILDREN * BLOBS_EACH };

static int compare_nonces(const void *a, const void *b) { return memcmp(a, b, KF_NONCE_LEN); }

/* A child's nonces: half from single calls, half from a batch. */
static void write_nonces(kft_library *l, int fd) {
    static uint8_t blobs[BLOBS_EACH * KF_BLOB_OVERHEAD];
    const struct kf_column empty = {.data = l->text, .data_len = 0, .width = 0};
    enum { HALF = BLOBS_EACH / 2 };
    int status = kf_arena_open(0);
    if (status == KF_OK) status = kf_root_file_load(&l->root, l->root_path);
    if (status == KF_OK) status = kf_store_load(&l->store, l->root, l->wrapped_store, l->store_id);
    if (status == KF_OK) status = kf_key_load(&l->key, l->store, l->wrapped_key, l->key_id, 1, 0);
    for (int i = 0; i < HALF && status == KF_OK; i++)
        status = kf_blob_seal_one(l->key, blobs + i * KF_BLOB_OVERHEAD, l->text, 0, NULL, 0, NULL, 0);
    if (status == KF_OK)
        status = kf_blob_seal(l->key, blobs + HALF * KF_BLOB_OVERHEAD, HALF * KF_BLOB_OVERHEAD, NULL, NULL, &empty, HALF,
                              NULL, NULL, 0, NULL, 1);
    for (int i = 0; i < BLOBS_EACH && status == KF_OK; i++)
        if (write(fd, blobs + i * KF_BLOB_OVERHEAD + KF_PREFIX_LEN, KF_NONCE_LEN) != KF_NONCE_LEN) status = KF_ERR_SYSTEM;
    _exit(status != KF_OK);
}

static void check_nonces_of_children(kft_library *l) {
    static uint8_t nonces[ALL_NONCES][KF_NONCE_LEN];
    int pipe_fd[2], failed = 0, repeated = 0;
    pid_t children[CHILDREN];
    if (pipe(pipe_fd)) {
        CHECK(0, "pipe");
        return;
    }
    for (int i = 0; i < CHILDREN; i++) {
        if ((children[i] = fork()) != 0) continue;
        close(pipe_fd[0]); /* a write fails when the parent is gone */
        write_nonces(l, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    size_t got = 0;
    for (ssize_t n; got < sizeof nonces && (n = read(pipe_fd[0], (uint8_t *)nonces + got, sizeof nonces - got)) > 0;)
        got += (size_t)n;
    close(pipe_fd[0]);
    for (int i = 0; i < CHILDREN; i++) failed += !wait_ok(children[i]);
    CHECK(failed == 0 && got == sizeof nonces, "%d children failed, %zu bytes of nonces", failed, got);
    qsort(nonces, ALL_NONCES, KF_NONCE_LEN, compare_nonces);
    for (int i = 1; i < ALL_NONCES; i++) repeated += memcmp(nonces[i - 1], nonces[i], KF_NONCE_LEN) == 0;
    CHECK(repeated == 0, "%d nonces of %d repeat", repeated, ALL_NONCES);
}

void test_fork(const kft_env *env) {
    (void)env;
    kft_library library;
    CHECK(kft_library_open(&library) == KF_OK, "the library does not open");
    check_child(&library);
    check_nonces_of_children(&library);
    kft_library_close(&library);
}
