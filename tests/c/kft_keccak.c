/* SHAKE128 (FIPS 202), for the accumulated vectors of XAES. */
#include "kft.h"

enum { RATE = 168 };

static uint64_t rotate_left(uint64_t x, int n) { return n ? x << n | x >> (64 - n) : x; }

/* The round constant's bits come from a shift register (3.2.5), the rotations from a walk over the
 * sheet (3.2.2), so that no table is needed. */
static void permute(uint64_t a[25]) {
    unsigned shift_register = 1;
    for (int round = 0; round < 24; round++) {
        uint64_t c[5], b[25];
        for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int i = 0; i < 25; i++) a[i] ^= c[(i + 4) % 5] ^ rotate_left(c[(i + 1) % 5], 1);

        b[0] = a[0];
        for (int t = 0, x = 1, y = 0; t < 24; t++) {
            const int next_y = (2 * x + 3 * y) % 5;
            b[y + 5 * next_y] = rotate_left(a[x + 5 * y], (t + 1) * (t + 2) / 2 % 64);
            x = y;
            y = next_y;
        }
        for (int y = 0; y < 25; y += 5)
            for (int x = 0; x < 5; x++) a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);

        for (int j = 0; j <= 6; j++) {
            if (shift_register & 1) a[0] ^= 1ULL << ((1 << j) - 1);
            shift_register = shift_register << 1 ^ (shift_register & 0x80 ? 0x171 : 0);
        }
    }
}

void kft_shake128_init(kft_shake128 *shake) { memset(shake, 0, sizeof *shake); }

static void add_byte(kft_shake128 *shake, size_t at, uint8_t byte) {
    shake->lane[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

void kft_shake128_absorb(kft_shake128 *shake, const uint8_t *in, size_t len) {
    for (size_t i = 0; i < len; i++) {
        add_byte(shake, shake->at++, in[i]);
        if (shake->at == RATE) permute(shake->lane), shake->at = 0;
    }
}

void kft_shake128_squeeze(kft_shake128 *shake, uint8_t *out, size_t len) {
    if (!shake->squeezing) {
        add_byte(shake, shake->at, 0x1f);
        add_byte(shake, RATE - 1, 0x80);
        shake->at = RATE;
        shake->squeezing = 1;
    }
    for (size_t i = 0; i < len; i++) {
        if (shake->at == RATE) permute(shake->lane), shake->at = 0;
        out[i] = (uint8_t)(shake->lane[shake->at / 8] >> (8 * (shake->at % 8)));
        shake->at++;
    }
}
