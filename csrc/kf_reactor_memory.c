/*
 * Buffers of the reactor. The kernel clears every page that it gives to a process, which takes as long as the work that
 * is done in it; so mappings are kept for the next message. What is kept holds no secret: it was wiped.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "kf_reactor.h"

enum { MAPPED_FROM = 128 << 10, NUM_KEPT = 8, PAGE = 4096, LOOSE = 4 /* a kept one may be so many times too long */ };
static const size_t most_kept = (size_t)160 << 20; /* bytes: in and out of a message of 64 MiB */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kf_buffer kept[NUM_KEPT];
static size_t total_kept;

static int take_kept(kf_buffer *out, size_t len) {
    int best = -1;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < NUM_KEPT; i++)
        if (kept[i].at && kept[i].len >= len && kept[i].len / LOOSE <= len && (best < 0 || kept[i].len < kept[best].len))
            best = i;
    if (best >= 0) {
        *out = kept[best];
        total_kept -= out->len;
        kept[best].at = NULL;
    }
    pthread_mutex_unlock(&lock);
    return best >= 0;
}

static int keep(const kf_buffer *buffer) {
    int i = 0;
    pthread_mutex_lock(&lock);
    while (i < NUM_KEPT && kept[i].at) i++;
    const int fits = i < NUM_KEPT && buffer->len <= most_kept - total_kept;
    if (fits) {
        kept[i] = *buffer;
        total_kept += buffer->len;
    }
    pthread_mutex_unlock(&lock);
    return fits;
}

static void map(kf_buffer *out, size_t len) {
    len = (len + PAGE - 1) / PAGE * PAGE;
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
#ifdef MADV_DONTDUMP
    madvise(at, len, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
    madvise(at, len, MADV_WIPEONFORK);
#endif
    *out = (kf_buffer){.at = at, .len = len, .mapped = 1};
}

kf_buffer kf_buffer_new(size_t len, size_t used) {
    kf_buffer b = {0};
    if (len > SIZE_MAX / 2) return b;
    if (len < MAPPED_FROM)
        b = (kf_buffer){.at = malloc(len ? len : 1), .len = len};
    else if (!take_kept(&b, len))
        map(&b, len);
    b.used = used;
    return b;
}

void kf_buffer_free(kf_buffer *b) {
    if (!b->at) return;
    kf_wipe(b->at, b->used);
    if (!b->mapped)
        free(b->at);
    else if (!keep(b))
        munmap(b->at, b->len);
    *b = (kf_buffer){0};
}

void kf_buffers_forget(void) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < NUM_KEPT; i++) {
        if (kept[i].at) munmap(kept[i].at, kept[i].len);
        kept[i].at = NULL;
    }
    total_kept = 0;
    pthread_mutex_unlock(&lock);
}
