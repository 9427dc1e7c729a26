/* Where to listen: "HOST:PORT", "[IPV6]:PORT" or "unix:PATH". */
#ifndef KEYSTORE_NET_ADDRESS_H
#define KEYSTORE_NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct net_address {
    struct sockaddr_storage socket;
    socklen_t size; /* bytes of `socket` in use */
    char text[128]; /* as given, for messages; see net_address_name_port() */
    bool is_passed; /* its socket comes from another process, which keeps it open */
    bool is_tls;    /* its connections speak TLS */
};

/*
 * HOST is an IPv4 or IPv6 address or "localhost"; PORT is 0 (the system chooses) to 65535. On
 * failure returns false, and *why is an error message in static memory.
 */
bool net_address_parse(const char *text, struct net_address *address, const char **why)
    __attribute__((warn_unused_result));

bool net_address_is_unix(const struct net_address *address);

/* The port; 0 for unix. */
int net_address_port(const struct net_address *address);

/* Sets the text from `socket` and `size`, as net_address_parse() reads it. False if the socket is
 * neither TCP nor unix with a path. */
bool net_address_name(struct net_address *address) __attribute__((warn_unused_result));

/* Sets the port in `text` to that of `socket`, which the system may have chosen. */
void net_address_name_port(struct net_address *address);

/* The path of a unix address. */
const char *net_address_path(const struct net_address *address);

#endif
