/* Counters and limited log lines, one of each per reason. */
#include "net/closings.h"

#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "net/peer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

struct net_closings {
    atomic_uint_fast64_t counts[CLOSING_KINDS];
    struct log_limit limits[CLOSING_KINDS];
};

static const char *const names[CLOSING_KINDS] = {
    [CLOSING_HTTP1] = "http1",
    [CLOSING_TLS] = "tls",
    [CLOSING_PROXY] = "proxy",
    [CLOSING_NOT_HTTP2] = "not_http2",
    [CLOSING_PROTOCOL_ERROR] = "protocol_error",
    [CLOSING_FLOOD] = "flood",
    [CLOSING_TOO_MANY_PINGS] = "too_many_pings",
    [CLOSING_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [CLOSING_HEADER_TIMEOUT] = "header_timeout",
    [CLOSING_WRITE_TIMEOUT] = "write_timeout",
    [CLOSING_KEEPALIVE_TIMEOUT] = "keepalive_timeout",
    [CLOSING_MAX_IDLE] = "max_idle",
    [CLOSING_MAX_AGE] = "max_age",
    [CLOSING_CLIENT_MEMORY] = "client_memory",
    [CLOSING_SERVER_MEMORY] = "server_memory",
    [CLOSING_SHUTDOWN] = "shutdown",
    [CLOSING_KILLED] = "killed",
    [CLOSING_TLS_FAILED] = "tls_failed",
};

struct net_closings *net_closings_new(void)
{
    return mem_alloc_zero(sizeof(struct net_closings));
}

void net_closings_free(struct net_closings *closings)
{
    free(closings);
}

void net_closings_note(struct net_closings *closings, const struct net_peer *peer,
                       struct closing closing, int64_t now_ms)
{
    char name[NET_PEER_TEXT];
    uint64_t events;
    atomic_fetch_add(&closings->counts[closing.kind], 1);
    if (!log_limit_note(&closings->limits[closing.kind], NET_CLOSINGS_LINES, now_ms, 1, &events))
        return;
    net_peer_print(peer, name);
    if (events > 1)
        log_info("the connection from %s was closed: %s (and %" PRIu64 " like it, not shown)", name,
                 closing.text, events - 1);
    else
        log_info("the connection from %s was closed: %s", name, closing.text);
}

void net_closings_report(struct net_closings *closings, int64_t now_ms)
{
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++) {
        uint64_t events;
        if (log_limit_note(&closings->limits[kind], NET_CLOSINGS_LINES, now_ms, 0, &events))
            log_info("%" PRIu64 " more connections were closed like those shown before: %s", events,
                     names[kind]);
    }
}

uint64_t net_closings_count(struct net_closings *closings, enum closing_kind kind)
{
    return atomic_load(&closings->counts[kind]);
}

const char *net_closings_name(enum closing_kind kind)
{
    return names[kind];
}
