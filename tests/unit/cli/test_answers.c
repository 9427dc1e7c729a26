/* The answers of operations in the forms of Redis. */
#include "cli/answers.h"

#include "parsed.h"
#include "printed.h"

#include <time.h>

/* What the reply of the function looks like on a terminal. */
static const char *shown(struct reply (*answer)(const struct request *,
                                                const struct keystore_reply *, struct arena *),
                         struct keystore_reply from)
{
    struct request request = {.text = keystore_text("hello")};
    struct reply reply = answer(&request, &from, &parsed_arena);
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    return printed_text;
}

static struct keystore_reply status(struct keystore_status status)
{
    return (struct keystore_reply){.answer.status = status};
}

static struct keystore_reply info(struct keystore_key_info info)
{
    return (struct keystore_reply){.answer.info = info};
}

static void statuses(void **state)
{
    (void)state;
    struct keystore_reply done = status((struct keystore_status){.ok = true, .count = 7});
    struct keystore_reply missed = status((struct keystore_status){.ok = false});
    assert_string_equal(shown(answers_ok, missed), "OK\n");
    assert_string_equal(shown(answers_ok_or_nil, done), "OK\n");
    assert_string_equal(shown(answers_ok_or_nil, missed), "(nil)\n");
    assert_string_equal(shown(answers_ok_or_no_key, done), "OK\n");
    assert_string_equal(shown(answers_ok_or_no_key, missed), "(error) no such key\n");
    assert_string_equal(shown(answers_bit, done), "(integer) 1\n");
    assert_string_equal(shown(answers_bit, missed), "(integer) 0\n");
    assert_string_equal(shown(answers_count, done), "(integer) 7\n");
    assert_string_equal(shown(answers_pong, missed), "PONG\n");
    assert_string_equal(shown(answers_text, missed), "\"hello\"\n");
}

static void a_target_in_the_way_has_a_version(void **state)
{
    (void)state;
    struct keystore_status answer = {.version = 5};
    assert_string_equal(shown(answers_bit_or_no_key, status(answer)), "(integer) 0\n");
    answer.version = 0;
    assert_string_equal(shown(answers_bit_or_no_key, status(answer)), "(error) no such key\n");
    answer.ok = true;
    assert_string_equal(shown(answers_bit_or_no_key, status(answer)), "(integer) 1\n");
}

static void values(void **state)
{
    (void)state;
    struct keystore_value found = {.found = true, .value = keystore_text("v")};
    struct keystore_value empty = {.found = true}; /* the empty value is a value */
    struct keystore_reply reply = {.answer.value = found};
    assert_string_equal(shown(answers_value, reply), "\"v\"\n");
    assert_string_equal(shown(answers_part, reply), "\"v\"\n");
    reply.answer.value = empty;
    assert_string_equal(shown(answers_value, reply), "\"\"\n");
    reply.answer.value.found = false;
    assert_string_equal(shown(answers_value, reply), "(nil)\n");
    assert_string_equal(shown(answers_part, reply), "\"\"\n");
    reply = status((struct keystore_status){.ok = true});
    assert_string_equal(shown(answers_previous, reply), "(nil)\n");
    reply.answer.status.previous = found;
    assert_string_equal(shown(answers_previous, reply), "\"v\"\n");
}

static void lists(void **state)
{
    (void)state;
    struct keystore_slice slices[] = {keystore_text("a"), keystore_text("b")};
    struct keystore_reply reply = {.answer.list = {.values = slices, .count = 2}};
    assert_string_equal(shown(answers_list, reply), "1) \"a\"\n2) \"b\"\n");
    reply.answer.list.count = 0;
    assert_string_equal(shown(answers_list, reply), "(empty array)\n");
    struct keystore_value values[] = {{.found = true, .value = keystore_text("a")},
                                      {.found = false}};
    reply = (struct keystore_reply){.answer.values = {.values = values, .count = 2}};
    assert_string_equal(shown(answers_values, reply), "1) \"a\"\n2) (nil)\n");
}

static void pops(void **state)
{
    (void)state;
    struct keystore_slice slices[] = {keystore_text("a"), keystore_text("b")};
    struct keystore_reply reply = {
        .answer.popped = {.key = keystore_text("l"), .values = slices, .count = 2, .found = true}};
    assert_string_equal(shown(answers_popped, reply), "1) \"a\"\n2) \"b\"\n");
    assert_string_equal(shown(answers_popped_key, reply), "1) \"l\"\n2) 1) \"a\"\n   2) \"b\"\n");
    reply.answer.popped.found = false;
    assert_string_equal(shown(answers_popped, reply), "(nil)\n");
    assert_string_equal(shown(answers_popped_key, reply), "(nil)\n");
}

