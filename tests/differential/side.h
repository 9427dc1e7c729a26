/* The two implementations of http2/http2.h, each as a table of functions. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_SIDE_H
#define KEYSTORE_TESTS_DIFFERENTIAL_SIDE_H

#include "http2/http2.h"

struct side {
    const char *name;
    struct http2_context *(*context_new)(const struct http2_limits *limits,
                                         const struct http2_handler *handler);
    void (*context_free)(struct http2_context *context);
    struct http2_session *(*session_new)(struct http2_context *context, void *user, int64_t now_ms);
    void (*session_free)(struct http2_session *session);
    bool (*feed)(struct http2_session *session, struct slice bytes, struct chain *out,
                 int64_t now_ms);
    void (*pull)(struct http2_session *session, struct chain *out, int64_t now_ms);
    size_t (*queued)(const struct http2_session *session);
    bool (*finished)(const struct http2_session *session);
    void (*drain)(struct http2_session *session, struct closing why);
    void *(*stream_user)(struct http2_stream *stream);
    void (*answer_begin)(struct http2_stream *stream, const struct http2_field *fields,
                         size_t count, size_t size);
    struct chain *(*answer_body)(struct http2_stream *stream);
    void (*answer_end)(struct http2_stream *stream, const struct http2_field *trailers,
                       size_t count);
    void (*answer_without_body)(struct http2_stream *stream, const struct http2_field *fields,
                                size_t count);
    void (*reply_begin)(struct http2_stream *stream, const struct http2_field *fields,
                        size_t count);
    void (*reply_ready)(struct http2_stream *stream);
    void (*reply_end)(struct http2_stream *stream, const struct http2_field *trailers,
                      size_t count);
};

extern const struct side side_own;    /* src/http2 */
extern const struct side side_oracle; /* nghttp2's session: tests/oracle */

#endif
