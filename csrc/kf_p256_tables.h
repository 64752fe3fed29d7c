/*
 * Tables of multiples of public keys, for many verifications under one key. A table takes as long to make as a dozen
 * verifications without it, and is kept for later calls: KF_P256_TABLES of them, the least recently used gives
 * way. A key is counted from its first use on, and gets a table when its uses have reached KF_P256_TABLE_PAYS.
 * Rules: everything here is public; a table in use is not freed; forks are safe.
 */
#ifndef KF_P256_TABLES_H
#define KF_P256_TABLES_H

#include "kf_p256.h"

enum {
    KF_P256_TABLES = 32, /* 8 MiB with tables of 256 KiB */
    KF_P256_TABLE_PAYS = 12
};

/* How a table is made; tables of different makers are different. */
typedef struct {
    size_t len, scratch_len;
    void (*fill)(void *table, const kf_p256_point *q, void *scratch);
} kf_p256_table_maker;

typedef struct kf_p256_table kf_p256_table;

/* The table of q, whose bytes are public_key, for num more uses; NULL: not worth it yet, or no memory. To be given back
 * by kf_p256_table_put. */
kf_p256_table *kf_p256_table_get(const kf_p256_table_maker *maker, const uint8_t public_key[64], const kf_p256_point *q,
                                 int64_t num);
const void *kf_p256_table_data(const kf_p256_table *table);
void kf_p256_table_put(kf_p256_table *table);

#endif
