/* Status codes and error messages. Does not know connections and messages of the API. */
#include "client/status.h"

#include "base/code_name.h"
#include "base/hex.h"

#include <stdarg.h>
#include <stdio.h>

const char *keystore_code_name(enum keystore_code code)
{
    const char *name = code_name(code);
    return name != NULL ? name : code_name(KEYSTORE_UNKNOWN);
}

void status_set(struct keystore_error *error, enum keystore_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->code = code;
    error->reason[0] = '\0';
}

void status_out_of_memory(struct keystore_error *error, const char *consequence)
{
    status_set(error, KEYSTORE_RESOURCE_EXHAUSTED,
               "the client is out of memory, not the server: %s", consequence);
}

enum keystore_code status_parse(struct slice text)
{
    if (text.len == 0 || text.len > 2)
        return KEYSTORE_UNKNOWN;
    unsigned code = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return KEYSTORE_UNKNOWN;
        code = code * 10 + (unsigned)(text.data[i] - '0');
    }
    return code_name(code) != NULL ? (enum keystore_code)code : KEYSTORE_UNKNOWN;
}

enum keystore_code status_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return KEYSTORE_INTERNAL;
    case 401:
        return KEYSTORE_UNAUTHENTICATED;
    case 403:
        return KEYSTORE_PERMISSION_DENIED;
    case 404:
        return KEYSTORE_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return KEYSTORE_UNAVAILABLE;
    default:
        return KEYSTORE_UNKNOWN;
    }
}

enum keystore_code status_from_http2(uint32_t error_code)
{
    switch (error_code) {
    case 7: /* REFUSED_STREAM: not processed */
        return KEYSTORE_UNAVAILABLE;
    case 8: /* CANCEL */
        return KEYSTORE_CANCELLED;
    case 11: /* ENHANCE_YOUR_CALM */
        return KEYSTORE_RESOURCE_EXHAUSTED;
    case 12: /* INADEQUATE_SECURITY */
        return KEYSTORE_PERMISSION_DENIED;
    default:
        return KEYSTORE_INTERNAL;
    }
}

/* Decodes the byte at the start of `text`; *used is the number of characters it took. */
static uint8_t status_decode_byte(struct slice text, size_t *used)
{
    *used = 1;
    if (text.data[0] != '%' || text.len < 3)
        return text.data[0];
    int high = hex_digit(text.data[1]);
    int low = hex_digit(text.data[2]);
    if (high < 0 || low < 0)
        return text.data[0];
    *used = 3;
    return (uint8_t)(high * 16 + low);
}

void status_decode_message(struct slice text, char *out, size_t size)
{
    size_t len = 0;
    while (text.len > 0 && len < size - 1) {
        size_t used;
        out[len++] = (char)status_decode_byte(text, &used);
        text = slice_skip(text, used);
    }
    out[len] = '\0';
}
