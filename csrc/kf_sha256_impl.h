/* The compression functions of SHA-256: one per implementation, num_blocks blocks of 64 bytes. */
#ifndef KF_SHA256_IMPL_H
#define KF_SHA256_IMPL_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t kf_sha256_k[64]; /* FIPS 180-4 4.2.2 */

void kf_sha256_blocks_portable(uint32_t state[8], const uint8_t *blocks, size_t num_blocks);
/* Needs KF_CPU_SHANI; does nothing on other architectures, where kf_cpu never reports it. */
void kf_sha256_blocks_shani(uint32_t state[8], const uint8_t *blocks, size_t num_blocks);

#endif
