/* Hexadecimal digits. */
#ifndef KEYSTORE_BASE_HEX_H
#define KEYSTORE_BASE_HEX_H

#include <stddef.h>
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

/* The digits of the bytes, two each and a terminating zero; returns `out`. */
static inline char *hex_print(char *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
    return out;
}

#endif
