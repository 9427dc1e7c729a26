/* The commands for lists. */
#include "cli/answers.h"
#include "cli/build.h"

/* ---- pushing ---- */

static bool commands_lists_build_push(struct args *args, struct request *request)
{
    struct keystore_list_insert *insert = &request->op.request.list_insert;
    *insert = (struct keystore_list_insert){.key = args_take(args), .db = args->db};
    struct words values = args_take_rest(args);
    insert->values = values.items;
    insert->count = values.count;
    return true;
}

static bool commands_lists_build_pushx(struct args *args, struct request *request)
{
    commands_lists_build_push(args, request);
    request->op.request.list_insert.condition = build_existence(args, KEYSTORE_PRESENT);
    return true;
}

/* ---- popping ---- */

/* With a count the answer is a list. */
static bool commands_lists_build_pop_count(struct args *args, struct request *request,
                                           enum keystore_list_end end)
{
    struct keystore_slice *key = arena_alloc(args->arena, sizeof *key);
    int64_t count;
    *key = args_take(args);
    if (!args_integer(args, "count", 0, UINT32_MAX, &count))
        return false;
    if (count == 0) {
        request->op.kind = KEYSTORE_OP_DESCRIBE;
        request->op.request.key = (struct keystore_key){.key = *key, .db = args->db};
        request->answer = answers_no_elements;
        return true;
    }
    request->op.kind = KEYSTORE_OP_LIST_POP;
    request->op.request.pop = (struct keystore_pop_request){
        .keys = key, .key_count = 1, .end = end, .count = (uint32_t)count, .db = args->db};
    request->answer = answers_popped;
    return true;
}

static bool commands_lists_build_lpop(struct args *args, struct request *request)
{
    return args_left(args) == 1 ? build_key(args, request)
                                : commands_lists_build_pop_count(args, request, KEYSTORE_HEAD);
}

static bool commands_lists_build_rpop(struct args *args, struct request *request)
{
    return args_left(args) == 1 ? build_key(args, request)
                                : commands_lists_build_pop_count(args, request, KEYSTORE_TAIL);
}

/* LEFT or RIGHT. */
static bool commands_lists_take_end(struct args *args, enum keystore_list_end *end)
{
    *end = args_is_next(args, "RIGHT") ? KEYSTORE_TAIL : KEYSTORE_HEAD;
    if (args_match(args, "LEFT") || args_match(args, "RIGHT"))
        return true;
    if (args_left(args) == 0)
        return args_refuse(args, "LEFT (the head) or RIGHT (the tail) is missing; usage: %s %s",
                           args->command->name, args->command->usage);
    struct keystore_slice word = args_take(args);
    return args_refuse(args, "'%.*s' is neither LEFT (the head) nor RIGHT (the tail); usage: %s %s",
                       args_quoted_len(word), (const char *)word.data, args->command->name,
                       args->command->usage);
}

static bool commands_lists_build_lmpop(struct args *args, struct request *request)
{
    struct keystore_pop_request *pop = &request->op.request.pop;
    int64_t number, count = 1;
    if (!args_integer(args, "number of keys", 1, UINT32_MAX, &number))
        return false;
    if ((size_t)number >= args_left(args))
        return args_refuse(args,
                           "%s needs %zu keys followed by LEFT or RIGHT, but there are only %zu "
                           "words; usage: %s %s",
                           args->command->name, (size_t)number, args_left(args),
                           args->command->name, args->command->usage);
    *pop = (struct keystore_pop_request){
        .keys = args->words.items + args->at, .key_count = (size_t)number, .db = args->db};
    args->at += (size_t)number;
    if (!commands_lists_take_end(args, &pop->end))
        return false;
    if (args_match(args, "COUNT") &&
        !(args_has_value(args, "COUNT") && args_integer(args, "count", 1, UINT32_MAX, &count)))
        return false;
    pop->count = (uint32_t)count;
    return true;
}

static bool commands_lists_build_lmove(struct args *args, struct request *request)
{
    struct keystore_move_request *move = &request->op.request.move;
    *move = (struct keystore_move_request){.source = args_take(args), .db = args->db};
    move->target = args_take(args);
    return commands_lists_take_end(args, &move->source_end) &&
           commands_lists_take_end(args, &move->target_end);
}

/* "key [key ...] timeout" */
static bool commands_lists_build_bpop(struct args *args, struct request *request,
                                      enum keystore_list_end end)
{
    struct keystore_pop_request *pop = &request->op.request.pop;
    *pop = (struct keystore_pop_request){.keys = args->words.items,
                                         .key_count = args->words.count - 1,
                                         .end = end,
                                         .count = 1,
                                         .db = args->db};
    args->at = args->words.count - 1;
    return build_wait(args, &pop->wait_ms);
}

