/* Writes commands in RESP, for tests that read them or send them to a real Redis. */
#include "support/resp_append.h"

#include <stdio.h>

/* "<type><number>\r\n" */
static bool append_line(struct buf *out, char type, size_t number)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%c%zu\r\n", type, number);
    return buf_append(out, slice_make(line, (size_t)len));
}

bool resp_append(struct buf *out, const struct slice *args, size_t count)
{
    bool fits = append_line(out, '*', count);
    for (size_t i = 0; i < count && fits; i++)
        fits = append_line(out, '$', args[i].len) && buf_append(out, args[i]) &&
               buf_append(out, SLICE_LITERAL("\r\n"));
    return fits;
}
