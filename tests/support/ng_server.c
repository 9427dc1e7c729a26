/* An in-memory server on nghttp2's server session that answers by a script, correctly or not. */
#include "support/ng_server.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ng_request {
    struct ng_server *server;
    struct ng_request *next; /* of the open ones */
    const struct ng_answer *answer;
    int32_t id;
    struct ng_head head;
    struct buf body;
    size_t sent; /* bytes of the answer's body */
};

const struct ng_answer ng_answer_ok = {
    .grpc_status = "0",
    .body = SLICE_LITERAL("\0\0\0\0\2\x10\1"),
};

void ng_seen_init(struct ng_seen *seen)
{
    *seen = (struct ng_seen){0};
    buf_init(&seen->body, NG_SERVER_BODY_LIMIT);
}

void ng_seen_deinit(struct ng_seen *seen)
{
    buf_deinit(&seen->body);
}

static struct ng_request *find(struct ng_server *server, int32_t id)
{
    return nghttp2_session_get_stream_user_data(server->session, id);
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

/* ---- answers ---- */

static size_t trailers(const struct ng_answer *answer, nghttp2_nv *out)
{
    size_t count = 0;
    if (answer->grpc_status != NULL)
        out[count++] = field("grpc-status", answer->grpc_status);
    if (answer->grpc_message != NULL)
        out[count++] = field("grpc-message", answer->grpc_message);
    if (answer->reason != NULL)
        out[count++] = field("keystore-reason", answer->reason);
    if (answer->oldest != NULL)
        out[count++] = field("keystore-oldest-version", answer->oldest);
    if (answer->pushback != NULL)
        out[count++] = field("grpc-retry-pushback-ms", answer->pushback);
    return count;
}

static struct slice body_of(const struct ng_request *request)
{
    return request->answer->echo ? buf_slice(&request->body) : request->answer->body;
}

static ssize_t on_body_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
                              uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)user;
    struct ng_request *request = source->ptr;
    const struct ng_answer *answer = request->answer;
    struct slice left = slice_skip(body_of(request), request->sent);
    if (answer->frame_size > 0 && size > answer->frame_size)
        size = answer->frame_size;
    size_t len = left.len < size ? left.len : size;
    if (len > 0)
        memcpy(out, left.data, len);
    request->sent += len;
    if (len < left.len)
        return (ssize_t)len;
    if (answer->stay_open)
        return len > 0 ? (ssize_t)len : NGHTTP2_ERR_DEFERRED;
    nghttp2_nv fields[5];
    size_t count = trailers(answer, fields);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (count > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        CHECK(nghttp2_submit_trailer(session, id, fields, count) == 0);
    }
    return (ssize_t)len;
}

static void send_answer(struct ng_request *request)
{
    const struct ng_answer *answer = request->answer;
    nghttp2_session *session = request->server->session;
    nghttp2_nv fields[7] = {
        field(":status", answer->http_status != NULL ? answer->http_status : "200"),
        field("content-type",
              answer->content_type != NULL ? answer->content_type : "application/grpc"),
    };
    size_t count = 2;
    nghttp2_data_provider provider = {.source.ptr = request, .read_callback = on_body_wanted};
    bool has_body = body_of(request).len > 0 || answer->stay_open;
    if (!has_body)
        count += trailers(answer, fields + count);
    CHECK(nghttp2_submit_response(session, request->id, fields, count,
                                  has_body ? &provider : NULL) == 0);
    if (answer->goaway)
        nghttp2_submit_goaway(session, 0, request->id, NGHTTP2_NO_ERROR, (const uint8_t *)"bye", 3);
}

static void act(struct ng_request *request)
{
    nghttp2_session *session = request->server->session;
    int32_t id = request->id;
    switch (request->answer->behaviour) {
    case NG_ANSWER:
    case NG_EARLY:
        send_answer(request);
        break;
    case NG_SILENT:
        break;
    case NG_RESET:
        nghttp2_submit_rst_stream(session, 0, id, request->answer->reset_code);
        break;
    case NG_REFUSE:
        nghttp2_submit_goaway(session, 0, id - 2 > 0 ? id - 2 : 0, NGHTTP2_NO_ERROR, NULL, 0);
        break;
    }
    request->server->closing |= request->answer->close_after;
}

void ng_server_answer_all(struct ng_server *server)
{
    for (struct ng_request *at = server->open; at != NULL; at = at->next)
        send_answer(at);
}

/* ---- requests ---- */

