/*
 * Reading, feeding, pulling and writing for one connection. Output is gathered in a chain that the
 * loop's connections share; only when the socket does not take all of it, the chain becomes the
 * connection's own until it does.
 *
 * The end, when nothing is left to say: closing while bytes of the peer are unread would make the
 * kernel reset the connection, and the peer could lose what was said last. So our side ends first,
 * and what the peer still sends is passed over until it ends its side, within bounds.
 */
#include "net/connection.h"

#include "base/account.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "net/closings.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the end may take, and the bytes that are passed over: what windows of HTTP/2 and the
 * kernel's buffers may hold, but no flood. */
#define LINGER_MS    1000
#define LINGER_BYTES ((size_t)16 * 1024 * 1024)
/* The most that write_timeout_ms is for a peer with which the protocol has ended. */
#define LAST_WRITE_MS 5000
/* Pieces of output in one write: copied bytes and blobs take turns. */
#define MAX_PIECES 64
/* While clients hold much memory, who has taken nothing for so long may have to go, if he holds at
 * least so many bytes; and where it is the system that has no more, after so long. */
#define STUCK_MS         500
#define STUCK_STARVED_MS 5000
#define HEAVY            ((size_t)64 * 1024)
/* Output memory that a loop keeps for the next write. */
#define KEPT_OUTPUT ((size_t)512 * 1024)

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
    struct net_peer peer;
    struct chain unsent; /* what uv_write() is busy with, from `sent` on */
    struct chain_cursor sent;
    size_t write_size;      /* bytes of the write under way */
    int64_t write_moved_ms; /* when it began, or was last seen to go on */
    int64_t taken;          /* bytes that the peer had when that was last looked at */
    uint64_t handed;        /* bytes that the protocol has given to be written */
    uint64_t written;       /* of them, those of the writes that are done */
    bool unconfirmed;       /* the peer may not have taken all of what was written */
    struct {
        int64_t begun_ms;
        int64_t taken; /* at its begin, as are these: */
        uint64_t sent; /* bytes of answers that the protocol had given */
        size_t coming; /* bytes on their way to the peer */
        size_t queued; /* bytes of answers that waited in the protocol */
    } period;          /* in which the peer has to take a part of its answers */
    int64_t linger_begun_ms;
    size_t passed_over; /* bytes */
    size_t queued;      /* as counted in queued_total */
    bool is_noted;      /* the reason for its end was told */
    uv_write_t write;
    bool writing;
    bool reading;
    bool ending;       /* nothing more is fed: it ends when all that can be pulled is written */
    bool hung_up;      /* the peer has ended its side */
    bool lingering;    /* we have ended ours */
    bool waiting;      /* in the list of those to be flushed */
    bool brought_much; /* the newest read did: the protocol is asked where it wants the next */
    size_t placed;     /* bytes that were just read to where the protocol wants them */
    struct net_connection *next_waiting;
};

static void connection_on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static int64_t connection_now_of(const struct net_connection *connection)
{
    return (int64_t)uv_now(&connection->shared->uv);
}

/* Reads to where the protocol wants it; the number of bytes, 0 if it does not or there are none. */
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
    return size > 0 ? (size_t)size : 0; /* libuv meets the end, and errors, as well */
}

/* What has been read already is handed over by way of UV_ENOBUFS: libuv calls
 * connection_on_readable() with that, and does not read itself, if it gets no buffer. */
static void connection_on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct net_connection *connection = handle->data;
    if (connection->brought_much)
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

/* Reads, or stops reading, as the output that waits demands. */
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

/* libuv's buffers are iovecs on every Unix, and so are pieces of a chain. */
_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "uv_buf_t is struct iovec");

static const uv_buf_t *connection_buffers_of(const struct iovec *pieces)
{
    return (const uv_buf_t *)(const void *)pieces;
}

/* Hands the next pieces of what the socket did not take to libuv, which writes them when it can. */
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
    if (uv_write(&connection->write, &connection->uv.stream, connection_buffers_of(pieces),
                 (unsigned)count, connection_on_written) < 0) {
        connection_close(connection);
        return;
    }
    connection->writing = true;
    connection->unconfirmed = true;
    connection->write_moved_ms = connection_now_of(connection);
}

