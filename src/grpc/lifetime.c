/*
 * The age and the idleness of connections (gRFC A9). Either drains a connection, so that no call
 * fails: its client makes a new one for its next calls, perhaps to another server behind the same
 * name.
 */
#include "base/random.h"
#include "grpc/call.h"

static const struct closing lifetime_aged = {
    CLOSING_MAX_AGE, "it has reached its maximum age (--max-connection-age)"};
static const struct closing lifetime_idle = {CLOSING_MAX_IDLE,
                                             "it had no calls for too long (--idle-timeout)"};
static const struct closing lifetime_late = {
    CLOSING_MAX_AGE, "it has reached its maximum age, and its calls did not end in time "
                     "(--max-connection-age, --max-connection-age-grace)"};

int64_t lifetime_jitter(int64_t age_ms, uint64_t random)
{
    return age_ms - age_ms / 10 + (int64_t)(random % (uint64_t)(age_ms / 5 + 1));
}

void lifetime_init(struct grpc_connection *connection, int64_t now_ms)
{
    int64_t age_ms = connection->server->limits.max_age_ms;
    uint64_t random;
    connection->lifetime =
        (struct lifetime){.ends_ms = INT64_MAX, .cut_ms = INT64_MAX, .idle_since_ms = now_ms};
    if (age_ms == 0)
        return;
    random_fill(&random, sizeof random);
    connection->lifetime.ends_ms = now_ms + lifetime_jitter(age_ms, random);
}

static void lifetime_end(struct grpc_connection *connection, struct closing why)
{
    connection->lifetime.is_over = true;
    http2_session_drain(connection->session, why);
    call_tell_output(connection);
}

/* A call that starts and ends between two checks is noticed by its stream identifier. */
static bool lifetime_is_idle(struct grpc_connection *connection, int64_t now_ms)
{
    struct lifetime *lifetime = &connection->lifetime;
    int64_t timeout_ms = connection->server->limits.idle_timeout_ms;
    uint32_t last_stream;
    if (http2_session_open_streams(connection->session, &last_stream) > 0 ||
        last_stream != lifetime->last_stream) {
        lifetime->last_stream = last_stream;
        lifetime->idle_since_ms = now_ms;
    }
    return timeout_ms != 0 && now_ms - lifetime->idle_since_ms > timeout_ms;
}

void lifetime_check(struct grpc_connection *connection, int64_t now_ms)
{
    struct lifetime *lifetime = &connection->lifetime;
    int64_t grace_ms = connection->server->limits.max_age_grace_ms;
    if (!lifetime->is_over && now_ms >= lifetime->ends_ms) {
        lifetime->cut_ms = grace_ms == 0 ? INT64_MAX : now_ms + grace_ms;
        lifetime_end(connection, lifetime_aged);
    } else if (!lifetime->is_over && lifetime_is_idle(connection, now_ms)) {
        lifetime_end(connection, lifetime_idle);
    } else if (now_ms >= lifetime->cut_ms) {
        call_drain(connection, lifetime_aged,
                   "the connection has reached its maximum age "
                   "(--max-connection-age-grace); nothing was popped");
        call_tell_output(connection);
    }
}

struct closing lifetime_expired(const struct grpc_connection *connection, int64_t now_ms)
{
    const struct lifetime *lifetime = &connection->lifetime;
    int64_t patience_ms = connection->server->limits.http2.goaway_timeout_ms;
    uint32_t last_stream;
    if (lifetime->cut_ms == INT64_MAX || now_ms - lifetime->cut_ms < patience_ms ||
        http2_session_open_streams(connection->session, &last_stream) == 0)
        return (struct closing){CLOSING_NONE, NULL};
    return lifetime_late;
}
