/* Judges listening sockets by getsockname(2), so that names, wildcards and sockets of a service
 * manager are all judged alike. */
#include "server/exposure.h"

#include "base/log.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool exposure_is_local_v4(uint32_t host)
{
    return host >> 24 == IN_LOOPBACKNET;
}

static bool exposure_is_local_v6(const struct in6_addr *host)
{
    uint32_t mapped;
    memcpy(&mapped, host->s6_addr + 12, sizeof mapped);
    return IN6_IS_ADDR_LOOPBACK(host) ||
           (IN6_IS_ADDR_V4MAPPED(host) && exposure_is_local_v4(ntohl(mapped)));
}

bool exposure_is_local(const struct sockaddr_storage *bound)
{
    switch (bound->ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return exposure_is_local_v4(ntohl(((const struct sockaddr_in *)bound)->sin_addr.s_addr));
    case AF_INET6:
        return exposure_is_local_v6(&((const struct sockaddr_in6 *)bound)->sin6_addr);
    default:
        return false;
    }
}

static bool exposure_is_bound_locally(int descriptor)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    return getsockname(descriptor, (struct sockaddr *)&bound, &size) == 0 &&
           exposure_is_local(&bound);
}

bool exposure_find(const struct config *config, int descriptor, const struct net_address *address,
                   struct exposure *exposure)
{
    bool has_users = config->users_file[0] != '\0';
    bool has_certificates =
        address->is_tls && config->tls_client_certs == NET_TLS_CLIENT_CERTS_REQUIRED;
    if (exposure_is_bound_locally(descriptor) ||
        (address->is_tls && (has_users || has_certificates)))
        return false;
    const char *tls = address->is_passed ? "name the socket tls (FileDescriptorName=)"
                                         : "use --tls-listen instead of --listen";
    const char *danger, *who = "";
    if (address->is_tls)
        danger = "the server has no users (--users-file), so they could read and change all data";
    else if (has_users)
        danger = "it has no TLS (--tls-listen), so tokens and data could be read on the way";
    else
        danger = "it has neither TLS (--tls-listen) nor users (--users-file), so they could read "
                 "and change all data";
    if (!has_users)
        who = "set --users-file, or --tls-client-ca if every client has a certificate";
    snprintf(exposure->danger, EXPOSURE_TEXT, "other machines can reach it, and %s", danger);
    snprintf(exposure->remedy, EXPOSURE_TEXT, "%s%s%s", address->is_tls ? "" : tls,
             !address->is_tls && !has_users ? " and " : "", who);
    return true;
}

bool exposure_accept(const struct config *config, int descriptor, const struct net_address *address)
{
    struct exposure exposure;
    if (!exposure_find(config, descriptor, address, &exposure))
        return true;
    if (config->insecure) {
        log_warning("--insecure is set, and %s is open: %s", address->text, exposure.danger);
        return true;
    }
    log_fatal("keystore-server",
              "refuses to listen on %s: %s; %s, listen on 127.0.0.1, [::1] or unix:PATH, or accept "
              "the danger with --insecure",
              address->text, exposure.danger, exposure.remedy);
    return false;
}
