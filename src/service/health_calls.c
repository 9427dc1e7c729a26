/* Both are answered whatever the engine does: that it loads is an answer, not an error. */
#include "service/health_calls.h"

#include "base/check.h"
#include "service/error_text.h"
#include "service/health.h"
#include "service/request.h"
#include "service/wire.h"

#include <grpc/health/v1/health.pb-c.h>

enum { RESPONSE_STATUS = 1 };
enum { LIST_STATUSES = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

/* Bytes of a HealthCheckResponse: no status is 0 or takes more than a byte. */
#define RESPONSE_SIZE 2

static void health_calls_fail(struct request *request, enum err err, const char *why)
{
    request_fail(request, err, why);
    request_recycle(request);
}

/* The message, decoded; NULL if the call has failed. */
static void *health_calls_decode(struct request *request, const ProtobufCMessageDescriptor *type,
                                 struct slice message)
{
    const char *why = "this server does not serve health checks";
    void *decoded = NULL;
    enum err err = ERR_NOT_SERVED;
    if (request->service->options.health != NULL)
        err = decode_message(type, message, &request->arena, &decoded, &why);
    if (err != ERR_NONE)
        health_calls_fail(request, err, why);
    return err == ERR_NONE ? decoded : NULL;
}

void health_calls_check(struct request *request, struct slice message)
{
    const struct health *health = request->service->options.health;
    const Grpc__Health__V1__HealthCheckRequest *asked =
        health_calls_decode(request, &grpc__health__v1__health_check_request__descriptor, message);
    if (asked == NULL)
        return;
    const struct health_service *service = health_find(health, slice_from_string(asked->service));
    if (service == NULL) {
        health_calls_fail(request, ERR_NOT_FOUND,
                          error_text_format(&request->arena,
                                            "this server has no service \"%.100s\"; List names "
                                            "those that it has, and \"\" is the whole server",
                                            asked->service));
        return;
    }
    struct chain *reply = grpc_call_reply_begin(request->call, RESPONSE_SIZE);
    wire_write_number(chain_append(reply, RESPONSE_SIZE), RESPONSE_STATUS,
                      health_status(health, service));
    grpc_call_reply_end(request->call);
    request_recycle(request);
}

/* Counts the bytes of the list, or also writes them if `out` is not NULL. */
struct health_list {
    uint8_t *out;
    size_t size;
};

static void health_calls_add(void *user, struct slice name, enum health_status status)
{
    struct health_list *list = user;
    size_t size =
        wire_head_size(name.len) + name.len + wire_head_size(RESPONSE_SIZE) + RESPONSE_SIZE;
    list->size += wire_head_size(size) + size;
    if (list->out == NULL)
        return;
    uint8_t *out = wire_write_head(list->out, LIST_STATUSES, size);
    out = wire_write_bytes(out, ENTRY_KEY, name);
    out = wire_write_head(out, ENTRY_VALUE, RESPONSE_SIZE);
    list->out = wire_write_number(out, RESPONSE_STATUS, status);
}

void health_calls_list(struct request *request, struct slice message)
{
    const struct health *health = request->service->options.health;
    struct health_list counted = {0}, written = {0};
    if (health_calls_decode(request, &grpc__health__v1__health_list_request__descriptor, message) ==
        NULL)
        return;
    health_each(health, health_calls_add, &counted);
    struct chain *reply = grpc_call_reply_begin(request->call, counted.size);
    written.out = chain_append(reply, counted.size);
    health_each(health, health_calls_add, &written);
    CHECK(written.size == counted.size);
    grpc_call_reply_end(request->call);
    request_recycle(request);
}
