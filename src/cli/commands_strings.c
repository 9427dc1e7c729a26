/* The commands for strings. */
#include "cli/answers.h"
#include "cli/build.h"

/* ---- SET and its kin ---- */

static bool commands_strings_take_existence(struct args *args, struct keystore_condition *condition,
                                            enum keystore_existence existence)
{
    (void)args_take(args);
    if (condition->existence != KEYSTORE_ANY && condition->existence != existence)
        return args_refuse(args, "NX (only if absent) and XX (only if present) exclude each other");
    condition->existence = existence;
    return true;
}

static bool commands_strings_take_set_option(struct args *args, struct keystore_key_value *set,
                                             struct keystore_condition *condition,
                                             struct build_time *when)
{
    if (args_is_next(args, "NX"))
        return commands_strings_take_existence(args, condition, KEYSTORE_ABSENT);
    if (args_is_next(args, "XX"))
        return commands_strings_take_existence(args, condition, KEYSTORE_PRESENT);
    if (args_match(args, "GET"))
        return set->return_previous = true;
    if (args_match(args, "KEEPTTL"))
        return set->keep_ttl = true;
    if (build_is_time(args))
        return build_time(args, when);
    if (build_is_condition(args))
        return build_condition(args, condition);
    return args_refuse_option(args);
}

/* The key and the value after it. */
static struct keystore_key_value commands_strings_take_pair(struct args *args)
{
    struct keystore_slice key = args_take(args);
    return (struct keystore_key_value){.key = key, .value = args_take(args), .db = args->db};
}

static bool commands_strings_build_set(struct args *args, struct request *request)
{
    struct keystore_key_value *set = &request->op.request.key_value;
    struct keystore_condition *condition = arena_alloc(args->arena, sizeof *condition);
    struct build_time when = {0};
    *condition = (struct keystore_condition){0};
    *set = commands_strings_take_pair(args);
    while (args_left(args) > 0)
        if (!commands_strings_take_set_option(args, set, condition, &when))
            return false;
    if (set->keep_ttl && (when.ttl_ms != 0 || when.expire_at_ms != 0))
        return args_refuse(args, "KEEPTTL and a new time to live exclude each other");
    set->ttl_ms = when.ttl_ms;
    set->expire_at_ms = when.expire_at_ms;
    set->condition = build_given(condition);
    if (set->return_previous)
        request->answer = answers_previous;
    return true;
}

static bool commands_strings_build_pair(struct args *args, struct request *request)
{
    request->op.request.key_value = commands_strings_take_pair(args);
    return true;
}

static bool commands_strings_build_getset(struct args *args, struct request *request)
{
    request->op.request.key_value = commands_strings_take_pair(args);
    request->op.request.key_value.return_previous = true;
    return true;
}

static bool commands_strings_build_setnx(struct args *args, struct request *request)
{
    request->op.request.key_value = commands_strings_take_pair(args);
    request->op.request.key_value.condition = build_existence(args, KEYSTORE_ABSENT);
    return true;
}

/* SETEX and PSETEX have the time between the key and the value. */
static bool commands_strings_build_set_for(struct args *args, struct request *request,
                                           const char *what, int64_t unit_ms)
{
    struct keystore_slice key = args_take(args);
    int64_t ttl_ms;
    if (!build_duration(args, what, unit_ms, &ttl_ms))
        return false;
    request->op.request.key_value = (struct keystore_key_value){
        .key = key, .value = args_take(args), .db = args->db, .ttl_ms = ttl_ms};
    return true;
}

static bool commands_strings_build_setex(struct args *args, struct request *request)
{
    return commands_strings_build_set_for(args, request, "number of seconds", 1000);
}

static bool commands_strings_build_psetex(struct args *args, struct request *request)
{
    return commands_strings_build_set_for(args, request, "number of milliseconds", 1);
}

/* MSET; each pair with the condition, if it is not NULL. */
static bool commands_strings_build_pairs_if(struct args *args, struct request *request,
                                            const struct keystore_condition *condition)
{
    if (args_left(args) % 2 != 0)
        return args_refuse(args, "%s takes a value for each key, so %zu arguments are one too few",
                           args->command->name, args_left(args));
    size_t count = args_left(args) / 2;
    struct keystore_key_value *entries = arena_alloc(args->arena, count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i] = commands_strings_take_pair(args);
        entries[i].condition = condition;
    }
    request->op.request.key_values =
        (struct keystore_key_values){.entries = entries, .count = count, .db = args->db};
    return true;
}

