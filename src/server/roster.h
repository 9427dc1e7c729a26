/* The connections of a worker, for the methods Clients and KillClients. */
#ifndef KEYSTORE_SERVER_ROSTER_H
#define KEYSTORE_SERVER_ROSTER_H

#include "service/streams/clients.h"

struct net_loop;

/* Of the loop, whose sessions are grpc_connections. */
struct clients_source roster_source(struct net_loop *loop);

#endif
