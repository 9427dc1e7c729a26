/*
 * Runs the commands whose answer is a stream. What comes at once is printed as one reply, the rest
 * as it comes. Does not know how commands are parsed.
 */
#include "cli/streams.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/standard.h"
#include "cli/backup_file.h"
#include "cli/clients.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "keystore/streams.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keys that are deleted in one call. */
#define DELETED_AT_ONCE 1000

/* How long the end of CONSUME may take. */
#define FINISH_MS 1000

static void streams_print(const struct streams *streams, const struct reply *reply)
{
    if (streams->raw)
        format_reply_raw(stdout, reply);
    else
        format_reply(stdout, reply);
}

/* These end a command with an error; always false. */

static bool streams_fail(struct streams *streams, const struct keystore_stream *stream)
{
    streams->error = *keystore_stream_error(stream);
    return false;
}

static bool streams_fail_call(struct streams *streams)
{
    streams->error = *keystore_last_error(streams->client);
    return false;
}

static bool streams_refuse(struct streams *streams, const char *problem)
{
    streams->problem = problem;
    return false;
}

static bool streams_fail_and_close(struct streams *streams, struct keystore_stream *stream)
{
    (void)streams_fail(streams, stream);
    keystore_stream_close(stream);
    return false;
}

static struct keystore_slice streams_keep(struct streams *streams, struct keystore_slice bytes)
{
    struct slice copy = arena_copy(streams->arena, slice_make(bytes.data, bytes.len));
    return (struct keystore_slice){.data = copy.data, .len = copy.len};
}

/* ---- keys ---- */

/* Replies that are gathered, in memory that grows. */
struct gathered {
    struct reply *items;
    size_t count, capacity;
};

static void streams_gather(struct streams *streams, struct gathered *gathered,
                           struct keystore_slice bytes)
{
    if (gathered->count == gathered->capacity) {
        gathered->capacity = gathered->capacity == 0 ? 1024 : 2 * gathered->capacity;
        gathered->items =
            mem_realloc(gathered->items, gathered->capacity * sizeof *gathered->items);
    }
    gathered->items[gathered->count++] = format_bytes(streams_keep(streams, bytes));
}

/* Takes the next page; false at the end, and when interrupted, with *result set. */
static bool streams_next_page(struct streams *streams, struct keystore_stream *stream,
                              struct keystore_scan_page *page, bool *result)
{
    enum keystore_next next = keystore_scan_next(stream, KEYSTORE_FOREVER, page);
    *result = true;
    if (next == KEYSTORE_ITEM)
        return true;
    if (next == KEYSTORE_FAILED)
        *result = streams_fail_and_close(streams, stream);
    else
        keystore_stream_close(stream);
    return false;
}

static bool streams_open_scan(struct streams *streams, const struct request *request,
                              struct keystore_stream **stream)
{
    if (keystore_scan(streams->client, &request->scan, stream) == KEYSTORE_OK)
        return true;
    return streams_fail_call(streams);
}

/* SCAN: the cursor, and the keys. */
static bool streams_scan(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct keystore_scan_page page;
    struct gathered gathered = {0};
    struct reply parts[2] = {format_bytes(keystore_text("0"))};
    bool result = streams_open_scan(streams, request, &stream);
    if (result != true)
        return result;
    while (streams_next_page(streams, stream, &page, &result)) {
        for (size_t i = 0; i < page.count; i++)
            streams_gather(streams, &gathered, page.entries[i].key);
        bool more = page.cursor.len > 0;
        parts[0] = format_bytes(more ? streams_keep(streams, page.cursor) : keystore_text("0"));
    }
    parts[1] = format_list(gathered.items, gathered.count);
    struct reply reply = format_list(parts, 2);
    if (result == true && !interrupt_is_pending())
        streams_print(streams, &reply);
    free(gathered.items);
    return result;
}

/* KEYS: all that match. Raw output needs no gathering, since it has no numbers. */
static bool streams_keys(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct keystore_scan_page page;
    struct gathered gathered = {0};
    bool printed = false;
    bool result = streams_open_scan(streams, request, &stream);
    if (result != true)
        return result;
    while (streams_next_page(streams, stream, &page, &result)) {
        for (size_t i = 0; i < page.count; i++) {
            struct reply key = format_bytes(page.entries[i].key);
            if (streams->raw)
                streams_print(streams, &key);
            else
                streams_gather(streams, &gathered, page.entries[i].key);
            printed |= streams->raw;
        }
    }
    struct reply reply = format_list(gathered.items, gathered.count);
    if (result == true && !printed)
        streams_print(streams, &reply);
    free(gathered.items);
    return result;
}

