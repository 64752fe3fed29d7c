/*
 * Every target on random inputs, without libFuzzer. Usage: fuzz_smoke INPUTS [DIRECTORY]; with a
 * directory it runs nothing and writes the inputs there, as seeds for libFuzzer.
 */
#include "fuzz.h"

static size_t make_input(uint8_t *out, size_t max, uint64_t seed) {
    kft_random random = {seed};
    const size_t len = kft_below(&random, max);
    kft_fill(&random, out, len);
    return len;
}

static void write_input(const char *directory, unsigned long i, const uint8_t *bytes, size_t len) {
    char path[4096];
    snprintf(path, sizeof path, "%s/seed-%lu", directory, i);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file)) {
        perror(path);
        exit(2);
    }
}

int main(int argc, char **argv) {
    static uint8_t input[400];
    fuzz_target *const targets[] = {&fuzz_blob, &fuzz_sealed, &fuzz_root, &fuzz_p256, &fuzz_request, &fuzz_socket};
    const size_t num_targets = sizeof targets / sizeof targets[0];
    const unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    int deep = 1;
    if (inputs == 0) {
        fprintf(stderr, "usage: fuzz_smoke INPUTS [DIRECTORY]\n");
        return 2;
    }
    for (unsigned long i = 0; i < inputs; i++) {
        const size_t len = make_input(input, sizeof input, i);
        if (argc > 2)
            write_input(argv[2], i, input, len);
        else
            for (size_t t = 0; t < num_targets; t++) targets[t]->run(input, len);
    }
    for (size_t t = 0; argc == 2 && t < num_targets; t++) deep &= fuzz_report(targets[t]);
    return deep ? 0 : 3;
}
