/* The peer of a connection. */
#ifndef KEYSTORE_NET_PEER_H
#define KEYSTORE_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr_storage;

struct net_peer {
    uint8_t address[16]; /* IPv6, or IPv4-mapped */
    uint16_t port;
    bool is_counted; /* false for unix sockets, which have no address */
};

struct net_peer net_peer_of(const struct sockaddr_storage *address);

/* "HOST:PORT", "[IPV6]:PORT" or "a unix socket", for messages. */
#define NET_PEER_TEXT 64
void net_peer_print(const struct net_peer *peer, char text[NET_PEER_TEXT]);

#endif
