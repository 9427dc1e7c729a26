/* Prints replies and errors. Refuses to know where they come from. */
#include "cli/format.h"

#include <inttypes.h>

static void put_bytes(FILE *out, struct keystore_slice bytes)
{
    if (bytes.len > 0)
        fwrite(bytes.data, 1, bytes.len, out);
}

static void put_escaped(FILE *out, unsigned char c)
{
    static const char named[] = "\\\\\"\"\nn\rr\tt\aa\bb"; /* pairs: the byte, its letter */
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if (c == (unsigned char)named[i]) {
            putc('\\', out);
            putc(named[i + 1], out);
            return;
        }
    }
    if (c >= ' ' && c <= '~')
        putc(c, out);
    else
        fprintf(out, "\\x%02x", c);
}

void format_quoted(FILE *out, struct keystore_slice bytes)
{
    const unsigned char *at = bytes.data;
    putc('"', out);
    for (size_t i = 0; i < bytes.len; i++)
        put_escaped(out, at[i]);
    putc('"', out);
}

static void put_list(FILE *out, const struct reply *reply)
{
    if (reply->count == 0) {
        fputs("(empty array)\n", out);
        return;
    }
    int width = snprintf(NULL, 0, "%zu", reply->count);
    for (size_t i = 0; i < reply->count; i++) {
        fprintf(out, "%*zu) ", width, i + 1);
        format_quoted(out, reply->items[i]);
        putc('\n', out);
    }
}

void format_reply(FILE *out, const struct reply *reply)
{
    switch (reply->type) {
    case REPLY_OK:
        fputs("OK\n", out);
        break;
    case REPLY_NIL:
        fputs("(nil)\n", out);
        break;
    case REPLY_INTEGER:
        fprintf(out, "(integer) %" PRId64 "\n", reply->integer);
        break;
    case REPLY_BYTES:
        format_quoted(out, reply->bytes);
        putc('\n', out);
        break;
    case REPLY_LIST:
        put_list(out, reply);
        break;
    case REPLY_NOTHING:
        break;
    }
}

static void put_list_raw(FILE *out, const struct reply *reply)
{
    for (size_t i = 0; i < reply->count; i++) {
        if (i > 0)
            putc('\n', out);
        put_bytes(out, reply->items[i]);
    }
    putc('\n', out);
}

void format_reply_raw(FILE *out, const struct reply *reply)
{
    switch (reply->type) {
    case REPLY_OK:
        fputs("OK\n", out);
        break;
    case REPLY_NIL:
        putc('\n', out);
        break;
    case REPLY_INTEGER:
        fprintf(out, "%" PRId64 "\n", reply->integer);
        break;
    case REPLY_BYTES:
        put_bytes(out, reply->bytes);
        putc('\n', out);
        break;
    case REPLY_LIST:
        put_list_raw(out, reply);
        break;
    case REPLY_NOTHING:
        break;
    }
}

/* A sentence may quote what someone else wrote; its control characters must not reach a terminal.
 */
static void put_sentence(FILE *out, const char *sentence)
{
    for (const char *at = sentence; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        putc(c < ' ' || c == 0x7f ? '?' : c, out);
    }
    putc('\n', out);
}

void format_error(FILE *out, const struct keystore_error *error)
{
    static const char prefix[] = "ERROR_REASON_";
    const char *reason = error->reason;
    if (strncmp(reason, prefix, sizeof prefix - 1) == 0)
        reason += sizeof prefix - 1;
    fprintf(out, "(error) %s%s%s: ", keystore_code_name(error->code), *reason != '\0' ? " " : "",
            reason);
    put_sentence(out, error->message);
}

void format_problem(FILE *out, const char *sentence)
{
    fputs("(error) ", out);
    put_sentence(out, sentence);
}
