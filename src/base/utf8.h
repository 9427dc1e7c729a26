/* UTF-8 (RFC 3629), which protobuf demands of its strings. */
#ifndef KEYSTORE_BASE_UTF8_H
#define KEYSTORE_BASE_UTF8_H

#include "base/slice.h"

/* Bytes of the character at the start of the text, which is not empty: 1 to 4; 0 if it is none:
 * cut short, overlong, a surrogate or beyond U+10FFFF. */
static inline size_t utf8_size(struct slice text)
{
    const uint8_t *bytes = text.data;
    size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (size == 1)
        return 1;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || text.len < size)
        return 0;
    uint8_t least = bytes[0] == 0xe0 ? 0xa0 : bytes[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t most = bytes[0] == 0xed ? 0x9f : bytes[0] == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < least || bytes[1] > most)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

#endif
