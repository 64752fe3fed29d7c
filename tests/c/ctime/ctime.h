/* What the parts of ctime share: how they end, and what they require. */
#ifndef CTIME_H
#define CTIME_H

#include <stddef.h>

enum { EXIT_USAGE = 2, EXIT_WRONG_RESULT = 3, EXIT_UNMARKED = 4, EXIT_LEAK = 42 };

void require(int condition, const char *what);
/* Every byte has a bit that memcheck holds for undefined. */
void require_secret(const void *p, size_t len, const char *what);

void check_p256_lanes_one(void);
void check_p256_lanes_fma(void);

#endif
