/* The commands for keys of any type, and for whole databases. */
#include "cli/answers.h"
#include "cli/build.h"

/* ---- DELETE ---- */

static bool commands_keys_build_delete(struct args *args, struct request *request)
{
    struct keystore_condition *condition = arena_alloc(args->arena, sizeof *condition);
    *condition = (struct keystore_condition){0};
    build_key(args, request);
    while (args_left(args) > 0) {
        if (!build_is_condition(args))
            return args_refuse_option(args);
        if (!build_condition(args, condition))
            return false;
    }
    request->op.request.key.condition = build_given(condition);
    return true;
}

/* ---- EXPIRE and its kin ---- */

static bool commands_keys_take_when(struct args *args, enum keystore_expire_when *when)
{
    static const struct {
        const char *name;
        enum keystore_expire_when when;
    } options[] = {
        {"NX", KEYSTORE_WHEN_NO_EXPIRY},
        {"XX", KEYSTORE_WHEN_HAS_EXPIRY},
        {"GT", KEYSTORE_WHEN_LATER},
        {"LT", KEYSTORE_WHEN_SOONER},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (!args_match(args, options[i].name))
            continue;
        if (*when != KEYSTORE_WHEN_ANY)
            return args_refuse(args,
                               "%s is a second condition: %s takes only one of NX, XX, GT and LT",
                               options[i].name, args->command->name);
        *when = options[i].when;
        return true;
    }
    return args_refuse_option(args);
}

/* As in Redis, a time in the past, however long ago, removes the key. */
static void commands_keys_set_time(struct keystore_expire_request *expire, int64_t ms,
                                   bool is_point)
{
    if (ms <= 0)
        expire->expire_at_ms = 1;
    else if (is_point)
        expire->expire_at_ms = ms;
    else
        expire->ttl_ms = ms;
}

static bool commands_keys_build_deadline(struct args *args, struct request *request,
                                         int64_t unit_ms, bool is_point)
{
    struct keystore_expire_request *expire = &request->op.request.expire;
    const char *what = unit_ms == 1
                           ? (is_point ? "Unix time in milliseconds" : "number of milliseconds")
                           : (is_point ? "Unix time in seconds" : "number of seconds");
    int64_t time;
    *expire = (struct keystore_expire_request){.key = args_take(args), .db = args->db};
    if (!args_integer(args, what, INT64_MIN / unit_ms, INT64_MAX / unit_ms, &time))
        return false;
    commands_keys_set_time(expire, time * unit_ms, is_point);
    while (args_left(args) > 0)
        if (!commands_keys_take_when(args, &expire->when))
            return false;
    return true;
}

static bool commands_keys_build_expire(struct args *args, struct request *request)
{
    return commands_keys_build_deadline(args, request, 1000, false);
}

static bool commands_keys_build_pexpire(struct args *args, struct request *request)
{
    return commands_keys_build_deadline(args, request, 1, false);
}

static bool commands_keys_build_expireat(struct args *args, struct request *request)
{
    return commands_keys_build_deadline(args, request, 1000, true);
}

static bool commands_keys_build_pexpireat(struct args *args, struct request *request)
{
    return commands_keys_build_deadline(args, request, 1, true);
}

static bool commands_keys_build_persist(struct args *args, struct request *request)
{
    request->op.request.expire =
        (struct keystore_expire_request){.key = args_take(args), .persist = true, .db = args->db};
    return true;
}

/* ---- copying and moving ---- */

static bool commands_keys_build_rename(struct args *args, struct request *request)
{
    struct keystore_copy_request *copy = &request->op.request.copy;
    *copy = (struct keystore_copy_request){.source = args_take(args), .db = args->db};
    copy->target = args_take(args);
    return true;
}

static bool commands_keys_build_renamenx(struct args *args, struct request *request)
{
    commands_keys_build_rename(args, request);
    request->op.request.copy.absent_only = true;
    return true;
}

/* Any number: only the server knows how many databases it has. */
static bool commands_keys_take_db(struct args *args, uint32_t *db)
{
    int64_t number;
    if (!args_integer(args, "database", 0, UINT32_MAX, &number))
        return false;
    *db = (uint32_t)number;
    return true;
}

static bool commands_keys_build_copy(struct args *args, struct request *request)
{
    struct keystore_copy_request *copy = &request->op.request.copy;
    commands_keys_build_rename(args, request);
    while (args_left(args) > 0) {
        if (args_match(args, "REPLACE"))
            copy->replace = true;
        else if (!args_match(args, "DB"))
            return args_refuse_option(args);
        else if (!args_has_value(args, "DB") || !commands_keys_take_db(args, &copy->target_db))
            return false;
        else
            copy->has_target_db = true;
    }
    return true;
}

static bool commands_keys_build_move(struct args *args, struct request *request)
{
    struct keystore_copy_request *copy = &request->op.request.copy;
    *copy = (struct keystore_copy_request){
        .source = args_take(args), .has_target_db = true, .absent_only = true, .db = args->db};
    copy->target = copy->source;
    if (!commands_keys_take_db(args, &copy->target_db))
        return false;
    return copy->target_db != copy->db ||
           args_refuse(args, "the key is in database %u already; MOVE needs another one", copy->db);
}

/* ---- whole databases ---- */

