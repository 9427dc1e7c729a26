/* The commands for streams: keys in pages, messages, queues, changes. */
#include "cli/answers.h"
#include "cli/build.h"
#include "cli/commands.h"

/* ---- SCAN, KEYS, DELMATCH ---- */

static bool commands_streams_take_type(struct args *args, enum keystore_type *type)
{
    if (!args_has_value(args, "TYPE"))
        return false;
    if (args_match(args, "string"))
        *type = KEYSTORE_TYPE_STRING;
    else if (args_match(args, "list"))
        *type = KEYSTORE_TYPE_LIST;
    else {
        struct keystore_slice word = args_take(args);
        return args_refuse(args, "'%.*s' is no type: keys hold a string or a list",
                           args_quoted_len(word), (const char *)word.data);
    }
    return true;
}

static bool commands_streams_take_scan_option(struct args *args, struct request *request)
{
    int64_t count;
    if (args_match(args, "MATCH")) {
        if (!args_has_value(args, "MATCH"))
            return false;
        request->scan.pattern = args_take(args);
        return true;
    }
    if (args_match(args, "TYPE"))
        return commands_streams_take_type(args, &request->scan.type);
    if (!args_match(args, "COUNT"))
        return args_refuse_option(args);
    if (!args_has_value(args, "COUNT") || !args_integer(args, "count", 1, UINT32_MAX, &count))
        return false;
    request->scan.max_visited = (uint32_t)count;
    return true;
}

static bool commands_streams_build_scan(struct args *args, struct request *request)
{
    struct keystore_slice cursor = args_take(args);
    request->scan = (struct keystore_scan_request){.max_visited = 10, .db = args->db};
    if (!args_is_word(cursor, "0"))
        request->scan.cursor = cursor;
    while (args_left(args) > 0)
        if (!commands_streams_take_scan_option(args, request))
            return false;
    return true;
}

static bool commands_streams_build_keys(struct args *args, struct request *request)
{
    request->scan = (struct keystore_scan_request){.db = args->db};
    request->scan.pattern = args_take(args);
    return true;
}

static bool commands_streams_build_delete(struct args *args, struct request *request)
{
    commands_streams_build_keys(args, request);
    if (request->scan.pattern.len == 0)
        return args_refuse(args, "the pattern is empty: '*' matches all keys");
    return !args_match(args, "TYPE") || commands_streams_take_type(args, &request->scan.type);
}

/* ---- messages ---- */

static bool commands_streams_build_words(struct args *args, struct request *request)
{
    struct words words = args_take_rest(args);
    request->words = words.items;
    request->count = words.count;
    return true;
}

static bool commands_streams_build_psubscribe(struct args *args, struct request *request)
{
    request->by_pattern = true;
    return commands_streams_build_words(args, request);
}

static bool commands_streams_build_publish(struct args *args, struct request *request)
{
    request->message.channel = args_take(args);
    request->message.payload = args_take(args);
    return true;
}

/* ---- CONSUME ---- */

/* The words before the first option, at least one. */
static struct words commands_streams_take_names(struct args *args, const char *const *options,
                                                size_t count)
{
    struct words names = {.items = args->words.items + args->at, .count = 1};
    for ((void)args_take(args); args_left(args) > 0; names.count++, (void)args_take(args))
        for (size_t i = 0; i < count; i++)
            if (args_is_next(args, options[i]))
                return names;
    return names;
}

static bool commands_streams_take_consume_option(struct args *args, struct request *request)
{
    struct keystore_consume_request *consume = &request->consume;
    int64_t number;
    if (args_match(args, "LEFT") || args_match(args, "RIGHT")) {
        consume->end =
            args_is_word(args->words.items[args->at - 1], "RIGHT") ? KEYSTORE_TAIL : KEYSTORE_HEAD;
        return true;
    }
    if (args_match(args, "AUTOACK")) {
        consume->auto_ack = true;
        return true;
    }
    if (args_match(args, "PENDING")) {
        if (!args_has_value(args, "PENDING"))
            return false;
        consume->pending = args_take(args);
        return true;
    }
    if (args_match(args, "LEASE"))
        return args_has_value(args, "LEASE") &&
               build_duration(args, "number of seconds", 1000, &consume->lease_ms);
    if (args_match(args, "MAX")) {
        bool taken = args_has_value(args, "MAX") &&
                     args_integer(args, "number of elements", 1, 10000, &number);
        consume->max_in_flight = taken ? (uint32_t)number : 0;
        return taken;
    }
    return args_match(args, "COUNT")
               ? args_has_value(args, "COUNT") && args_unsigned(args, "count", 1, &request->limit)
               : args_refuse_option(args);
}

