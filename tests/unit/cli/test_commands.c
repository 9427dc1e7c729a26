/* How commands are found, and what is said about lines that mean nothing. */
#include "cli/commands.h"

#include "parsed.h"
#include "printed.h"

#include <ctype.h>

static void names_in_any_case(void **state)
{
    (void)state;
    assert_string_equal(commands_find(keystore_text("gEt"))->name, "GET");
    assert_string_equal(commands_find(keystore_text("INCRBYFLOAT"))->name, "INCRBYFLOAT");
    assert_null(commands_find(keystore_text("GE")));
    assert_null(commands_find(keystore_text("")));
}

static void numbers_of_arguments(void **state)
{
    (void)state;
    assert_refused("GET", "GET takes exactly 1 argument, not 0; usage: GET key");
    assert_refused("APPEND a b c", "APPEND takes exactly 2 arguments, not 3; usage: APPEND key");
    assert_refused("quit now", "QUIT takes no arguments, not 1; usage: QUIT");
    assert_refused("LPUSH l", "LPUSH takes at least 2 arguments, not 1");
    assert_refused("DEL", "DEL takes at least 1 argument, not 0");
    assert_refused("LPOP", "LPOP takes 1 to 2 arguments, not 0; usage: LPOP key [count]");
}

static void arguments_that_are_left(void **state)
{
    (void)state;
    assert_refused("LMPOP 1 l LEFT COUNT 2 more", "LMPOP has no option 'more' there");
    assert_refused("LMPOP 1 l LEFT wat", "LMPOP has no option 'wat' there");
}

static void misspelt_names(void **state)
{
    (void)state;
    assert_refused("GTE k", "unknown command 'GTE': did you mean GET?");
    assert_refused("TLT k", "did you mean TTL?"); /* not SET */
    assert_refused("lpsuh l 1", "did you mean LPUSH?");
    assert_refused("PEXPIRETIM k", "did you mean PEXPIRETIME?");
    assert_refused("mutli", "did you mean MULTI?");
    assert_refused("flsuhdb", "did you mean FLUSHDB?");
    assert_refused("delet k", "did you mean DELETE?");
    assert_refused("BLURB", "unknown command 'BLURB': HELP lists all commands");
    assert_refused("''", "unknown command ''");
    assert_refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                   "unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa':");
}

static bool is_known(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void all_that_a_redis_user_looks_for(void **state)
{
    (void)state;
    static const char *const names[] = {
        "SET",       "GET",        "GETSET",      "SETNX",      "SETEX",       "PSETEX",
        "GETDEL",    "GETEX",      "MGET",        "MSET",       "MSETNX",      "APPEND",
        "STRLEN",    "GETRANGE",   "SUBSTR",      "SETRANGE",   "INCR",        "DECR",
        "INCRBY",    "DECRBY",     "INCRBYFLOAT", "DEL",        "UNLINK",      "DELETE",
        "EXISTS",    "TOUCH",      "TYPE",        "TTL",        "PTTL",        "EXPIRE",
        "PEXPIRE",   "EXPIREAT",   "PEXPIREAT",   "PERSIST",    "EXPIRETIME",  "PEXPIRETIME",
        "RENAME",    "RENAMENX",   "COPY",        "MOVE",       "RANDOMKEY",   "MEMORY",
        "DBSIZE",    "LPUSH",      "RPUSH",       "LPUSHX",     "RPUSHX",      "LPOP",
        "RPOP",      "LMPOP",      "LMOVE",       "RPOPLPUSH",  "LRANGE",      "LLEN",
        "LINDEX",    "LSET",       "LINSERT",     "LREM",       "LPOS",        "LTRIM",
        "FLUSHDB",   "INFO",       "SELECT",      "PING",       "ECHO",        "MULTI",
        "EXEC",      "DISCARD",    "WATCH",       "UNWATCH",    "SETBIT",      "GETBIT",
        "BITCOUNT",  "BITPOS",     "BITOP",       "BITFIELD",   "BITFIELD_RO", "HELP",
        "QUIT",      "EXIT",       "CLEAR",       "SAVE",       "BGSAVE",      "DESCRIBE",
        "LCS",       "SWAPDB",     "FLUSHALL",    "SCAN",       "KEYS",        "DELMATCH",
        "SUBSCRIBE", "PSUBSCRIBE", "PUBLISH",     "CONSUME",    "OBSERVE",     "BLPOP",
        "BRPOP",     "BLMPOP",     "BLMOVE",      "BRPOPLPUSH", "BACKUP",      "CLIENT",
        "CONFIG",    "SLOWLOG",    "LATENCY",     "AUTH",       "ACL",         "WHOAMI",
    };
    size_t count = sizeof names / sizeof *names;
    const struct command *command;
    size_t known = 0;
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++, known++)
        assert_true(is_known(names, count, command->name));
    assert_int_equal(known, count);
}

static void tables_are_well_formed(void **state)
{
    (void)state;
    const struct command *command;
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++) {
        for (const char *at = command->name; *at != '\0'; at++)
            assert_true(isupper((unsigned char)*at) || *at == '_');
        assert_ptr_equal(commands_find(keystore_text(command->name)), command);
        assert_true(command->min_args <= command->max_args);
        assert_true(command->help[0] != '\0' && strlen(command->help) <= 66);
        assert_int_equal(command->usage[0] == '\0', command->max_args == 0);
        bool is_op = command->type == REQUEST_OP || command->type == REQUEST_SELECT ||
                     command->type == REQUEST_BLOCKING;
        assert_int_equal(command->op != KEYSTORE_OP_NONE, is_op);
        assert_int_equal(command->answer != NULL, is_op);
        assert_true(command->build != NULL || command->max_args == 0);
    }
}

/* Whatever the arguments, a command is understood or refused with a sentence. */
static void any_words_are_understood_or_refused(void **state)
{
    (void)state;
    static const char *const tails[] = {
        " 1",         " 1 1",       " 1 1 1",
        " 1 1 1 1",   " 1 1 1 1 1", " k EX",
        " k v EX",    " 1 k LEFT",  " k LEFT",
        " k COUNT 1", " k v COUNT", " USAGE k",
        " k 1 NX",    " k 1 NX XX", " a b DB",
        " a b DB 1",  " k BEFORE",  " k BEFORE a b",
        " 9 a LEFT",  " 0 a LEFT",  " a LEFT LEFT LEFT",
    };
    const struct command *command;
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++) {
        for (size_t j = 0; j < sizeof tails / sizeof *tails; j++) {
            char line[100];
            struct request request;
            snprintf(line, sizeof line, "%s%s", command->name, tails[j]);
            parsed_problem[0] = '\0';
            bool understood = commands_parse(parsed_words(line), PARSED_DB, &parsed_arena, &request,
                                             parsed_problem);
            assert_int_equal(understood, parsed_problem[0] == '\0');
        }
    }
}

static void help_names_every_command(void **state)
{
    (void)state;
    const struct command *command;
    FILE *out = printed_open();
    commands_print_help(out, NULL);
    fclose(out);
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++)
        assert_non_null(strstr(printed_text, command->help));
    out = printed_open();
    commands_print_help(out, commands_find(keystore_text("lpop")));
    fclose(out);
    assert_string_equal(printed_text,
                        "LPOP key [count]\n  Remove and return the head of a list.\n");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_in_any_case),
        TEST(numbers_of_arguments),
        TEST(arguments_that_are_left),
        TEST(misspelt_names),
        TEST(all_that_a_redis_user_looks_for),
        TEST(tables_are_well_formed),
        TEST(any_words_are_understood_or_refused),
        TEST(help_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
