/* Replies and errors as redis-cli would print them. */
#include "cli/format.h"

#include "printed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_reply(const struct reply *reply, const char *quoted, const char *raw)
{
    FILE *out = printed_open();
    format_reply(out, reply);
    fclose(out);
    assert_string_equal(printed_text, quoted);
    out = printed_open();
    format_reply_raw(out, reply);
    fclose(out);
    assert_string_equal(printed_text, raw);
}

static void simple_replies(void **state)
{
    (void)state;
    assert_reply(&(struct reply){.type = REPLY_OK}, "OK\n", "OK\n");
    assert_reply(&(struct reply){.type = REPLY_NIL}, "(nil)\n", "\n");
    assert_reply(&(struct reply){.type = REPLY_INTEGER, .integer = -7}, "(integer) -7\n", "-7\n");
    assert_reply(&(struct reply){.type = REPLY_NOTHING}, "", "");
}

static void values(void **state)
{
    (void)state;
    struct reply reply = {.type = REPLY_BYTES, .bytes = keystore_text("123")};
    assert_reply(&reply, "\"123\"\n", "123\n");
    reply.bytes = (struct keystore_slice){0};
    assert_reply(&reply, "\"\"\n", "\n");
    reply.bytes = keystore_text("a\"b\\c\n\r\t\a\b\x01\x7f\xc3\xa4'~ ");
    assert_reply(&reply, "\"a\\\"b\\\\c\\n\\r\\t\\a\\b\\x01\\x7f\\xc3\\xa4'~ \"\n",
                 "a\"b\\c\n\r\t\a\b\x01\x7f\xc3\xa4'~ \n");
    reply.bytes = (struct keystore_slice){.data = "x\0y", .len = 3};
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    assert_string_equal(printed_text, "\"x\\x00y\"\n");
}

static void lists(void **state)
{
    (void)state;
    struct keystore_slice items[10];
    for (size_t i = 0; i < 10; i++)
        items[i] = keystore_text("v");
    struct reply reply = {.type = REPLY_LIST, .items = items};
    assert_reply(&reply, "(empty array)\n", "\n");
    reply.count = 2;
    assert_reply(&reply, "1) \"v\"\n2) \"v\"\n", "v\nv\n");
    reply.count = 10;
    assert_reply(&reply,
                 " 1) \"v\"\n 2) \"v\"\n 3) \"v\"\n 4) \"v\"\n 5) \"v\"\n 6) \"v\"\n 7) \"v\"\n"
                 " 8) \"v\"\n 9) \"v\"\n10) \"v\"\n",
                 "v\nv\nv\nv\nv\nv\nv\nv\nv\nv\n");
}

static void assert_error(const struct keystore_error *error, const char *expected)
{
    FILE *out = printed_open();
    format_error(out, error);
    fclose(out);
    assert_string_equal(printed_text, expected);
}

static void errors(void **state)
{
    (void)state;
    struct keystore_error error = {
        .code = KEYSTORE_FAILED_PRECONDITION,
        .reason = "ERROR_REASON_WRONG_TYPE",
        .message = "the key holds a list",
    };
    assert_error(&error, "(error) FAILED_PRECONDITION WRONG_TYPE: the key holds a list\n");
    strcpy(error.reason, "OTHER");
    assert_error(&error, "(error) FAILED_PRECONDITION OTHER: the key holds a list\n");
    error.reason[0] = '\0';
    assert_error(&error, "(error) FAILED_PRECONDITION: the key holds a list\n");
}

static void control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    struct keystore_error error = {.code = KEYSTORE_UNKNOWN,
                                   .message = "a\033[2Jb\nc\x7f \xc3\xa4"};
    assert_error(&error, "(error) UNKNOWN: a?[2Jb?c? \xc3\xa4\n");
    FILE *out = printed_open();
    format_problem(out, "what\a?");
    fclose(out);
    assert_string_equal(printed_text, "(error) what??\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_replies),
        cmocka_unit_test(values),
        cmocka_unit_test(lists),
        cmocka_unit_test(errors),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
