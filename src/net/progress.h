/*
 * Whether peers take their answers in time, and which connections are closed when they do not;
 * private to net.
 */
#ifndef KEYSTORE_NET_PROGRESS_H
#define KEYSTORE_NET_PROGRESS_H

#include "net/connection.h"

/* Closes the connection if one of its timeouts has expired. To be called about once a second. */
void progress_check_timeouts(struct net_connection *connection);

/* Sheds load while clients hold more than half of the account's limit (base/account.h): closes the
 * connections with the most pending output that do not read it; above the limit also the one with
 * the most pending output if it reads. */
void progress_shed_load(struct net_shared *shared);

#endif
