/* Appending to the audit log, for the core's own files (kf_api.h has the interface of others). */
#ifndef KF_LOG_H
#define KF_LOG_H

#include "kf.h"

/* kf_log_append of records that have kinds of their own; num_events: how many events are in them. */
int kf_log_append_kinds(const struct kf_reactor_log *log, const uint8_t *kinds, const uint8_t *bodies,
                        const uint32_t *lens, size_t num_bodies, uint64_t num_events);

#endif