static const struct ng_answer *next_answer(struct ng_server *server)
{
    struct ng_script *script = server->script;
    if (script == NULL)
        return &server->answer;
    size_t at = script->started < script->count ? script->started : script->count - 1;
    script->started++;
    return &script->answers[at];
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct ng_server *server = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct ng_request *request = mem_alloc_zero(sizeof *request);
    size_t open = 1;
    for (struct ng_request *at = server->open; at != NULL; at = at->next)
        open++;
    server->seen->started++;
    if (open > server->seen->most_open)
        server->seen->most_open = open;
    request->server = server;
    request->answer = next_answer(server);
    request->id = frame->hd.stream_id;
    request->next = server->open;
    buf_init(&request->body, NG_SERVER_BODY_LIMIT);
    server->open = request;
    server->last_id = request->id;
    return nghttp2_session_set_stream_user_data(session, request->id, request);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)flags;
    (void)value_len;
    struct ng_request *request = find(user, frame->hd.stream_id);
    if (request == NULL)
        return 0;
    struct ng_head *head = &request->head;
    const struct {
        struct slice name;
        char *value;
        size_t size;
    } kept[] = {
        {SLICE_LITERAL(":path"), head->path, sizeof head->path},
        {SLICE_LITERAL("grpc-timeout"), head->timeout, sizeof head->timeout},
        {SLICE_LITERAL("user-agent"), head->user_agent, sizeof head->user_agent},
        {SLICE_LITERAL("keystore-request-id-bin"), head->request_id, sizeof head->request_id},
        {SLICE_LITERAL("grpc-previous-rpc-attempts"), head->previous, sizeof head->previous},
    };
    head->count++;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (slice_equal(slice_make(name, name_len), kept[i].name))
            snprintf(kept[i].value, kept[i].size, "%s", (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    (void)flags;
    struct ng_server *server = user;
    struct ng_request *request = find(server, id);
    if (request != NULL)
        CHECK(buf_append(&request->body, slice_make(data, len)));
    return server->hold ? 0 : nghttp2_session_consume(session, id, len);
}

static void note(const struct ng_request *request)
{
    struct ng_seen *seen = request->server->seen;
    memcpy(seen->path, request->head.path, sizeof seen->path);
    memcpy(seen->timeout, request->head.timeout, sizeof seen->timeout);
    memcpy(seen->user_agent, request->head.user_agent, sizeof seen->user_agent);
    if (seen->head_count < NG_SERVER_HEADS)
        seen->heads[seen->head_count++] = request->head;
    buf_clear(&seen->body, SIZE_MAX);
    CHECK(buf_append(&seen->body, buf_slice(&request->body)));
}

/* Acts when the request is complete, or early. */
static void on_part(struct ng_server *server, struct ng_request *request, bool is_head, bool ends)
{
    bool early = request->answer->behaviour == NG_EARLY;
    if (ends) {
        server->requests++;
        server->seen->requests++;
    }
    if (ends || (early && is_head))
        note(request);
    if (early ? is_head : ends)
        act(request);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct ng_server *server = user;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        server->seen->resets++;
        server->seen->last_reset_code = frame->rst_stream.error_code;
    }
    server->seen->updates += frame->hd.type == NGHTTP2_WINDOW_UPDATE;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct ng_request *request = find(server, frame->hd.stream_id);
    if (request != NULL)
        on_part(server, request, frame->hd.type == NGHTTP2_HEADERS,
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    return 0;
}

static void forget(struct ng_server *server, struct ng_request *request)
{
    struct ng_request **at = &server->open;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    buf_deinit(&request->body);
    free(request);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)session;
    (void)code;
    struct ng_request *request = find(user, id);
    if (request != NULL)
        forget(user, request);
    return 0;
}

/* ---- the session ---- */

void ng_server_init(struct ng_server *server, struct ng_script *script, struct ng_seen *seen,
                    const nghttp2_settings_entry *settings, size_t count)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    *server = (struct ng_server){
        .answer = ng_answer_ok,
        .script = script,
        .seen = seen,
    };
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    CHECK(nghttp2_session_server_new2(&server->session, callbacks, server, option) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    CHECK(nghttp2_submit_settings(server->session, 0, settings, count) == 0);
}

void ng_server_deinit(struct ng_server *server)
{
    nghttp2_session_del(server->session);
    while (server->open != NULL)
        forget(server, server->open);
}

bool ng_server_feed(struct ng_server *server, struct slice bytes)
{
    return nghttp2_session_mem_recv(server->session, bytes.data, bytes.len) == (ssize_t)bytes.len;
}

bool ng_server_pull(struct ng_server *server, struct buf *out)
{
    const uint8_t *frame;
    ssize_t len;
    size_t before = out->len;
    while ((len = nghttp2_session_mem_send(server->session, &frame)) > 0)
        CHECK(buf_append(out, slice_make(frame, (size_t)len)));
    CHECK(len == 0);
    return out->len > before;
}
