/* The commands for administrators: connections, settings and slow calls of the server. */
#include "cli/build.h"
#include "cli/commands.h"

/* Refuses the next word, where the command takes others; always false. */
static bool commands_admin_refuse_word(struct args *args)
{
    const struct command *command = args->command;
    struct keystore_slice word = args_take(args);
    return args_refuse(args, "%s has no '%.*s'; usage: %s %s", command->name, args_quoted_len(word),
                       (const char *)word.data, command->name, command->usage);
}

/* ---- CLIENT ---- */

/* A word as a text, which has no zero. */
static bool commands_admin_take_text(struct args *args, const char *option, const char **text)
{
    if (!args_has_value(args, option))
        return false;
    struct keystore_slice word = args_take(args);
    char *copy = arena_alloc(args->arena, word.len + 1);
    if (word.len == 0 || memchr(word.data, '\0', word.len) != NULL)
        return args_refuse(args, "%s of %s needs a text that is not empty", option,
                           args->command->name);
    memcpy(copy, word.data, word.len);
    copy[word.len] = '\0';
    *text = copy;
    return true;
}

static bool commands_admin_take_id(struct args *args, uint64_t *id)
{
    return args_has_value(args, "ID") && args_unsigned(args, "id", 1, id);
}

static bool commands_admin_build_list(struct args *args, struct request *request)
{
    request->type = REQUEST_CLIENTS;
    if (args_match(args, "ID"))
        return commands_admin_take_id(args, &request->clients.id);
    return !args_match(args, "TYPE") || args_match(args, "NORMAL") ||
           args_refuse(args, "all connections are of type normal: CLIENT LIST lists them");
}

static bool commands_admin_take_filter(struct args *args, struct request *request)
{
    if (args_match(args, "ID"))
        return commands_admin_take_id(args, &request->kill.id);
    if (args_match(args, "ADDR"))
        return commands_admin_take_text(args, "ADDR", &request->kill.address);
    if (args_match(args, "LADDR"))
        return commands_admin_take_text(args, "LADDR", &request->kill.listener);
    if (!args_match(args, "SKIPME"))
        return args_refuse_option(args);
    if (!args_has_value(args, "SKIPME"))
        return false;
    request->kill.include_own = args_is_next(args, "NO");
    return args_match(args, "NO") || args_match(args, "YES") ||
           args_refuse(args, "SKIPME of CLIENT KILL is YES or NO");
}

/* Redis' former form has one address, and its reply is OK or an error. */
static bool commands_admin_build_kill(struct args *args, struct request *request)
{
    request->type = REQUEST_KILL_CLIENTS;
    if (args_left(args) == 1) {
        request->by_address = true;
        request->kill.include_own = true;
        return commands_admin_take_text(args, "KILL", &request->kill.address);
    }
    while (args_left(args) > 0)
        if (!commands_admin_take_filter(args, request))
            return false;
    return request->kill.id != 0 || request->kill.address != NULL ||
           request->kill.listener != NULL ||
           args_refuse(args, "say which connections CLIENT KILL ends: ID id, ADDR address or LADDR "
                             "listener");
}

static bool commands_admin_build_client(struct args *args, struct request *request)
{
    request->type = REQUEST_CLIENTS;
    request->clients.own = args_is_next(args, "ID") || args_is_next(args, "INFO");
    if (args_match(args, "ID")) {
        request->only_id = true;
        return true;
    }
    if (args_match(args, "INFO"))
        return true;
    if (args_match(args, "LIST"))
        return commands_admin_build_list(args, request);
    if (args_match(args, "KILL"))
        return commands_admin_build_kill(args, request);
    return commands_admin_refuse_word(args);
}

/* ---- CONFIG ---- */

static bool commands_admin_build_config(struct args *args, struct request *request)
{
    if (args_match(args, "GET"))
        return commands_admin_take_text(args, "GET", &request->config.pattern);
    if (args_match(args, "SET")) {
        struct keystore_set_config_request *set = &request->set_config;
        request->type = REQUEST_SET_CONFIG;
        set->value = "";
        if (!commands_admin_take_text(args, "SET", &set->name) || !args_has_value(args, "SET"))
            return false;
        if (args->words.items[args->at].len > 0) /* a value may be empty */
            return commands_admin_take_text(args, "SET", &set->value);
        (void)args_take(args);
        return true;
    }
    if (args_match(args, "REWRITE"))
        return args_refuse(args, "CONFIG SET is not written to a file, so there is no CONFIG "
                                 "REWRITE: change the server's configuration file, too");
    return commands_admin_refuse_word(args);
}

/* ---- SLOWLOG ---- */

/* As many as in Redis. */
#define SLOW_CALLS 10

/* -1: all. */
static bool commands_admin_take_slow_count(struct args *args, uint32_t *limit)
{
    int64_t count;
    if (!args_integer(args, "count", -1, UINT32_MAX, &count))
        return false;
    if (count == 0)
        return args_refuse(args, "the count of SLOWLOG GET is 1 or more, or -1 for all");
    *limit = count > 0 ? (uint32_t)count : 0;
    return true;
}

static bool commands_admin_build_slowlog(struct args *args, struct request *request)
{
    request->slow_log.limit = SLOW_CALLS;
    if (args_match(args, "GET"))
        return args_left(args) == 0 ||
               commands_admin_take_slow_count(args, &request->slow_log.limit);
    request->slow_log.limit = 1;
    request->only_count = args_is_next(args, "LEN");
    request->slow_log.reset = args_is_next(args, "RESET");
    return args_match(args, "LEN") || args_match(args, "RESET") || commands_admin_refuse_word(args);
}

/* ---- LATENCY ---- */

static bool commands_admin_build_latency(struct args *args, struct request *request)
{
    static const char *const others[] = {"LATEST", "HISTORY", "GRAPH", "DOCTOR"};
    if (args_is_next(args, "RESET"))
        return args_refuse(args, "the server's counts only rise, so there is no LATENCY RESET: "
                                 "for a period, subtract those at its start");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (args_is_next(args, others[i]))
            return args_refuse(args,
                               "LATENCY has no '%s': LATENCY shows the durations of all "
                               "calls, and SLOWLOG GET single slow ones",
                               others[i]);
    request->histogram = args_match(args, "HISTOGRAM");
    struct words words = args_take_rest(args);
    request->words = words.items;
    request->count = words.count;
    return true;
}

static const struct command table[] = {
    {"CLIENT",
     "ID|INFO|LIST [ID id]|KILL address|KILL [ID id] [ADDR address] [LADDR listener] [SKIPME no]",
     "The server's connections; KILL ends some", 1, COMMAND_ANY, REQUEST_CLIENTS, KEYSTORE_OP_NONE,
     NULL, commands_admin_build_client},
    {"CONFIG", "GET pattern|SET name value", "The server's settings; SET lasts until it ends", 1, 3,
     REQUEST_CONFIG, KEYSTORE_OP_NONE, NULL, commands_admin_build_config},
    {"SLOWLOG", "GET|LEN|RESET [count]", "The newest slow calls; RESET forgets them", 1, 2,
     REQUEST_SLOW_LOG, KEYSTORE_OP_NONE, NULL, commands_admin_build_slowlog},
    {"LATENCY", "[HISTOGRAM] [method ...]",
     "How many calls of the methods there were, and how long they took", 0, COMMAND_ANY,
     REQUEST_LATENCY, KEYSTORE_OP_NONE, NULL, commands_admin_build_latency},
};

const struct command *commands_admin(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