static void integers_of_bit_fields(void **state)
{
    (void)state;
    struct keystore_bit_field_item items[] = {{true, -4}, {false, 0}};
    struct keystore_reply reply = {.answer.bit_fields = {.items = items, .count = 2}};
    assert_string_equal(shown(answers_bit_fields, reply), "1) (integer) -4\n2) (nil)\n");
}

static void common_subsequences(void **state)
{
    (void)state;
    struct keystore_lcs_match matches[] = {{4, 5, 4}, {2, 0, 1}};
    struct keystore_reply reply = {.answer.lcs = {
                                       .length = 5,
                                       .value = keystore_text("mtext"),
                                       .matches = matches,
                                       .count = 2,
                                   }};
    assert_string_equal(shown(answers_lcs, reply), "\"mtext\"\n");
    assert_string_equal(shown(answers_lcs_length, reply), "(integer) 5\n");
    assert_string_equal(shown(answers_lcs_matches, reply), "1) \"matches\"\n"
                                                           "2) 1) 1) 1) (integer) 4\n"
                                                           "         2) (integer) 7\n"
                                                           "      2) 1) (integer) 5\n"
                                                           "         2) (integer) 8\n"
                                                           "   2) 1) 1) (integer) 2\n"
                                                           "         2) (integer) 2\n"
                                                           "      2) 1) (integer) 0\n"
                                                           "         2) (integer) 0\n"
                                                           "3) \"len\"\n"
                                                           "4) (integer) 5\n");
    reply.answer.lcs.count = 1;
    assert_string_equal(shown(answers_lcs_matches_with_lengths, reply), "1) \"matches\"\n"
                                                                        "2) 1) 1) 1) (integer) 4\n"
                                                                        "         2) (integer) 7\n"
                                                                        "      2) 1) (integer) 5\n"
                                                                        "         2) (integer) 8\n"
                                                                        "      3) (integer) 4\n"
                                                                        "3) \"len\"\n"
                                                                        "4) (integer) 5\n");
}

static void positions(void **state)
{
    (void)state;
    int64_t indexes[] = {4, 9};
    struct keystore_reply reply = {.answer.positions = {.indexes = indexes, .count = 2}};
    assert_string_equal(shown(answers_position, reply), "(integer) 4\n");
    assert_string_equal(shown(answers_positions, reply), "1) (integer) 4\n2) (integer) 9\n");
    reply.answer.positions.count = 0;
    assert_string_equal(shown(answers_position, reply), "(nil)\n");
    assert_string_equal(shown(answers_positions, reply), "(empty array)\n");
}

static void numbers(void **state)
{
    (void)state;
    /* No double holds either. */
    struct keystore_reply sum = {
        .answer.number = {.real = 1, .decimal = keystore_text("9007199254740993.5")}};
    assert_string_equal(shown(answers_decimal, sum), "\"9007199254740993.5\"\n");
    struct keystore_reply reply = {.answer.number.integer = INT64_MIN};
    assert_string_equal(shown(answers_integer, reply), "(integer) -9223372036854775808\n");
}

static void types_and_lengths(void **state)
{
    (void)state;
    struct keystore_reply none = info((struct keystore_key_info){.found = false});
    struct keystore_reply string =
        info((struct keystore_key_info){.found = true, .type = KEYSTORE_TYPE_STRING, .length = 5});
    struct keystore_reply list =
        info((struct keystore_key_info){.found = true, .type = KEYSTORE_TYPE_LIST, .length = 6});
    assert_string_equal(shown(answers_type, none), "none\n");
    assert_string_equal(shown(answers_type, string), "string\n");
    assert_string_equal(shown(answers_type, list), "list\n");
    assert_string_equal(shown(answers_string_length, none), "(integer) 0\n");
    assert_string_equal(shown(answers_string_length, string), "(integer) 5\n");
    assert_non_null(strstr(shown(answers_string_length, list), "WRONG_TYPE: the key holds a list"));
    assert_string_equal(shown(answers_list_length, none), "(integer) 0\n");
    assert_string_equal(shown(answers_list_length, list), "(integer) 6\n");
    assert_non_null(strstr(shown(answers_list_length, string), "WRONG_TYPE: the key holds a str"));
    assert_string_equal(shown(answers_no_elements, none), "(nil)\n");
    assert_string_equal(shown(answers_no_elements, list), "(empty array)\n");
    assert_non_null(strstr(shown(answers_no_elements, string), "(error) FAILED_PRECONDITION"));
    string.answer.info.memory_bytes = 48;
    assert_string_equal(shown(answers_memory, string), "(integer) 48\n");
    assert_string_equal(shown(answers_memory, none), "(nil)\n");
}

