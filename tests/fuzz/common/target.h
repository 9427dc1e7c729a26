/*
 * What the fuzz targets share: the function that libFuzzer, or common/driver.c, calls with each
 * input, and a reader that makes decisions of an input's bytes. A target says that something is
 * wrong with CHECK() (base/check.h), or by what a sanitizer finds.
 */
#ifndef KEYSTORE_TESTS_FUZZ_TARGET_H
#define KEYSTORE_TESTS_FUZZ_TARGET_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

#include <stdlib.h>
#include <string.h>

/* The target: 0, or -1 for an input that is not worth keeping. It leaves nothing behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next byte of the input, which is taken; 0 at its end. */
static inline uint8_t target_byte(struct slice *input)
{
    if (input->len == 0)
        return 0;
    uint8_t byte = input->data[0];
    *input = slice_skip(*input, 1);
    return byte;
}

/* The next bytes, at most `size`. */
static inline struct slice target_take(struct slice *input, size_t size)
{
    struct slice taken = slice_make(input->data, size < input->len ? size : input->len);
    *input = slice_skip(*input, taken.len);
    return taken;
}

/* Bytes behind their size: one byte or, from 240 on, two. */
static inline struct slice target_piece(struct slice *input)
{
    size_t size = target_byte(input);
    if (size >= 240)
        size = (size - 240) << 8 | target_byte(input);
    return target_take(input, size);
}

/* A copy in memory of exactly its size, so that the sanitizer sees reads beyond it; to be freed. */
static inline uint8_t *target_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    CHECK(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

/* The bytes as a string, which ends at the first zero; to be freed. */
static inline char *target_string(struct slice bytes)
{
    char *copy = malloc(bytes.len + 1);
    CHECK(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

#endif
