/*
 * Reading, feeding, pulling and writing for one connection. Output goes through a buffer that the
 * loop's connections share; only what the socket does not take at once is copied to the connection.
 */
#include "net/connection.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

/* Above this many bytes in the protocol's queue a peer that does not read is not read either. */
#define QUEUE_LIMIT ((size_t)4 * 1024 * 1024)

struct net_connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_shared *shared;
    struct net_connection *next;
    struct net_connection *previous;
    void *session;
    struct buf unsent; /* what uv_write() is busy with */
    uv_write_t write;
    bool writing;
    bool reading;
    bool ending; /* the protocol is done with it: close when all is written */
};

static void on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct net_connection *connection = handle->data;
    *buffer = uv_buf_init((char *)connection->shared->input, (unsigned)READ_CHUNK);
}

/* Reads, or stops reading, as the length of the output queue demands. */
static void regulate(struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    bool wanted = !connection->ending &&
                  !(connection->writing && protocol->queued(connection->session) > QUEUE_LIMIT);
    if (wanted == connection->reading)
        return;
    connection->reading = wanted;
    if (wanted)
        uv_read_start(&connection->uv.stream, on_allocate, on_readable);
    else
        uv_read_stop(&connection->uv.stream);
}

static void on_written(uv_write_t *write, int status)
{
    struct net_connection *connection = write->handle->data;
    connection->writing = false;
    buf_clear(&connection->unsent, 0);
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (status < 0)
        connection_close(connection);
    else
        net_connection_flush(connection);
}

/* Hands what the socket did not take to libuv, which writes it when it can. */
static void write_later(struct net_connection *connection, struct slice rest)
{
    buf_init(&connection->unsent, rest.len);
    if (!buf_append(&connection->unsent, rest))
        abort(); /* its limit is the length */
    uv_buf_t buffer = uv_buf_init((char *)connection->unsent.data, (unsigned)rest.len);
    if (uv_write(&connection->write, &connection->uv.stream, &buffer, 1, on_written) < 0) {
        connection_close(connection);
        return;
    }
    connection->writing = true;
}

/* Writes one chunk of output. True if there may be more and the socket took all of it. */
static bool write_chunk(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    struct buf *output = &shared->output;
    shared->protocol->pull(connection->session, output, OUTPUT_CHUNK);
    if (output->len == 0)
        return false;
    uv_buf_t buffer = uv_buf_init((char *)output->data, (unsigned)output->len);
    int written = uv_try_write(&connection->uv.stream, &buffer, 1);
    if (written == UV_EAGAIN)
        written = 0;
    bool all = written >= 0 && (size_t)written == output->len;
    if (written < 0)
        connection_close(connection);
    else if (!all)
        write_later(connection, slice_skip(buf_slice(output), (size_t)written));
    buf_clear(output, SIZE_MAX);
    return all;
}

void net_connection_flush(struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    while (!connection->writing && !uv_is_closing(&connection->uv.handle)) {
        if (!write_chunk(connection))
            break;
    }
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (!connection->writing && (connection->ending || protocol->finished(connection->session)))
        connection_close(connection);
    else
        regulate(connection);
}

static void on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct net_connection *connection = stream->data;
    if (count == 0)
        return;
    if (count < 0) {
        connection_close(connection);
        return;
    }
    struct slice bytes = slice_make(buffer->base, (size_t)count);
    if (!connection->shared->protocol->feed(connection->session, bytes))
        connection->ending = true;
    net_connection_flush(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_connection *connection = handle->data;
    connection->shared->protocol->on_close(connection->session);
    buf_deinit(&connection->unsent);
    free(connection);
}

void connection_close(struct net_connection *connection)
{
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connection->shared->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    uv_close(&connection->uv.handle, on_closed);
}

static struct net_connection *new_connection(struct net_shared *shared, bool is_tcp)
{
    struct net_connection *connection = mem_alloc_zero(sizeof *connection);
    connection->shared = shared;
    if (is_tcp)
        uv_tcp_init(&shared->uv, &connection->uv.tcp);
    else
        uv_pipe_init(&shared->uv, &connection->uv.pipe, 0);
    connection->uv.handle.data = connection;
    connection->session = shared->protocol->on_open(shared->protocol->user, connection);
    connection->next = shared->first;
    if (shared->first != NULL)
        shared->first->previous = connection;
    shared->first = connection;
    return connection;
}

void connection_accept(struct net_shared *shared, uv_stream_t *listener)
{
    bool is_tcp = listener->type == UV_TCP;
    struct net_connection *connection = new_connection(shared, is_tcp);
    int result = uv_accept(listener, &connection->uv.stream);
    if (result < 0) {
        log_warning("a connection could not be accepted: %s", uv_strerror(result));
        connection_close(connection);
        return;
    }
    if (is_tcp)
        uv_tcp_nodelay(&connection->uv.tcp, 1);
    net_connection_flush(connection);
}

void connection_drain(struct net_connection *connection)
{
    connection->shared->protocol->drain(connection->session);
    net_connection_flush(connection);
}

struct net_connection *connection_next(const struct net_connection *connection)
{
    return connection->next;
}
