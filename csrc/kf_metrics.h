/*
 * Counters for the core's own files (kf_api.h has the interface of doors).
 * Rules:
 * - counting fails never, allocates never, takes a lock only in a thread's first call, and costs some nanoseconds;
 * - what is counted is public: numbers of calls and records, and how long they took; never lengths of single secrets.
 */
#ifndef KF_METRICS_H
#define KF_METRICS_H

#include "kf.h"

/* One call on one record, whose time is not taken; failed: 1 when its record did not pass. */
void kf_metrics_single(int timer, int failed);
/* The request that began in this thread (kf_metrics_begin) was answered. */
void kf_metrics_answered(int timer);
/* kf_metrics_request of num that began, and were answered, together. */
void kf_metrics_requests(int timer, uint64_t begun, uint64_t num);
/* A batch of num records. num_bad: how many did not pass; -1: it failed as a whole. */
void kf_metrics_records(int timer, uint64_t begun, int64_t num, int64_t num_bad);

/* How many of num bytes are equal to one, such as statuses of records. */
static inline int64_t kf_num_equal(const uint8_t *bytes, int64_t num, uint8_t value) {
    int64_t found = 0;
    for (int64_t i = 0; i < num; i++) found += bytes[i] == value;
    return found;
}

/* How many of num records a batch has, those left out by skip (or NULL) not counted. */
static inline int64_t kf_num_records(const uint8_t *skip, int64_t num) {
    return skip ? kf_num_equal(skip, num, 0) : num;
}

#endif
