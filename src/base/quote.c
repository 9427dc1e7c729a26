/* Prints words, quoted if necessary. Does not know what they mean. */
#include "base/quote.h"

static bool quote_is_plain(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr("_-.:/", byte) != NULL);
}

static bool quote_all_plain(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (!quote_is_plain(bytes.data[i]))
            return false;
    }
    return bytes.len > 0;
}

/* Writes at most four bytes; returns how many. */
static size_t quote_escape(char *out, uint8_t byte)
{
    static const char bytes[] = "\\\"\n\r\t\a\b";
    static const char letters[] = "\\\"nrtab";
    static const char digits[] = "0123456789abcdef";
    const char *named = byte != 0 ? strchr(bytes, byte) : NULL;
    if (named == NULL && byte >= ' ' && byte <= '~') {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = named != NULL ? letters[named - bytes] : 'x';
    if (named != NULL)
        return 2;
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

void quote_word(FILE *out, struct slice bytes)
{
    if (quote_all_plain(bytes)) {
        fwrite(bytes.data, 1, bytes.len, out);
        return;
    }
    char escaped[4] = {0};
    putc('"', out);
    for (size_t i = 0; i < bytes.len; i++)
        fwrite(escaped, 1, quote_escape(escaped, bytes.data[i]), out);
    putc('"', out);
}

const char *quote_text(char *out, struct slice bytes)
{
    bool plain = quote_all_plain(bytes);
    char *at = out;
    if (!plain)
        *at++ = '"';
    for (size_t i = 0; i < bytes.len; i++)
        at += quote_escape(at, bytes.data[i]);
    if (!plain)
        *at++ = '"';
    *at = '\0';
    return out;
}
