/* The field in plain C. */
#include "kf_p256_field_portable.h"
#include "kft_p256.h"

#define FIELD_TEST test_p256_field_portable
#define FIELD_RUNS 1
#include "kft_p256_field.h"
