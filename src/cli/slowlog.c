/* Slow calls as rows of a table. */
#include "cli/slowlog.h"

#include "cli/table.h"

#include <inttypes.h>
#include <time.h>

/* The key is last, since it may be long. */
static const struct table_column columns[] = {
    {"id", "id", true},
    {"ended", NULL, false},
    {NULL, "unix-ms", true},
    {"us", "us", true},
    {"method", NULL, false},
    {NULL, "method", false},
    {"status", "status", false},
    {"request", "request-bytes", true},
    {"reply", "reply-bytes", true},
    {"waited for", "waited-for", false},
    {"client", "addr", false},
    {NULL, "keys", true},
    {NULL, "elements", true},
    {NULL, "key-size", true},
    {NULL, "trace-id", false},
    {NULL, "request-id", false},
    {NULL, "previous-attempts", true},
    {"db", "db", true},
    {"key", "key", false},
};

/* As in the server's log. */
static void slowlog_put_time(struct table *table, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    char text[32];
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    table_put(table, "%s.%03dZ", text, (int)(unix_ms % 1000));
}

static void slowlog_put_waits(struct table *table, const struct keystore_slow_call *call)
{
    const char *disk = call->waited_for_disk ? ",disk" : "";
    const char *lock = call->waited_for_lock ? ",lock" : "";
    const char *thread = call->offloaded ? ",thread" : "";
    char text[32];
    snprintf(text, sizeof text, "%s%s%s", disk, lock, thread);
    table_put(table, "%s", text[0] == ',' ? text + 1 : "");
}

static const char *slowlog_short_name(const char *method)
{
    const char *slash = strrchr(method, '/');
    return slash != NULL ? slash + 1 : method;
}

static void slowlog_add(struct table *table, const struct keystore_slow_call *call)
{
    table_add_row(table);
    table_put(table, "%" PRIu64, call->id);
    slowlog_put_time(table, call->unix_ms);
    table_put(table, "%" PRId64, call->unix_ms);
    table_put(table, "%" PRId64, call->duration_us);
    table_put_word(table, keystore_text(slowlog_short_name(call->method)));
    table_put_word(table, keystore_text(call->method));
    table_put(table, "%s", keystore_code_name(call->status));
    table_put(table, "%" PRIu64, call->request_bytes);
    table_put(table, "%" PRIu64, call->reply_bytes);
    slowlog_put_waits(table, call);
    table_put_word(table, keystore_text(call->peer));
    table_put(table, "%" PRIu64, call->keys);
    table_put(table, "%" PRIu64, call->elements);
    table_put(table, "%" PRIu32, call->key_size);
    table_put_word(table, keystore_text(call->trace_id));
    table_put_word(table, call->request_id);
    table_put(table, "%" PRIu32, call->previous_attempts);
    table_put(table, "%" PRIu32, call->db);
    table_put_word(table, call->key);
}

enum keystore_code slowlog_send(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply)
{
    struct keystore_slow_log_reply log;
    struct table table;
    enum keystore_code code = keystore_slow_log(client, &request->slow_log, &log);
    if (request->slow_log.reset) {
        *reply = format_status("OK");
        return code;
    }
    if (request->only_count) {
        *reply = format_integer(log.kept);
        return code;
    }
    table_init(&table, columns, sizeof columns / sizeof *columns, arena);
    for (size_t i = 0; i < log.count; i++)
        slowlog_add(&table, &log.calls[i]);
    *reply = table_reply(&table);
    return code;
}