/* Writes the shared output. True if the socket took all of it. */
static bool connection_write_output(struct net_connection *connection)
{
    struct chain *output = &connection->shared->output;
    struct iovec pieces[MAX_PIECES];
    size_t count = chain_pieces(output, (struct chain_cursor){0}, pieces, MAX_PIECES);
    connection->handed += chain_length(output);
    int written =
        uv_try_write(&connection->uv.stream, connection_buffers_of(pieces), (unsigned)count);
    if (written > 0) {
        connection->written += (size_t)written;
        connection->unconfirmed = true;
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

/* Tells, once, why the server has ended the connection, if it was the server. */
static void connection_note_closing(struct net_connection *connection)
{
    const struct net_shared *shared = connection->shared;
    struct closing closing = shared->protocol->closing(connection->session);
    if (closing.kind == CLOSING_NONE || connection->is_noted)
        return;
    connection->is_noted = true;
    net_closings_note(net_admission_closings(shared->admission), &connection->peer, closing,
                      connection_now_of(connection));
}

/* All is said. */
static void connection_end(struct net_connection *connection)
{
    int descriptor;
    DCHECK(!connection->lingering && !connection->writing);
    connection_note_closing(connection);
    if (connection->hung_up || uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        shutdown(descriptor, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    connection->ending = true;
    connection->lingering = true;
    connection->linger_begun_ms = connection_now_of(connection);
    connection_count_queued(connection, 0);
    if (!connection->reading)
        uv_read_start(&connection->uv.stream, connection_on_allocate, connection_on_readable);
}

/* A peer that has ended its side sends nothing more, not even room for what waits for that. */
static bool connection_is_done(const struct net_connection *connection)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    if (connection->ending || protocol->finished(connection->session))
        return true;
    return connection->hung_up && (protocol->owes == NULL || !protocol->owes(connection->session));
}

/* Writes until the socket or the protocol has enough; the shared output is empty afterwards. What
 * nearly every read is answered with is all that there is, so that nothing is pulled after it. */
static void connection_flush(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    if (connection->lingering)
        return;
    for (bool is_first = true; !connection->writing && !uv_is_closing(&connection->uv.handle);
         is_first = false) {
        if (chain_length(&shared->output) == 0 &&
            (is_first || shared->protocol->queued(connection->session) > 0))
            shared->protocol->pull(connection->session, &shared->output,
                                   connection_now_of(connection));
        if (chain_length(&shared->output) == 0 || !connection_write_output(connection))
            break;
    }
    if (uv_is_closing(&connection->uv.handle))
        return;
    if (!connection->writing && connection_is_done(connection))
        connection_end(connection);
    else
        connection_regulate(connection);
}

static void connection_wait_for_flush(struct net_connection *connection)
{
    if (connection->waiting)
        return;
    connection->waiting = true;
    connection->next_waiting = connection->shared->waiting;
    connection->shared->waiting = connection;
}

/* A flush closes no connection but its own. */
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

void net_connection_flush(struct net_connection *connection)
{
    struct net_shared *shared = connection->shared;
    if (shared->gathering) {
        connection_wait_for_flush(connection);
        return;
    }
    if (!shared->feeding) {
        connection_flush(connection);
        return;
    }
    /* What the shared output holds is another connection's, which is being fed. */
    struct chain fed = shared->output;
    shared->output = (struct chain){0};
    connection_flush(connection);
    chain_deinit(&shared->output);
    shared->output = fed;
}

/* What was read, to there or to the protocol's places. False if the connection is to end. */
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

/* Reads on to the end of a connection with which nothing more is done. */
static void connection_pass_over(struct net_connection *connection, ssize_t count)
{
    if (count > 0)
        connection->passed_over += (size_t)count;
    if (count < 0 || connection->passed_over > LINGER_BYTES)
        connection_close(connection);
}

static void connection_on_readable(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct net_connection *connection = stream->data;
    if (count == UV_ENOBUFS)
        count = (ssize_t)connection->placed;
    if (count == 0)
        return;
    connection->brought_much = count >= (ssize_t)NET_PLACE_FROM;
    if (connection->lingering || (count < 0 && count != UV_EOF)) {
        connection_pass_over(connection, count);
        return;
    }
    if (count == UV_EOF)
        connection->hung_up = true;
    else if (!connection_feed(connection, slice_make(buffer->base, (size_t)count)))
        connection->ending = true;
    connection_flush(connection);
}

/* Life. */

static void connection_on_closed(uv_handle_t *handle)
{
    struct net_connection *connection = handle->data;
    struct net_shared *shared = connection->shared;
    CHECK(!connection->waiting); /* else a flush would find it gone */
    shared->protocol->on_close(connection->session);
    net_admission_leave(shared->admission, &connection->peer);
    chain_deinit(&connection->unsent);
    free(connection);
}

void connection_close(struct net_connection *connection)
{
    if (uv_is_closing(&connection->uv.handle))
        return;
    connection_note_closing(connection);
    connection_count_queued(connection, 0);
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

/* The handle takes the descriptor over. False if it cannot; then it is nobody's. */
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

void connection_open(struct net_shared *shared, int descriptor, bool is_unix,
                     const struct net_peer *peer)
{
    struct net_connection *connection = mem_alloc_zero(sizeof *connection);
    connection->shared = shared;
    connection->peer = *peer;
    bool opened = connection_open_handle(connection, descriptor, is_unix);
    connection->uv.handle.data = connection;
    if (!opened) {
        close(descriptor);
        net_admission_leave(shared->admission, peer);
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

/* Has the protocol say the last word; the connection ends when that is written. */
static void connection_end_because(struct net_connection *connection, struct closing why)
{
    connection->shared->protocol->end(connection->session, why);
    connection->ending = true;
    connection_flush(connection);
}

void connection_close_because(struct net_connection *connection, struct closing why)
{
    connection_end_because(connection, why);
    connection_close(connection);
}

void connection_drain(struct net_connection *connection)
{
    connection->shared->protocol->drain(connection->session);
    connection_flush(connection);
}

/* How long the peer may take nothing of what is written. */
static int64_t connection_write_timeout_ms(const struct net_connection *connection)
{
    int64_t timeout_ms = connection->shared->limits.write_timeout_ms;
    bool is_refused = connection->ending && !connection->hung_up;
    return is_refused && timeout_ms > LAST_WRITE_MS ? LAST_WRITE_MS : timeout_ms;
}

/* Bytes that the kernel has and the peer's does not. */
static size_t connection_in_kernel(struct net_connection *connection)
{
    int descriptor, bytes = 0;
    if (!connection->unconfirmed || uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        ioctl(descriptor, SIOCOUTQ, &bytes) != 0)
        bytes = 0;
    connection->unconfirmed = bytes > 0;
    return (size_t)bytes;
}

/* Bytes on their way: with us after the protocol has given them, and in the kernel. */
static size_t connection_on_the_way(struct net_connection *connection)
{
    size_t left = connection->writing ? uv_stream_get_write_queue_size(&connection->uv.stream) : 0;
    DCHECK(connection->handed >= connection->written && left <= connection->write_size);
    size_t done = connection->writing ? connection->write_size - left : 0;
    return (size_t)(connection->handed - connection->written) - done +
           connection_in_kernel(connection);
}

/* Closing is to drop what the kernel holds, not to go on sending it to who does not take it. */
static void connection_drop_on_close(struct net_connection *connection)
{
    static const struct linger at_once = {.l_onoff = 1};
    int descriptor;
    if (uv_fileno(&connection->uv.handle, &descriptor) == 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
        log_debug("a connection ends in order, though it is closed for its slowness");
}

static size_t connection_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* In a period the peer has to take what was on its way, and to make room for what waited in the
 * protocol, or min_progress of either; what it has taken may be no answers, so one does not make up
 * for the other. While much is on its way, what waits may wait for that alone. */
static bool connection_has_moved(const struct net_connection *connection, uint64_t sent)
{
    size_t enough = connection->shared->limits.min_progress;
    size_t coming = connection->period.coming;
    if (connection->taken - connection->period.taken < (int64_t)connection_least(coming, enough))
        return false;
    return coming >= enough ||
           sent - connection->period.sent >= connection_least(connection->period.queued, enough);
}

/*
 * True if the peer takes too little of its answers, for whatever reason: it does not read, or does
 * not open its windows, or does either by the byte. Looked at once a second; what is on its way to
 * a peer that keeps up is there by the next look.
 */
static bool connection_write_is_stuck(struct net_connection *connection, int64_t now_ms)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    size_t coming = connection_on_the_way(connection),
           queued = protocol->queued(connection->session);
    uint64_t sent =
        protocol->sent != NULL ? protocol->sent(connection->session) : connection->handed;
    int64_t taken = (int64_t)connection->handed - (int64_t)coming;
    if (taken != connection->taken)
        connection->write_moved_ms = now_ms;
    connection->taken = taken;
    bool owed_nothing = connection->period.coming + connection->period.queued == 0;
    if (!owed_nothing && coming + queued > 0) {
        if (now_ms - connection->period.begun_ms <= connection_write_timeout_ms(connection))
            return false;
        if (!connection_has_moved(connection, sent))
            return true;
    }
    connection->period.begun_ms = now_ms;
    connection->period.taken = taken;
    connection->period.sent = sent;
    connection->period.coming = coming;
    connection->period.queued = queued;
    return false;
}

void connection_check_timeouts(struct net_connection *connection)
{
    static const struct closing stuck = {
        CLOSING_WRITE_TIMEOUT,
        "the client took too little of its answers in time (--write-timeout, --min-progress)"};
    const struct net_shared *shared = connection->shared;
    int64_t now_ms = connection_now_of(connection);
    if (connection->lingering) {
        if (now_ms - connection->linger_begun_ms >= LINGER_MS)
            connection_close(connection);
        return;
    }
    if (shared->protocol->check != NULL && !connection->ending)
        shared->protocol->check(connection->session, now_ms);
    struct closing why = connection_write_is_stuck(connection, now_ms)
                             ? stuck
                             : shared->protocol->expired(connection->session, now_ms);
    if (why.kind == CLOSING_NONE)
        return;
    if (connection->period.coming + connection->period.queued > 0)
        connection_drop_on_close(connection);
    if (connection->writing) /* nothing more can be said */
        connection_close_because(connection, why);
    else
        connection_end_because(connection, why);
}

/* Bytes of answers that it makes us hold. */
static size_t connection_held_by(const struct net_connection *connection)
{
    return connection->queued + chain_length(&connection->unsent);
}

/* The one that holds most, of those that have taken nothing for so long. */
static struct net_connection *connection_find_heaviest(const struct net_shared *shared,
                                                       int64_t stuck_ms)
{
    struct net_connection *heaviest = NULL;
    for (struct net_connection *at = shared->first; at != NULL; at = at->next) {
        if (connection_held_by(at) < HEAVY || connection_now_of(at) - at->write_moved_ms < stuck_ms)
            continue;
        if (heaviest == NULL || connection_held_by(at) > connection_held_by(heaviest))
            heaviest = at;
    }
    return heaviest;
}

/* The one that holds most even though it takes its answers, unless hardly anybody else holds
 * anything: one answer is served whatever the limit. `relieved`: bytes of those that were closed.
 */
static struct net_connection *connection_find_heavy_beside_others(const struct net_shared *shared,
                                                                  size_t relieved)
{
    struct net_connection *heaviest = connection_find_heaviest(shared, 0);
    if (heaviest == NULL)
        return NULL;
    /* Buffers that have grown are up to twice as large as what is in them. */
    size_t own = 2 * (relieved + connection_held_by(heaviest));
    return account_allows(ACCOUNT_LEAST, own) ? NULL : heaviest;
}

void connection_relieve(struct net_shared *shared)
{
    static const struct closing unread = {
        CLOSING_CLIENT_MEMORY, "the client did not read its answers, and clients hold too much "
                               "memory (--max-client-memory)"};
    size_t used = account_used(), closed = 0, relieved = 0;
    bool starved = reserve_is_missing();
    while (starved || used > account_limit() / 2) {
        bool tight = used > account_limit() / 2;
        struct net_connection *heaviest =
            connection_find_heaviest(shared, tight ? STUCK_MS : STUCK_STARVED_MS);
        if (heaviest == NULL && used > account_limit())
            heaviest = connection_find_heavy_beside_others(shared, relieved);
        if (heaviest == NULL)
            break;
        size_t held = connection_held_by(heaviest);
        relieved += held;
        used -= held < used ? held : used;
        connection_close_because(heaviest, unread);
        closed++;
    }
    if (closed > 0)
        log_warning("%zu connections were closed: they did not read their answers, and clients "
                    "hold too much memory (see --max-client-memory)",
                    closed);
}

struct net_connection *connection_next(const struct net_connection *connection)
{
    return connection->next;
}
