/* Known answers of P-256. They need no other part to be initialised than hashes and randomness. */
#ifndef KF_P256_SELFTEST_H
#define KF_P256_SELFTEST_H

#include "kf_p256_batch.h"

/* At load, without tables of multiples of G. KF_OK or KF_ERR_SELFTEST. */
int kf_p256_selftest(const kf_p256_impl *impl);
/* When these have been made: batches of signatures, and their verification. KF_ERR_MEMORY as well. */
int kf_p256_selftest_batch(const kf_p256_impl *impl);

#ifdef KF_TESTING
/* Test builds only, as in kf_selftest.h; numbers go through both parts. */
extern int kf_p256_selftest_fault;
extern int kf_p256_selftest_count;
#endif

#endif
