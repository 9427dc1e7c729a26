/* Converts the addresses of peers, and formats them for messages. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct net_peer net_peer_of(const struct sockaddr_storage *address)
{
    struct net_peer peer = {.is_counted = true};
    if (address->ss_family == AF_INET6) {
        memcpy(peer.address, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
        peer.port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    } else if (address->ss_family == AF_INET) {
        memset(peer.address + 10, 0xff, 2);
        memcpy(peer.address + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
        peer.port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    } else {
        peer.is_counted = false;
    }
    return peer;
}

void net_peer_print(const struct net_peer *peer, char text[NET_PEER_TEXT])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char host[INET6_ADDRSTRLEN] = "";
    bool is_ip4 = memcmp(peer->address, mapped, sizeof mapped) == 0;
    inet_ntop(is_ip4 ? AF_INET : AF_INET6, peer->address + (is_ip4 ? 12 : 0), host, sizeof host);
    if (peer->is_counted)
        snprintf(text, NET_PEER_TEXT, is_ip4 ? "%s:%u" : "[%s]:%u", host, (unsigned)peer->port);
    else
        snprintf(text, NET_PEER_TEXT, "a unix socket");
}
