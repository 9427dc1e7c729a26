/*
 * Reads, feeds, pulls and writes for one connection. Output is gathered in a chain that all
 * connections of the loop share. Only when the socket does not take all of it does the connection
 * take the chain over, until the rest is written.
 *
 * Closing: if unread input is left, close() makes the kernel reset the connection, and the peer may
 * lose the last output. So a connection lingers first: it shuts down its side, and discards input
 * until the peer shuts down its own, within limits.
 *
 * With TLS, what is read and written are records: input is decrypted before it is fed, and output
 * encrypted before it is written. What was written, is unsent or acknowledged are bytes of records.
 */
#include "net/connection.h"

#include "base/check.h"
#include "base/mem.h"
#include "net/closings.h"
#include "net/connection_state.h"
#include "net/tls_session.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of input discarded in a lingering close, at most: enough for the flow-control windows of
 * HTTP/2 and the kernel's buffers, but not for a flood. */
#define LINGER_BYTES ((size_t)16 * 1024 * 1024)
/* Pieces of output in one write: copied bytes and blobs alternate, in frames of 16 KiB. */
#define MAX_PIECES 160
/* Bytes that TLS itself may have waiting to be written: an attempt of the peer to renegotiate, for
 * instance, is answered by an alert. */
#define MAX_HELD ((size_t)64 * 1024)
/* Bytes of output buffer that a loop keeps for the next write. */
#define KEPT_OUTPUT ((size_t)512 * 1024)

static void connection_on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

/* Reads to where the protocol wants the input; returns the number of bytes, 0 if it has no
 * preference or there is no input. */
static __attribute__((noinline)) size_t connection_read_placed(struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    struct iovec pieces[NET_MAX_PIECES];
    int descriptor;
    if (protocol->place == NULL || connection->lingering)
        return 0;
    size_t count = protocol->place(connection->session, pieces);
    if (count == 0 || uv_fileno(&connection->uv.handle, &descriptor) != 0)
        return 0;
    ssize_t size = readv(descriptor, pieces, (int)count);
    return size > 0 ? (size_t)size : 0; /* libuv will see the end of the stream and errors, too */
}

/* Bytes already read are passed on by way of UV_ENOBUFS: if libuv gets no buffer, it does not read,
 * and calls connection_on_readable() with that error. */
static void connection_on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct net_connection *connection = handle->data;
    if (connection->last_read_was_large)
        connection->placed = connection_read_placed(connection);
    *buffer = (uv_buf_t){0};
    if (connection->placed == 0)
        *buffer = (uv_buf_t){.base = (char *)connection->shared->input, .len = READ_CHUNK};
}

static void connection_count_queued(struct net_connection *connection, size_t queued)
{
    DCHECK(connection->shared->queued_total >= connection->queued);
    connection->shared->queued_total += queued - connection->queued;
    connection->queued = queued;
}

/* Backpressure: starts or stops reading, depending on the pending output. */
static void connection_regulate(struct net_connection *connection)
{
    const struct net_shared *shared = connection->shared;
    connection_count_queued(connection, shared->protocol->queued(connection->session));
    size_t limit =
        shared->queued_total > shared->limits.max_queued_total ? 0 : shared->limits.max_queued;
    bool wanted = !connection->ending && !connection->hung_up &&
                  !(connection->writing && connection->queued > limit);
    if (wanted == connection->reading)
        return;
    connection->reading = wanted;
    if (wanted)
        uv_read_start(&connection->uv.stream, connection_on_allocate, connection_on_readable);
    else
        uv_read_stop(&connection->uv.stream);
}

/* Writing. */

static void connection_write_unsent(struct net_connection *connection);
static void connection_flush(struct net_connection *connection);

static void connection_on_written(uv_write_t *write, int status)
{
    struct net_connection *connection = write->handle->data;
    CHECK(connection->writing);
    connection->writing = false;
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (status < 0) {
        connection_close(connection);
        return;
    }
    connection->written += connection->write_size;
    chain_skip(&connection->unsent, &connection->sent, connection->write_size);
    connection_write_unsent(connection);
    connection_flush(connection);
}

/* libuv's buffers are iovecs on every Unix, as are the pieces of a chain. */
_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "uv_buf_t is struct iovec");

static const uv_buf_t *connection_to_buffers(const struct iovec *pieces)
{
    return (const uv_buf_t *)(const void *)pieces;
}

/* Starts to write the next pieces of what the socket did not take; libuv does so when the socket is
 * writable. */
