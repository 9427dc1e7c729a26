/* Writes commands in RESP, as a log has them, for tests that read them. */
#ifndef KEYSTORE_TESTS_JOURNAL_RESP_APPEND_H
#define KEYSTORE_TESTS_JOURNAL_RESP_APPEND_H

#include "base/buf.h"

#include <stdio.h>

/* "<type><number>\r\n" */
static inline bool resp_append_line(struct buf *out, char type, size_t number)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%c%zu\r\n", type, number);
    return buf_append(out, slice_make(line, (size_t)len));
}

/* Appends a command of at least one argument; false past the limit. */
static inline bool resp_append(struct buf *out, const struct slice *args, size_t count)
{
    bool fits = resp_append_line(out, '*', count);
    for (size_t i = 0; i < count && fits; i++)
        fits = resp_append_line(out, '$', args[i].len) && buf_append(out, args[i]) &&
               buf_append(out, SLICE_LITERAL("\r\n"));
    return fits;
}

#endif
