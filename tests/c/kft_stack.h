/* A stack that is searched when a call has returned, for what the call has left there. */
#ifndef KFT_STACK_H
#define KFT_STACK_H

#include "kft.h"

/* Only code that is optimised tells something: without that, a compiler keeps all variables in memory that nobody
 * wipes, and sanitizers keep copies. */
#if defined(__has_feature) /* clang */
#define KFT_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KFT_SANITIZED 1
#else
#define KFT_SANITIZED 0
#endif
#if defined(__OPTIMIZE__) && !KFT_SANITIZED
#define KFT_STACK_TELLS 1
#else
#define KFT_STACK_TELLS 0
#endif

/* To be freed. */
uint8_t *kft_stack_new(void);
/* Runs the call in a thread on this stack, zeros before. */
void kft_stack_run(uint8_t *stack, void *(*call)(void *arg), void *arg);
/* How often one of num secrets of size bytes (4 or 8), which it sorts, is there, zeros not counted. */
size_t kft_stack_found(const uint8_t *stack, void *secrets, size_t num, size_t size);

#endif
