/* The field with mulx and adx. */
#include "kft_p256.h"

#if defined(__x86_64__)
#include "kf_p256_field_mulx.h"

#define FIELD_TEST test_p256_field_mulx
#define FIELD_RUNS (kf_p256_impl_mulx() != NULL)
#include "kft_p256_field.h"
#else
void test_p256_field_mulx(const kft_env *env) { (void)env; }
#endif
