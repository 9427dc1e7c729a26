/*
 * An HTTP/2 client in memory, on nghttp2's client session, for tests of servers: it makes requests,
 * keeps what was answered, and checks the server's protocol as only another implementation can. It
 * does no I/O: the test carries the bytes. What must not happen fails the cmocka test.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_NG_CLIENT_H
#define KEYSTORE_TESTS_SUPPORT_NG_CLIENT_H

#include "base/buf.h"
#include "base/chain.h"
#include "http2/http2.h"

#include <nghttp2/nghttp2.h>

/* One request and what came back. Owned by the client. */
struct ng_stream {
    int32_t id;
    struct buf headers;  /* of the answer, as "name: value\n" */
    struct buf trailers; /* likewise; of an answer of headers alone it has none */
    struct buf body;
    bool ended;  /* END_STREAM arrived */
    bool closed; /* both sides are done, or it was reset by either, with: */
    bool reset;  /* RST_STREAM arrived, with: */
    uint32_t error_code;
    struct buf out; /* the request's body; bytes before `out_sent` are gone */
    size_t out_sent;
    bool out_ends;
    bool deferred;
    struct http2_field trailer; /* ends the request if it has a name */
};

struct ng_client {
    nghttp2_session *session;
    struct ng_stream **streams;
    size_t count;
    size_t padding; /* bytes added to HEADERS and DATA */
    size_t goaways;
    int32_t goaway_last[4]; /* the streams that they named */
    uint32_t goaway_code[4];
    int pongs; /* answers to PINGs */
};

struct ng_options {
    uint32_t stream_window; /* announced in SETTINGS; 0: the default of 65535 */
    bool manual_windows;    /* no WINDOW_UPDATE but those that the test submits */
};

/* Where the client's bytes go and come from. */
struct ng_peer {
    void *server;
    bool (*feed)(void *server, struct slice bytes);
    void (*pull)(void *server, struct buf *out); /* appends all that has come and can come now */
};

/* A client that has its preface and SETTINGS to send; freed with its streams. */
struct ng_client *ng_client_new(const struct ng_options *options);
void ng_client_free(struct ng_client *client);

/* Begins a request; with `end` it has no body. The fields are copied. */
struct ng_stream *ng_client_request(struct ng_client *client, const struct http2_field *fields,
                                    size_t count, bool end);

/* More of the request's body, copied; with `end` the last of it. */
void ng_client_send(struct ng_client *client, struct ng_stream *stream, struct slice bytes,
                    bool end);

/* Resets the stream with CANCEL. */
void ng_client_reset(struct ng_client *client, const struct ng_stream *stream);

/* Opens the window of a stream, or with id 0 of the connection. */
void ng_client_open_window(struct ng_client *client, int32_t id, int32_t increment);

/* The stream of that id; NULL if the client has none. */
struct ng_stream *ng_client_stream(struct ng_client *client, int32_t id);

/* ---- carrying bytes ---- */

/* Appends the bytes that the client has to send. */
void ng_client_output(struct ng_client *client, struct buf *out);

/* Takes bytes of the server. */
void ng_client_input(struct ng_client *client, struct slice bytes);

/* Sends what the client has to send. What feed returned. */
bool ng_client_push(struct ng_client *client, const struct ng_peer *peer);

/* Receives what the server has to send. True if there was anything. */
bool ng_client_pull(struct ng_client *client, const struct ng_peer *peer);

/* Lets both talk until neither has anything to say. False if the server's feed said so. */
bool ng_client_exchange(struct ng_client *client, const struct ng_peer *peer);

/* ---- small things ---- */

/* Appends a copy. */
void ng_client_append(struct buf *buf, struct slice bytes);

/* Moves what the chain holds to the buffer. */
void ng_client_flatten(struct chain *chain, struct buf *out);

/* The value of a field in `headers` or `trailers`, which it points into; false if there is none. */
bool ng_client_find_field(const struct buf *fields, const char *name, struct slice *value);

/* The same; fails the test if there is none. */
struct slice ng_client_field(const struct buf *fields, const char *name);

#define ng_assert_slice(slice, text) ng_client_assert_slice((slice), (text), __FILE__, __LINE__)

void ng_client_assert_slice(struct slice slice, const char *text, const char *file, int line);

#endif
