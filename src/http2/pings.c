/*
 * PINGs in both directions. Ours find peers that are gone without a word (gRFC A9): a connection is
 * looked at once a second, and costs a PING only when the peer has been silent. Those of the peer
 * are answered, and counted if they come too early (gRFC A8), as gRPC's servers do.
 */
#include "base/check.h"
#include "http2/session.h"

/* How long the PING of a drain may stay unacknowledged before its second step is taken. */
#define DRAIN_ACK_MS 5000
/* PINGs that may come too early; clients measure and round their intervals, too. */
#define MAX_STRIKES 2

static const uint8_t pings_drain[8] = "drain", pings_alive[8] = "alive";

void pings_init(struct http2_session *session)
{
    session->pings.last_ms = INT64_MIN / 2; /* the first one is never early */
}

void pings_send_drain(struct http2_session *session)
{
    send_ping(session, pings_drain, false);
}

void pings_take_ack(struct http2_session *session, const uint8_t *data)
{
    if (session->drain_steps == 1 && memcmp(data, pings_drain, sizeof pings_drain) == 0)
        http2_session_drain(session, session->draining);
}

/* True if the PING comes too early. A client that measures its bandwidth sends one when it has got
 * DATA, so an answer in between permits another. Bodies are counted anyway, which costs the path of
 * a call nothing. */
static bool pings_is_early(const struct http2_session *session, bool answered)
{
    int64_t interval_ms = session->context->limits.min_ping_interval_ms;
    return !answered && session->now_ms - session->pings.last_ms < interval_ms;
}

static enum http2_error pings_count(struct http2_session *session)
{
    if (session_is_ending(session)) /* it may not have read the GOAWAY yet */
        return receive_count_idle_frame(session);
    bool answered = session->pings.answered || session->pings.sent != session->sent;
    uint32_t strikes = answered ? 0 : session->pings.strikes;
    session->pings.strikes = strikes + pings_is_early(session, answered);
    session->pings.last_ms = session->now_ms;
    session->pings.sent = session->sent;
    session->pings.answered = false;
    if (session->pings.strikes <= MAX_STRIKES)
        return HTTP2_NO_ERROR;
    return session_end_for(session, (struct closing){CLOSING_TOO_MANY_PINGS,
                                                     "the client sent PINGs too often; its "
                                                     "keepalive interval must be longer "
                                                     "(--min-ping-interval)"});
}

enum http2_error pings_take(struct http2_session *session, const uint8_t *data)
{
    send_ping(session, data, true);
    return session->context->limits.min_ping_interval_ms > 0 ? pings_count(session)
                                                             : HTTP2_NO_ERROR;
}

/* True if nothing has come since the last PING of the keepalive. When that was sent, nothing had
 * come for keepalive_time_ms. */
static bool pings_awaits(const struct http2_session *session)
{
    return session->probed_ms - session->heard_ms >= session->context->limits.keepalive_time_ms;
}

/*
 * While output is pending, the peer is judged by whether it takes that (net/progress.c), and may
 * not even be read (backpressure), so that its silence says nothing.
 */
static void pings_probe(struct http2_session *session)
{
    bool is_pending = http2_session_queued(session) > 0;
    if (pings_awaits(session)) {
        if (is_pending)
            session->probed_ms = session->now_ms; /* it has all of its time again */
    } else if (!is_pending) {
        send_ping(session, pings_alive, false);
        session->probed_ms = session->now_ms;
    }
}

void pings_check(struct http2_session *session)
{
    int64_t time_ms = session->context->limits.keepalive_time_ms;
    if (time_ms > 0 && session->settings_received && session->now_ms - session->heard_ms >= time_ms)
        pings_probe(session);
    if (session->drain_steps != 1)
        return;
    if (session->drained_ms == 0)
        session->drained_ms = session->now_ms;
    else if (session->now_ms - session->drained_ms >= DRAIN_ACK_MS)
        http2_session_drain(session, session->draining);
}

bool pings_expired(const struct http2_session *session, int64_t now_ms)
{
    const struct http2_limits *limits = &session->context->limits;
    return limits->keepalive_time_ms > 0 && session->probed_ms > 0 && pings_awaits(session) &&
           now_ms - session->probed_ms >= limits->keepalive_timeout_ms &&
           http2_session_queued(session) == 0;
}
