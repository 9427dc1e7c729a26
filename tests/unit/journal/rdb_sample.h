/*
 * An RDB file that is written by our own writer, beside the text that a recorder must have after it
 * was read. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_RDB_SAMPLE_H
#define KEYSTORE_TESTS_RDB_SAMPLE_H

#include "journal/rdb/block.h"
#include "journal/rdb/write.h"
#include "journal/rdb_recorder.h"
#include "store/seeded.h"

#define SAMPLE_REVISION 1000000u

struct sample {
    struct buf bytes;    /* the file */
    struct buf expected; /* lines of a recorder */
    struct rdb_write file;
    struct rdb_block block;
    size_t pieces;  /* calls of the sink */
    size_t fail_at; /* the call of this number fails; 0: none */
};

static inline bool sample_sink(void *context, struct slice bytes)
{
    struct sample *sample = context;
    return ++sample->pieces != sample->fail_at && buf_append(&sample->bytes, bytes);
}

static inline void sample_begin(struct sample *sample, bool compress, size_t fail_at)
{
    sample->pieces = 0;
    sample->fail_at = fail_at;
    buf_init(&sample->bytes, SIZE_MAX);
    buf_init(&sample->expected, SIZE_MAX);
    rdb_write_init(&sample->file, (struct rdb_sink){sample_sink, sample});
    rdb_block_init(&sample->block, SAMPLE_REVISION, compress,
                   (struct rdb_sink){rdb_write_bytes, &sample->file});
    rdb_write_header(&sample->file, SAMPLE_REVISION);
}

/* False if the sink failed. */
static inline bool sample_end(struct sample *sample)
{
    return rdb_block_flush(&sample->block) && rdb_write_end(&sample->file);
}

static inline void sample_free(struct sample *sample)
{
    rdb_block_deinit(&sample->block);
    buf_deinit(&sample->bytes);
    buf_deinit(&sample->expected);
}

static inline bool sample_string(struct sample *sample, uint64_t db, const struct rdb_key *key,
                                 struct slice value)
{
    recorder_key(&sample->expected, db, key);
    recorder_print(&sample->expected, "= ");
    recorder_quote(&sample->expected, value);
    recorder_print(&sample->expected, "\n");
    return rdb_block_string(&sample->block, db, key, value);
}

/* Elements out of an array. */
struct sample_list {
    const struct slice *elements;
    size_t count;
    size_t next;
};

static inline bool sample_next(void *context, struct slice *element)
{
    struct sample_list *list = context;
    if (list->next == list->count)
        return false;
    *element = list->elements[list->next++];
    return true;
}

static inline void sample_restart(void *context)
{
    ((struct sample_list *)context)->next = 0;
}

static inline bool sample_list(struct sample *sample, uint64_t db, const struct rdb_key *key,
                               const struct slice *elements, size_t count)
{
    struct sample_list list = {.elements = elements, .count = count, .next = count};
    struct rdb_elements iterator = {sample_next, sample_restart, &list};
    if (count > 0) {
        recorder_key(&sample->expected, db, key);
        recorder_print(&sample->expected, "= [");
        for (size_t i = 0; i < count; i++) {
            recorder_print(&sample->expected, " ");
            recorder_quote(&sample->expected, elements[i]);
        }
        recorder_print(&sample->expected, " ]\n");
    }
    return rdb_block_list(&sample->block, db, key, &iterator);
}

/* ---- random contents ---- */

/* A text that Redis may keep as an integer, up to 21 bytes. */
static inline struct slice sample_number(uint64_t *random, uint8_t *out)
{
    static const int64_t edges[] = {0, 12, 63, 127, 4095, 32767, 8388607, 2147483647, INT64_MAX};
    int64_t number;
    if (seeded_below(random, 2) == 0) {
        seeded_fill(random, (uint8_t *)&number, sizeof number);
        number >>= seeded_below(random, 64);
    } else {
        number = edges[seeded_below(random, 9)];
        if (seeded_below(random, 2) == 0)
            number = -number;
        uint64_t moved = (uint64_t)number + seeded_below(random, 3) - 1;
        number = (int64_t)moved;
    }
    int len =
        sprintf((char *)out, "%s%lld", seeded_below(random, 10) == 0 ? "0" : "", (long long)number);
    return slice_make(out, (size_t)len);
}

/* Random bytes, up to `most`, usually few; `out` has space for that and for 24. */
static inline struct slice sample_bytes(uint64_t *random, uint8_t *out, uint32_t most)
{
    switch (seeded_below(random, 4)) {
    case 0:
        return sample_number(random, out);
    case 1: { /* what can be compressed */
        size_t len = seeded_below(random, most + 1);
        for (size_t i = 0; i < len; i++)
            out[i] = (uint8_t)('a' + seeded_below(random, i % 16 == 0 ? 26 : 2));
        return slice_make(out, len);
    }
    default: {
        size_t len = seeded_below(random, seeded_below(random, 50) == 0 ? most + 1 : 80);
        seeded_fill(random, out, len);
        return slice_make(out, len);
    }
    }
}

/* The key of that number, with random expiry in the far future and version. */
static inline struct rdb_key sample_key(uint64_t *random, size_t number, uint8_t *out)
{
    int len = sprintf((char *)out, "%s%zu", number % 3 == 0 ? "" : "key:", number);
    struct rdb_key key = {.name = slice_make(out, (size_t)len)};
    if (seeded_below(random, 3) == 0)
        key.expire_at_ms = 4000000000000 + seeded_below(random, 1000000);
    key.version = SAMPLE_REVISION - seeded_below(random, SAMPLE_REVISION);
    return key;
}

#define SAMPLE_MOST 20000u

/* A list with up to `most` elements, most of them short. */
static inline bool sample_random_list(struct sample *sample, uint64_t *random, uint64_t db,
                                      const struct rdb_key *key, uint32_t most)
{
    size_t count = 1 + seeded_below(random, most);
    struct slice *elements = malloc(count * sizeof *elements);
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = malloc(SAMPLE_MOST + 24);
        elements[i] = sample_bytes(random, bytes, seeded_below(random, 40) == 0 ? SAMPLE_MOST : 99);
    }
    bool written = sample_list(sample, db, key, elements, count);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)elements[i].data);
    free(elements);
    return written;
}

/* `keys` random keys over some databases; false if the sink failed. */
static inline bool sample_fill(struct sample *sample, uint64_t *random, size_t keys)
{
    static uint8_t bytes[200000 + 24];
    uint8_t name[32];
    uint64_t db = 0;
    for (size_t i = 0; i < keys; i++) {
        if (seeded_below(random, 100) == 0)
            db = seeded_below(random, 16);
        struct rdb_key key = sample_key(random, i, name);
        bool written;
        if (seeded_below(random, 4) == 0) {
            written = sample_random_list(sample, random, db, &key,
                                         seeded_below(random, 40) == 0 ? 3000 : 20);
        } else {
            uint32_t most = seeded_below(random, 100) == 0 ? 200000 : 300;
            written = sample_string(sample, db, &key, sample_bytes(random, bytes, most));
        }
        if (!written)
            return false;
    }
    return true;
}

#endif