static void connection_write_unsent(struct net_connection *connection)
{
    CHECK(!connection->writing);
    struct iovec pieces[MAX_PIECES];
    size_t count = chain_pieces(&connection->unsent, connection->sent, pieces, MAX_PIECES);
    connection->write_size = 0;
    for (size_t i = 0; i < count; i++)
        connection->write_size += pieces[i].iov_len;
    if (count == 0) {
        chain_deinit(&connection->unsent);
        return;
    }
    if (uv_write(&connection->write, &connection->uv.stream, connection_to_buffers(pieces),
                 (unsigned)count, connection_on_written) < 0) {
        connection_close(connection);
        return;
    }
    connection->writing = true;
    connection->may_be_unacked = true;
    connection->write_moved_ms = connection_now_of(connection);
}

/* Writes the shared output. True if the socket took all of it. */
static bool connection_write_output(struct net_connection *connection)
{
    struct chain *output = &connection->shared->output;
    struct iovec pieces[MAX_PIECES];
    size_t count = chain_pieces(output, (struct chain_cursor){0}, pieces, MAX_PIECES);
    connection->output_total += chain_length(output);
    int written =
        uv_try_write(&connection->uv.stream, connection_to_buffers(pieces), (unsigned)count);
    if (written > 0) {
        connection->written += (size_t)written;
        connection->may_be_unacked = true;
        connection->write_moved_ms = connection_now_of(connection);
    }
    if (written == (int)chain_length(output)) {
        chain_clear(output, KEPT_OUTPUT);
        return true;
    }
    if (written < 0 && written != UV_EAGAIN) {
        chain_clear(output, KEPT_OUTPUT);
        connection_close(connection);
        return false;
    }
    CHECK(chain_length(&connection->unsent) == 0);
    DCHECK(written < 0 || (size_t)written < chain_length(output));
    connection->unsent = *output;
    connection->sent = (struct chain_cursor){0};
    *output = (struct chain){0};
    chain_skip(&connection->unsent, &connection->sent, written > 0 ? (size_t)written : 0);
    connection_write_unsent(connection);
    return false;
}

/* Reports, once, why the server ended the connection, if the server did. */
static void connection_report_closing(struct net_connection *connection)
{
    const struct net_shared *shared = connection->shared;
    struct closing closing = shared->protocol->closing(connection->session);
    if (closing.kind == CLOSING_NONE || connection->closing_is_reported)
        return;
    connection->closing_is_reported = true;
    net_closings_note(net_admission_closings(shared->admission), &connection->peer, closing,
                      connection_now_of(connection));
}

