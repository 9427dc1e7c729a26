/*
 * rdb_read(). The input is what follows the first line of a file; checksums other than 0 would hide
 * everything else.
 */
#include "common/target.h"
#include "journal/rdb/read.h"

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
    CHECK(end <= file.len);
    CHECK(sound || (error.offset <= file.len && error.reason[0] != '\0'));
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
