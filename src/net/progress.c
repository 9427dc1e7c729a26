/*
 * Judges once a second whether a peer takes its answers, by what it has acknowledged and by what
 * its flow-control windows let the protocol output. Does not read or write.
 */
#include "net/progress.h"

#include "base/account.h"
#include "base/check.h"
#include "base/log.h"
#include "base/reserve.h"
#include "net/connection_state.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The longest lingering close, in milliseconds. */
#define LINGER_MS 1000
/* The upper bound of write_timeout_ms after the protocol has ended the connection. */
#define LAST_WRITE_MS 5000
/* Load shedding: a connection qualifies if it has at least MIN_PENDING bytes of pending output and
 * has taken nothing for STUCK_MS or, if the system is out of memory while the account is not tight,
 * for STUCK_STARVED_MS. */
#define STUCK_MS         500
#define STUCK_STARVED_MS 5000
#define MIN_PENDING      ((size_t)64 * 1024)

/* How long the peer may take none of its output. */
static int64_t progress_write_timeout_ms(const struct net_connection *connection)
{
    int64_t timeout_ms = connection->shared->limits.write_timeout_ms;
    bool is_refused = connection->ending && !connection->hung_up;
    return is_refused && timeout_ms > LAST_WRITE_MS ? LAST_WRITE_MS : timeout_ms;
}

/* Bytes in the kernel that the peer has not acknowledged. */
static size_t progress_unacked_in_kernel(struct net_connection *connection)
{
    int descriptor, bytes = 0;
    if (!connection->may_be_unacked || uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        ioctl(descriptor, SIOCOUTQ, &bytes) != 0)
        bytes = 0;
    connection->may_be_unacked = bytes > 0;
    return (size_t)bytes;
}

/* Bytes in flight: output by the protocol and not yet acknowledged by the peer. */
static size_t progress_in_flight(struct net_connection *connection)
{
    size_t left = connection->writing ? uv_stream_get_write_queue_size(&connection->uv.stream) : 0;
    DCHECK(connection->output_total >= connection->written && left <= connection->write_size);
    size_t done = connection->writing ? connection->write_size - left : 0;
    return (size_t)(connection->output_total - connection->written) - done +
           progress_unacked_in_kernel(connection);
}

/* Makes closing drop what the kernel holds (SO_LINGER 0) instead of sending it on to a peer that
 * does not take it. */
static void progress_drop_on_close(struct net_connection *connection)
{
    static const struct linger reset = {.l_onoff = 1};
    int descriptor;
    if (uv_fileno(&connection->uv.handle, &descriptor) == 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0)
        log_debug("SO_LINGER cannot be set: a slow connection is closed without a reset");
}

static size_t progress_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Within a period the peer must take what was in flight at its start, and open its windows for what
 * was queued in the protocol, or min_progress bytes of each. One does not make up for the other,
 * since the bytes taken may not be answers. While much is in flight, queued answers may be waiting
 * for that alone. */
static bool progress_is_enough(const struct net_connection *connection, uint64_t sent)
{
    size_t enough = connection->shared->limits.min_progress;
    size_t in_flight = connection->period.in_flight;
    if (connection->acked - connection->period.acked < (int64_t)progress_min(in_flight, enough))
        return false;
    return in_flight >= enough ||
           sent - connection->period.sent >= progress_min(connection->period.queued, enough);
}

/*
 * True if the peer takes too little of its answers, for whatever reason: it does not read, does not
 * open its flow-control windows, or does either byte by byte. Called once a second: what is in
 * flight to a peer that keeps up has arrived by the next call.
 */
