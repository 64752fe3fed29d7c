/* One target, FUZZ_TARGET, for libFuzzer. */
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void at_end(void) {
    if (FUZZ_TARGET.tried && !fuzz_report(&FUZZ_TARGET)) _exit(3);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return atexit(at_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    FUZZ_TARGET.run(data, len);
    return 0;
}