/* All output is written: starts the lingering close. */
static void connection_start_linger(struct net_connection *connection)
{
    int descriptor;
    DCHECK(!connection->lingering && !connection->writing);
    connection_report_closing(connection);
    if (connection->hung_up || uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        shutdown(descriptor, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    connection->ending = true;
    connection->lingering = true;
    connection->linger_start_ms = connection_now_of(connection);
    connection_count_queued(connection, 0);
    if (!connection->reading)
        uv_read_start(&connection->uv.stream, connection_on_allocate, connection_on_readable);
}

/* With TLS: encrypts the shared output. False if that fails. */
static bool connection_encrypt(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    DCHECK(chain_length(&shared->records) == 0);
    bool good = tls_session_write(connection->tls, &shared->output, &shared->records);
    chain_clear(&shared->output, KEPT_OUTPUT);
    struct chain empty = shared->output;
    shared->output = shared->records;
    shared->records = empty;
    return good;
}

/* True if the protocol's output can be written: with TLS, after the handshake. */
static bool connection_may_pull(const struct net_connection *connection)
{
    return connection->tls == NULL || tls_session_is_established(connection->tls);
}

/* True if the connection can be closed. A peer that has shut down its side sends no WINDOW_UPDATE
 * either, so output blocked by flow control is dropped. */
static bool connection_is_done(const struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    if (connection->ending || protocol->finished(connection->session))
        return true;
    return connection->hung_up &&
           (protocol->has_unanswered == NULL || !protocol->has_unanswered(connection->session));
}

/* Writes until the socket is full or the protocol has no more output; the shared output is empty
 * afterwards. The answer to nearly every read is all there is, so nothing more is pulled then. */
static void connection_flush(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    if (connection->lingering)
        return;
    for (bool is_first = true; !connection->writing && !uv_is_closing(&connection->uv.handle);
         is_first = false) {
        if (chain_length(&shared->output) == 0 && connection_may_pull(connection) &&
            (is_first || shared->protocol->queued(connection->session) > 0))
            shared->protocol->pull(connection->session, &shared->output,
                                   connection_now_of(connection));
        if (connection->tls != NULL && !connection_encrypt(connection))
            connection->ending = true;
        if (chain_length(&shared->output) == 0 || !connection_write_output(connection))
            break;
    }
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (connection->writing || !connection_is_done(connection))
        connection_regulate(connection);
    else if (connection->tls != NULL && tls_session_close(connection->tls))
        connection_flush(connection); /* once: a session is closed once */
    else
        connection_start_linger(connection);
}

static void connection_defer_flush(struct net_connection *connection)
{
    if (connection->waiting)
        return;
    connection->waiting = true;
    connection->next_waiting = connection->shared->waiting;
    connection->shared->waiting = connection;
}

/* A flush closes at most its own connection, so `next` stays valid. */
void connection_flush_waiting(struct net_shared *shared)
{
    struct net_connection *connection = shared->waiting;
    shared->waiting = NULL;
    while (connection != NULL) {
        struct net_connection *next = connection->next_waiting;
        connection->waiting = false;
        connection_flush(connection);
        connection = next;
    }
}

void net_connection_print_peer(const struct net_connection *connection, char text[NET_PEER_TEXT])
{
    net_peer_print(&connection->peer, text);
}

void net_connection_flush(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    if (shared->gathering) {
        connection_defer_flush(connection);
        return;
    }
    if (!shared->feeding) {
        connection_flush(connection);
        return;
    }
    /* The shared output belongs to another connection, which is being fed. */
    struct chain fed = shared->output;
    shared->output = (struct chain){0};
    connection_flush(connection);
    chain_deinit(&shared->output);
    shared->output = fed;
}

/* Feeds what was read, to `bytes` or to where the protocol wanted it. False if the connection is to
 * be closed. */
static bool connection_feed(struct net_connection *connection, struct slice bytes)
{
    struct net_shared *shared = connection->shared;
    const struct net_protocol *protocol = shared->protocol;
    struct chain *out = connection->writing ? NULL : &shared->output;
    void *session = connection->session;
    DCHECK(!shared->feeding && chain_length(&shared->output) == 0);
    shared->feeding = true;
    bool alive =
        connection->placed > 0
            ? protocol->feed_placed(protocol->user, session, connection->placed, out,
                                    connection_now_of(connection))
            : protocol->feed(protocol->user, session, bytes, out, connection_now_of(connection));
    connection->placed = 0;
    shared->feeding = false;
    return alive;
}

/* Discards input during a lingering close, and closes at the end of the stream. */
static void connection_discard_input(struct net_connection *connection, ssize_t count)
{
    if (count > 0)
        connection->discarded += (size_t)count;
    if (count < 0 || connection->discarded > LINGER_BYTES)
        connection_close(connection);
}

/* Its output leaves with the flush that follows. */
static void connection_hang_up(struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    connection->hung_up = true;
    if (protocol->on_hang_up != NULL)
        protocol->on_hang_up(connection->session);
}

static struct closing connection_tls_failure(const struct net_connection *connection)
{
    static const struct closing flood = {
        CLOSING_FLOOD, "too many answers to TLS messages were caused and not read"};
    const char *failure = tls_session_failure(connection->tls);
    if (failure == NULL && tls_session_held(connection->tls) > MAX_HELD)
        return flood;
    return (struct closing){failure != NULL ? CLOSING_TLS_FAILED : CLOSING_NONE, failure};
}

/* Feeds the plaintext of what was read. The records must not stay in the loop's input buffer, so
 * all are processed: as much as is fed by a read without TLS. */
static void connection_receive_records(struct net_connection *connection, struct slice bytes)
{
    uint8_t *plain = connection->shared->plain;
    size_t len;
    tls_session_give(connection->tls, bytes);
    while ((len = tls_session_read(connection->tls, plain, READ_CHUNK)) > 0) {
        if (uv_is_closing(&connection->uv.handle) || connection->lingering)
            return;
        if (connection->ending)
            continue; /* discarded */
        if (!connection_feed(connection, slice_make(plain, len)))
            connection->ending = true;
        connection_flush(connection);
    }
    struct closing why = connection_tls_failure(connection);
    if (uv_is_closing(&connection->uv.handle) || connection->lingering)
        return;
    if (why.kind != CLOSING_NONE) {
        connection_end_for(connection, why);
        return;
    }
    if (tls_session_is_finished(connection->tls) && !connection->hung_up)
        connection_hang_up(connection);
    connection_flush(connection);
}

static void connection_on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct net_connection *connection = stream->data;
    if (count == UV_ENOBUFS)
        count = (ssize_t)connection->placed;
    if (count == 0)
        return;
    if (connection->lingering || (count < 0 && count != UV_EOF)) {
        connection_discard_input(connection, count);
        return;
    }
    if (connection->tls != NULL && count > 0) {
        connection_receive_records(connection, slice_make(buffer->base, (size_t)count));
        return;
    }
    connection->last_read_was_large = count >= (ssize_t)NET_PLACE_FROM;
    if (count == UV_EOF)
        connection_hang_up(connection);
    else if (!connection_feed(connection, slice_make(buffer->base, (size_t)count)))
        connection->ending = true;
    connection_flush(connection);
}

/* Life. */

static void connection_leave_admission(const struct net_connection *connection)
{
    struct net_admission *admission = connection->shared->admission;
    if (connection->purpose == NET_PROBES)
        net_admission_leave_probe(admission);
    else
        net_admission_leave(admission, &connection->peer);
}

static void connection_on_closed(uv_handle_t *handle)
{
    struct net_connection *connection = handle->data;
    struct net_shared *shared = connection->shared;
    CHECK(!connection->waiting); /* else a flush would use freed memory */
    shared->protocol->on_close(connection->session);
    tls_session_free(connection->tls);
    connection_leave_admission(connection);
    chain_deinit(&connection->unsent);
    free(connection);
}

void connection_close(struct net_connection *connection)
{
    if (uv_is_closing(&connection->uv.handle))
        return;
    connection_report_closing(connection);
    connection_count_queued(connection, 0);
    visit_on_close(connection);
    CHECK(connection->previous != NULL ? connection->previous->next == connection
                                       : connection->shared->first == connection);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connection->shared->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->shared->first == NULL)
        uv_unref(connection->shared->anchor);
    uv_close(&connection->uv.handle, connection_on_closed);
    if (connection->shared->accepting_paused)
        connection->shared->resume_accepting(connection->shared);
}

