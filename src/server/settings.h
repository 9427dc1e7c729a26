/* The settings of the server (config.h). */
#ifndef KEYSTORE_SERVER_SETTINGS_H
#define KEYSTORE_SERVER_SETTINGS_H

#include "base/log.h"
#include "http2/http2.h"
#include "journal/journal.h"
#include "net/address.h"
#include "net/loop.h"
#include "store/store.h"

#include <stdint.h>

#define CONFIG_MAX_LISTEN 16
/* Bytes of a path with its terminating zero. */
#define CONFIG_MAX_PATH 1024

/* How the server describes its API to tools. */
enum reflection { REFLECTION_ON, REFLECTION_OFF, REFLECTION_TEXT };

struct config {
    struct net_address listen[CONFIG_MAX_LISTEN];
    size_t listen_count;
    bool listens_by_default; /* no address was set */
    uint32_t threads;
    uint32_t max_connections;
    uint32_t max_per_address;   /* connections; 0 = any number */
    size_t max_value;           /* bytes */
    int64_t request_timeout_ms; /* as in struct grpc_limits */
    int64_t idle_timeout_ms;    /* the same; 0 = never */
    size_t max_client_memory;   /* bytes for requests and answers, see base/account.h */
    size_t watch_history;       /* bytes of recent changes that are kept for watchers */
    struct store_options store;
    char dir[CONFIG_MAX_PATH]; /* the data directory */
    struct journal_options journal;
    bool has_rules; /* journal.rules were set, perhaps to none */
    uint64_t given; /* a bit for each row of options.h that was set, even to its default */
    uint64_t on_command_line; /* of them, those on the command line */
    enum log_level log_level;
    enum reflection reflection;
    struct http2_limits http2;
    struct net_limits net;
};

#endif
