/*
 * An in-memory HTTP/2 client on nghttp2's client session, for tests of servers: it makes requests,
 * records the answers, and checks the server's conformance independently. It does no I/O: the test
 * carries the bytes. An error fails the cmocka test that calls it.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_NG_CLIENT_H
#define KEYSTORE_TESTS_SUPPORT_NG_CLIENT_H

#include "base/buf.h"
#include "base/chain.h"
#include "http2/http2.h"

#include <nghttp2/nghttp2.h>

/* A request and its answer. Owned by the client. */
struct ng_stream {
    int32_t id;
    struct buf headers;  /* of the answer, as "name: value\n" */
    struct buf trailers; /* likewise; of an answer of headers alone it has none */
    struct buf body;
    bool ended;  /* END_STREAM arrived */
    bool closed; /* both sides have ended it, or it was reset by either, with: */
    bool reset;  /* RST_STREAM arrived, with: */
    uint32_t error_code;
    struct buf out; /* the request's body; bytes before `out_sent` have been sent */
    size_t out_sent;
    bool out_ends;
    bool deferred;
    struct http2_field trailer; /* ends the request if it has a name */
};

struct ng_client {
    nghttp2_session *session;
    struct ng_stream **streams;
    size_t count;
    size_t padding; /* bytes of padding in HEADERS and DATA */
    size_t goaways;
    int32_t goaway_last[4]; /* the streams that they named */
    uint32_t goaway_code[4];
    int pongs; /* answers to PINGs */
};

struct ng_options {
    uint32_t stream_window; /* announced in SETTINGS; 0: the default of 65535 */
    bool manual_windows;    /* only WINDOW_UPDATE frames that the test submits */
};

/* The connection of the client to the server. */
struct ng_peer {
    void *server;
    bool (*feed)(void *server, struct slice bytes);
    void (*pull)(void *server, struct buf *out); /* appends all output available now */
};

/* Creates a client whose pending output is the preface and SETTINGS; frees it and its streams. */
struct ng_client *ng_client_new(const struct ng_options *options);
void ng_client_free(struct ng_client *client);

/* Starts a request; with `end` it has no body. The fields are copied. */
struct ng_stream *ng_client_request(struct ng_client *client, const struct http2_field *fields,
                                    size_t count, bool end);

/* Sends more of the request's body, a copy; with `end` its last part. */
void ng_client_send(struct ng_client *client, struct ng_stream *stream, struct slice bytes,
                    bool end);

/* Resets the stream with CANCEL. */
void ng_client_reset(struct ng_client *client, const struct ng_stream *stream);

/* Sends WINDOW_UPDATE for a stream, or with id 0 for the connection. */
void ng_client_open_window(struct ng_client *client, int32_t id, int32_t increment);

/* The stream of that id; NULL if the client has none. */
struct ng_stream *ng_client_stream(struct ng_client *client, int32_t id);

/* ---- carrying bytes ---- */

/* Appends the client's pending output. */
void ng_client_output(struct ng_client *client, struct buf *out);

/* Receives bytes from the server. */
void ng_client_input(struct ng_client *client, struct slice bytes);

/* Sends the client's pending output. Returns what feed returned. */
bool ng_client_push(struct ng_client *client, const struct ng_peer *peer);

/* Receives the server's pending output. True if there was any. */
bool ng_client_pull(struct ng_client *client, const struct ng_peer *peer);

/* Exchanges output until neither side has any. False if the server's feed returned false. */
bool ng_client_exchange(struct ng_client *client, const struct ng_peer *peer);

/* ---- buffers and fields ---- */

/* Appends a copy. */
void ng_client_append(struct buf *buf, struct slice bytes);

/* Moves the bytes of the chain to the buffer. */
void ng_client_flatten(struct chain *chain, struct buf *out);

/* The value of a field in `headers` or `trailers`, which it points into; false if there is none. */
bool ng_client_find_field(const struct buf *fields, const char *name, struct slice *value);

/* The same; fails the test if it is missing. */
struct slice ng_client_field(const struct buf *fields, const char *name);

#define ng_assert_slice(slice, text) ng_client_assert_slice((slice), (text), __FILE__, __LINE__)

void ng_client_assert_slice(struct slice slice, const char *text, const char *file, int line);

#endif
