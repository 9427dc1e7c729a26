/* Prints slow calls. The names of methods and statuses need no escapes in JSON. */
#include "server/slow_calls.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/code_name.h"
#include "service/route.h"
#include "service/slowlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* More than a call takes, and what is around them. */
#define CALL_SIZE   512
#define AROUND_SIZE 128

static size_t slow_calls_print_one(const struct slow_call *call, char *out, size_t size)
{
    const struct request_note *note = &call->note;
    const char *waited_for = slow_call_waited_for(call);
    int len = snprintf(out, size,
                       "{\"id\":%" PRIu64 ",\"unix_ms\":%" PRId64 ",\"us\":%" PRId64
                       ",\"service\":\"%s\",\"method\":\"%s\",\"status\":\"%s\""
                       ",\"waited_for\":\"%s\",\"keys\":%zu,\"elements\":%zu"
                       ",\"request_bytes\":%zu,\"reply_bytes\":%zu}",
                       call->id, call->unix_ms, call->duration_us,
                       route_method_service(call->method), route_method_name(call->method),
                       code_name(call->code), waited_for != NULL ? waited_for : "", note->keys,
                       note->elements, note->request_bytes, note->reply_bytes);
    CHECK(len > 0 && (size_t)len < size);
    return (size_t)len;
}

char *slow_calls_print(struct slowlog *log, int64_t now_ms, size_t *len)
{
    struct slow_call *calls;
    size_t count = 0, kept, size = AROUND_SIZE + SLOW_CALLS_PRINTED * CALL_SIZE;
    uint64_t total = 0;
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    struct arena arena;
    arena_init(&arena);
    if (log != NULL)
        count = slowlog_read(log, SLOW_CALLS_PRINTED, false, &arena, &calls, &total, &kept);
    *len = (size_t)snprintf(
        text, size, "{\"unix_ms\":%" PRId64 ",\"total\":%" PRIu64 ",\"calls\":[", now_ms, total);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text[(*len)++] = ',';
        *len += slow_calls_print_one(&calls[i], text + *len, CALL_SIZE);
    }
    arena_deinit(&arena);
    *len += (size_t)snprintf(text + *len, size - *len, "]}\n");
    CHECK(*len < size);
    return text;
}
