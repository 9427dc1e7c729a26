/* The C client of KeyStore: the server's connections and settings, for administrators. */
#ifndef KEYSTORE_ADMIN_H
#define KEYSTORE_ADMIN_H

#include <keystore/streams.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- connections ---- */

struct keystore_clients_request {
    bool own;    /* only the client's own connection */
    uint64_t id; /* only the one with this id; 0 = all */
};

/* A connection of the server; texts are zero-terminated. */
struct keystore_client_info {
    uint64_t id;
    const char *address;  /* "HOST:PORT", or "unix" */
    const char *listener; /* where it has connected to */
    int64_t age_ms;
    int64_t idle_ms;
    uint32_t calls;        /* in flight */
    uint32_t streams;      /* of them, those with streams of messages */
    uint64_t calls_so_far; /* including those in flight */
    uint64_t bytes_in;     /* 0 over a unix socket */
    uint64_t bytes_out;
    uint64_t queued_bytes; /* of replies that it has yet to take */
    const char *user_agent;
    bool own; /* it is the connection of this client */
};

struct keystore_clients_page {
    const struct keystore_client_info *clients;
    size_t count;
};

/* The server's connections, in pages. keystore_kill_clients() ends some. */
KEYSTORE_API enum keystore_code keystore_clients(struct keystore_client *client,
                                                 const struct keystore_clients_request *request,
                                                 struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_clients_next(struct keystore_stream *stream,
                                                      int64_t timeout_ms,
                                                      struct keystore_clients_page *answer);

/* Which connections end: those that have all of what is given, at least one. */
struct keystore_kill_clients_request {
    uint64_t id;          /* 0 = any */
    const char *address;  /* of the peer, with or without its port; UTF-8; NULL = any */
    const char *listener; /* where it has connected to; the same */
    bool include_own;     /* also the connection of the call, after its reply */
};

KEYSTORE_API enum keystore_code
keystore_kill_clients(struct keystore_client *client,
                      const struct keystore_kill_clients_request *request,
                      struct keystore_status *answer);

/* ---- settings ---- */

struct keystore_config_request {
    const char *pattern; /* of names, a glob in UTF-8; NULL = all */
};

struct keystore_set_config_request {
    const char *name; /* both as in the configuration file, in UTF-8; NULL = empty */
    const char *value;
};

enum keystore_setting_origin {
    KEYSTORE_ORIGIN_DEFAULT = 0,
    KEYSTORE_ORIGIN_FILE = 1,
    KEYSTORE_ORIGIN_COMMAND_LINE = 2,
    KEYSTORE_ORIGIN_CHANGED = 3, /* by keystore_set_config() */
};

/* All texts are UTF-8, zero-terminated, and valid as long as answer slices. */
struct keystore_setting {
    const char *name;
    const char *value;
    enum keystore_setting_origin origin;
    const char *accepts; /* unit and range */
    bool changeable;     /* without a restart */
    const char *help;
};

struct keystore_config_reply {
    const struct keystore_setting *settings;
    size_t count;
};

/* The settings in effect, and to change one until the server ends. */
KEYSTORE_API enum keystore_code keystore_config(struct keystore_client *client,
                                                const struct keystore_config_request *request,
                                                struct keystore_config_reply *answer);
KEYSTORE_API enum keystore_code
keystore_set_config(struct keystore_client *client,
                    const struct keystore_set_config_request *request,
                    struct keystore_status *answer);

#ifdef __cplusplus
}
#endif

#endif
