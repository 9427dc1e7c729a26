/* A response is encoded when its request arrives, and waits in a list until the caller takes it. */
#include "service/streams/reflection.h"

#include "base/arena.h"
#include "base/chain.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/protoset.h"
#include "service/streams/host.h"
#include "service/wire.h"

#include <grpc/reflection/v1/reflection.pb-c.h>

#include <stdio.h>
#include <stdlib.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;

static const char reflection_is_off[] = "this server does not describe its API (--reflection)";
static const char reflection_stops[] = "the server, or this connection, is shutting down";

/* What a request asks for, by the field that it has. */
enum { ASKS_FILE = 3, ASKS_SYMBOL, ASKS_EXTENSION, ASKS_EXTENSIONS, ASKS_SERVICES };

/* Fields of ServerReflectionResponse and of the messages in it. */
enum { VALID_HOST = 1, ORIGINAL_REQUEST, FILES = 4, EXTENSIONS, SERVICES, ERROR };
enum { FILES_PROTO = 1 };
enum { EXTENSIONS_TYPE = 1 };
enum { SERVICES_SERVICE = 1 };
enum { SERVICE_NAME = 1 };
enum { ERROR_CODE = 1, ERROR_MESSAGE };

struct reflection_response {
    struct reflection_response *next;
    size_t size;
    uint8_t bytes[];
};

struct reflection {
    struct stream_host *host;
    struct grpc_call *call;
    struct reflection_response *first, **last;
    size_t count;
    bool half_closed;
    bool draining;
};

/* ---- responses ---- */

/* A part of a response: appends to `out`, or only counts if that is NULL. */
struct reflection_writer {
    uint8_t *out;
    size_t size;
};

static void reflection_write_bytes(struct reflection_writer *writer, unsigned field,
                                   struct slice bytes)
{
    writer->size += wire_head_size(bytes.len) + bytes.len;
    if (writer->out != NULL)
        writer->out = wire_write_bytes(writer->out, field, bytes);
}

/* The service as a SERVICES_SERVICE with its SERVICE_NAME. */
static void reflection_write_service(void *user, struct slice package, struct slice name)
{
    struct reflection_writer *writer = user;
    size_t len = package.len + 1 + name.len;
    size_t size = wire_head_size(len) + len;
    writer->size += wire_head_size(size) + size;
    if (writer->out == NULL)
        return;
    uint8_t *out = wire_write_head(writer->out, SERVICES_SERVICE, size);
    out = slice_write(wire_write_head(out, SERVICE_NAME, len), package);
    *out++ = '.';
    writer->out = slice_write(out, name);
}

/* What is the answer to a request: a field of the response with this content. */
struct reflection_answer {
    unsigned field;
    struct slice bytes; /* of the content's field 1, */
    uint64_t code;      /* or of an error, whose message `bytes` is; else 0 */
    bool services;      /* or a list of the services */
};

static void reflection_write_content(struct reflection_writer *writer,
                                     const struct reflection_answer *answer,
                                     const struct protoset *protoset)
{
    if (answer->services) {
        protoset_each_service(protoset, reflection_write_service, writer);
        return;
    }
    if (answer->code != 0) {
        writer->size += wire_number_size(answer->code);
        if (writer->out != NULL)
            writer->out = wire_write_number(writer->out, ERROR_CODE, answer->code);
    }
    reflection_write_bytes(writer, answer->code != 0 ? ERROR_MESSAGE : 1, answer->bytes);
}

static struct reflection_answer reflection_error(enum grpc_code code, const char *text)
{
    return (struct reflection_answer){
        .field = ERROR, .code = (uint64_t)code, .bytes = slice_from_string(text)};
}

static struct reflection_answer reflection_file(struct slice file, struct arena *arena,
                                                const char *what, const char *name)
{
    if (file.data != NULL)
        return (struct reflection_answer){.field = FILES, .bytes = file};
    size_t size = 100 + strlen(name);
    char *text = (char *)arena_alloc(arena, size);
    snprintf(text, size, "this server has no %s \"%s\"", what, name);
    return reflection_error(GRPC_NOT_FOUND, text);
}

static struct reflection_answer reflection_extensions(const struct protoset *protoset,
                                                      const char *type, struct arena *arena)
{
    struct slice name = slice_from_string(type), file = protoset_file_with(protoset, name);
    struct reflection_answer answer = reflection_file(file, arena, "message", type);
    if (file.data != NULL)
        answer = (struct reflection_answer){.field = EXTENSIONS, .bytes = name};
    return answer;
}