static void deadlines(void **state)
{
    (void)state;
    struct keystore_key_info key = {.found = true, .expire_at_ms = 1499};
    assert_string_equal(shown(answers_expire_at_ms, info(key)), "(integer) 1499\n");
    assert_string_equal(shown(answers_expire_at, info(key)), "(integer) 1\n");
    assert_string_equal(shown(answers_ttl_ms, info(key)), "(integer) 0\n"); /* it is past */
    key.expire_at_ms = 1500;
    assert_string_equal(shown(answers_expire_at, info(key)), "(integer) 2\n");
    key.expire_at_ms = 0;
    assert_string_equal(shown(answers_expire_at, info(key)), "(integer) -1\n");
    assert_string_equal(shown(answers_ttl, info(key)), "(integer) -1\n");
    assert_string_equal(shown(answers_ttl_ms, info(key)), "(integer) -1\n");
    key.found = false;
    assert_string_equal(shown(answers_expire_at_ms, info(key)), "(integer) -2\n");
    assert_string_equal(shown(answers_ttl, info(key)), "(integer) -2\n");
    key.found = true;
    key.expire_at_ms = INT64_MAX;
    assert_string_equal(shown(answers_expire_at, info(key)), "(integer) 9223372036854776\n");
}

static void time_to_live(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct keystore_key_info key = {.found = true,
                                    .expire_at_ms = ((int64_t)now.tv_sec + 1000000) * 1000};
    long long left;
    assert_int_equal(sscanf(shown(answers_ttl_ms, info(key)), "(integer) %lld", &left), 1);
    assert_true(left > 900000000 && left <= 1000000000);
    assert_int_equal(sscanf(shown(answers_ttl, info(key)), "(integer) %lld", &left), 1);
    assert_true(left > 900000 && left <= 1000000);
}

static void descriptions(void **state)
{
    (void)state;
    struct keystore_key_info key = {.found = true,
                                    .type = KEYSTORE_TYPE_LIST,
                                    .length = 2,
                                    .version = UINT64_MAX,
                                    .memory_bytes = 99};
    assert_string_equal(shown(answers_description, info(key)),
                        " 1) \"type\"\n 2) \"list\"\n 3) \"length\"\n 4) (integer) 2\n"
                        " 5) \"ttl-ms\"\n 6) (integer) -1\n"
                        " 7) \"version\"\n 8) \"18446744073709551615\"\n"
                        " 9) \"memory-bytes\"\n10) (integer) 99\n");
    key.found = false;
    assert_string_equal(shown(answers_description, info(key)), "(nil)\n");
}

static void information(void **state)
{
    (void)state;
    struct keystore_info_field fields[] = {
        {"db0", "keys=3,expires=1"}, {"db10", "keys=44,expires=0"}, {"db2", "nonsense"}};
    struct keystore_info_reply from = {.fields = fields, .count = 3};
    struct reply reply = answers_info(&from, &parsed_arena);
    assert_int_equal(reply.type, REPLY_TEXT);
    assert_slice(reply.bytes, "db0:keys=3,expires=1\ndb10:keys=44,expires=0\ndb2:nonsense");
    assert_int_equal(answers_db_size(&from, 0).integer, 3);
    assert_int_equal(answers_db_size(&from, 10).integer, 44);
    assert_int_equal(answers_db_size(&from, 1).integer, 0);
    assert_int_equal(answers_db_size(&from, 2).integer, 0);
    from.count = 0;
    assert_slice(answers_info(&from, &parsed_arena).bytes, "");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statuses),
        TEST(a_target_in_the_way_has_a_version),
        TEST(values),
        TEST(lists),
        TEST(pops),
        TEST(positions),
        TEST(integers_of_bit_fields),
        TEST(common_subsequences),
        TEST(numbers),
        TEST(types_and_lengths),
        TEST(deadlines),
        TEST(time_to_live),
        TEST(descriptions),
        TEST(information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
