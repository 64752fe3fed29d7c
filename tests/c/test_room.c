/* Room for ciphertext: what is kept, and what is not. */
#include <sys/mman.h>

#include "kft.h"

enum { MIB = 1 << 20 };

/* mincore fails for addresses that nothing is mapped at. */
static int is_mapped(const void *at) {
    unsigned char resident;
    return mincore((void *)((uintptr_t)at & ~(uintptr_t)4095), 4096, &resident) == 0;
}

void test_room(const kft_env *env) {
    (void)env;
    uint8_t *a = kf_room_take(10 * MIB), *b = kf_room_take(10 * MIB);
    CHECK(a && b && a != b && ((uintptr_t)a & 63) == 0, "rooms that are in use are different and aligned");
    memset(a, 1, 10 * MIB), memset(b, 2, 10 * MIB);
    kf_room_give(a);
    CHECK(kf_room_take(10 * MIB) == a, "a room that was given back serves again");
    kf_room_give(a);
    kf_room_give(b);
    CHECK(!is_mapped(a) && is_mapped(b), "one room is kept, the last");
    a = kf_room_take(6 * MIB);
    CHECK(a == b, "a room serves for a little less");
    memset(a, 3, 6 * MIB);
    kf_room_give(a);
    a = kf_room_take(1 * MIB);
    CHECK(a != b && !is_mapped(b + 4 * MIB), "a room does not serve for far less, and is not kept then");
    kf_room_give(a);
    b = kf_room_take(300 * (size_t)MIB);
    b[0] = b[300 * (size_t)MIB - 1] = 1;
    kf_room_give(b);
    CHECK(!is_mapped(b), "a very large room is not kept");
    CHECK(kf_room_take(SIZE_MAX - 100) == NULL && kf_room_take((size_t)1 << 61) == NULL, "there is an end to memory");
}