static void connection_on_not_opened(uv_handle_t *handle)
{
    free(handle->data);
}

/* The handle takes ownership of the descriptor. On failure returns false; the caller closes the
 * descriptor. */
static bool connection_open_handle(struct net_connection *connection, int descriptor, bool is_unix)
{
    uv_loop_t *loop = &connection->shared->uv;
    if (is_unix) {
        uv_pipe_init(loop, &connection->uv.pipe, 0);
        return uv_pipe_open(&connection->uv.pipe, descriptor) == 0;
    }
    uv_tcp_init(loop, &connection->uv.tcp);
    if (uv_tcp_open(&connection->uv.tcp, descriptor) != 0)
        return false;
    uv_tcp_nodelay(&connection->uv.tcp, 1);
    return true;
}

/* True if the listening socket is one without TLS, or the connection has a session of it. */
static bool connection_open_tls(struct net_connection *connection,
                                const struct net_socket *listening)
{
    struct net_shared *shared = connection->shared;
    if (listening->tls == NULL)
        return true;
    if (shared->plain == NULL)
        shared->plain = mem_alloc(READ_CHUNK);
    connection->tls = tls_session_new(listening->tls);
    return connection->tls != NULL;
}

void connection_open(struct net_shared *shared, int descriptor, const struct net_socket *listening,
                     const struct net_peer *peer)
{
    struct net_connection *connection = mem_alloc_zero(sizeof *connection);
    connection->shared = shared;
    connection->peer = *peer;
    connection->purpose = listening->purpose;
    connection->id = net_admission_next_id(shared->admission);
    connection->opened_ms = connection_now_of(connection);
    if (!connection_open_tls(connection, listening)) {
        close(descriptor);
        connection_leave_admission(connection);
        free(connection);
        return;
    }
    bool opened = connection_open_handle(connection, descriptor, listening->is_unix);
    connection->uv.handle.data = connection;
    if (!opened) {
        close(descriptor);
        connection_leave_admission(connection);
        tls_session_free(connection->tls);
        uv_close(&connection->uv.handle, connection_on_not_opened);
        return;
    }
    connection->session = shared->protocol->on_open(shared->protocol->user, connection,
                                                    connection_now_of(connection));
    connection->next = shared->first;
    if (shared->first != NULL)
        shared->first->previous = connection;
    else
        uv_ref(shared->anchor);
    shared->first = connection;
    connection_flush(connection);
}

void connection_end_for(struct net_connection *connection, struct closing why)
{
    connection->shared->protocol->end(connection->session, why);
    connection->ending = true;
    connection_flush(connection);
}

void connection_close_for(struct net_connection *connection, struct closing why)
{
    connection_end_for(connection, why);
    connection_close(connection);
}

void connection_drain(struct net_connection *connection)
{
    connection->shared->protocol->drain(connection->session);
    connection_flush(connection);
}

bool net_connection_certificate(const struct net_connection *connection, net_name_function *each,
                                void *user)
{
    return connection->tls != NULL && tls_session_names(connection->tls, each, user);
}

enum net_purpose net_connection_purpose(const struct net_connection *connection)
{
    return connection->purpose;
}

struct net_connection *connection_next(const struct net_connection *connection)
{
    return connection->next;
}
