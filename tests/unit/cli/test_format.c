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
    struct reply reply = format_status("OK");
    assert_reply(&reply, "OK\n", "OK\n");
    reply = format_nil();
    assert_reply(&reply, "(nil)\n", "\n");
    reply = format_integer(-7);
    assert_reply(&reply, "(integer) -7\n", "-7\n");
    reply = (struct reply){.type = REPLY_ERROR, .bytes = keystore_text("no\033")};
    assert_reply(&reply, "(error) no?\n", "no\033\n");
    reply = (struct reply){.type = REPLY_TEXT, .bytes = keystore_text("a:1\nb:\a")};
    assert_reply(&reply, "a:1\nb:?\n", "a:1\nb:\a\n");
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

static void one_form_each_for_people_and_programs(void **state)
{
    (void)state;
    struct reply items[] = {format_integer(1), format_status("one")};
    struct reply reply = {.type = REPLY_EITHER, .items = items, .count = 2};
    assert_reply(&reply, "(integer) 1\n", "one\n");
}

static void lists(void **state)
{
    (void)state;
    struct reply items[10];
    for (size_t i = 0; i < 10; i++)
        items[i] = format_bytes(keystore_text("v"));
    struct reply reply = format_list(items, 0);
    assert_reply(&reply, "(empty array)\n", "\n");
    reply.count = 2;
    assert_reply(&reply, "1) \"v\"\n2) \"v\"\n", "v\nv\n");
    reply.count = 10;
    assert_reply(&reply,
                 " 1) \"v\"\n 2) \"v\"\n 3) \"v\"\n 4) \"v\"\n 5) \"v\"\n 6) \"v\"\n 7) \"v\"\n"
                 " 8) \"v\"\n 9) \"v\"\n10) \"v\"\n",
                 "v\nv\nv\nv\nv\nv\nv\nv\nv\nv\n");
}

static void lists_in_lists(void **state)
{
    (void)state;
    struct reply inner[2] = {format_integer(1), format_nil()};
    struct reply middle[2] = {format_bytes(keystore_text("k")), format_list(inner, 2)};
    struct reply items[10];
    for (size_t i = 0; i < 10; i++)
        items[i] = format_status("OK");
    items[1] = format_list(middle, 2);
    items[2] = format_list(NULL, 0);
    struct reply reply = format_list(items, 10);
    assert_reply(&reply,
                 " 1) OK\n"
                 " 2) 1) \"k\"\n"
                 "    2) 1) (integer) 1\n"
                 "       2) (nil)\n"
                 " 3) (empty array)\n"
                 " 4) OK\n 5) OK\n 6) OK\n 7) OK\n 8) OK\n 9) OK\n10) OK\n",
                 "OK\nk\n1\n\n\nOK\nOK\nOK\nOK\nOK\nOK\nOK\n");
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
    strcpy(error.reason, "ERROR_REASON_FAILED_PRECONDITION"); /* which says no more */
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
        cmocka_unit_test(one_form_each_for_people_and_programs),
        cmocka_unit_test(lists),
        cmocka_unit_test(lists_in_lists),
        cmocka_unit_test(errors),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
