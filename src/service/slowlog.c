/* A ring of slow calls behind a mutex, and its entries as SlowLogReply. */
#include "service/slowlog.h"

#include "base/hex.h"
#include "base/mem.h"
#include "service/decode.h"
#include "service/packed.h"
#include "service/route.h"

#include <mini_redis.pb-c.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct slowlog {
    pthread_mutex_t mutex; /* guards all but the limits */
    uint64_t total;        /* calls added; the newest has that id */
    size_t kept;           /* the newest of these */
    struct log_limit slow_lines, failed_lines;
    size_t max_len;
    struct slow_call calls[]; /* that with an id is at (id - 1) % max_len */
};

struct slowlog *slowlog_new(size_t max_len)
{
    struct slowlog *log = mem_alloc_zero(sizeof *log + max_len * sizeof log->calls[0]);
    log->max_len = max_len;
    pthread_mutex_init(&log->mutex, NULL);
    return log;
}

void slowlog_free(struct slowlog *log)
{
    if (log == NULL)
        return;
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

uint64_t slowlog_total(struct slowlog *log)
{
    pthread_mutex_lock(&log->mutex);
    uint64_t total = log->total;
    pthread_mutex_unlock(&log->mutex);
    return total;
}

const char *slow_call_waited_for(const struct slow_call *call)
{
    if (call->note.waited_for_disk)
        return "disk";
    if (call->waited_for_lock)
        return "lock";
    return call->note.offloaded ? "thread" : NULL;
}

struct log_limit *slowlog_slow_lines(struct slowlog *log)
{
    return &log->slow_lines;
}

struct log_limit *slowlog_failed_lines(struct slowlog *log)
{
    return &log->failed_lines;
}

void slowlog_add(struct slowlog *log, struct slow_call *call)
{
    pthread_mutex_lock(&log->mutex);
    call->id = ++log->total;
    if (log->max_len > 0)
        log->calls[(call->id - 1) % log->max_len] = *call;
    if (log->kept < log->max_len)
        log->kept++;
    pthread_mutex_unlock(&log->mutex);
}

size_t slowlog_read(struct slowlog *log, size_t limit, bool reset, struct arena *arena,
                    struct slow_call **calls, uint64_t *total, size_t *kept)
{
    if (limit > log->max_len)
        limit = log->max_len;
    *calls =
        arena_alloc(arena, (limit + 1) * sizeof **calls); /* the arena's memory needs no lock */
    pthread_mutex_lock(&log->mutex);
    size_t count = log->kept < limit ? log->kept : limit;
    for (size_t i = 0; i < count; i++)
        (*calls)[i] = log->calls[(log->total - 1 - i) % log->max_len];
    *total = log->total;
    *kept = log->kept;
    if (reset)
        log->kept = 0;
    pthread_mutex_unlock(&log->mutex);
    return count;
}

/* ---- the RPC ---- */

static char *slowlog_print_method(size_t method, struct arena *arena)
{
    const char *service = route_method_service(method), *name = route_method_name(method);
    size_t size = strlen(service) + strlen(name) + 2;
    char *text = arena_alloc(arena, size);
    snprintf(text, size, "%s/%s", service, name);
    return text;
}

static ProtobufCBinaryData slowlog_bytes(const uint8_t *bytes, size_t len)
{
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)bytes};
}

static Keystore__V1__SlowLogReply__Entry *slowlog_make_entry(struct slow_call *call,
                                                             struct arena *arena)
{
    Keystore__V1__SlowLogReply__Entry *entry = arena_alloc(arena, sizeof *entry);
    const struct request_note *note = &call->note;
    const struct grpc_metadata *metadata = &call->metadata;
    keystore__v1__slow_log_reply__entry__init(entry);
    entry->id = call->id;
    entry->unix_ms = call->unix_ms;
    entry->duration_us = call->duration_us;
    entry->method = slowlog_print_method(call->method, arena);
    entry->key =
        slowlog_bytes(note->key, note->key_size < NOTE_MAX_KEY ? note->key_size : NOTE_MAX_KEY);
    entry->db = note->db;
    entry->key_size = note->key_size;
    entry->keys = note->keys;
    entry->elements = note->elements;
    entry->request_bytes = note->request_bytes;
    entry->reply_bytes = note->reply_bytes;
    entry->peer = call->peer;
    entry->status = call->code;
    if (metadata->has_trace) {
        entry->trace_id = arena_alloc(arena, 2 * GRPC_TRACE_ID_BYTES + 1);
        hex_print(entry->trace_id, metadata->trace_id, GRPC_TRACE_ID_BYTES);
    }
    entry->request_id = slowlog_bytes(metadata->request_id, metadata->request_id_size);
    entry->previous_attempts = metadata->previous_attempts;
    entry->waited_for_disk = note->waited_for_disk;
    entry->waited_for_lock = call->waited_for_lock;
    entry->offloaded = note->offloaded;
    return entry;
}

enum err slowlog_report(const struct service_options *options, struct slice message,
                        struct arena *arena, struct chain *reply, const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__slow_log_request__descriptor, message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__SlowLogRequest *request = decoded;
    Keystore__V1__SlowLogReply answer = KEYSTORE__V1__SLOW_LOG_REPLY__INIT;
    struct slow_call *calls = NULL;
    size_t kept = 0;
    if (options->slowlog != NULL)
        answer.n_entries =
            slowlog_read(options->slowlog, request->limit > 0 ? request->limit : SIZE_MAX,
                         request->reset, arena, &calls, &answer.total, &kept);
    answer.kept = (uint32_t)kept;
    answer.entries = arena_alloc(arena, (answer.n_entries + 1) * sizeof *answer.entries);
    for (size_t i = 0; i < answer.n_entries; i++)
        answer.entries[i] = slowlog_make_entry(&calls[i], arena);
    packed_reply(&answer.base, reply);
    return ERR_NONE;
}
