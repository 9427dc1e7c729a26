/* Requests as calls of the client library. Refuses to know what answers look like. */
#include "cli/request.h"

#include "cli/answers.h"

#include <ctype.h>

enum keystore_reply_kind request_reply_kind(enum keystore_op_kind kind)
{
    switch (kind) {
    case KEYSTORE_OP_NONE:
        return KEYSTORE_REPLY_NONE;
    case KEYSTORE_OP_GET:
    case KEYSTORE_OP_LPOP:
    case KEYSTORE_OP_RPOP:
    case KEYSTORE_OP_GET_RANGE:
    case KEYSTORE_OP_GET_DEL:
    case KEYSTORE_OP_GET_EX:
    case KEYSTORE_OP_LMOVE:
    case KEYSTORE_OP_LINDEX:
        return KEYSTORE_REPLY_VALUE;
    case KEYSTORE_OP_LRANGE:
        return KEYSTORE_REPLY_LIST;
    case KEYSTORE_OP_INCR:
        return KEYSTORE_REPLY_NUMBER;
    case KEYSTORE_OP_MGET:
        return KEYSTORE_REPLY_VALUES;
    case KEYSTORE_OP_DESCRIBE:
        return KEYSTORE_REPLY_INFO;
    case KEYSTORE_OP_LIST_POP:
        return KEYSTORE_REPLY_POPPED;
    case KEYSTORE_OP_LPOS:
        return KEYSTORE_REPLY_POSITIONS;
    default:
        return KEYSTORE_REPLY_STATUS;
    }
}

static struct reply reply_of_error(const struct keystore_op_error *error, struct arena *arena)
{
    char *text = arena_alloc(arena, FORMAT_ERROR_SIZE);
    format_error_text(text, error->code, error->reason, error->message);
    return (struct reply){.type = REPLY_ERROR, .bytes = keystore_text(text)};
}

/* What the server says it did need not be what it was asked for. */
struct reply request_reply(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena)
{
    if (from->kind == KEYSTORE_REPLY_ERROR)
        return reply_of_error(&from->answer.error, arena);
    if (from->kind == request_reply_kind(request->op.kind))
        return request->answer(request, from, arena);
    return (struct reply){
        .type = REPLY_ERROR,
        .bytes = keystore_text("the server's answer is not one to this operation"),
    };
}

static enum keystore_code call_for_status(struct keystore_client *client,
                                          const struct keystore_op *op,
                                          struct keystore_status *answer)
{
    switch (op->kind) {
    case KEYSTORE_OP_SET:
        return keystore_set(client, &op->request.key_value, answer);
    case KEYSTORE_OP_DELETE:
        return keystore_delete(client, &op->request.key, answer);
    case KEYSTORE_OP_LPUSH:
        return keystore_lpush(client, &op->request.list_insert, answer);
    case KEYSTORE_OP_RPUSH:
        return keystore_rpush(client, &op->request.list_insert, answer);
    case KEYSTORE_OP_EXPIRE:
        return keystore_expire(client, &op->request.expire, answer);
    case KEYSTORE_OP_MSET:
        return keystore_mset(client, &op->request.key_values, answer);
    case KEYSTORE_OP_EXISTS:
        return keystore_exists(client, &op->request.keys, answer);
    case KEYSTORE_OP_APPEND:
        return keystore_append(client, &op->request.key_value, answer);
    case KEYSTORE_OP_SET_RANGE:
        return keystore_set_range(client, &op->request.byte_range, answer);
    case KEYSTORE_OP_DELETE_MANY:
        return keystore_delete_many(client, &op->request.keys, answer);
    case KEYSTORE_OP_TOUCH:
        return keystore_touch(client, &op->request.keys, answer);
    case KEYSTORE_OP_RENAME:
        return keystore_rename(client, &op->request.copy, answer);
    case KEYSTORE_OP_COPY:
        return keystore_copy(client, &op->request.copy, answer);
    case KEYSTORE_OP_LSET:
        return keystore_lset(client, &op->request.list_item, answer);
    case KEYSTORE_OP_LINSERT:
        return keystore_linsert(client, &op->request.list_item, answer);
    case KEYSTORE_OP_LREM:
        return keystore_lrem(client, &op->request.list_find, answer);
    default:
        return keystore_ltrim(client, &op->request.list_range, answer);
    }
}

static enum keystore_code call_for_value(struct keystore_client *client,
                                         const struct keystore_op *op,
                                         struct keystore_value *answer)
{
    switch (op->kind) {
    case KEYSTORE_OP_GET:
        return keystore_get(client, &op->request.key, answer);
    case KEYSTORE_OP_LPOP:
        return keystore_lpop(client, &op->request.key, answer);
    case KEYSTORE_OP_RPOP:
        return keystore_rpop(client, &op->request.key, answer);
    case KEYSTORE_OP_GET_RANGE:
        return keystore_get_range(client, &op->request.byte_range, answer);
    case KEYSTORE_OP_GET_DEL:
        return keystore_get_del(client, &op->request.key, answer);
    case KEYSTORE_OP_GET_EX:
        return keystore_get_ex(client, &op->request.expire, answer);
    case KEYSTORE_OP_LMOVE:
        return keystore_lmove(client, &op->request.move, answer);
    default:
        return keystore_lindex(client, &op->request.list_item, answer);
    }
}

