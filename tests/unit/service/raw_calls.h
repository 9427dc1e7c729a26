/*
 * A gRPC connection to the service over the embedded engine, with requests made by hand: after the
 * first, their header blocks are indexes only, as those of a client that repeats itself. Included
 * after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_RAW_CALLS_H
#define KEYSTORE_TESTS_RAW_CALLS_H

#include "engine/embedded.h"
#include "grpc/server.h"
#include "service/info.h"
#include "service/service.h"

#include "http2/raw_frames.h"
#include "service/messages.h"

#define RAW_MAX_VALUE ((size_t)16 * 1024 * 1024)
#define RAW_PREFIX    5

static const struct info_source raw_no_info;

struct raw_link {
    struct engine *engine;
    struct service *service;
    struct grpc_server *server;
    struct grpc_connection *connection;
    const char *path;
    uint32_t next_id;
    struct buf in;    /* requests to be fed */
    struct chain out; /* what came back of the newest feed */
    struct buf flat;  /* the same in one piece */
};

static inline void raw_on_output(void *user)
{
    (void)user;
}

/* Feeds what was put into `in`, and takes all that comes. */
static inline void raw_feed(struct raw_link *link)
{
    chain_clear(&link->out, SIZE_MAX);
    assert_true(grpc_connection_feed(link->connection, buf_slice(&link->in), &link->out, 1000));
    grpc_connection_pull(link->connection, &link->out, 1000);
    buf_clear(&link->in, SIZE_MAX);
}

/* A connection on which all calls are of that method; windows never end. */
static inline struct raw_link *raw_link_new(struct engine *engine, const char *method_path)
{
    struct raw_link *link = calloc(1, sizeof *link);
    struct grpc_limits limits = grpc_limits_for(RAW_MAX_VALUE, &http2_default_limits);
    link->engine = engine;
    link->service = service_new(&(struct service_options){.engine = engine,
                                                          .info = &raw_no_info,
                                                          .max_value = RAW_MAX_VALUE,
                                                          .max_answer = limits.max_message});
    link->server = grpc_server_new(&limits, service_grpc(link->service));
    link->connection = grpc_connection_new(link->server, raw_on_output, link, 1000);
    link->path = method_path;
    link->next_id = 1;
    buf_init(&link->in, SIZE_MAX);
    buf_init(&link->flat, SIZE_MAX);
    frames_put_bytes(&link->in, SLICE_LITERAL(FRAMES_PREFACE));
    frames_put_setting(&link->in, SETTING_INITIAL_WINDOW_SIZE, INT32_MAX);
    frames_put_number(&link->in, FRAME_WINDOW_UPDATE, 0, INT32_MAX - FRAME_INITIAL_WINDOW);
    raw_feed(link);
    return link;
}

/* The engine stays. */
static inline void raw_link_free(struct raw_link *link)
{
    grpc_connection_free(link->connection);
    grpc_server_free(link->server);
    service_free(link->service);
    chain_deinit(&link->out);
    buf_deinit(&link->in);
    buf_deinit(&link->flat);
    free(link);
}

/* A literal that enters the table; `index` is its name's in the static table, or 0 with a name. */
static inline void raw_put_indexed_literal(struct buf *block, unsigned index, const char *name,
                                           const char *value)
{
    const uint8_t first = (uint8_t)(0x40 | index);
    const uint8_t lengths[] = {(uint8_t)strlen(name), (uint8_t)strlen(value)};
    frames_put_bytes(block, slice_make(&first, 1));
    if (index == 0) {
        frames_put_bytes(block, slice_make(lengths, 1));
        frames_put_bytes(block, slice_from_string(name));
    }
    frames_put_bytes(block, slice_make(lengths + 1, 1));
    frames_put_bytes(block, slice_from_string(value));
}

static inline void raw_put_headers(struct raw_link *link, uint32_t id)
{
    struct buf block;
    if (id > 1) { /* POST, http, and the four newest of the table */
        frames_put(&link->in, FRAME_HEADERS, FRAME_END_HEADERS, id,
                   SLICE_LITERAL("\x83\x86\xc1\xc0\xbf\xbe"));
        return;
    }
    buf_init(&block, 500);
    frames_put_bytes(&block, SLICE_LITERAL("\x83\x86"));
    raw_put_indexed_literal(&block, 4, "", link->path);
    raw_put_indexed_literal(&block, 1, "", "test");
    raw_put_indexed_literal(&block, 0, "te", "trailers");
    raw_put_indexed_literal(&block, 31, "", "application/grpc");
    frames_put(&link->in, FRAME_HEADERS, FRAME_END_HEADERS, id, buf_slice(&block));
    buf_deinit(&block);
}

/* Puts one request with its message in DATA frames of at most `piece` bytes; its stream. */
static inline uint32_t raw_put_call(struct raw_link *link, const void *message, size_t piece)
{
    uint32_t id = link->next_id;
    struct slice packed = message_pack(message);
    struct buf body;
    const uint8_t prefix[RAW_PREFIX] = {0, 0, (uint8_t)(packed.len >> 16),
                                        (uint8_t)(packed.len >> 8), (uint8_t)packed.len};
    buf_init(&body, SIZE_MAX);
    frames_put_bytes(&body, slice_make(prefix, sizeof prefix));
    frames_put_bytes(&body, packed);
    message_free_packed(packed);
    raw_put_headers(link, id);
    for (struct slice left = buf_slice(&body); left.len > 0;) {
        size_t len = left.len < piece ? left.len : piece;
        frames_put(&link->in, FRAME_DATA, len == left.len ? FRAME_END_STREAM : 0, id,
                   slice_make(left.data, len));
        left = slice_skip(left, len);
    }
    buf_deinit(&body);
    link->next_id += 2;
    return id;
}

/* Gathers the message that answers the stream; false if there is none. */
static inline bool raw_reply(struct raw_link *link, uint32_t id, struct buf *message)
{
    link->flat.len = 0;
    message->len = 0;
    frames_flatten(&link->out, &link->flat);
    for (struct slice left = buf_slice(&link->flat); left.len > 0;) {
        struct frame frame = frames_next(&left);
        if (frame.type == FRAME_DATA && frame.stream_id == id)
            frames_put_bytes(message, frame.payload);
    }
    if (message->len < RAW_PREFIX)
        return false;
    buf_consume(message, RAW_PREFIX);
    return true;
}

#endif
