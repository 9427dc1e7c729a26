/* Prints replies and errors. Does not know where they come from. */
#include "cli/format.h"

#include <inttypes.h>

static void format_put_bytes(FILE *out, struct keystore_slice bytes)
{
    if (bytes.len > 0)
        fwrite(bytes.data, 1, bytes.len, out);
}

static void format_put_escaped(FILE *out, unsigned char c)
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

/* In double quotes with C escapes, so that it can be pasted into a command. */
static void format_put_quoted(FILE *out, struct keystore_slice bytes)
{
    const unsigned char *at = bytes.data;
    putc('"', out);
    for (size_t i = 0; i < bytes.len; i++)
        format_put_escaped(out, at[i]);
    putc('"', out);
}

/* Text from the server; its control characters must not reach a terminal. */
static void format_put_text(FILE *out, struct keystore_slice text)
{
    const unsigned char *at = text.data;
    for (size_t i = 0; i < text.len; i++)
        putc((at[i] < ' ' && at[i] != '\n') || at[i] == 0x7f ? '?' : at[i], out);
}

static void format_put_reply(FILE *out, const struct reply *reply, int indent);

/* Each item in a row of its own, with its number; rows after the first are indented. */
static void format_put_list(FILE *out, const struct reply *reply, int indent)
{
    if (reply->count == 0) {
        fputs("(empty array)\n", out);
        return;
    }
    int width = snprintf(NULL, 0, "%zu", reply->count);
    for (size_t i = 0; i < reply->count; i++) {
        fprintf(out, "%*s%*zu) ", i == 0 ? 0 : indent, "", width, i + 1);
        format_put_reply(out, &reply->items[i], indent + width + 2);
    }
}

static void format_put_reply(FILE *out, const struct reply *reply, int indent)
{
    switch (reply->type) {
    case REPLY_NIL:
        fputs("(nil)\n", out);
        return;
    case REPLY_INTEGER:
        fprintf(out, "(integer) %" PRId64 "\n", reply->integer);
        return;
    case REPLY_LIST:
        format_put_list(out, reply, indent);
        return;
    case REPLY_EITHER:
        format_put_reply(out, &reply->items[0], indent);
        return;
    case REPLY_BYTES:
        format_put_quoted(out, reply->bytes);
        break;
    case REPLY_ERROR:
        fputs("(error) ", out);
        format_put_text(out, reply->bytes);
        break;
    case REPLY_STATUS:
    case REPLY_TEXT:
        format_put_text(out, reply->bytes);
        break;
    }
    putc('\n', out);
}

void format_reply(FILE *out, const struct reply *reply)
{
    format_put_reply(out, reply, 0);
}

static void format_put_raw(FILE *out, const struct reply *reply)
{
    switch (reply->type) {
    case REPLY_NIL:
        break;
    case REPLY_INTEGER:
        fprintf(out, "%" PRId64, reply->integer);
        break;
    case REPLY_LIST:
        for (size_t i = 0; i < reply->count; i++) {
            if (i > 0)
                putc('\n', out);
            format_put_raw(out, &reply->items[i]);
        }
        break;
    case REPLY_EITHER:
        format_put_raw(out, &reply->items[1]);
        break;
    case REPLY_STATUS:
    case REPLY_BYTES:
    case REPLY_TEXT:
    case REPLY_ERROR:
        format_put_bytes(out, reply->bytes);
        break;
    }
}

void format_reply_raw(FILE *out, const struct reply *reply)
{
    format_put_raw(out, reply);
    putc('\n', out);
}

void format_error_text(char out[static FORMAT_ERROR_SIZE], enum keystore_code code,
                       const char *reason, const char *message)
{
    static const char prefix[] = "ERROR_REASON_";
    if (strncmp(reason, prefix, sizeof prefix - 1) == 0)
        reason += sizeof prefix - 1;
    const char *name = keystore_code_name(code);
    if (strcmp(reason, name) == 0) /* redundant */
        reason = "";
    snprintf(out, FORMAT_ERROR_SIZE, "%s%s%s: %s", name, *reason != '\0' ? " " : "", reason,
             message);
}

/* On one line, whatever the message quotes. */
static void format_put_message(FILE *out, const char *message)
{
    for (const char *at = message; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        putc(c < ' ' || c == 0x7f ? '?' : c, out);
    }
    putc('\n', out);
}

void format_problem(FILE *out, const char *message)
{
    fputs("(error) ", out);
    format_put_message(out, message);
}

void format_error(FILE *out, const struct keystore_error *error)
{
    char text[FORMAT_ERROR_SIZE];
    format_error_text(text, error->code, error->reason, error->message);
    format_problem(out, text);
}
