/* Parses and formats real numbers. Knows nothing of keys. The C locale must be set. */
#include "base/real.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool real_parse(struct slice text, long double *number)
{
    char copy[REAL_SIZE], *end;
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    errno = 0;
    *number = strtold(copy, &end);
    if (isspace((unsigned char)copy[0]) || end != copy + text.len || isnan(*number))
        return false;
    return errno != ERANGE || (!isinf(*number) && *number != 0);
}

struct slice real_write(char *out, long double number)
{
    int printed = snprintf(out, REAL_SIZE, "%.17Lf", number);
    size_t len = (size_t)printed;
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
    if (len == 2 && memcmp(out, "-0", 2) == 0)
        return slice_make(out + 1, 1);
    return slice_make(out, len);
}

long double real_from_double(double number)
{
    if (!isfinite(number) || trunc(number) == number)
        return number;
    /* Any decimal text of 15 digits survives a conversion to double and back, and 17 digits
     * identify every double. */
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return strtold(text, NULL);
}
