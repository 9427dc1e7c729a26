/* Walks over listpacks and ziplists whose bytes may be anything. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_JOURNAL_PACKED_WALK_H
#define KEYSTORE_TESTS_JOURNAL_PACKED_WALK_H

#include "journal/rdb/packed.h"
#include "store/seeded.h"

#include <stdlib.h>

struct packed_format {
    bool (*open)(struct packed_cursor *, struct slice);
    enum packed_step (*next)(struct packed_cursor *, struct packed_element *);
    size_t header;
};

/* Walks a copy that is followed by memory that must not be read. True if it is intact to its end.
 */
static inline bool packed_walk(const struct packed_format *format, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    struct packed_cursor cursor;
    struct packed_element element;
    enum packed_step step = PACKED_BAD;
    if (format->open(&cursor, slice_make(copy, len))) {
        while ((step = format->next(&cursor, &element)) == PACKED_ELEMENT)
            assert_true(element.is_number || element.bytes.len <= len);
    }
    if (step == PACKED_BAD)
        assert_non_null(cursor.wrong);
    free(copy);
    return step == PACKED_END;
}

/* Walks random elements in sound frames. */
static inline void packed_walk_random(const struct packed_format *format)
{
    uint64_t random = seeded_start();
    size_t header = format->header;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        size_t len = header + 1 + seeded_below(&random, (uint32_t)(sizeof bytes - header));
        seeded_fill(&random, bytes, len);
        memcpy(bytes, &len, 4);
        memcpy(bytes + header - 2, "\xff\xff", 2);
        bytes[len - 1] = 255;
        packed_walk(format, bytes, len);
    }
}

#endif
