/*
 * What listpacks and ziplists share. A header starts with a u32, all bytes, and ends with a u16,
 * the elements (65535: unknown, count them); a terminator, 255, follows the elements. An element is
 * bytes, or an integer in place of its text. All numbers are little-endian.
 */
#ifndef KEYSTORE_JOURNAL_RDB_PACKED_H
#define KEYSTORE_JOURNAL_RDB_PACKED_H

#include "base/slice.h"

struct packed_element {
    struct slice bytes; /* borrowed; unless is_number */
    int64_t number;     /* if is_number */
    bool is_number;
};

enum packed_step {
    PACKED_ELEMENT, /* there is one */
    PACKED_END,     /* there are no more */
    PACKED_BAD,     /* the bytes are not what they should be */
};

/* Walks from the first element to the last. */
struct packed_cursor {
    const uint8_t *at;
    const uint8_t *end; /* of the elements */
    size_t former;      /* bytes of the element before `at` */
    size_t count;       /* elements passed */
    size_t announced;   /* elements according to the header */
    bool counted;       /* `announced` is known */
    const char *wrong;  /* after PACKED_BAD: what is wrong, a clause without its subject */
};

static inline enum packed_step packed_bad(struct packed_cursor *cursor, const char *wrong)
{
    cursor->wrong = wrong;
    return PACKED_BAD;
}

#define PACKED_TOO_LONG "has an element that exceeds its end"

/* Places the cursor before the first element, after a header of that many bytes; false, with
 * cursor->wrong, if the frame is bad. `bytes` must stay while the cursor is used. */
bool packed_open(struct packed_cursor *cursor, struct slice bytes, size_t header);

/* At the end of the elements: checks their number. */
static inline enum packed_step packed_end(struct packed_cursor *cursor)
{
    if (cursor->counted && cursor->count != cursor->announced)
        return packed_bad(cursor, "has a number of elements that differs from its header");
    return PACKED_END;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from the front");

static inline uint32_t packed_u32(const uint8_t *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

/* `size` bytes, 1 to 8, lowest first, as a signed number. */
static inline int64_t packed_signed(const uint8_t *bytes, unsigned size)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < size; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    unsigned unused =
        (64 - 8 * size) % 64; /* the remainder: no shift is undefined, whatever size */
    return (int64_t)(number << unused) >> unused;
}

#endif
