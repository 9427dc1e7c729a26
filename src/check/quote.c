/* Prints words. Does not know what they mean. */
#include "check/quote.h"

static bool is_plain(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr("_-.:/", byte) != NULL);
}

static bool all_plain(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (!is_plain(bytes.data[i]))
            return false;
    }
    return bytes.len > 0;
}

static void put_escaped(FILE *out, uint8_t byte)
{
    static const char bytes[] = "\\\"\n\r\t\a\b";
    static const char letters[] = "\\\"nrtab";
    const char *named = byte != 0 ? strchr(bytes, byte) : NULL;
    if (named != NULL)
        fprintf(out, "\\%c", letters[named - bytes]);
    else if (byte >= ' ' && byte <= '~')
        putc(byte, out);
    else
        fprintf(out, "\\x%02x", byte);
}

void quote_word(FILE *out, struct slice bytes)
{
    if (all_plain(bytes)) {
        fwrite(bytes.data, 1, bytes.len, out);
        return;
    }
    putc('"', out);
    for (size_t i = 0; i < bytes.len; i++)
        put_escaped(out, bytes.data[i]);
    putc('"', out);
}