static bool commands_strings_build_mset(struct args *args, struct request *request)
{
    return commands_strings_build_pairs_if(args, request, NULL);
}

static bool commands_strings_build_msetnx(struct args *args, struct request *request)
{
    return commands_strings_build_pairs_if(args, request, build_existence(args, KEYSTORE_ABSENT));
}

/* ---- GETEX ---- */

static bool commands_strings_build_getex(struct args *args, struct request *request)
{
    struct keystore_expire_request *expire = &request->op.request.expire;
    struct build_time when = {0};
    *expire = (struct keystore_expire_request){.key = args_take(args), .db = args->db};
    while (args_left(args) > 0) {
        if (args_match(args, "PERSIST"))
            expire->persist = true;
        else if (!build_is_time(args))
            return args_refuse_option(args);
        else if (!build_time(args, &when))
            return false;
    }
    expire->ttl_ms = when.ttl_ms;
    expire->expire_at_ms = when.expire_at_ms;
    if (expire->persist && (when.ttl_ms != 0 || when.expire_at_ms != 0))
        return args_refuse(args, "PERSIST and a new time to live exclude each other");
    return true;
}

/* ---- parts of strings ---- */

static bool commands_strings_build_getrange(struct args *args, struct request *request)
{
    struct keystore_byte_range *range = &request->op.request.byte_range;
    *range = (struct keystore_byte_range){.key = args_take(args), .db = args->db};
    return args_integer(args, "start index", INT64_MIN, INT64_MAX, &range->start) &&
           args_integer(args, "stop index", INT64_MIN, INT64_MAX, &range->stop);
}

static bool commands_strings_build_setrange(struct args *args, struct request *request)
{
    struct keystore_byte_range *range = &request->op.request.byte_range;
    *range = (struct keystore_byte_range){.key = args_take(args), .db = args->db};
    if (!args_integer(args, "offset", 0, INT64_MAX, &range->start))
        return false;
    range->value = args_take(args);
    return true;
}

/* ---- numbers ---- */

static bool commands_strings_build_by(struct args *args, struct request *request, int64_t by)
{
    request->op.request.increment.delta = KEYSTORE_BY;
    request->op.request.increment.by = by;
    request->op.request.increment.db = args->db;
    return true;
}

static bool commands_strings_build_incr(struct args *args, struct request *request)
{
    request->op.request.increment.key = args_take(args);
    return commands_strings_build_by(args, request, 1);
}

static bool commands_strings_build_decr(struct args *args, struct request *request)
{
    request->op.request.increment.key = args_take(args);
    return commands_strings_build_by(args, request, -1);
}

static bool commands_strings_build_incrby(struct args *args, struct request *request)
{
    int64_t by;
    request->op.request.increment.key = args_take(args);
    return args_integer(args, "increment", INT64_MIN, INT64_MAX, &by) &&
           commands_strings_build_by(args, request, by);
}

static bool commands_strings_build_decrby(struct args *args, struct request *request)
{
    int64_t by;
    request->op.request.increment.key = args_take(args);
    return args_integer(args, "decrement", -INT64_MAX, INT64_MAX, &by) &&
           commands_strings_build_by(args, request, -by);
}

static bool commands_strings_build_incrbyfloat(struct args *args, struct request *request)
{
    struct keystore_increment *increment = &request->op.request.increment;
    *increment = (struct keystore_increment){
        .key = args_take(args), .delta = KEYSTORE_BY_DECIMAL, .db = args->db};
    return args_text(args, "increment", &increment->by_decimal);
}

static bool commands_strings_build_lcs(struct args *args, struct request *request)
{
    struct keystore_lcs_request *lcs = &request->op.request.lcs_request;
    bool length = false, with_lengths = false;
    int64_t least = 0;
    *lcs = (struct keystore_lcs_request){.key = args_take(args), .db = args->db};
    lcs->other_key = args_take(args);
    while (args_left(args) > 0) {
        if (args_match(args, "LEN"))
            length = true;
        else if (args_match(args, "IDX"))
            lcs->want_matches = true;
        else if (args_match(args, "WITHMATCHLEN"))
            with_lengths = true;
        else if (!args_match(args, "MINMATCHLEN"))
            return args_refuse_option(args);
        else if (!args_has_value(args, "MINMATCHLEN") ||
                 !args_integer(args, "length", INT64_MIN, INT64_MAX, &least))
            return false;
    }
    if (length && lcs->want_matches)
        return args_refuse(args, "LEN and IDX exclude each other: IDX answers the length, too");
    lcs->want_string = !length && !lcs->want_matches;
    if (lcs->want_matches && least > 0) /* as in Redis it means nothing else */
        lcs->min_match_length = (uint64_t)least;
    if (length)
        request->answer = answers_lcs_length;
    else if (lcs->want_matches)
        request->answer = with_lengths ? answers_lcs_matches_with_lengths : answers_lcs_matches;
    return true;
}

