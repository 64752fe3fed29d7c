/* See kf_p256_tables.h. */
#include "kf_p256_tables.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kf_util.h"

enum { CANDIDATES = 256 /* keys whose uses are counted, by a hash of theirs */ };

struct kf_p256_table {
    uint8_t public_key[64];
    void (*fill)(void *table, const kf_p256_point *q, void *scratch);
    void *data;
    int64_t users; /* the cache is one of them while it holds the table */
    uint64_t used; /* the clock when it was last wanted */
};

static struct {
    uint8_t public_key[64];
    int64_t uses;
} candidates[CANDIDATES];

static kf_p256_table *tables[KF_P256_TABLES];
static uint64_t clock_now;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork); }

/* ---- with the lock held ------------------------------------------------------------------------------- */

static kf_p256_table *find(const kf_p256_table_maker *maker, const uint8_t public_key[64]) {
    for (int i = 0; i < KF_P256_TABLES; i++) {
        kf_p256_table *table = tables[i];
        if (!table || table->fill != maker->fill || memcmp(table->public_key, public_key, 64) != 0) continue;
        table->users++, table->used = ++clock_now;
        return table;
    }
    return NULL;
}

/* Whether the key, used num times more, has been used often enough. */
static int counts(const uint8_t public_key[64], int64_t num) {
    const size_t slot = kf_load32_be(public_key + 28) % CANDIDATES;
    if (memcmp(candidates[slot].public_key, public_key, 64) != 0) {
        memcpy(candidates[slot].public_key, public_key, 64);
        candidates[slot].uses = 0;
    }
    candidates[slot].uses += num < KF_P256_TABLE_PAYS ? num : KF_P256_TABLE_PAYS;
    if (candidates[slot].uses < KF_P256_TABLE_PAYS) return 0;
    candidates[slot].uses = 0;
    return 1;
}

static void give_up(kf_p256_table *table) {
    if (!table || --table->users > 0) return;
    free(table->data);
    free(table);
}

/* The place of the cache that is free, or else was used least recently. */
static void keep(kf_p256_table *table) {
    int place = 0;
    for (int i = 0; i < KF_P256_TABLES && tables[place]; i++)
        if (!tables[i] || tables[i]->used < tables[place]->used) place = i;
    give_up(tables[place]);
    tables[place] = table;
    table->users++, table->used = ++clock_now;
}

/* ---- without ------------------------------------------------------------------------------------------- */

static kf_p256_table *make(const kf_p256_table_maker *maker, const uint8_t public_key[64], const kf_p256_point *q) {
    kf_p256_table *table = calloc(1, sizeof *table);
    void *scratch = aligned_alloc(64, maker->scratch_len);
    if (table) table->data = aligned_alloc(64, maker->len);
    if (!table || !scratch || !table->data) {
        if (table) free(table->data);
        free(table), free(scratch);
        return NULL;
    }
    memcpy(table->public_key, public_key, sizeof table->public_key);
    table->fill = maker->fill, table->users = 1;
    maker->fill(table->data, q, scratch);
    free(scratch);
    return table;
}

kf_p256_table *kf_p256_table_get(const kf_p256_table_maker *maker, const uint8_t public_key[64], const kf_p256_point *q,
                                 int64_t num) {
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&lock);
    kf_p256_table *table = find(maker, public_key);
    const int worth_it = !table && counts(public_key, num);
    pthread_mutex_unlock(&lock);
    if (!worth_it) return table;
    table = make(maker, public_key, q);
    if (!table) return NULL;
    pthread_mutex_lock(&lock);
    kf_p256_table *other = find(maker, public_key); /* of another thread, meanwhile */
    if (!other) keep(table);
    pthread_mutex_unlock(&lock);
    if (!other) return table;
    kf_p256_table_put(table);
    return other;
}

const void *kf_p256_table_data(const kf_p256_table *table) { return table->data; }

void kf_p256_table_put(kf_p256_table *table) {
    pthread_mutex_lock(&lock);
    give_up(table);
    pthread_mutex_unlock(&lock);
}
