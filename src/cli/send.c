/* Sends requests as calls of the client library. Does not know how answers are printed. */
#include "cli/send.h"

#include "cli/answers.h"
#include "cli/latency.h"
#include "cli/slowlog.h"
#include "cli/who_am_i.h"

#include <ctype.h>

static struct reply send_reply_of_error(const struct keystore_op_error *error, struct arena *arena)
{
    char *text = arena_alloc(arena, FORMAT_ERROR_SIZE);
    format_error_text(text, error->code, error->reason, error->message);
    return (struct reply){.type = REPLY_ERROR, .bytes = keystore_text(text)};
}

/* The kind is checked: a broken server may send another one than was asked for. */
struct reply send_reply(const struct request *request, const struct keystore_reply *from,
                        struct arena *arena)
{
    if (from->kind == KEYSTORE_REPLY_ERROR)
        return send_reply_of_error(&from->answer.error, arena);
    if (from->kind == keystore_reply_kind_of(request->op.kind))
        return request->answer(request, from, arena);
    return (struct reply){
        .type = REPLY_ERROR,
        .bytes = keystore_text("the server's answer does not match the operation"),
    };
}

static enum keystore_code send_op(struct keystore_client *client, const struct request *request,
                                  struct arena *arena, struct reply *reply)
{
    struct keystore_reply from;
    enum keystore_code code = keystore_call(client, &request->op, &from);
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

/* All databases, one after the other: the server says which is the first that does not exist. */
static enum keystore_code send_flush_all(struct keystore_client *client, struct reply *reply)
{
    enum keystore_code code = KEYSTORE_OK;
    for (uint32_t db = 0; code == KEYSTORE_OK; db++) {
        code = send_flush_db(client, db, reply);
        if (code == KEYSTORE_INVALID_ARGUMENT && db > 0)
            return KEYSTORE_OK;
    }
    return code;
}

static enum keystore_code send_publish(struct keystore_client *client,
                                       const struct request *request, struct reply *reply)
{
    struct keystore_status status;
    enum keystore_code code = keystore_publish(client, &request->message, &status);
    *reply = format_integer(status.count);
    return code;
}

static enum keystore_code send_swap_db(struct keystore_client *client,
                                       const struct request *request, struct reply *reply)
{
    struct keystore_status status;
    struct keystore_swap_request swap = {.db = request->db, .other_db = request->other_db};
    *reply = format_status("OK");
    return keystore_swap_db(client, &swap, &status);
}

static enum keystore_code send_save(struct keystore_client *client, bool wait, struct reply *reply)
{
    struct keystore_status status;
    *reply = format_status(wait ? "OK" : "Background saving started");
    return keystore_save(client, &(struct keystore_save_request){.wait = wait}, &status);
}

/* Names and values, as in Redis. */
static enum keystore_code send_config(struct keystore_client *client, const struct request *request,
                                      struct arena *arena, struct reply *reply)
{
    struct keystore_config_reply config;
    enum keystore_code code = keystore_config(client, &request->config, &config);
    struct reply *items = arena_alloc(arena, (2 * config.count + 1) * sizeof *items);
    for (size_t i = 0; i < config.count; i++) {
        items[2 * i] = format_bytes(keystore_text(config.settings[i].name));
        items[2 * i + 1] = format_bytes(keystore_text(config.settings[i].value));
    }
    *reply = format_list(items, 2 * config.count);
    return code;
}

static enum keystore_code send_set_config(struct keystore_client *client,
                                          const struct request *request, struct reply *reply)
{
    struct keystore_status status;
    *reply = format_status("OK");
    return keystore_set_config(client, &request->set_config, &status);
}

static enum keystore_code send_kill_clients(struct keystore_client *client,
                                            const struct request *request, struct reply *reply)
{
    struct keystore_status status;
    enum keystore_code code = keystore_kill_clients(client, &request->kill, &status);
    *reply = format_integer(status.count);
    if (request->by_address && status.count > 0)
        *reply = format_status("OK");
    else if (request->by_address)
        *reply = (struct reply){.type = REPLY_ERROR,
                                .bytes = keystore_text("no connection has this address: CLIENT "
                                                       "LIST shows those that there are")};
    return code;
}

/* Lower case, as are the server's names of sections. */
static const char *send_section_name(struct keystore_slice word, struct arena *arena)
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
        sections[i] = send_section_name(request->words[i], arena);
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

enum keystore_code send_request(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply)
{
    switch (request->type) {
    case REQUEST_OP:
    case REQUEST_SELECT:
    case REQUEST_BLOCKING:
        return send_op(client, request, arena, reply);
    case REQUEST_RANDOM_KEY:
        return send_random_key(client, request->db, reply);
    case REQUEST_FLUSH_DB:
        return send_flush_db(client, request->db, reply);
    case REQUEST_FLUSH_ALL:
        return send_flush_all(client, reply);
    case REQUEST_PUBLISH:
        return send_publish(client, request, reply);
    case REQUEST_SWAP_DB:
        return send_swap_db(client, request, reply);
    case REQUEST_DB_SIZE:
        return send_db_size(client, request->db, reply);
    case REQUEST_INFO:
        return send_info(client, request, arena, reply);
    case REQUEST_SAVE:
    case REQUEST_BGSAVE:
        return send_save(client, request->type == REQUEST_SAVE, reply);
    case REQUEST_CONFIG:
        return send_config(client, request, arena, reply);
    case REQUEST_SET_CONFIG:
        return send_set_config(client, request, reply);
    case REQUEST_SLOW_LOG:
        return slowlog_send(client, request, arena, reply);
    case REQUEST_LATENCY:
        return latency_send(client, request, arena, reply);
    case REQUEST_WHO_AM_I:
        return who_am_i_send(client, request, arena, reply);
    case REQUEST_KILL_CLIENTS:
        return send_kill_clients(client, request, reply);
    case REQUEST_SCAN: /* handled by streams.c */
    case REQUEST_KEYS:
    case REQUEST_DELETE_MATCHING:
    case REQUEST_SUBSCRIBE:
    case REQUEST_CONSUME:
    case REQUEST_OBSERVE:
    case REQUEST_BACKUP:
    case REQUEST_CLIENTS:
    case REQUEST_WATCH: /* handled by the session */
    case REQUEST_UNWATCH:
    case REQUEST_MULTI:
    case REQUEST_EXEC:
    case REQUEST_DISCARD:
    case REQUEST_AUTH:
    case REQUEST_HELP:
    case REQUEST_CLEAR:
    case REQUEST_QUIT:
        break;
    }
    return KEYSTORE_INTERNAL;
}
