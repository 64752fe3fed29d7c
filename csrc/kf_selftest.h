/* Known answers, reproduced before anything else may work. */
#ifndef KF_SELFTEST_H
#define KF_SELFTEST_H

#include "kf_aead.h"

/* KF_OK, or KF_ERR_SELFTEST when impl or the hashes miss a known answer. Needs no other part to be
 * initialised. */
int kf_selftest(const kf_aead_impl *impl);

#ifdef KF_TESTING
/* Test builds only: the number of the known answer that is falsified, from 1; 0 for none.
 * kf_selftest_count: how many there are, known after a run. */
extern int kf_selftest_fault;
extern int kf_selftest_count;
#endif

#endif
