/* Prints records. Only what comes from files and clients needs escapes. */
#include "server/audit_record.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A path, with an escape for each byte, must not take all of the line. */
#define MOST_POLICY ((size_t)400)

struct line {
    char *out;
    size_t len;
};

static void record_put(struct line *line, const char *text, size_t len)
{
    CHECK(line->len + len <= AUDIT_RECORD_MAX);
    memcpy(line->out + line->len, text, len);
    line->len += len;
}

/* What is not printable ASCII becomes an escape; in a file's path, bytes are not always UTF-8. */
static void record_put_string(struct line *line, const char *text, size_t most)
{
    record_put(line, "\"", 1);
    for (size_t i = 0; i < most && text[i] != '\0'; i++) {
        char escape[8];
        unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
            record_put(line, &text[i], 1);
        else
            record_put(line, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", byte));
    }
    record_put(line, "\"", 1);
}

static void record_put_name(struct line *line, const char *name)
{
    record_put(line, line->len == 0 ? "{\"" : ",\"", 2);
    record_put(line, name, strlen(name));
    record_put(line, "\":", 2);
}

static void record_put_text(struct line *line, const char *name, const char *text)
{
    record_put_name(line, name);
    record_put_string(line, text, SIZE_MAX);
}

/* Left out if it is empty. */
static void record_put_optional(struct line *line, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        record_put_text(line, name, text);
}

static void record_put_count(struct line *line, const char *name, uint64_t count)
{
    char text[24];
    record_put_name(line, name);
    record_put(line, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, count));
}

/* A59 has seconds, as a string; people and other programs want to read more. */
static void record_put_time(struct line *line, int64_t unix_ms)
{
    char text[48];
    struct tm utc;
    time_t seconds = unix_ms / 1000;
    snprintf(text, sizeof text, "%" PRId64, unix_ms / 1000);
    record_put_text(line, "timestamp", text);
    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof text - len, ".%03dZ", (int)(unix_ms % 1000));
    record_put_text(line, "time", text);
}

size_t audit_record_print(const struct audit_record *record, const char *policy, uint64_t dropped,
                          char *out)
{
    const struct audit_event *event = &record->event;
    struct line line = {.out = out};
    char rule[24] = "";
    if (event->matched_line > 0)
        snprintf(rule, sizeof rule, "line %d", event->matched_line);
    record_put_time(&line, record->unix_ms);
    record_put_text(&line, "event", event->event);
    record_put_text(&line, "rpc_method", event->rpc_method);
    record_put_optional(&line, "operation", event->operation);
    record_put_text(&line, "principal", event->principal);
    record_put_name(&line, "policy_name");
    record_put_string(&line, policy, MOST_POLICY);
    record_put_text(&line, "matched_rule", rule);
    record_put_name(&line, "authorized");
    record_put(&line, event->authorized ? "true" : "false", event->authorized ? 4 : 5);
    record_put_optional(&line, "credential", event->credential);
    record_put_optional(&line, "peer", event->peer);
    record_put_optional(&line, "status", event->status);
    record_put_optional(&line, "reason", event->reason);
    if (record->count > 1)
        record_put_count(&line, "count", record->count);
    if (dropped > 0)
        record_put_count(&line, "dropped", dropped);
    record_put(&line, "}\n", 2);
    return line.len;
}
