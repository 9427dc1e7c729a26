/* Counters and limited log lines, one of each per reason. */
#include "net/closings.h"

#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "net/admission.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

struct net_closings {
    pthread_mutex_t lock;
    uint64_t counts[CLOSING_KINDS];
    struct log_limit limits[CLOSING_KINDS];
};

static const char *const names[CLOSING_KINDS] = {
    [CLOSING_HTTP1] = "http1",
    [CLOSING_TLS] = "tls",
    [CLOSING_PROXY] = "proxy",
    [CLOSING_NOT_HTTP2] = "not_http2",
    [CLOSING_PROTOCOL_ERROR] = "protocol_error",
    [CLOSING_FLOOD] = "flood",
    [CLOSING_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [CLOSING_HEADER_TIMEOUT] = "header_timeout",
    [CLOSING_WRITE_TIMEOUT] = "write_timeout",
    [CLOSING_CLIENT_MEMORY] = "client_memory",
    [CLOSING_SERVER_MEMORY] = "server_memory",
    [CLOSING_SHUTDOWN] = "shutdown",
};

struct net_closings *net_closings_new(void)
{
    struct net_closings *closings = mem_alloc_zero(sizeof *closings);
    pthread_mutex_init(&closings->lock, NULL);
    return closings;
}

void net_closings_free(struct net_closings *closings)
{
    if (closings == NULL)
        return;
    pthread_mutex_destroy(&closings->lock);
    free(closings);
}

void net_closings_note(struct net_closings *closings, const struct net_peer *peer,
                       struct closing closing, int64_t now_ms)
{
    char name[NET_PEER_TEXT];
    uint64_t left_out = 0;
    pthread_mutex_lock(&closings->lock);
    closings->counts[closing.kind]++;
    bool passed = log_limit_pass(&closings->limits[closing.kind], now_ms, &left_out);
    pthread_mutex_unlock(&closings->lock);
    if (!passed)
        return;
    net_peer_print(peer, name);
    if (left_out > 0)
        log_info("a connection of %s was closed: %s (and %" PRIu64 " like it, not shown)", name,
                 closing.text, left_out);
    else
        log_info("a connection of %s was closed: %s", name, closing.text);
}

void net_closings_report(struct net_closings *closings, int64_t now_ms)
{
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++) {
        pthread_mutex_lock(&closings->lock);
        uint64_t left_out = log_limit_take(&closings->limits[kind], now_ms);
        pthread_mutex_unlock(&closings->lock);
        if (left_out > 0)
            log_info("%" PRIu64 " more connections were closed like those shown before: %s",
                     left_out, names[kind]);
    }
}

uint64_t net_closings_count(struct net_closings *closings, enum closing_kind kind)
{
    pthread_mutex_lock(&closings->lock);
    uint64_t count = closings->counts[kind];
    pthread_mutex_unlock(&closings->lock);
    return count;
}

const char *net_closings_name(enum closing_kind kind)
{
    return names[kind];
}
