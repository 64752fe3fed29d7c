/*
 * Tables of multiples of a point: entry j of window i is (2 j + 1) 256^i P. 32 windows of 128 points, 256 KiB. That of
 * G is static memory, filled when it is needed first (kf_p256_dispatch.c).
 */
#ifndef KF_P256_BASE_H
#define KF_P256_BASE_H

#include "kf_p256.h"

enum { TABLE_WINDOWS = 32, TABLE_ENTRIES = 128, TABLE_POINTS = TABLE_WINDOWS * TABLE_ENTRIES };

extern kf_p256_point kf_p256_base_table[TABLE_POINTS];

#endif
