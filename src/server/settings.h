/* The settings of the server (config.h). */
#ifndef KEYSTORE_SERVER_SETTINGS_H
#define KEYSTORE_SERVER_SETTINGS_H

#include "base/log.h"
#include "grpc/handler.h"
#include "http2/http2.h"
#include "journal/journal.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"
#include "service/quota.h"
#include "store/store.h"

#include <stdint.h>

#define CONFIG_MAX_LISTEN 16
/* Bytes of a path with its terminating zero. */
#define CONFIG_MAX_PATH 1024

#define CONFIG_SLOW_LOG_OFF INT64_MAX

/* How the server describes its API to tools. */
enum reflection { REFLECTION_ON, REFLECTION_OFF, REFLECTION_TEXT };

struct config {
    struct net_address listen[CONFIG_MAX_LISTEN];
    size_t listen_count;
    bool listens_by_default;             /* no address was set */
    bool insecure;                       /* addresses may be open to others (exposure.h) */
    char tls_cert[CONFIG_MAX_PATH];      /* PEM files of the addresses with TLS; */
    char tls_key[CONFIG_MAX_PATH];       /* empty: there is none */
    char tls_client_ca[CONFIG_MAX_PATH]; /* the same */
    enum net_tls_client_certs tls_client_certs;
    int64_t drain_delay_ms;            /* between the signal and the drain */
    struct net_address health_listen;  /* all zero: there is none */
    struct net_address metrics_listen; /* all zero: metrics are not served */
    uint32_t threads;
    uint32_t max_connections;
    uint32_t max_per_address;    /* connections; 0 = any number */
    struct quota_settings quota; /* limits on calls */
    size_t max_value;            /* bytes */
    int64_t request_timeout_ms;  /* as in struct grpc_limits */
    int64_t idle_timeout_ms;     /* the same; 0 = never */
    int64_t max_age_ms;          /* the same, of connections; 0 = never */
    int64_t max_age_grace_ms;    /* the same; 0 = any time */
    enum grpc_compress compress_replies;
    size_t max_client_memory;  /* bytes for requests and answers, see base/account.h */
    size_t watch_history;      /* bytes of recent changes that are kept for watchers */
    uint32_t request_ids;      /* that are remembered with their replies; 0 = they are off */
    int64_t request_id_age_ms; /* for how long */
    size_t request_id_memory;  /* bytes that these may take */
    struct store_options store;
    char dir[CONFIG_MAX_PATH];        /* the data directory */
    char users_file[CONFIG_MAX_PATH]; /* empty: everybody may do everything */
    int64_t session_lifetime_ms;      /* the longest of tokens that passwords are exchanged for */
    char audit_log[CONFIG_MAX_PATH];  /* "stderr", "journal" or a file; empty: there is none */
    struct journal_options journal;
    bool has_rules; /* journal.rules were set, perhaps to none */
    uint64_t given; /* a bit for each row of options.h that was set, even to its default */
    uint64_t on_command_line; /* of them, those on the command line */
    enum log_level log_level;
    enum log_format log_format;
    int64_t slow_log_us; /* calls of at least that are slow; CONFIG_SLOW_LOG_OFF: none is */
    uint32_t slow_log_max_len;
    enum reflection reflection;
    struct http2_limits http2;
    struct net_limits net;
};

#endif