static struct reflection_answer reflection_answer_to(const struct protoset *protoset,
                                                     const reflection_request *request,
                                                     struct arena *arena)
{
    switch ((int)request->message_request_case) {
    case ASKS_FILE:
        return reflection_file(
            protoset_file_named(protoset, slice_from_string(request->file_by_filename)), arena,
            "file", request->file_by_filename);
    case ASKS_SYMBOL:
        return reflection_file(
            protoset_file_with(protoset, slice_from_string(request->file_containing_symbol)), arena,
            "symbol", request->file_containing_symbol);
    case ASKS_EXTENSION:
        return reflection_error(GRPC_NOT_FOUND, "this server's messages have no extensions");
    case ASKS_EXTENSIONS:
        return reflection_extensions(protoset, request->all_extension_numbers_of_type, arena);
    case ASKS_SERVICES:
        return (struct reflection_answer){.field = SERVICES, .services = true};
    default:
        return reflection_error(GRPC_INVALID_ARGUMENT, "the request asks for nothing");
    }
}

/* Encodes the response to the request, whose bytes are `original`. */
static struct reflection_response *reflection_respond(const struct protoset *protoset,
                                                      const reflection_request *request,
                                                      struct slice original, struct arena *arena)
{
    struct reflection_answer answer = reflection_answer_to(protoset, request, arena);
    struct reflection_writer content = {0}, head = {0};
    struct slice host = slice_from_string(request->host);
    reflection_write_content(&content, &answer, protoset);
    reflection_write_bytes(&head, VALID_HOST, host);
    reflection_write_bytes(&head, ORIGINAL_REQUEST, original);
    size_t size = head.size + wire_head_size(content.size) + content.size;
    struct reflection_response *response = mem_alloc(sizeof *response + size);
    *response = (struct reflection_response){.size = size};
    uint8_t *out = wire_write_bytes(response->bytes, VALID_HOST, host);
    out = wire_write_bytes(out, ORIGINAL_REQUEST, original);
    content.out = wire_write_head(out, answer.field, content.size);
    reflection_write_content(&content, &answer, protoset);
    return response;
}

/* ---- the stream ---- */

static void reflection_free(struct reflection *reflection)
{
    while (reflection->first != NULL) {
        struct reflection_response *response = reflection->first;
        reflection->first = response->next;
        free(response);
    }
    free(reflection);
}

static void reflection_end(struct reflection *reflection, enum err err, const char *why)
{
    struct grpc_call *call = reflection->call;
    reflection_free(reflection);
    stream_end(call, err, why);
}

static void reflection_end_if_done(struct reflection *reflection)
{
    if (reflection->first != NULL)
        return;
    if (reflection->half_closed)
        reflection_end(reflection, ERR_NONE, NULL);
    else if (reflection->draining)
        reflection_end(reflection, ERR_STOPPING, reflection_stops);
}

static void reflection_on_open(void *user, struct grpc_call *call)
{
    struct reflection *reflection = mem_alloc_zero(sizeof *reflection);
    reflection->host = stream_host_of(user);
    reflection->call = call;
    reflection->last = &reflection->first;
    grpc_call_set_user(call, reflection);
    if (reflection->host->protoset == NULL)
        reflection_end(reflection, ERR_NOT_SERVED, reflection_is_off);
}

static void reflection_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct reflection *reflection = grpc_call_user(call);
    struct arena arena;
    void *decoded;
    const char *why;
    (void)user;
    if (reflection->draining)
        return;
    arena_init(&arena);
    enum err err = decode_message(&grpc__reflection__v1__server_reflection_request__descriptor,
                                  message, &arena, &decoded, &why);
    if (err != ERR_NONE) {
        reflection_end(reflection, err, why);
    } else {
        struct reflection_response *response =
            reflection_respond(reflection->host->protoset, decoded, message, &arena);
        *reflection->last = response;
        reflection->last = &response->next;
        if (++reflection->count == REFLECTION_RESPONSES)
            grpc_stream_hold(call, true);
        grpc_stream_ready(call);
    }
    arena_deinit(&arena);
}

static void reflection_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct reflection *reflection = grpc_call_user(call);
    (void)user;
    for (size_t written = 0; written < room && reflection->first != NULL;) {
        struct reflection_response *response = reflection->first;
        struct chain *to = grpc_stream_write(call, response->size);
        slice_write(chain_append(to, response->size), slice_make(response->bytes, response->size));
        written += response->size;
        reflection->first = response->next;
        if (reflection->first == NULL)
            reflection->last = &reflection->first;
        if (reflection->count-- == REFLECTION_RESPONSES && !reflection->draining)
            grpc_stream_hold(call, false);
        free(response);
    }
    reflection_end_if_done(reflection);
}

static void reflection_on_half_close(void *user, struct grpc_call *call)
{
    struct reflection *reflection = grpc_call_user(call);
    (void)user;
    reflection->half_closed = true;
    reflection_end_if_done(reflection);
}

static void reflection_on_drain(void *user, struct grpc_call *call)
{
    struct reflection *reflection = grpc_call_user(call);
    (void)user;
    reflection->draining = true;
    reflection_end_if_done(reflection);
}

static void reflection_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    reflection_free(grpc_call_user(call));
}

const struct grpc_stream_method reflection_method = {
    .on_open = reflection_on_open,
    .on_message = reflection_on_message,
    .on_half_close = reflection_on_half_close,
    .on_room = reflection_on_room,
    .on_drain = reflection_on_drain,
    .on_cancel = reflection_on_cancel,
};
