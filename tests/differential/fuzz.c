/*
 * The same comparison for libFuzzer, which finds its conversations by what code they reach:
 *
 *   CC=clang cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 \
 *       -DKEYSTORE_TESTS=ON -DKEYSTORE_SANITIZE=fuzzer-no-link,address
 *   cmake --build build/fuzz --target fuzz_http2 && build/fuzz/tests/fuzz_http2 -max_len=4096
 */
#include "compare.h"
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct conversation conversation = {
        .seed = data[0] >> 2, .few_streams = (data[0] & 1) != 0, .at_feed_end = (data[0] & 2) != 0};
    generate_greeting(&conversation);
    conversation_add(&conversation, slice_make(data + 1, size - 1));
    struct comparison result = compare(&conversation);
    if (result.mismatch != NULL) {
        fprintf(stderr, "MISMATCH at byte %zu: %s\n    %s\n", result.at, result.mismatch,
                result.detail);
        abort();
    }
    conversation_deinit(&conversation);
    return 0;
}
