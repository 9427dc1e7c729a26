/* From a loop's connections and their gRPC sessions to entries of the service. */
#include "server/roster.h"

#include "base/mem.h"
#include "grpc/server.h"
#include "net/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof((struct client_entry *)0)->address >= NET_PEER_TEXT, "addresses fit");
_Static_assert(sizeof((struct client_entry *)0)->listener >= sizeof((struct net_address *)0)->text,
               "listeners fit");

struct roster_visit {
    struct net_visit visit;
    struct net_connection *connection; /* the newest */
};

static void *roster_begin(void *user)
{
    struct roster_visit *visit = mem_alloc_zero(sizeof *visit);
    net_visit_begin(user, &visit->visit);
    return visit;
}

static bool roster_next(void *user, struct client_entry *entry)
{
    struct roster_visit *visit = user;
    visit->connection = net_visit_next(&visit->visit);
    if (visit->connection == NULL)
        return false;
    entry->id = net_connection_id(visit->connection);
    entry->connection = net_connection_session(visit->connection);
    const struct net_peer *peer = net_connection_peer(visit->connection);
    if (peer->is_counted)
        net_peer_print(peer, entry->address);
    else
        snprintf(entry->address, sizeof entry->address, "unix");
    return true;
}

/* Copies a text in ASCII, as paths need not be UTF-8. */
static void roster_copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
    for (; *to != '\0'; to++)
        if ((unsigned char)*to >= 0x80)
            *to = '?';
}

static void roster_describe(void *user, struct client_entry *entry)
{
    const struct roster_visit *visit = user;
    struct net_traffic traffic = net_connection_traffic(visit->connection);
    struct grpc_description grpc = grpc_connection_describe(entry->connection);
    struct net_address listener;
    net_connection_listener(visit->connection, &listener);
    roster_copy(entry->listener, sizeof entry->listener, listener.text);
    roster_copy(entry->user_agent, sizeof entry->user_agent, grpc.user_agent);
    entry->age_ms = traffic.age_ms;
    entry->idle_ms = traffic.now_ms - grpc.active_ms;
    entry->calls = grpc.calls;
    entry->streams = grpc.streams;
    entry->calls_so_far = grpc.calls_so_far;
    entry->bytes_in = traffic.bytes_in;
    entry->bytes_out = traffic.bytes_out;
    entry->queued = traffic.unsent;
}

static void roster_kill(void *user)
{
    static const struct closing killed = {CLOSING_KILLED, "killed by an administrator"};
    const struct roster_visit *visit = user;
    net_connection_kill(visit->connection, killed);
}

static void roster_end(void *user)
{
    struct roster_visit *visit = user;
    net_visit_end(&visit->visit);
    free(visit);
}

struct clients_source roster_source(struct net_loop *loop)
{
    return (struct clients_source){.user = loop,
                                   .begin = roster_begin,
                                   .next = roster_next,
                                   .describe = roster_describe,
                                   .kill = roster_kill,
                                   .end = roster_end};
}