static bool progress_is_stuck(struct net_connection *connection, int64_t now_ms)
{
    const struct net_protocol *protocol = connection->shared->protocol;
    size_t in_flight = progress_in_flight(connection),
           queued = protocol->owed != NULL ? protocol->owed(connection->session)
                                           : protocol->queued(connection->session);
    uint64_t sent =
        protocol->sent != NULL ? protocol->sent(connection->session) : connection->output_total;
    int64_t acked = (int64_t)connection->output_total - (int64_t)in_flight;
    if (acked != connection->acked)
        connection->write_moved_ms = now_ms;
    connection->acked = acked;
    bool was_idle = connection->period.in_flight + connection->period.queued == 0;
    if (!was_idle && in_flight + queued > 0) {
        if (now_ms - connection->period.start_ms <= progress_write_timeout_ms(connection))
            return false;
        if (!progress_is_enough(connection, sent))
            return true;
    }
    connection->period.start_ms = now_ms;
    connection->period.acked = acked;
    connection->period.sent = sent;
    connection->period.in_flight = in_flight;
    connection->period.queued = queued;
    return false;
}

void progress_check_timeouts(struct net_connection *connection)
{
    static const struct closing stuck = {
        CLOSING_WRITE_TIMEOUT,
        "the client took too little of its answers in time (--write-timeout, --min-progress)"};
    const struct net_shared *shared = connection->shared;
    int64_t now_ms = connection_now_of(connection);
    if (connection->lingering) {
        if (now_ms - connection->linger_start_ms >= LINGER_MS)
            connection_close(connection);
        return;
    }
    if (shared->protocol->check != NULL && !connection->ending)
        shared->protocol->check(connection->session, now_ms);
    struct closing why = progress_is_stuck(connection, now_ms)
                             ? stuck
                             : shared->protocol->expired(connection->session, now_ms);
    if (why.kind == CLOSING_NONE)
        return;
    if (connection->period.in_flight + connection->period.queued > 0)
        progress_drop_on_close(connection);
    if (connection->writing) /* no more output can be written */
        connection_close_for(connection, why);
    else
        connection_end_for(connection, why);
}

/* Bytes of pending output of the connection. */
static size_t progress_pending(const struct net_connection *connection)
{
    return connection->queued + chain_length(&connection->unsent);
}

/* The connection with the most pending output, of those that have taken nothing for `stuck_ms`. */
static struct net_connection *progress_find_heaviest(const struct net_shared *shared,
                                                     int64_t stuck_ms)
{
    struct net_connection *heaviest = NULL;
    for (struct net_connection *at = shared->first; at != NULL; at = at->next) {
        if (progress_pending(at) < MIN_PENDING ||
            connection_now_of(at) - at->write_moved_ms < stuck_ms)
            continue;
        if (heaviest == NULL || progress_pending(at) > progress_pending(heaviest))
            heaviest = at;
    }
    return heaviest;
}

/* The connection with the most pending output even if it takes its answers, unless the others hold
 * hardly anything: a single answer is served whatever the limit. `shed`: bytes of connections
 * closed already. */
static struct net_connection *progress_find_heaviest_reader(const struct net_shared *shared,
                                                            size_t shed)
{
    struct net_connection *heaviest = progress_find_heaviest(shared, 0);
    if (heaviest == NULL)
        return NULL;
    /* A grown buffer has a capacity of up to twice its length. */
    size_t own = 2 * (shed + progress_pending(heaviest));
    return account_allows(ACCOUNT_LEAST, own) ? NULL : heaviest;
}

void progress_shed_load(struct net_shared *shared)
{
    static const struct closing unread = {
        CLOSING_CLIENT_MEMORY, "the client did not read its answers, and clients hold too much "
                               "memory (--max-client-memory)"};
    size_t used = account_used(), closed = 0, shed = 0;
    bool starved = reserve_is_missing();
    while (starved || used > account_limit() / 2) {
        bool tight = used > account_limit() / 2;
        struct net_connection *heaviest =
            progress_find_heaviest(shared, tight ? STUCK_MS : STUCK_STARVED_MS);
        if (heaviest == NULL && used > account_limit())
            heaviest = progress_find_heaviest_reader(shared, shed);
        if (heaviest == NULL)
            break;
        size_t held = progress_pending(heaviest);
        shed += held;
        used -= held < used ? held : used;
        connection_close_for(heaviest, unread);
        closed++;
    }
    if (closed > 0)
        log_warning("%zu connections were closed: they did not read their answers, and clients "
                    "hold too much memory (see --max-client-memory)",
                    closed);
}
