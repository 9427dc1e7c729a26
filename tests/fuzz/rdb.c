/*
 * rdb_read() for libFuzzer, which finds records by what code they reach. The input is what follows
 * the first line of a file; checksums other than 0 would hide everything else.
 *
 *   CC=clang cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 \
 *       -DKEYSTORE_TESTS=ON -DKEYSTORE_SANITIZE=fuzzer-no-link,address
 *   cmake --build build/fuzz --target fuzz_rdb && build/fuzz/tests/fuzz_rdb -max_len=4096
 */
#include "journal/rdb/read.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t touched;

/* Every byte, so that the sanitizer sees a slice that is too long. */
static void touch(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        touched ^= bytes.data[i];
}

static bool on_pair(void *context, struct slice name, struct slice value)
{
    (void)context;
    touch(name);
    touch(value);
    return true;
}

static bool on_string(void *context, const struct rdb_key *key, struct slice value)
{
    return on_pair(context, key->name, value);
}

static bool on_elements(void *context, const struct slice *elements, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        touch(elements[i]);
    return true;
}

static bool on_unsupported(void *context, const struct rdb_key *key, const char *type)
{
    return on_pair(context, key != NULL ? key->name : slice_make(NULL, 0), slice_from_string(type));
}

static void check(struct slice file)
{
    static const struct rdb_receiver receiver = {.on_aux = on_pair,
                                                 .on_string = on_string,
                                                 .on_list_elements = on_elements,
                                                 .on_unsupported = on_unsupported};
    struct rdb_error error = {.offset = SIZE_MAX};
    size_t end;
    bool sound = rdb_read(file, &receiver, &end, &error);
    if (end > file.len || (!sound && (error.offset > file.len || error.reason[0] == '\0')))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(RDB_MAGIC_SIZE + size);
    memcpy(file, RDB_MAGIC "0010", RDB_MAGIC_SIZE);
    if (size > 0)
        memcpy(file + RDB_MAGIC_SIZE, data, size);
    check(slice_make(file, RDB_MAGIC_SIZE + size));
    free(file);
    return 0;
}