/* Whether all keys that match shall be deleted: --yes, or an answer on the terminal. */
static bool streams_confirm(struct streams *streams, const struct request *request)
{
    char answer[16] = "";
    if (streams->yes)
        return true;
    if (!isatty(STDIN_FILENO))
        return false;
    standard_push();
    fprintf(stderr, "Delete all keys of database %" PRIu32 " that match '%.*s'? [y/N] ",
            request->db, (int)request->scan.pattern.len, (const char *)request->scan.pattern.data);
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Deletes the keys of a page; adds how many there were. */
static enum keystore_code streams_delete_page(struct streams *streams, uint32_t db,
                                              const struct keystore_scan_page *page, int64_t *count)
{
    struct keystore_slice keys[DELETED_AT_ONCE];
    enum keystore_code code = KEYSTORE_OK;
    for (size_t at = 0; at < page->count && code == KEYSTORE_OK;) {
        struct keystore_keys request = {.keys = keys, .db = db};
        struct keystore_status status;
        while (request.count < DELETED_AT_ONCE && at < page->count)
            keys[request.count++] = page->entries[at++].key;
        code = keystore_delete_many(streams->client, &request, &status);
        *count += status.count;
    }
    return code;
}

static bool streams_delete(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct keystore_scan_page page;
    int64_t count = 0;
    if (!streams_confirm(streams, request))
        return streams_refuse(streams, "nothing was deleted: confirm with y, or give --yes");
    bool result = streams_open_scan(streams, request, &stream);
    if (result != true)
        return result;
    while (streams_next_page(streams, stream, &page, &result)) {
        if (streams_delete_page(streams, request->db, &page, &count) == KEYSTORE_OK)
            continue;
        keystore_stream_close(stream);
        result = streams_fail_call(streams);
        break;
    }
    struct reply reply = format_integer(count);
    streams_print(streams, &reply);
    return result;
}

/* ---- messages ---- */

/* Prints a reply that is a list, and immediately. */
static void streams_print_list(struct streams *streams, const struct reply *items, size_t count)
{
    struct reply reply = format_list(items, count);
    streams_print(streams, &reply);
    standard_push();
}

static void streams_say_reading(struct streams *streams)
{
    standard_push();
    if (!streams->raw)
        fputs("Reading... (press Ctrl-C to quit)\n", stderr);
}

/* Prints a message as Redis replies it; `pattern` is NULL for one of a channel by name. */
static void streams_print_message(struct streams *streams, const struct keystore_message *message,
                                  const struct keystore_slice *pattern)
{
    struct reply items[4];
    size_t count = 0;
    items[count++] = format_bytes(keystore_text(pattern != NULL ? "pmessage" : "message"));
    if (pattern != NULL)
        items[count++] = format_bytes(*pattern);
    items[count++] = format_bytes(message->channel);
    items[count++] = format_bytes(message->payload);
    if (message->missed > 0)
        fprintf(stderr, "(%" PRIu64 " messages were missed, since they were not read in time)\n",
                message->missed);
    streams_print_list(streams, items, count);
}

/* The streams of a subscription: one for all channels, or one for each pattern, so that it is known
 * which pattern a message matches, and one that matches several comes for each, as in Redis. */
struct subscription {
    struct keystore_stream **streams;
    size_t count;
};

static bool streams_open_subscription(struct streams *streams, const struct request *request,
                                      struct subscription *subscription)
{
    const char *kind = request->by_pattern ? "psubscribe" : "subscribe";
    size_t count = request->by_pattern ? request->count : 1;
    subscription->streams = arena_alloc(streams->arena, count * sizeof *subscription->streams);
    for (size_t i = 0; i < count; i++) {
        struct keystore_subscribe_request wanted = {.channels = request->words,
                                                    .channel_count = request->count};
        if (request->by_pattern)
            wanted = (struct keystore_subscribe_request){.patterns = &request->words[i],
                                                         .pattern_count = 1};
        if (keystore_subscribe(streams->client, &wanted, &subscription->streams[i]) != KEYSTORE_OK)
            return false;
        subscription->count++;
    }
    for (size_t i = 0; i < request->count; i++) {
        struct reply items[] = {format_bytes(keystore_text(kind)), format_bytes(request->words[i]),
                                format_integer((int64_t)i + 1)};
        streams_print_list(streams, items, 3);
    }
    return true;
}

/* Waits until the connection has something, or an interruption. */
static void streams_wait(struct streams *streams)
{
    struct pollfd entries[] = {
        {.fd = keystore_descriptor(streams->client), .events = POLLIN},
        {.fd = interrupt_descriptor(), .events = POLLIN},
    };
    (void)poll(entries, interrupt_descriptor() > 0 ? 2 : 1, -1);
}

/* Prints what has come for one of the streams; KEYSTORE_NOTHING when there is no more. */
static enum keystore_next streams_print_messages(struct streams *streams,
                                                 const struct request *request,
                                                 struct keystore_stream *stream, size_t number)
{
    struct keystore_message message;
    enum keystore_next next;
    while ((next = keystore_subscribe_next(stream, 0, &message)) == KEYSTORE_ITEM &&
           !ferror(stdout))
        streams_print_message(streams, &message,
                              request->by_pattern ? &request->words[number] : NULL);
    return next;
}

/* Reads until a stream ends, or an interruption; returns the stream that has failed, or NULL. */
static struct keystore_stream *streams_read_messages(struct streams *streams,
                                                     const struct request *request,
                                                     const struct subscription *subscription)
{
    while (!interrupt_is_pending() && !ferror(stdout)) {
        for (size_t i = 0; i < subscription->count; i++) {
            enum keystore_next next =
                streams_print_messages(streams, request, subscription->streams[i], i);
            if (next == KEYSTORE_FAILED)
                return subscription->streams[i];
            if (next == KEYSTORE_END)
                return NULL;
        }
        streams_wait(streams);
    }
    return NULL;
}

static bool streams_subscribe(struct streams *streams, const struct request *request)
{
    struct subscription subscription = {0};
    bool result = true;
    streams_say_reading(streams);
    if (!streams_open_subscription(streams, request, &subscription)) {
        result = streams_fail_call(streams);
    } else {
        struct keystore_stream *failed = streams_read_messages(streams, request, &subscription);
        if (failed != NULL)
            result = streams_fail(streams, failed);
    }
    for (size_t i = 0; i < subscription.count; i++)
        keystore_stream_close(subscription.streams[i]);
    return result;
}

/* ---- CONSUME ---- */

static bool streams_acknowledge(struct streams *streams, struct keystore_stream *stream,
                                const struct keystore_deliveries *deliveries)
{
    uint64_t *ids = mem_alloc(deliveries->count * sizeof *ids);
    for (size_t i = 0; i < deliveries->count; i++)
        ids[i] = deliveries->items[i].id;
    const struct keystore_acks acks = {.done = ids, .done_count = deliveries->count};
    enum keystore_code code = keystore_consume_ack(stream, &acks);
    free(ids);
    return code == KEYSTORE_OK || streams_fail(streams, stream);
}

/* Prints deliveries and acknowledges them once they are written; false if that fails. */
static bool streams_take_deliveries(struct streams *streams, const struct request *request,
                                    struct keystore_stream *stream,
                                    const struct keystore_deliveries *deliveries)
{
    for (size_t i = 0; i < deliveries->count; i++) {
        struct reply items[] = {format_bytes(deliveries->items[i].key),
                                format_bytes(deliveries->items[i].value)};
        streams_print_list(streams, items, 2);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return streams_refuse(streams, "the elements cannot be written, so they return to their "
                                       "list");
    return deliveries->count == 0 || request->consume.auto_ack ||
           streams_acknowledge(streams, stream, deliveries);
}

/* Lets the server process the acknowledgements, after an interruption, too, but not for long. */
static void streams_finish_consuming(const struct streams *streams, struct keystore_stream *stream)
{
    struct keystore_deliveries ignored;
    int64_t deadline_ms = clock_monotonic_ms() + FINISH_MS;
    if (keystore_consume_finish(stream) != KEYSTORE_OK)
        return;
    for (;;) {
        enum keystore_next next = keystore_consume_next(stream, 0, &ignored);
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (next == KEYSTORE_END || next == KEYSTORE_FAILED || left_ms <= 0)
            return;
        struct pollfd entry = {.fd = keystore_descriptor(streams->client), .events = POLLIN};
        if (next == KEYSTORE_NOTHING)
            (void)poll(&entry, 1, (int)left_ms);
    }
}

static bool streams_consume(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct keystore_deliveries deliveries;
    uint64_t left = request->limit > 0 ? request->limit : UINT64_MAX;
    enum keystore_next next = KEYSTORE_NOTHING;
    if (keystore_consume(streams->client, &request->consume, &stream) != KEYSTORE_OK)
        return streams_fail_call(streams);
    streams_say_reading(streams);
    while (!interrupt_is_pending() && left > 0 &&
           (next = keystore_consume_next(stream, KEYSTORE_FOREVER, &deliveries)) != KEYSTORE_END) {
        if (deliveries.count > left && !request->consume.auto_ack)
            deliveries.count = (size_t)left; /* the others return to their list */
        if (next == KEYSTORE_FAILED)
            return streams_fail_and_close(streams, stream);
        if (next == KEYSTORE_ITEM &&
            !streams_take_deliveries(streams, request, stream, &deliveries)) {
            keystore_stream_close(stream);
            return false;
        }
        left = deliveries.count < left ? left - deliveries.count : 0;
    }
    if (next != KEYSTORE_END)
        streams_finish_consuming(streams, stream);
    keystore_stream_close(stream);
    return true;
}

/* ---- OBSERVE ---- */

static const char *streams_event_name(enum keystore_event_type type)
{
    static const char *const names[] = {
        [KEYSTORE_EVENT_WRITE] = "write",   [KEYSTORE_EVENT_DELETE] = "delete",
        [KEYSTORE_EVENT_EXPIRE] = "expire", [KEYSTORE_EVENT_EVICT] = "evict",
        [KEYSTORE_EVENT_FLUSH] = "flush",
    };
    bool known = (size_t)type < sizeof names / sizeof *names && names[type] != NULL;
    return known ? names[type] : "unknown";
}

static void streams_print_batch(struct streams *streams, const struct keystore_watch_batch *batch)
{
    if (batch->restarted)
        fputs("(the connection was lost: what follows starts over)\n", stderr);
    for (size_t i = 0; i < batch->count; i++) {
        const struct keystore_event *event = &batch->events[i];
        struct reply items[] = {format_bytes(keystore_text(streams_event_name(event->type))),
                                format_bytes(event->key), format_integer((int64_t)event->version)};
        streams_print_list(streams, items, 3);
    }
    if (!batch->initial_done)
        return;
    struct reply items[] = {format_bytes(keystore_text("complete")), format_nil(),
                            format_integer((int64_t)batch->version)};
    streams_print_list(streams, items, 3);
}

static bool streams_fail_watch(struct streams *streams, struct keystore_stream *stream)
{
    uint64_t oldest = keystore_watch_oldest_version(stream);
    bool result = streams_fail_and_close(streams, stream);
    if (oldest > 0)
        fprintf(stderr, "The oldest version to observe FROM is %" PRIu64 ".\n", oldest);
    return result;
}

static bool streams_observe(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct keystore_watch_batch batch;
    struct keystore_selector *selectors =
        arena_alloc(streams->arena, request->count * sizeof *selectors);
    for (size_t i = 0; i < request->count; i++)
        selectors[i] = (struct keystore_selector){
            .kind = KEYSTORE_SELECT_PATTERN, .text = request->words[i], .db = request->db};
    const struct keystore_watch_request watch = {
        .selectors = selectors,
        .count = request->count,
        .start_version = request->from_version,
        .initial = request->initial,
    };
    if (keystore_watch(streams->client, &watch, &stream) != KEYSTORE_OK)
        return streams_fail_call(streams);
    streams_say_reading(streams);
    while (!interrupt_is_pending() && !ferror(stdout)) {
        enum keystore_next next = keystore_watch_next(stream, KEYSTORE_FOREVER, &batch);
        if (next == KEYSTORE_FAILED)
            return streams_fail_watch(streams, stream);
        if (next == KEYSTORE_END)
            break;
        if (next == KEYSTORE_ITEM)
            streams_print_batch(streams, &batch);
    }
    keystore_stream_close(stream);
    return true;
}

/* ---- BACKUP ---- */

/* How often the progress is shown while nothing comes. */
#define PROGRESS_MS 200

static bool streams_refuse_backup(struct streams *streams, struct backup_file *file, uint64_t taken,
                                  uint64_t size)
{
    snprintf(file->problem, BACKUP_PROBLEM_SIZE,
             "the backup is not complete: the server sent %" PRIu64 " of %" PRIu64 " bytes", taken,
             size);
    return streams_refuse(streams, file->problem);
}

/* Takes the pages of a backup into the file. */
static bool streams_take_backup(struct streams *streams, struct keystore_stream *stream,
                                struct backup_file *file, struct progress *progress)
{
    struct keystore_backup_page page;
    uint64_t taken = 0, size = 0;
    for (;;) {
        enum keystore_next next = keystore_backup_next(stream, PROGRESS_MS, &page);
        if (interrupt_is_pending())
            return streams_refuse(streams, "the backup was interrupted, and nothing is left of it");
        if (next == KEYSTORE_FAILED)
            return streams_fail(streams, stream);
        bool complete = next == KEYSTORE_END && taken == size && size > 0;
        if (complete)
            return true;
        if (next == KEYSTORE_END || (next == KEYSTORE_ITEM && page.offset != taken))
            return streams_refuse_backup(streams, file, taken, size);
        if (next == KEYSTORE_ITEM) {
            if (!backup_file_write(file, page.data.data, page.data.len))
                return streams_refuse(streams, file->problem);
            taken += page.data.len;
            size = page.size;
        }
        progress_show_bytes(progress, taken, size, clock_monotonic_ms());
    }
}

static bool streams_backup(struct streams *streams, const struct request *request)
{
    struct backup_file file;
    struct keystore_stream *stream;
    struct progress progress;
    char *problem = arena_alloc(streams->arena, BACKUP_PROBLEM_SIZE);
    standard_push(); /* what is printed comes before a backup to the same place */
    if (!backup_file_open(&file, request->path, request->force || streams->force, problem))
        return streams_refuse(streams, problem);
    if (keystore_backup(streams->client, &stream) != KEYSTORE_OK) {
        backup_file_discard(&file);
        return streams_fail_call(streams);
    }
    progress_init(&progress, isatty(STDERR_FILENO) ? stderr : NULL, clock_monotonic_ms());
    bool result = streams_take_backup(streams, stream, &file, &progress);
    progress_hide(&progress);
    keystore_stream_close(stream);
    if (!result) {
        backup_file_discard(&file);
        return false;
    }
    if (!backup_file_commit(&file))
        return streams_refuse(streams, problem);
    struct reply reply = format_status("OK");
    if (strcmp(request->path, "-") != 0)
        streams_print(streams, &reply);
    return true;
}

/* ---- CLIENT ---- */

static bool streams_clients(struct streams *streams, const struct request *request)
{
    struct keystore_stream *stream;
    struct reply reply;
    if (keystore_clients(streams->client, &request->clients, &stream) != KEYSTORE_OK)
        return streams_fail_call(streams);
    if (!clients_read(stream, request->only_id, streams->arena, &reply))
        return streams_fail_and_close(streams, stream);
    keystore_stream_close(stream);
    streams_print(streams, &reply);
    return true;
}

bool streams_run(struct streams *streams, const struct request *request)
{
    static bool (*const runs[])(struct streams * streams, const struct request *request) = {
        [REQUEST_SCAN] = streams_scan,
        [REQUEST_KEYS] = streams_keys,
        [REQUEST_DELETE_MATCHING] = streams_delete,
        [REQUEST_SUBSCRIBE] = streams_subscribe,
        [REQUEST_CONSUME] = streams_consume,
        [REQUEST_OBSERVE] = streams_observe,
        [REQUEST_BACKUP] = streams_backup,
        [REQUEST_CLIENTS] = streams_clients,
    };
    return runs[request->type](streams, request);
}
