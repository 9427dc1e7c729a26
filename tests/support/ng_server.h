/*
 * An in-memory HTTP/2 server on nghttp2's server session, for tests of our clients: it checks their
 * conformance independently, answers requests by a script and records what it received. It does no
 * I/O: the caller carries the bytes. An error aborts the program (base/check.h), since a server may
 * run in a thread of its own (fake_server.h).
 */
#ifndef KEYSTORE_TESTS_SUPPORT_NG_SERVER_H
#define KEYSTORE_TESTS_SUPPORT_NG_SERVER_H

#include "base/buf.h"

#include <nghttp2/nghttp2.h>

#define NG_SERVER_BODY_LIMIT ((size_t)80 << 20) /* bytes of a request */
#define NG_SERVER_HEADS      64                 /* of the first requests, that are kept */

enum ng_behaviour {
    NG_ANSWER, /* when the request is complete */
    NG_EARLY,  /* when its headers have arrived, without waiting for its body */
    NG_SILENT, /* not before ng_server_answer_all() */
    NG_RESET,  /* with RST_STREAM */
    NG_REFUSE, /* with a GOAWAY that says that the request was not processed */
};

/* How one request is answered. */
struct ng_answer {
    enum ng_behaviour behaviour;
    const char *http_status;  /* NULL = "200" */
    const char *content_type; /* NULL = "application/grpc" */
    const char *grpc_status;  /* NULL = none is sent */
    const char *grpc_message; /* NULL = none is sent */
    const char *reason;       /* NULL = none is sent */
    const char *oldest;       /* keystore-oldest-version; NULL = none is sent */
    const char *pushback;     /* grpc-retry-pushback-ms; NULL = none is sent */
    struct slice body;        /* empty = trailers only */
    bool echo;                /* the body is that of the request instead */
    bool stay_open;           /* the answer does not end after its body */
    size_t frame_size;        /* of DATA frames; 0 = as large as they may be */
    uint32_t reset_code;      /* of NG_RESET */
    bool goaway;              /* send GOAWAY after the answer */
    bool close_after;         /* set `closing` with the answer */
};

/* A Status message with count 1, and grpc-status 0. */
extern const struct ng_answer ng_answer_ok;

/* The answers to successive requests, of one or several servers; the last one is repeated. */
struct ng_script {
    const struct ng_answer *answers;
    size_t count;
    size_t started; /* requests that have been assigned an answer */
};

/* What a request has in its headers; empty = none. */
struct ng_head {
    char path[64];
    char timeout[16]; /* grpc-timeout */
    char user_agent[64];
    char request_id[96]; /* keystore-request-id-bin, as base64 */
    char previous[16];   /* grpc-previous-rpc-attempts */
    size_t count;        /* of headers */
};

/* What one or several servers have received. */
struct ng_seen {
    size_t started;   /* requests whose headers have arrived */
    size_t requests;  /* complete ones */
    size_t most_open; /* at the same time, of one server */
    size_t resets;    /* RST_STREAMs */
    uint32_t last_reset_code;
    size_t updates; /* WINDOW_UPDATEs */
    /* Of the latest request that was complete or answered early. */
    char path[64];
    char timeout[16]; /* grpc-timeout; empty = none */
    char user_agent[64];
    struct buf body;
    struct ng_head heads[NG_SERVER_HEADS]; /* of all such, from the first on */
    size_t head_count;
};

struct ng_request;

struct ng_server {
    nghttp2_session *session;
    struct ng_answer answer;  /* to every request, without a script */
    struct ng_script *script; /* NULL: none */
    struct ng_seen *seen;
    bool hold;               /* no WINDOW_UPDATE is sent as requests are read */
    struct ng_request *open; /* those that are not closed */
    size_t requests;         /* complete ones */
    int32_t last_id;         /* of a request */
    bool closing;            /* an answer with `close_after` was sent */
};

/* Nothing was received yet. */
void ng_seen_init(struct ng_seen *seen);
void ng_seen_deinit(struct ng_seen *seen);

/*
 * A server whose pending output is its SETTINGS, `settings` (NULL if there are none). It answers by
 * `script`; without one (NULL) by ng_answer_ok, until the caller changes `answer`. Script and seen
 * are borrowed until ng_server_deinit(), and the server must not be moved.
 */
void ng_server_init(struct ng_server *server, struct ng_script *script, struct ng_seen *seen,
                    const nghttp2_settings_entry *settings, size_t count);
void ng_server_deinit(struct ng_server *server);

/* Receives bytes from the client; false if the client violated the protocol. */
bool ng_server_feed(struct ng_server *server, struct slice bytes);

/* Appends the server's pending output; true if there was any. */
bool ng_server_pull(struct ng_server *server, struct buf *out);

/* Answers all open requests. */
void ng_server_answer_all(struct ng_server *server);

#endif