static enum keystore_code call_op(struct keystore_client *client, const struct keystore_op *op,
                                  struct keystore_reply *reply)
{
    reply->kind = request_reply_kind(op->kind);
    switch (reply->kind) {
    case KEYSTORE_REPLY_VALUE:
        return call_for_value(client, op, &reply->answer.value);
    case KEYSTORE_REPLY_LIST:
        return keystore_lrange(client, &op->request.list_range, &reply->answer.list);
    case KEYSTORE_REPLY_NUMBER:
        return keystore_incr(client, &op->request.increment, &reply->answer.number);
    case KEYSTORE_REPLY_VALUES:
        return keystore_mget(client, &op->request.keys, &reply->answer.values);
    case KEYSTORE_REPLY_INFO:
        return keystore_describe(client, &op->request.key, &reply->answer.info);
    case KEYSTORE_REPLY_POPPED:
        return keystore_list_pop(client, &op->request.pop, &reply->answer.popped);
    case KEYSTORE_REPLY_POSITIONS:
        return keystore_lpos(client, &op->request.list_find, &reply->answer.positions);
    default:
        return call_for_status(client, op, &reply->answer.status);
    }
}

static enum keystore_code send_op(struct keystore_client *client, const struct request *request,
                                  struct arena *arena, struct reply *reply)
{
    struct keystore_reply from = {0};
    enum keystore_code code = call_op(client, &request->op, &from);
    if (code == KEYSTORE_OK)
        *reply = request->answer(request, &from, arena);
    return code;
}

static enum keystore_code send_random_key(struct keystore_client *client, uint32_t db,
                                          struct reply *reply)
{
    struct keystore_key key;
    enum keystore_code code =
        keystore_random_key(client, &(struct keystore_db_request){.db = db}, &key);
    if (code == KEYSTORE_OK)
        *reply = key.key.len > 0 ? format_bytes(key.key) : format_nil();
    return code;
}

static enum keystore_code send_flush_db(struct keystore_client *client, uint32_t db,
                                        struct reply *reply)
{
    struct keystore_status status;
    *reply = format_status("OK");
    return keystore_flush_db(client, &(struct keystore_db_request){.db = db}, &status);
}

static enum keystore_code send_save(struct keystore_client *client, bool wait, struct reply *reply)
{
    struct keystore_status status;
    *reply = format_status(wait ? "OK" : "Background saving started");
    return keystore_save(client, &(struct keystore_save_request){.wait = wait}, &status);
}

/* The server's names of sections are in lower case. */
static const char *section_name(struct keystore_slice word, struct arena *arena)
{
    char *name = arena_alloc(arena, word.len + 1);
    for (size_t i = 0; i < word.len; i++)
        name[i] = (char)tolower(((const unsigned char *)word.data)[i]);
    name[word.len] = '\0';
    return name;
}

static enum keystore_code send_info(struct keystore_client *client, const struct request *request,
                                    struct arena *arena, struct reply *reply)
{
    const char **sections = arena_alloc(arena, (request->count + 1) * sizeof *sections);
    for (size_t i = 0; i < request->count; i++)
        sections[i] = section_name(request->words[i], arena);
    struct keystore_info_request info = {.sections = sections, .count = request->count};
    struct keystore_info_reply from;
    enum keystore_code code = keystore_info(client, &info, &from);
    if (code == KEYSTORE_OK)
        *reply = answers_info(&from, arena);
    return code;
}

static enum keystore_code send_db_size(struct keystore_client *client, uint32_t db,
                                       struct reply *reply)
{
    static const char *const sections[] = {"keyspace"};
    struct keystore_info_reply from;
    enum keystore_code code = keystore_info(
        client, &(struct keystore_info_request){.sections = sections, .count = 1}, &from);
    if (code == KEYSTORE_OK)
        *reply = answers_db_size(&from, db);
    return code;
}

enum keystore_code request_send(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply)
{
    switch (request->type) {
    case REQUEST_RANDOM_KEY:
        return send_random_key(client, request->db, reply);
    case REQUEST_FLUSH_DB:
        return send_flush_db(client, request->db, reply);
    case REQUEST_DB_SIZE:
        return send_db_size(client, request->db, reply);
    case REQUEST_INFO:
        return send_info(client, request, arena, reply);
    case REQUEST_SAVE:
    case REQUEST_BGSAVE:
        return send_save(client, request->type == REQUEST_SAVE, reply);
    default:
        return send_op(client, request, arena, reply);
    }
}
