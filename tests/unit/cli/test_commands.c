/* What command lines mean, and what is said about those that mean nothing. */
#include "cli/commands.h"

#include "printed.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;
static struct request request;
static char problem[COMMANDS_PROBLEM_SIZE];

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static bool parse(const char *line)
{
    struct words words;
    problem[0] = '\0';
    assert_null(split_line(slice_from_string(line), &arena, &words));
    return commands_parse(words, &request, problem);
}

static void assert_parses(const char *line, enum request_type type)
{
    if (!parse(line))
        fail_msg("%s: %s", line, problem);
    assert_int_equal(request.type, type);
}

static void assert_refused(const char *line, const char *expected)
{
    assert_false(parse(line));
    if (strstr(problem, expected) == NULL)
        fail_msg("%s: '%s' should contain '%s'", line, problem, expected);
}

static void assert_slice(struct keystore_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static void set(void **state)
{
    (void)state;
    assert_parses("SET foo 123", REQUEST_SET);
    assert_slice(request.key, "foo");
    assert_slice(request.value, "123");
    assert_int_equal(request.existence, KEYSTORE_ANY);
    assert_false(request.return_previous);
    assert_parses("set foo '' nx get", REQUEST_SET);
    assert_slice(request.value, "");
    assert_int_equal(request.existence, KEYSTORE_ABSENT);
    assert_true(request.return_previous);
    assert_parses("Set foo 1 Xx", REQUEST_SET);
    assert_int_equal(request.existence, KEYSTORE_PRESENT);
    assert_refused("SET foo 1 NX XX", "exclude each other");
    assert_refused("SET foo 1 EX 10", "no option 'EX'");
    assert_refused("SET foo",
                   "SET takes 2 to 4 arguments, not 1; usage: SET key value [NX|XX] [GET]");
}

static void commands_of_one_key(void **state)
{
    (void)state;
    assert_parses("get k", REQUEST_GET);
    assert_slice(request.key, "k");
    assert_parses("DELETE k", REQUEST_DELETE);
    assert_parses("del k", REQUEST_DELETE);
    assert_slice(request.key, "k");
    assert_parses("lpop k", REQUEST_LPOP);
    assert_refused("DEL a b", "DEL takes exactly 1 argument, not 2; usage: DEL key");
    assert_refused("GET", "GET takes exactly 1 argument, not 0");
}

static void pushes(void **state)
{
    (void)state;
    assert_parses("LPUSH l 1 2 3", REQUEST_LPUSH);
    assert_slice(request.key, "l");
    assert_int_equal(request.count, 3);
    assert_slice(request.values[2], "3");
    assert_int_equal(request.existence, KEYSTORE_ANY);
    assert_parses("LPUSHX l 1", REQUEST_LPUSH);
    assert_int_equal(request.existence, KEYSTORE_PRESENT);
    assert_refused("LPUSH l", "LPUSH takes at least 2 arguments, not 1");
}

static void ranges(void **state)
{
    (void)state;
    assert_parses("LRANGE l 0 -1", REQUEST_LRANGE);
    assert_int_equal(request.start, 0);
    assert_int_equal(request.stop, -1);
    assert_parses("LRANGE l -9223372036854775808 9223372036854775807", REQUEST_LRANGE);
    assert_true(request.start == INT64_MIN && request.stop == INT64_MAX);
    static const char *const bad[] = {"x",   "1.5", "''", "' 1'", "1x", "9223372036854775808",
                                      "0x10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[80];
        snprintf(line, sizeof line, "LRANGE l 0 %s", bad[i]);
        assert_refused(line, "is not an index");
    }
}

static void select_db(void **state)
{
    (void)state;
    assert_parses("SELECT 15", REQUEST_SELECT);
    assert_int_equal(request.db, 15);
    assert_refused("SELECT 16", "'16' is not a database: SELECT takes 0 to 15");
    assert_refused("SELECT -1", "is not a database");
    assert_refused("SELECT x", "is not a database");
}

static void local_commands(void **state)
{
    (void)state;
    assert_parses("quit", REQUEST_QUIT);
    assert_parses("EXIT", REQUEST_QUIT);
    assert_parses("clear", REQUEST_CLEAR);
    assert_parses("help", REQUEST_HELP);
    assert_null(request.topic);
    assert_parses("help lpush", REQUEST_HELP);
    assert_string_equal(request.topic->name, "LPUSH");
    assert_refused("help gett", "did you mean GET?");
    assert_refused("quit now", "QUIT takes no arguments, not 1; usage: QUIT");
}

static void unknown_commands(void **state)
{
    (void)state;
    assert_refused("GTE k", "unknown command 'GTE': did you mean GET?");
    assert_refused("lpsuh l 1", "did you mean LPUSH?");
    assert_refused("BLURB", "the commands are SET, GET, DELETE, DEL, LPUSH, LPUSHX, LRANGE, LPOP");
    assert_refused("''", "unknown command ''");
    assert_refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                   "unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'");
}

static void table_is_well_formed(void **state)
{
    (void)state;
    size_t count;
    const struct command *table = commands_table(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        for (const char *at = table[i].name; *at != '\0'; at++)
            assert_true(isupper((unsigned char)*at));
        assert_ptr_equal(commands_find(keystore_text(table[i].name)), &table[i]);
        assert_true(table[i].min_args <= table[i].max_args);
        assert_true(table[i].help[0] != '\0');
        assert_int_equal(table[i].usage[0] == '\0', table[i].max_args == 0);
    }
}

static void help_names_every_command(void **state)
{
    (void)state;
    size_t count;
    const struct command *table = commands_table(&count);
    FILE *out = printed_open();
    commands_print_help(out, NULL);
    fclose(out);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(printed_text, table[i].help));
    out = printed_open();
    commands_print_help(out, commands_find(keystore_text("lpop")));
    fclose(out);
    assert_string_equal(printed_text, "LPOP key\n  Remove and answer the head of a list.\n");
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set),
        TEST(commands_of_one_key),
        TEST(pushes),
        TEST(ranges),
        TEST(select_db),
        TEST(local_commands),
        TEST(unknown_commands),
        TEST(table_is_well_formed),
        TEST(help_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