static bool commands_streams_build_consume(struct args *args, struct request *request)
{
    static const char *const options[] = {"LEFT",  "RIGHT", "AUTOACK", "PENDING",
                                          "LEASE", "MAX",   "COUNT"};
    struct words keys =
        commands_streams_take_names(args, options, sizeof options / sizeof *options);
    request->consume = (struct keystore_consume_request){
        .keys = keys.items, .key_count = keys.count, .db = args->db};
    while (args_left(args) > 0)
        if (!commands_streams_take_consume_option(args, request))
            return false;
    return true;
}

/* ---- OBSERVE ---- */

static bool commands_streams_build_observe(struct args *args, struct request *request)
{
    static const char *const options[] = {"FROM", "INITIAL"};
    struct words patterns =
        commands_streams_take_names(args, options, sizeof options / sizeof *options);
    request->words = patterns.items;
    request->count = patterns.count;
    while (args_left(args) > 0) {
        if (args_match(args, "INITIAL"))
            request->initial = true;
        else if (!args_match(args, "FROM"))
            return args_refuse_option(args);
        else if (!args_has_value(args, "FROM") ||
                 !args_unsigned(args, "version", 1, &request->from_version))
            return false;
    }
    return true;
}

/* ---- BACKUP ---- */

static bool commands_streams_build_backup(struct args *args, struct request *request)
{
    while (args_left(args) > 0) {
        if (args_match(args, "--force")) {
            request->force = true;
            continue;
        }
        if (request->path != NULL)
            return args_refuse_option(args);
        struct keystore_slice word = args_take(args);
        if (word.len == 0 || memchr(word.data, '\0', word.len) != NULL)
            return args_refuse(args, "BACKUP takes the name of a file, or - for standard output");
        char *path = arena_alloc(args->arena, word.len + 1);
        memcpy(path, word.data, word.len);
        path[word.len] = '\0';
        request->path = path;
    }
    return request->path != NULL ||
           args_refuse(args, "--force is not enough: name the file; usage: BACKUP %s",
                       args->command->usage);
}

static const struct command table[] = {
    {"SCAN", "cursor [MATCH pattern] [TYPE type] [COUNT count]",
     "Some of the keys, and the cursor for more; 0 starts and ends", 1, COMMAND_ANY, REQUEST_SCAN,
     KEYSTORE_OP_NONE, NULL, commands_streams_build_scan},
    {"KEYS", "pattern", "All keys that match the pattern", 1, 1, REQUEST_KEYS, KEYSTORE_OP_NONE,
     NULL, commands_streams_build_keys},
    {"DELMATCH", "pattern [TYPE type]",
     "Remove the keys that match, after a confirmation or with --yes", 1, 3,
     REQUEST_DELETE_MATCHING, KEYSTORE_OP_NONE, NULL, commands_streams_build_delete},
    {"SUBSCRIBE", "channel [channel ...]", "Print the messages of channels until Ctrl-C", 1,
     COMMAND_ANY, REQUEST_SUBSCRIBE, KEYSTORE_OP_NONE, NULL, commands_streams_build_words},
    {"PSUBSCRIBE", "pattern [pattern ...]", "The same for all channels that match", 1, COMMAND_ANY,
     REQUEST_SUBSCRIBE, KEYSTORE_OP_NONE, NULL, commands_streams_build_psubscribe},
    {"PUBLISH", "channel message", "Send a message; returns how many subscriptions got it", 2, 2,
     REQUEST_PUBLISH, KEYSTORE_OP_NONE, NULL, commands_streams_build_publish},
    {"CONSUME",
     "key [key ...] [LEFT|RIGHT] [MAX elements] [PENDING list] [LEASE seconds] [AUTOACK] "
     "[COUNT count]",
     "Print elements of lists as they come and acknowledge them", 1, COMMAND_ANY, REQUEST_CONSUME,
     KEYSTORE_OP_NONE, NULL, commands_streams_build_consume},
    {"OBSERVE", "pattern [pattern ...] [FROM version] [INITIAL]",
     "Print the changes of keys that match until Ctrl-C", 1, COMMAND_ANY, REQUEST_OBSERVE,
     KEYSTORE_OP_NONE, NULL, commands_streams_build_observe},
    {"BACKUP", "file [--force]",
     "Write a snapshot of all data to a file here; - is standard output", 1, 2, REQUEST_BACKUP,
     KEYSTORE_OP_NONE, NULL, commands_streams_build_backup},
};

const struct command *commands_streams(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
