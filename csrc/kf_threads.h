/* Runs a batch in ranges on several threads. The caller's thread is one of them; threads live for
 * one call, so nothing is left behind for fork to lose. */
#ifndef KF_THREADS_H
#define KF_THREADS_H

#include <stdint.h>

/* Processes records begin to end of a batch; returns a kf_status. */
typedef int (*kf_range_fn)(void *ctx, int64_t begin, int64_t end);

/* Splits num records into ranges of grain (the last may be shorter). Returns the first error. */
int kf_parallel(kf_range_fn fn, void *ctx, int64_t num, int64_t grain, int threads);

#endif