static const struct command table[] = {
    {"SET",
     "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|"
     "PXAT unix-milliseconds|KEEPTTL] [IFEQ value] [IFVERSION version]",
     "Store a value; NX: if absent, XX: if present, GET: the old one", 2, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_SET, answers_ok_or_nil, commands_strings_build_set},
    {"GET", "key", "The value of a key", 1, 1, REQUEST_OP, KEYSTORE_OP_GET, answers_value,
     build_key},
    {"GETSET", "key value", "Store a value and return the old one", 2, 2, REQUEST_OP,
     KEYSTORE_OP_SET, answers_previous, commands_strings_build_getset},
    {"SETNX", "key value", "Store a value if the key is absent", 2, 2, REQUEST_OP, KEYSTORE_OP_SET,
     answers_bit, commands_strings_build_setnx},
    {"SETEX", "key seconds value", "Store a value that expires", 3, 3, REQUEST_OP, KEYSTORE_OP_SET,
     answers_ok, commands_strings_build_setex},
    {"PSETEX", "key milliseconds value", "Store a value that expires", 3, 3, REQUEST_OP,
     KEYSTORE_OP_SET, answers_ok, commands_strings_build_psetex},
    {"GETDEL", "key", "Remove a key and return its value", 1, 1, REQUEST_OP, KEYSTORE_OP_GET_DEL,
     answers_value, build_key},
    {"GETEX", "key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]",
     "The value of a key, whose time to live is changed", 1, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_GET_EX, answers_value, commands_strings_build_getex},
    {"MGET", "key [key ...]", "The values of several keys", 1, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_MGET, answers_values, build_keys},
    {"MSET", "key value [key value ...]", "Store several values at once", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_MSET, answers_ok, commands_strings_build_mset},
    {"MSETNX", "key value [key value ...]", "Store several values, if none of the keys exists", 2,
     COMMAND_ANY, REQUEST_OP, KEYSTORE_OP_MSET, answers_bit, commands_strings_build_msetnx},
    {"APPEND", "key value", "Append to a string; returns its length", 2, 2, REQUEST_OP,
     KEYSTORE_OP_APPEND, answers_count, commands_strings_build_pair},
    {"STRLEN", "key", "The length of a string in bytes", 1, 1, REQUEST_OP, KEYSTORE_OP_DESCRIBE,
     answers_string_length, build_key},
    {"GETRANGE", "key start stop", "A part of a string; 0 is the first byte, -1 the last", 3, 3,
     REQUEST_OP, KEYSTORE_OP_GET_RANGE, answers_part, commands_strings_build_getrange},
    {"SUBSTR", "key start stop", "The same as GETRANGE", 3, 3, REQUEST_OP, KEYSTORE_OP_GET_RANGE,
     answers_part, commands_strings_build_getrange},
    {"SETRANGE", "key offset value", "Overwrite a part of a string; returns its length", 3, 3,
     REQUEST_OP, KEYSTORE_OP_SET_RANGE, answers_count, commands_strings_build_setrange},
    {"INCR", "key", "Add 1 to a number", 1, 1, REQUEST_OP, KEYSTORE_OP_INCR, answers_integer,
     commands_strings_build_incr},
    {"DECR", "key", "Subtract 1 from a number", 1, 1, REQUEST_OP, KEYSTORE_OP_INCR, answers_integer,
     commands_strings_build_decr},
    {"INCRBY", "key increment", "Add to a number", 2, 2, REQUEST_OP, KEYSTORE_OP_INCR,
     answers_integer, commands_strings_build_incrby},
    {"DECRBY", "key decrement", "Subtract from a number", 2, 2, REQUEST_OP, KEYSTORE_OP_INCR,
     answers_integer, commands_strings_build_decrby},
    {"INCRBYFLOAT", "key increment", "Add to a number with decimals", 2, 2, REQUEST_OP,
     KEYSTORE_OP_INCR, answers_decimal, commands_strings_build_incrbyfloat},
    {"LCS", "key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]",
     "What two strings have in common; LEN: its length, IDX: where it is", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_LCS, answers_lcs, commands_strings_build_lcs},
};

const struct command *commands_strings(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
