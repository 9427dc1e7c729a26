/* The C client of KeyStore for administrators: the server's connections and settings, its slow
 * calls, and how long calls take. */
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

/* ---- slow calls ---- */

struct keystore_slow_log_request {
    uint32_t limit; /* calls to return at most; 0 = all */
    bool reset;     /* the server forgets all of them afterwards */
};

/* A call that took at least --slow-log-us. Texts are UTF-8 and zero-terminated; they and the slices
 * are valid as long as answer slices. */
struct keystore_slow_call {
    int64_t unix_ms;           /* when it ended: Unix time */
    int64_t duration_us;       /* in microseconds */
    const char *method;        /* such as "keystore.v1.KeyStore/MGet" */
    struct keystore_slice key; /* the first one, cut to 64 bytes; empty if there is none */
    uint64_t id;               /* ascending, 1 for the first one since the server's start */
    uint32_t db;
    uint32_t key_size;      /* bytes of the whole key */
    uint64_t keys;          /* how many the request names; of a Txn, its operations */
    uint64_t elements;      /* values to store */
    uint64_t request_bytes; /* of the message */
    uint64_t reply_bytes;   /* of the message */
    const char *peer;       /* the client, such as "10.0.0.7:51234" or "a unix socket" */
    enum keystore_code status;
    const char *trace_id; /* 32 hexadecimal digits; empty if the call had none */
    struct keystore_slice request_id;
    uint32_t previous_attempts; /* as the client has said */
    bool waited_for_disk;       /* the answer had to become durable */
    bool waited_for_lock;       /* a long call held a lock that it needed */
    bool offloaded;             /* another thread carried it out, because it takes long */
};

struct keystore_slow_log_reply {
    const struct keystore_slow_call *calls; /* the newest first */
    size_t count;
    uint64_t total; /* slow calls since the server's start */
    uint32_t kept;  /* calls that the server remembered, returned or not */
};

/* The newest slow calls (docs/observability.md). */
KEYSTORE_API enum keystore_code keystore_slow_log(struct keystore_client *client,
                                                  const struct keystore_slow_log_request *request,
                                                  struct keystore_slow_log_reply *answer);

/* ---- how long calls take ---- */

struct keystore_latency_request {
    const char *const *methods; /* such as "Get" or "keystore.v1.KeyStore/Get", in UTF-8 */
    size_t count;               /* 0 = all methods that have been called */
};

/* The calls of a method since the server's start. Durations are in microseconds, from the arrival
 * of a call's headers to its answer or, of a stream, its end; percentiles are estimates. */
struct keystore_method_latency {
    const char *service; /* such as "keystore.v1.KeyStore"; empty for unknown methods */
    const char *method;  /* such as "Get"; "unknown" stands for all that there are not */
    uint64_t started;    /* those in flight included */
    uint64_t ended;
    uint64_t failed;  /* of those that ended: with a status other than OK */
    uint64_t retried; /* of those started: the client said that it had tried before */
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t sum_us;
    uint64_t max_us;
    double p50_us;
    double p90_us;
    double p99_us;
    double p999_us;
    const uint64_t *buckets; /* calls that took up to each of bounds_us, and one of longer ones */
    size_t bucket_count;     /* one more than bound_count */
    const uint64_t *codes;   /* calls by their status, an enum keystore_code */
    size_t code_count;
};

struct keystore_latency_reply {
    const struct keystore_method_latency *methods;
    size_t count;
    const uint64_t *bounds_us; /* ascending */
    size_t bound_count;
};

/* Counts and durations of calls. The counts only rise: for those of a period, subtract.
 * KEYSTORE_INVALID_ARGUMENT if a method does not exist. */
KEYSTORE_API enum keystore_code keystore_latency(struct keystore_client *client,
                                                 const struct keystore_latency_request *request,
                                                 struct keystore_latency_reply *answer);

#ifdef __cplusplus
}
#endif

#endif
