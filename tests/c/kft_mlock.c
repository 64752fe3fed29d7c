/* The sanitizers replace mlock by a function that does nothing; the tests of the arena want the real one. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KFT_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KFT_SANITIZED
#endif

#ifdef KFT_SANITIZED
int mlock(const void *at, size_t len) { return (int)syscall(SYS_mlock, at, len); }
#endif
