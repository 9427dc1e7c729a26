/* Log lines to standard error. Each line is one write of fewer bytes than a pipe takes at once, so
 * lines of several threads do not mix. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITTEN_SIZE 1050
#define MESSAGE_SIZE 1300
#define LINE_SIZE    4000
/* What closes a field and a line always has room. */
#define LINE_END 4
/* A field begins only where its name and some of its value have room. */
#define FIELD_ROOM 100

struct line {
    char bytes[LINE_SIZE];
    size_t len;
};

const char *const log_level_names[LOG_DEBUG + 1] = {"error", "warning", "info", "debug"};
const char *const log_format_names[LOG_JSON + 1] = {"text", "logfmt", "json"};
static _Atomic enum log_level threshold = LOG_INFO;
static _Atomic enum log_format current_format = LOG_TEXT;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, format, memory_order_relaxed);
}

/* ---- bytes of a line ---- */

/* All of it or, without room for that, nothing. */
static bool log_put(struct line *line, const char *bytes, size_t len)
{
    if (line->len + len > LINE_SIZE - LINE_END)
        return false;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    return true;
}

static bool log_put_string(struct line *line, const char *text)
{
    return log_put(line, text, strlen(text));
}

/* What closes a part of the line. */
static void log_put_end(struct line *line, char end)
{
    line->bytes[line->len++] = end;
}

/* The length of the printable character of UTF-8 at the start of the text, which is not empty; 0 if
 * it is not one. */
static size_t log_printable(struct slice text)
{
    uint8_t first = text.data[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || len > text.len)
        return 0;
    uint32_t code = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text.data[i] & 0x3f);
    }
    static const uint32_t lowest[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80 to 0x9f are controls */
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= lowest[len] && code <= 0x10ffff && !is_surrogate ? len : 0;
}

/* The escape of a byte that is not part of a printable character. JSON knows no \x, so its string
 * contains that as text. */
static const char *log_escape(char out[8], uint8_t byte, bool json)
{
    switch (byte) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        snprintf(out, 8, json ? "\\\\x%02x" : "\\x%02x", byte);
        return out;
    }
}

static void log_put_quoted(struct line *line, struct slice text, bool json)
{
    bool fits = log_put(line, "\"", 1);
    while (fits && text.len > 0) {
        char escape[8];
        size_t len = log_printable(text);
        if (text.data[0] == '"' || text.data[0] == '\\')
            fits = log_put(line, text.data[0] == '"' ? "\\\"" : "\\\\", 2);
        else if (len > 0)
            fits = log_put(line, (const char *)text.data, len);
        else
            fits = log_put_string(line, log_escape(escape, text.data[0], json));
        text = slice_skip(text, len > 0 ? len : 1);
    }
    log_put_end(line, '"');
}

/* ---- lines ---- */

static void log_put_time(struct line *line)
{
    char text[40];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof text - len, ".%03ldZ", now.tv_nsec / 1000000);
    log_put_string(line, text);
}

/* A line may contain text from a client, which must not be able to forge another line. */
static void log_put_blanked(struct line *line, const char *text)
{
    size_t start = line->len;
    log_put_string(line, text);
    for (size_t i = start; i < line->len; i++) {
        if ((unsigned char)line->bytes[i] < 0x20 || line->bytes[i] == 0x7f)
            line->bytes[i] = '?';
    }
}

static void log_put_start(struct line *line, enum log_format format, enum log_level level,
                          const char *message)
{
    char padded[16];
    const char *level_name = log_level_names[level];
    switch (format) {
    case LOG_TEXT:
        log_put_time(line);
        snprintf(padded, sizeof padded, " %-7s ", level_name);
        log_put_string(line, padded);
        log_put_blanked(line, message);
        break;
    case LOG_LOGFMT:
        log_put_string(line, "time=");
        log_put_time(line);
        log_put_string(line, " level=");
        log_put_string(line, level_name);
        log_put_string(line, " msg=");
        log_put_quoted(line, slice_from_string(message), false);
        break;
    case LOG_JSON:
        log_put_string(line, "{\"time\":\"");
        log_put_time(line);
        log_put_string(line, "\",\"level\":\"");
        log_put_string(line, level_name);
        log_put_string(line, "\",\"msg\":");
        log_put_quoted(line, slice_from_string(message), true);
        break;
    }
}

/* True for a value that logfmt has without quotes. */
static bool log_is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return text.len > 0;
}

static void log_put_field(struct line *line, bool json, const struct log_field *field)
{
    char number[24];
    if (LINE_SIZE - line->len < FIELD_ROOM + strlen(field->name))
        return;
    log_put_string(line, json ? ",\"" : " ");
    log_put_string(line, field->name);
    log_put_string(line, json ? "\":" : "=");
    if (field->is_number) {
        snprintf(number, sizeof number, "%" PRId64, field->number);
        log_put_string(line, number);
    } else if (json || !log_is_word(field->text) ||
               !log_put(line, (const char *)field->text.data, field->text.len)) {
        log_put_quoted(line, field->text, json);
    }
}

void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if (!log_is_on(level))
        return;
    struct line line;
    line.len = 0;
    enum log_format format = atomic_load_explicit(&current_format, memory_order_relaxed);
    log_put_start(&line, format, level, message);
    for (size_t i = 0; i < count; i++)
        log_put_field(&line, format == LOG_JSON, &fields[i]);
    if (format == LOG_JSON)
        log_put_end(&line, '}');
    log_put_end(&line, '\n');
    /* Best effort: a failure to log cannot be reported anywhere. */
    ssize_t written = write(STDERR_FILENO, line.bytes, line.len);
    (void)written;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_is_on(level))
        return;
    char message[WRITTEN_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_event(level, message, NULL, 0);
}

void log_fatal(const char *program, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_TEXT)
        fprintf(stderr, "%s: %s\n", program, message);
    else
        log_event(LOG_ERROR, message, NULL, 0);
}
