/* The commands for transactions, the server and this program. */
#include "cli/answers.h"
#include "cli/build.h"
#include "cli/commands.h"

#include <string.h>

/* A cheap request, to see whether the server has the database and answers at all. */
static void commands_session_build_probe(struct args *args, struct request *request, uint32_t db)
{
    static const char any_key[] = "any";
    struct keystore_slice *key = arena_alloc(args->arena, sizeof *key);
    *key = keystore_text(any_key);
    request->op.request.keys = (struct keystore_keys){.keys = key, .count = 1, .db = db};
}

static bool commands_session_build_select(struct args *args, struct request *request)
{
    int64_t db;
    if (!args_integer(args, "database", 0, UINT32_MAX, &db))
        return false;
    request->db = (uint32_t)db;
    commands_session_build_probe(args, request, request->db);
    return true;
}

static bool commands_session_build_ping(struct args *args, struct request *request)
{
    commands_session_build_probe(args, request, args->db);
    if (args_left(args) > 0) {
        request->text = args_take(args);
        request->answer = answers_text;
    }
    return true;
}

/* WATCH and INFO. */
static bool commands_session_build_words(struct args *args, struct request *request)
{
    struct words words = args_take_rest(args);
    request->words = words.items;
    request->count = words.count;
    return true;
}

static bool commands_session_build_help(struct args *args, struct request *request)
{
    if (args_left(args) == 0)
        return true;
    struct keystore_slice name = args_take(args);
    request->topic = commands_find(name);
    return request->topic != NULL || commands_refuse_unknown(args, name);
}

static bool commands_session_build_auth(struct args *args, struct request *request)
{
    static const char token[] = "kst_";
    struct words words = args_take_rest(args);
    request->words = words.items;
    request->count = words.count;
    request->is_token = words.count == 1 && words.items[0].len > strlen(token) &&
                        memcmp(words.items[0].data, token, strlen(token)) == 0;
    return true;
}

static bool commands_session_build_acl(struct args *args, struct request *request)
{
    request->only_name = args_match(args, "WHOAMI");
    return request->only_name ||
           args_refuse(args, "ACL has only WHOAMI: the users are in the server's users file, which "
                             "`keystore-cli user` and `keystore-cli token` change");
}

static const struct command table[] = {
    {"AUTH", "user [password]|token",
     "Continue as this user; without the password, it is asked for", 1, 2, REQUEST_AUTH,
     KEYSTORE_OP_NONE, NULL, commands_session_build_auth},
    {"WHOAMI", "", "Who sends the commands, and what that user may do", 0, 0, REQUEST_WHO_AM_I,
     KEYSTORE_OP_NONE, NULL, NULL},
    {"ACL", "WHOAMI", "The name of the user who sends the commands", 1, 1, REQUEST_WHO_AM_I,
     KEYSTORE_OP_NONE, NULL, commands_session_build_acl},
    {"MULTI", "", "Start a transaction: the commands that follow are queued", 0, 0, REQUEST_MULTI,
     KEYSTORE_OP_NONE, NULL, NULL},
    {"EXEC", "", "Execute the queued commands, all or nothing", 0, 0, REQUEST_EXEC,
     KEYSTORE_OP_NONE, NULL, NULL},
    {"DISCARD", "", "Drop the queued commands", 0, 0, REQUEST_DISCARD, KEYSTORE_OP_NONE, NULL,
     NULL},
    {"WATCH", "key [key ...]", "Make EXEC do nothing if one of the keys changes", 1, COMMAND_ANY,
     REQUEST_WATCH, KEYSTORE_OP_NONE, NULL, commands_session_build_words},
    {"UNWATCH", "", "Stop watching all keys", 0, 0, REQUEST_UNWATCH, KEYSTORE_OP_NONE, NULL, NULL},
    {"SELECT", "db", "Use another database for the commands that follow", 1, 1, REQUEST_SELECT,
     KEYSTORE_OP_EXISTS, answers_ok, commands_session_build_select},
    {"PING", "[message]", "Check whether the server answers", 0, 1, REQUEST_OP, KEYSTORE_OP_EXISTS,
     answers_pong, commands_session_build_ping},
    {"ECHO", "message", "The same; returns the message", 1, 1, REQUEST_OP, KEYSTORE_OP_EXISTS,
     answers_text, commands_session_build_ping},
    {"INFO", "[section ...]", "Statistics of the server", 0, COMMAND_ANY, REQUEST_INFO,
     KEYSTORE_OP_NONE, NULL, commands_session_build_words},
    {"SAVE", "", "Write a snapshot to disk and wait for it", 0, 0, REQUEST_SAVE, KEYSTORE_OP_NONE,
     NULL, NULL},
    {"BGSAVE", "", "Write a snapshot to disk in the background", 0, 0, REQUEST_BGSAVE,
     KEYSTORE_OP_NONE, NULL, NULL},
    {"HELP", "[command]", "This list, or one command", 0, 1, REQUEST_HELP, KEYSTORE_OP_NONE, NULL,
     commands_session_build_help},
    {"CLEAR", "", "Clear the screen", 0, 0, REQUEST_CLEAR, KEYSTORE_OP_NONE, NULL, NULL},
    {"QUIT", "", "Exit", 0, 0, REQUEST_QUIT, KEYSTORE_OP_NONE, NULL, NULL},
    {"EXIT", "", "Exit", 0, 0, REQUEST_QUIT, KEYSTORE_OP_NONE, NULL, NULL},
};

const struct command *commands_session(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
