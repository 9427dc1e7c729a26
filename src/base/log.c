/* Log lines to standard error. Each line is one write, so lines of several threads do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1100

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static _Atomic enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (enum log_level i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = i;
            return true;
        }
    }
    return false;
}

static size_t log_print_prefix(char *line, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int rest = snprintf(line + len, size - len, ".%03ldZ %-7s ", now.tv_nsec / 1000000,
                        level_names[level]);
    return len + (size_t)rest;
}

/* A line may contain text from a client, which must not be able to forge another line. */
static void log_blank_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char line[LINE_SIZE];
    size_t len = log_print_prefix(line, sizeof line - 1, level);
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + len, sizeof line - 1 - len, format, args);
    va_end(args);
    size_t start = len;
    len += wanted < 0 ? 0 : (size_t)wanted;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    log_blank_controls(line + start, len - start);
    line[len++] = '\n';
    /* Best effort: a failure to log cannot be reported anywhere. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}
