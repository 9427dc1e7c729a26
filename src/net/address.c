/* Parses addresses to listen on, without name resolution: the result does not depend on the
 * network. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool address_fail(const char *message, const char **why)
{
    *why = message;
    return false;
}

static bool address_parse_port(const char *text, in_port_t *port)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number > 65535)
        return false;
    *port = htons((in_port_t)number);
    return true;
}

static bool address_parse_unix(const char *path, struct net_address *address, const char **why)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->socket;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof un->sun_path)
        return address_fail("unix: must be followed by the path of the socket, 1 to 107 bytes",
                            why);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->size = sizeof *un;
    return true;
}

/* `host` is without its brackets; only an IPv6 address may be `bracketed`. */
static bool address_parse_host(const char *host, bool bracketed, in_port_t port,
                               struct net_address *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address->socket;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->socket;
    if (!bracketed && strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (!bracketed && inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = port;
        address->size = sizeof *in;
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = port;
        address->size = sizeof *in6;
        return true;
    }
    return false;
}

bool net_address_parse(const char *text, struct net_address *address, const char **why)
{
    *address = (struct net_address){0};
    size_t len = strlen(text);
    if (len >= sizeof address->text)
        return address_fail("an address has at most 127 bytes", why);
    memcpy(address->text, text, len + 1);
    if (strncmp(text, "unix:", 5) == 0)
        return address_parse_unix(text + 5, address, why);

    char host[sizeof address->text];
    memcpy(host, text, len + 1);
    char *colon = strrchr(host, ':');
    in_port_t port;
    if (colon == NULL || !address_parse_port(colon + 1, &port))
        return address_fail("an address is HOST:PORT with a port of 0 to 65535, or unix:PATH", why);
    *colon = '\0';
    bool bracketed = host[0] == '[' && colon > host + 1 && colon[-1] == ']';
    if (bracketed) {
        colon[-1] = '\0';
    } else if (strchr(host, ':') != NULL) {
        return address_fail("an IPv6 address must be in brackets: [::1]:50051", why);
    }
    if (!address_parse_host(bracketed ? host + 1 : host, bracketed, port, address))
        return address_fail(
            "the host is not an IPv4 or IPv6 address or localhost, as in 127.0.0.1:50051", why);
    return true;
}

bool net_address_is_unix(const struct net_address *address)
{
    return address->socket.ss_family == AF_UNIX;
}

int net_address_port(const struct net_address *address)
{
    if (address->socket.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->socket)->sin_port);
    if (address->socket.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->socket)->sin6_port);
    return 0;
}

bool net_address_name(struct net_address *address)
{
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = address->socket.ss_family == AF_INET6;
    if (net_address_is_unix(address)) {
        const char *path = net_address_path(address);
        snprintf(address->text, sizeof address->text, "unix:%s", path);
        return path[0] != '\0'; /* else it is an abstract socket, or has no name */
    }
    const void *ip = is_v6 ? (const void *)&((struct sockaddr_in6 *)&address->socket)->sin6_addr
                           : (const void *)&((struct sockaddr_in *)&address->socket)->sin_addr;
    if (!is_v6 && address->socket.ss_family != AF_INET)
        return false;
    inet_ntop(address->socket.ss_family, ip, host, sizeof host);
    snprintf(address->text, sizeof address->text, is_v6 ? "[%s]:%d" : "%s:%d", host,
             net_address_port(address));
    return true;
}

void net_address_name_port(struct net_address *address)
{
    char *colon = strrchr(address->text, ':');
    if (net_address_is_unix(address) || colon == NULL)
        return;
    size_t left = sizeof address->text - (size_t)(colon - address->text);
    snprintf(colon, left, ":%d", net_address_port(address));
}

const char *net_address_path(const struct net_address *address)
{
    return ((const struct sockaddr_un *)&address->socket)->sun_path;
}
