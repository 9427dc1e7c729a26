/* The frame that listpacks and ziplists share. Knows nothing of the elements in it. */
#include "journal/rdb/packed.h"

#define TERMINATOR 255
#define UNCOUNTED  65535

bool packed_open(struct packed_cursor *cursor, struct slice bytes, size_t header)
{
    *cursor = (struct packed_cursor){0};
    if (bytes.len < header + 1)
        packed_bad(cursor, "is shorter than an empty one");
    else if (packed_u32(bytes.data) != bytes.len)
        packed_bad(cursor, "has a size that differs from its header");
    else if (bytes.data[bytes.len - 1] != TERMINATOR)
        packed_bad(cursor, "has no terminator");
    if (cursor->wrong != NULL)
        return false;
    cursor->at = bytes.data + header;
    cursor->end = bytes.data + bytes.len - 1;
    cursor->announced = (size_t)cursor->at[-2] | (size_t)cursor->at[-1] << 8;
    cursor->counted = cursor->announced != UNCOUNTED;
    return true;
}
