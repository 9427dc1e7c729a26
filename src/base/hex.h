/* Hexadecimal digits. */
#ifndef KEYSTORE_BASE_HEX_H
#define KEYSTORE_BASE_HEX_H

#include <stdint.h>

/* The value of a hexadecimal digit in either case, 0 to 15; -1 for other bytes. */
static inline int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

#endif
