/* Requests as calls of the client library, and its answers as replies in the forms of Redis. */
#include "cli/request.h"

static struct reply reply_of_value(const struct keystore_value *value)
{
    if (!value->found)
        return (struct reply){.type = REPLY_NIL};
    return (struct reply){.type = REPLY_BYTES, .bytes = value->value};
}

static struct reply reply_of_count(const struct keystore_status *status)
{
    return (struct reply){.type = REPLY_INTEGER, .integer = status->count};
}

static enum keystore_code send_set(struct keystore_client *client, const struct request *request,
                                   uint32_t db, struct reply *reply)
{
    struct keystore_condition condition = {.existence = request->existence};
    struct keystore_key_value set = {
        .key = request->key,
        .value = request->value,
        .db = db,
        .return_previous = request->return_previous,
        .condition = request->existence != KEYSTORE_ANY ? &condition : NULL,
    };
    struct keystore_status status;
    enum keystore_code code = keystore_set(client, &set, &status);
    if (request->return_previous)
        *reply = reply_of_value(&status.previous);
    else
        *reply = (struct reply){.type = status.ok ? REPLY_OK : REPLY_NIL};
    return code;
}

static enum keystore_code send_lpush(struct keystore_client *client, const struct request *request,
                                     uint32_t db, struct reply *reply)
{
    struct keystore_condition condition = {.existence = request->existence};
    struct keystore_list_insert insert = {
        .key = request->key,
        .values = request->values,
        .count = request->count,
        .db = db,
        .condition = request->existence != KEYSTORE_ANY ? &condition : NULL,
    };
    struct keystore_status status;
    enum keystore_code code = keystore_lpush(client, &insert, &status);
    *reply = reply_of_count(&status);
    return code;
}

static enum keystore_code send_lrange(struct keystore_client *client, const struct request *request,
                                      uint32_t db, struct reply *reply)
{
    struct keystore_list_range range = {
        .key = request->key,
        .start = request->start,
        .stop = request->stop,
        .db = db,
    };
    struct keystore_list list;
    enum keystore_code code = keystore_lrange(client, &range, &list);
    *reply = (struct reply){.type = REPLY_LIST, .items = list.values, .count = list.count};
    return code;
}

static enum keystore_code send_key(struct keystore_client *client, const struct request *request,
                                   uint32_t db, struct reply *reply)
{
    struct keystore_key key = {.key = request->key, .db = db};
    enum keystore_code code;
    if (request->type == REQUEST_DELETE) {
        struct keystore_status status;
        code = keystore_delete(client, &key, &status);
        *reply = reply_of_count(&status);
        return code;
    }
    struct keystore_value value;
    code = request->type == REQUEST_GET ? keystore_get(client, &key, &value)
                                        : keystore_lpop(client, &key, &value);
    *reply = reply_of_value(&value);
    return code;
}

enum keystore_code request_send(struct keystore_client *client, const struct request *request,
                                uint32_t db, struct reply *reply)
{
    switch (request->type) {
    case REQUEST_SET:
        return send_set(client, request, db, reply);
    case REQUEST_LPUSH:
        return send_lpush(client, request, db, reply);
    case REQUEST_LRANGE:
        return send_lrange(client, request, db, reply);
    default:
        return send_key(client, request, db, reply);
    }
}