static bool commands_lists_build_blpop(struct args *args, struct request *request)
{
    return commands_lists_build_bpop(args, request, KEYSTORE_HEAD);
}

static bool commands_lists_build_brpop(struct args *args, struct request *request)
{
    return commands_lists_build_bpop(args, request, KEYSTORE_TAIL);
}

static bool commands_lists_build_blmpop(struct args *args, struct request *request)
{
    int64_t wait_ms;
    if (!build_wait(args, &wait_ms) || !commands_lists_build_lmpop(args, request))
        return false;
    request->op.request.pop.wait_ms = wait_ms;
    return true;
}

static bool commands_lists_build_blmove(struct args *args, struct request *request)
{
    return commands_lists_build_lmove(args, request) &&
           build_wait(args, &request->op.request.move.wait_ms);
}

static bool commands_lists_build_rpoplpush(struct args *args, struct request *request)
{
    struct keystore_move_request *move = &request->op.request.move;
    *move = (struct keystore_move_request){.source = args_take(args),
                                           .source_end = KEYSTORE_TAIL,
                                           .target_end = KEYSTORE_HEAD,
                                           .db = args->db};
    move->target = args_take(args);
    return true;
}

static bool commands_lists_build_brpoplpush(struct args *args, struct request *request)
{
    return commands_lists_build_rpoplpush(args, request) &&
           build_wait(args, &request->op.request.move.wait_ms);
}

/* ---- ranges and single elements ---- */

static bool commands_lists_build_range(struct args *args, struct request *request)
{
    struct keystore_list_range *range = &request->op.request.list_range;
    *range = (struct keystore_list_range){.key = args_take(args), .db = args->db};
    return args_integer(args, "start index", INT64_MIN, INT64_MAX, &range->start) &&
           args_integer(args, "stop index", INT64_MIN, INT64_MAX, &range->stop);
}

/* "key index [value]" */
static bool commands_lists_build_item(struct args *args, struct request *request)
{
    struct keystore_list_item *item = &request->op.request.list_item;
    *item = (struct keystore_list_item){.key = args_take(args), .db = args->db};
    if (!args_integer(args, "index", INT64_MIN, INT64_MAX, &item->index))
        return false;
    if (args_left(args) > 0)
        item->value = args_take(args);
    return true;
}

static bool commands_lists_build_linsert(struct args *args, struct request *request)
{
    struct keystore_list_item *item = &request->op.request.list_item;
    *item = (struct keystore_list_item){.key = args_take(args), .db = args->db};
    item->after = args_is_next(args, "AFTER");
    if (!args_match(args, "AFTER") && !args_match(args, "BEFORE")) {
        struct keystore_slice word = args_take(args);
        return args_refuse(args, "'%.*s' is neither BEFORE nor AFTER; usage: %s %s",
                           args_quoted_len(word), (const char *)word.data, args->command->name,
                           args->command->usage);
    }
    item->pivot = args_take(args);
    item->value = args_take(args);
    return true;
}

static bool commands_lists_build_lrem(struct args *args, struct request *request)
{
    struct keystore_list_find *find = &request->op.request.list_find;
    *find = (struct keystore_list_find){.key = args_take(args), .db = args->db};
    if (!args_integer(args, "count", -INT64_MAX, INT64_MAX, &find->count))
        return false;
    find->value = args_take(args);
    return true;
}

static bool commands_lists_take_rank(struct args *args, struct keystore_list_find *find)
{
    if (!args_integer(args, "rank", -INT64_MAX, INT64_MAX, &find->rank))
        return false;
    return find->rank != 0 ||
           args_refuse(args, "RANK cannot be 0: 1 is the first match from the head, 2 the second, "
                             "-1 the first from the tail");
}

static bool commands_lists_take_lpos_option(struct args *args, struct request *request)
{
    struct keystore_list_find *find = &request->op.request.list_find;
    int64_t max_scan;
    if (args_match(args, "RANK"))
        return args_has_value(args, "RANK") && commands_lists_take_rank(args, find);
    if (args_match(args, "COUNT")) {
        request->answer = answers_positions;
        return args_has_value(args, "COUNT") &&
               args_integer(args, "count", 0, INT64_MAX, &find->count);
    }
    if (!args_match(args, "MAXLEN"))
        return args_refuse_option(args);
    if (!args_has_value(args, "MAXLEN") ||
        !args_integer(args, "number of elements", 0, INT64_MAX, &max_scan))
        return false;
    find->max_scan = (uint64_t)max_scan;
    return true;
}

static bool commands_lists_build_lpos(struct args *args, struct request *request)
{
    struct keystore_list_find *find = &request->op.request.list_find;
    *find = (struct keystore_list_find){.key = args_take(args), .count = 1, .db = args->db};
    find->value = args_take(args);
    while (args_left(args) > 0)
        if (!commands_lists_take_lpos_option(args, request))
            return false;
    return true;
}

