/* The common part of commands to all servers. Does not know how they travel. */
#include "traces/server.h"

#include "traces/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void server_put_key(char *out, uint32_t key)
{
    snprintf(out, TRACE_KEY_SIZE + 1, "key:%012" PRIu32, key);
}

const char *server_value(void)
{
    static char value[SERVER_MAX_VALUE];
    if (value[0] == '\0')
        memset(value, 'v', sizeof value);
    return value;
}

void server_fail(const char *name, const char *what)
{
    fprintf(stderr, "cache-trace: %s: %s\n", name, what);
    exit(1);
}
