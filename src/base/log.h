/* The server's log: one line per event on standard error, with UTC time and level. Thread-safe. */
#ifndef KEYSTORE_BASE_LOG_H
#define KEYSTORE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Drops lines above this level. Initially LOG_INFO. */
void log_set_level(enum log_level level);

/* "error", "warning", "info", "debug"; false for anything else, with *level unchanged. */
bool log_level_parse(const char *name, enum log_level *level);

/* Writes a printf-style line, given without newline; truncated after about 1,000 bytes. Control
 * characters become '?', so that one call is one line. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)

#endif
