/* Three bytes are four digits of six bits. */
#include "base/base64.h"

uint8_t *base64_encode(struct slice bytes, uint8_t *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t taken = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        if (taken > 1)
            bits |= (uint32_t)bytes.data[i + 1] << 8;
        if (taken > 2)
            bits |= bytes.data[i + 2];
        for (size_t k = 0; k <= taken; k++)
            *out++ = (uint8_t)alphabet[bits >> (18 - 6 * k) & 63];
    }
    return out;
}

/* The value of a digit, -1 for other bytes. */
static int base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    if (byte == '+')
        return 62;
    return byte == '/' ? 63 : -1;
}

bool base64_decode(struct slice text, uint8_t *out)
{
    uint32_t bits = 0;
    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            *out++ = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return true;
}