static bool commands_keys_build_swapdb(struct args *args, struct request *request)
{
    return commands_keys_take_db(args, &request->db) &&
           commands_keys_take_db(args, &request->other_db);
}

/* ---- MEMORY ---- */

static bool commands_keys_build_memory(struct args *args, struct request *request)
{
    if (args_match(args, "USAGE"))
        return build_key(args, request);
    struct keystore_slice word = args_take(args);
    return args_refuse(args, "MEMORY has no '%.*s', only USAGE; usage: MEMORY %s",
                       args_quoted_len(word), (const char *)word.data, args->command->usage);
}

static const struct command table[] = {
    {"DEL", "key [key ...]", "Remove keys of any type", 1, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_DELETE_MANY, answers_count, build_keys},
    {"UNLINK", "key [key ...]", "The same as DEL", 1, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_DELETE_MANY, answers_count, build_keys},
    {"DELETE", "key [IFEQ value] [IFVERSION version]", "Remove one key of any type", 1, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_DELETE, answers_count, commands_keys_build_delete},
    {"EXISTS", "key [key ...]", "How many of the keys exist", 1, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_EXISTS, answers_count, build_keys},
    {"TOUCH", "key [key ...]", "Mark keys as used; returns how many exist", 1, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_TOUCH, answers_count, build_keys},
    {"TYPE", "key", "What a key holds: string, list or none", 1, 1, REQUEST_OP,
     KEYSTORE_OP_DESCRIBE, answers_type, build_key},
    {"DESCRIBE", "key", "Type, length, time to live, version and memory of a key", 1, 1, REQUEST_OP,
     KEYSTORE_OP_DESCRIBE, answers_description, build_key},
    {"TTL", "key", "Seconds until a key expires; -1: never, -2: no such key", 1, 1, REQUEST_OP,
     KEYSTORE_OP_DESCRIBE, answers_ttl, build_key},
    {"PTTL", "key", "The same in milliseconds", 1, 1, REQUEST_OP, KEYSTORE_OP_DESCRIBE,
     answers_ttl_ms, build_key},
    {"EXPIRETIME", "key", "When a key expires, in Unix time; -1: never, -2: no such key", 1, 1,
     REQUEST_OP, KEYSTORE_OP_DESCRIBE, answers_expire_at, build_key},
    {"PEXPIRETIME", "key", "The same in milliseconds", 1, 1, REQUEST_OP, KEYSTORE_OP_DESCRIBE,
     answers_expire_at_ms, build_key},
    {"EXPIRE", "key seconds [NX|XX|GT|LT]", "Remove a key after that time", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_EXPIRE, answers_bit, commands_keys_build_expire},
    {"PEXPIRE", "key milliseconds [NX|XX|GT|LT]", "Remove a key after that time", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_EXPIRE, answers_bit, commands_keys_build_pexpire},
    {"EXPIREAT", "key unix-seconds [NX|XX|GT|LT]", "Remove a key at that time", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_EXPIRE, answers_bit, commands_keys_build_expireat},
    {"PEXPIREAT", "key unix-milliseconds [NX|XX|GT|LT]", "Remove a key at that time", 2,
     COMMAND_ANY, REQUEST_OP, KEYSTORE_OP_EXPIRE, answers_bit, commands_keys_build_pexpireat},
    {"PERSIST", "key", "Let a key never expire", 1, 1, REQUEST_OP, KEYSTORE_OP_EXPIRE, answers_bit,
     commands_keys_build_persist},
    {"RENAME", "key newkey", "Give a key another name", 2, 2, REQUEST_OP, KEYSTORE_OP_RENAME,
     answers_ok_or_no_key, commands_keys_build_rename},
    {"RENAMENX", "key newkey", "RENAME only if the new key does not exist", 2, 2, REQUEST_OP,
     KEYSTORE_OP_RENAME, answers_bit_or_no_key, commands_keys_build_renamenx},
    {"COPY", "source target [DB db] [REPLACE]", "Copy a key", 2, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_COPY, answers_bit, commands_keys_build_copy},
    {"MOVE", "key db", "Move a key to another database", 2, 2, REQUEST_OP, KEYSTORE_OP_RENAME,
     answers_bit, commands_keys_build_move},
    {"RANDOMKEY", "", "Any key of the database", 0, 0, REQUEST_RANDOM_KEY, KEYSTORE_OP_NONE, NULL,
     NULL},
    {"MEMORY", "USAGE key", "Bytes of memory that a key takes", 2, 2, REQUEST_OP,
     KEYSTORE_OP_DESCRIBE, answers_memory, commands_keys_build_memory},
    {"DBSIZE", "", "How many keys the database has", 0, 0, REQUEST_DB_SIZE, KEYSTORE_OP_NONE, NULL,
     NULL},
    {"FLUSHDB", "", "Remove all keys of the database", 0, 0, REQUEST_FLUSH_DB, KEYSTORE_OP_NONE,
     NULL, NULL},
    {"FLUSHALL", "", "Remove all keys of all databases", 0, 0, REQUEST_FLUSH_ALL, KEYSTORE_OP_NONE,
     NULL, NULL},
    {"SWAPDB", "db db", "Swap two databases", 2, 2, REQUEST_SWAP_DB, KEYSTORE_OP_NONE, NULL,
     commands_keys_build_swapdb},
};

const struct command *commands_keys(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