static const struct command table[] = {
    {"LPUSH", "key value [value ...]",
     "Insert values before the head of a list, one after the other", 2, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_LPUSH, answers_count, commands_lists_build_push},
    {"RPUSH", "key value [value ...]", "Append values to the tail of a list", 2, COMMAND_ANY,
     REQUEST_OP, KEYSTORE_OP_RPUSH, answers_count, commands_lists_build_push},
    {"LPUSHX", "key value [value ...]", "LPUSH only if the list exists", 2, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_LPUSH, answers_count, commands_lists_build_pushx},
    {"RPUSHX", "key value [value ...]", "RPUSH only if the list exists", 2, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_RPUSH, answers_count, commands_lists_build_pushx},
    {"LPOP", "key [count]", "Remove and return the head of a list", 1, 2, REQUEST_OP,
     KEYSTORE_OP_LPOP, answers_value, commands_lists_build_lpop},
    {"RPOP", "key [count]", "Remove and return the tail of a list", 1, 2, REQUEST_OP,
     KEYSTORE_OP_RPOP, answers_value, commands_lists_build_rpop},
    {"LMPOP", "numkeys key [key ...] LEFT|RIGHT [COUNT count]",
     "Remove and return elements of the first list that exists", 3, COMMAND_ANY, REQUEST_OP,
     KEYSTORE_OP_LIST_POP, answers_popped_key, commands_lists_build_lmpop},
    {"LMOVE", "source target LEFT|RIGHT LEFT|RIGHT", "Move an element from a list to another", 4, 4,
     REQUEST_OP, KEYSTORE_OP_LMOVE, answers_value, commands_lists_build_lmove},
    {"RPOPLPUSH", "source target", "Move the tail of a list to the head of another", 2, 2,
     REQUEST_OP, KEYSTORE_OP_LMOVE, answers_value, commands_lists_build_rpoplpush},
    {"BLPOP", "key [key ...] timeout",
     "LPOP of the first list that exists; waits for one (0: forever)", 2, COMMAND_ANY,
     REQUEST_BLOCKING, KEYSTORE_OP_LIST_POP, answers_popped_pair, commands_lists_build_blpop},
    {"BRPOP", "key [key ...] timeout", "The same with RPOP", 2, COMMAND_ANY, REQUEST_BLOCKING,
     KEYSTORE_OP_LIST_POP, answers_popped_pair, commands_lists_build_brpop},
    {"BLMPOP", "timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]", "The same with LMPOP", 4,
     COMMAND_ANY, REQUEST_BLOCKING, KEYSTORE_OP_LIST_POP, answers_popped_key,
     commands_lists_build_blmpop},
    {"BLMOVE", "source target LEFT|RIGHT LEFT|RIGHT timeout", "The same with LMOVE", 5, 5,
     REQUEST_BLOCKING, KEYSTORE_OP_LMOVE, answers_value, commands_lists_build_blmove},
    {"BRPOPLPUSH", "source target timeout", "The same with RPOPLPUSH", 3, 3, REQUEST_BLOCKING,
     KEYSTORE_OP_LMOVE, answers_value, commands_lists_build_brpoplpush},
    {"LRANGE", "key start stop", "Elements of a list; 0 is the first, -1 the last", 3, 3,
     REQUEST_OP, KEYSTORE_OP_LRANGE, answers_list, commands_lists_build_range},
    {"LLEN", "key", "The length of a list", 1, 1, REQUEST_OP, KEYSTORE_OP_DESCRIBE,
     answers_list_length, build_key},
    {"LINDEX", "key index", "An element of a list", 2, 2, REQUEST_OP, KEYSTORE_OP_LINDEX,
     answers_value, commands_lists_build_item},
    {"LSET", "key index value", "Replace an element of a list", 3, 3, REQUEST_OP, KEYSTORE_OP_LSET,
     answers_ok_or_no_key, commands_lists_build_item},
    {"LINSERT", "key BEFORE|AFTER pivot value",
     "Insert before or after the first element equal to pivot", 4, 4, REQUEST_OP,
     KEYSTORE_OP_LINSERT, answers_count, commands_lists_build_linsert},
    {"LREM", "key count value", "Remove elements equal to value; count 0: all", 3, 3, REQUEST_OP,
     KEYSTORE_OP_LREM, answers_count, commands_lists_build_lrem},
    {"LPOS", "key value [RANK rank] [COUNT count] [MAXLEN elements]",
     "The index of a value in a list", 2, COMMAND_ANY, REQUEST_OP, KEYSTORE_OP_LPOS,
     answers_position, commands_lists_build_lpos},
    {"LTRIM", "key start stop", "Keep this part of a list and remove the rest", 3, 3, REQUEST_OP,
     KEYSTORE_OP_LTRIM, answers_ok, commands_lists_build_range},
};

const struct command *commands_lists(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
