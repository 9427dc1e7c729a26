/*
 * What the server says to the service manager that started it, and takes from it: sd_notify(3) and
 * sd_listen_fds(3) of systemd, which other managers speak, too. Without one these do nothing.
 */
#ifndef KEYSTORE_SERVER_SYSTEMD_H
#define KEYSTORE_SERVER_SYSTEMD_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a manager that wants notifications has started this process. */
bool systemd_is_manager(void);

/*
 * The listening sockets that were passed to this process, at most `max`, with their addresses;
 * those whose name (FileDescriptorName=) starts with "tls" speak TLS. The caller owns them.
 * Their number, or -1 after an error message on standard error. The environment
 * no longer names them afterwards.
 */
int systemd_take_sockets(int *descriptors, struct net_address *addresses, size_t max)
    __attribute__((warn_unused_result));

/* The server is loading its data. To be called often: once a second it asks for more time than the
 * manager allows for a start. */
void systemd_loading(int64_t now_ms);

/* The server loads files again; systemd_ready() follows. */
void systemd_reloading(void);

/* The server answers calls. */
void systemd_ready(void);

/* The server is finishing the calls in flight, for which it may take that long. */
void systemd_stopping(int64_t timeout_ms);

/* Within how many milliseconds the manager wants systemd_alive() again and again; 0: never. */
int64_t systemd_watchdog_ms(void);
void systemd_alive(void);

#endif
