/*
 * The streams of a session: a small hash table by stream identifier, a pool of memory in the
 * context, and a ring of recently closed streams.
 */
#include "base/check.h"
#include "http2/session.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_BUCKETS 16
/* Streams in the pool of a thread, and bytes of answer buffer that each may keep. */
#define MAX_FREE_STREAMS 4096
#define KEPT_BODY        ((size_t)4096)
/* Stream identifiers have 31 bits; the top bit marks streams that we reset. */
#define CLOSED_BY_RESET 0x80000000u

static struct http2_stream **streams_bucket_of(const struct stream_table *table, uint32_t id)
{
    /* Clients' stream identifiers are odd. */
    return &table->buckets[(id >> 1) & (table->bucket_count - 1)];
}

static void streams_grow(struct stream_table *table)
{
    struct stream_table larger = *table;
    larger.bucket_count = table->bucket_count > 0 ? table->bucket_count * 2 : FIRST_BUCKETS;
    larger.buckets = mem_alloc_zero(larger.bucket_count * sizeof *larger.buckets);
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct http2_stream *next;
        for (struct http2_stream *at = table->buckets[i]; at != NULL; at = next) {
            struct http2_stream **bucket = streams_bucket_of(&larger, at->id);
            next = at->next;
            at->next = *bucket;
            *bucket = at;
        }
    }
    free(table->buckets);
    *table = larger;
}

static struct http2_stream *streams_take_memory(struct http2_context *context)
{
    size_t user_size = context->handler->stream_user_size;
    struct http2_stream *stream = context->free_streams;
    if (stream == NULL)
        return mem_alloc_zero(sizeof *stream + user_size);
    context->free_streams = stream->next;
    CHECK(context->free_count > 0);
    context->free_count--;
    memset((char *)stream + sizeof stream->body, 0,
           sizeof *stream - sizeof stream->body + user_size);
    return stream;
}

static void streams_release_memory(struct http2_context *context, struct http2_stream *stream)
{
    if (context->free_count == MAX_FREE_STREAMS) {
        chain_deinit(&stream->body);
        free(stream);
        return;
    }
    chain_clear(&stream->body, KEPT_BODY);
    stream->next = context->free_streams;
    context->free_streams = stream;
    context->free_count++;
}

struct http2_stream *stream_open(struct http2_session *session, uint32_t id)
{
    DCHECK((id & 1) == 1 && stream_find(session, id) == NULL);
    struct stream_table *table = &session->streams;
    if (table->count == table->bucket_count)
        streams_grow(table);
    struct http2_stream *stream = streams_take_memory(session->context);
    struct http2_stream **bucket = streams_bucket_of(table, id);
    stream->session = session;
    stream->id = id;
    stream->send_window = session->initial_send_window;
    stream->receive_window = (int32_t)session->context->limits.stream_window;
    stream->content_left = -1;
    stream->next = *bucket;
    *bucket = stream;
    table->count++;
    table->last = stream;
    return stream;
}

struct http2_stream *stream_find(struct http2_session *session, uint32_t id)
{
    struct stream_table *table = &session->streams;
    if (table->last != NULL && table->last->id == id)
        return table->last;
    if (table->count == 0)
        return NULL;
    for (struct http2_stream *at = *streams_bucket_of(table, id); at != NULL; at = at->next) {
        if (at->id == id) {
            table->last = at;
            return at;
        }
    }
    return NULL;
}

void stream_close(struct http2_stream *stream)
{
    struct http2_session *session = stream->session;
    struct stream_table *table = &session->streams;
    session->context->handler->on_close(session->user, stream);
    send_drop_body(stream);
    DCHECK(table->count > 0);
    struct http2_stream **link = streams_bucket_of(table, stream->id);
    while (*link != stream) {
        DCHECK(*link != NULL); /* an open stream is in the table */
        link = &(*link)->next;
    }
    *link = stream->next;
    table->count--;
    if (table->last == stream)
        table->last = NULL;
    streams_release_memory(session->context, stream);
}

void stream_close_all(struct http2_session *session)
{
    for (size_t i = 0; i < session->streams.bucket_count; i++) {
        while (session->streams.buckets[i] != NULL) {
            /* This removes it from the bucket. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
            stream_close(session->streams.buckets[i]);
        }
    }
    CHECK(session->streams.count == 0 && session->queued == 0 && session->parked == 0 &&
          session->queue_head == NULL);
}

bool http2_session_visit(const struct http2_session *session,
                         bool (*visit)(void *argument, struct http2_stream *stream), void *argument)
{
    for (size_t i = 0; i < session->streams.bucket_count; i++) {
        for (struct http2_stream *at = session->streams.buckets[i]; at != NULL; at = at->next) {
            if (!visit(argument, at))
                return false;
        }
    }
    return true;
}

uint32_t http2_session_open_streams(const struct http2_session *session, uint32_t *last_stream)
{
    *last_stream = session->last_stream;
    return (uint32_t)session->streams.count;
}

enum stream_past stream_past(const struct http2_session *session, uint32_t id)
{
    /* Newest first: a stream may have been closed and then reset for a late frame. */
    for (uint32_t i = 1; i <= SESSION_CLOSED_KEPT; i++) {
        uint32_t note = session->closed[(session->closed_next - i) % SESSION_CLOSED_KEPT];
        if (note == id)
            return PAST_CLOSED;
        if (note == (id | CLOSED_BY_RESET))
            return PAST_RESET;
    }
    return PAST_UNKNOWN;
}

void stream_note_past(struct http2_session *session, uint32_t id, enum stream_past past)
{
    session->closed[session->closed_next] = past == PAST_RESET ? id | CLOSED_BY_RESET : id;
    session->closed_next = (session->closed_next + 1) % SESSION_CLOSED_KEPT;
}
