/* Notifications are datagrams; one that cannot be sent is no reason to stop serving. */
#include "server/systemd.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* Of a start, from the latest systemd_loading(); how often it is asked for. */
#define LOADING_US ((uint64_t)30 * 1000 * 1000)
#define LOADING_MS 1000
/* For the snapshot or sync that follows the last call. */
#define STOPPING_MORE_MS 60000

static bool systemd_describe(int descriptor, struct net_address *address)
{
    address->size = sizeof address->socket;
    if (sd_is_socket(descriptor, AF_UNSPEC, SOCK_STREAM, 1) > 0 &&
        getsockname(descriptor, (struct sockaddr *)&address->socket, &address->size) == 0 &&
        net_address_name(address))
        return true;
    log_fatal("keystore-server",
              "descriptor %d, passed by the service manager, is not a listening "
              "TCP or unix socket; see ListenStream= in systemd.socket(5)",
              descriptor);
    return false;
}

static int systemd_describe_all(int count, char **names, int *descriptors,
                                struct net_address *addresses, size_t max)
{
    if ((size_t)count > max) {
        log_fatal("keystore-server",
                  "the service manager passes %d sockets; the server listens on at "
                  "most %zu addresses",
                  count, max);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        descriptors[i] = SD_LISTEN_FDS_START + i;
        if (!systemd_describe(descriptors[i], &addresses[i]))
            return -1;
        addresses[i].is_tls = names != NULL && strncmp(names[i], "tls", strlen("tls")) == 0;
    }
    return count;
}

int systemd_take_sockets(int *descriptors, struct net_address *addresses, size_t max)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    if (count < 0) {
        log_fatal("keystore-server", "LISTEN_FDS, set by the service manager: %s",
                  strerror(-count));
        return -1;
    }
    int taken = systemd_describe_all(count, names, descriptors, addresses, max);
    for (int i = 0; i < count && names != NULL; i++)
        free(names[i]);
    free(names);
    return taken;
}

bool systemd_is_manager(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void systemd_loading(int64_t now_ms)
{
    static int64_t asked_ms;
    if (asked_ms != 0 && now_ms < asked_ms + LOADING_MS)
        return;
    asked_ms = now_ms;
    sd_notifyf(0, "STATUS=Loading the data\nEXTEND_TIMEOUT_USEC=%llu",
               (unsigned long long)LOADING_US);
}

void systemd_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)clock_monotonic_ms() * 1000);
}

void systemd_ready(void)
{
    sd_notify(0, "READY=1\nSTATUS=Serving");
}

void systemd_stopping(int64_t timeout_ms)
{
    uint64_t timeout_us = (uint64_t)(timeout_ms + STOPPING_MORE_MS) * 1000;
    sd_notifyf(0, "STOPPING=1\nSTATUS=Finishing the calls in flight\nEXTEND_TIMEOUT_USEC=%llu",
               (unsigned long long)timeout_us);
}

int64_t systemd_watchdog_ms(void)
{
    uint64_t period_us;
    return sd_watchdog_enabled(0, &period_us) > 0 ? (int64_t)(period_us / 1000) : 0;
}

void systemd_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}
