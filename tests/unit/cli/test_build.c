/* Keys, conditions and times, as the requests of several subjects have them. */
#include "cli/build.h"

#include "parsed.h"

static struct args args;
static const struct command command = {.name = "NAME", .usage = "usage"};

/* Arguments that are the words of the line. */
static struct args *with(const char *line)
{
    parsed_problem[0] = '\0';
    args = (struct args){.command = &command,
                         .words = parsed_words(line),
                         .db = PARSED_DB,
                         .arena = &parsed_arena,
                         .problem = parsed_problem};
    return &args;
}

static void keys(void **state)
{
    (void)state;
    struct request request = {.type = REQUEST_OP};
    assert_true(build_key(with("k"), &request));
    assert_slice(request.op.request.key.key, "k");
    assert_int_equal(request.op.request.key.db, PARSED_DB);
    assert_true(build_keys(with("a b c"), &request));
    assert_int_equal(request.op.request.keys.count, 3);
    assert_slice(request.op.request.keys.keys[2], "c");
    assert_int_equal(request.op.request.keys.db, PARSED_DB);
    assert_int_equal(args_left(&args), 0);
}

static void conditions(void **state)
{
    (void)state;
    struct keystore_condition condition = {.version = 0};
    assert_null(build_given(&condition));
    assert_false(build_is_condition(with("")));
    assert_false(build_is_condition(with("IF")));
    assert_true(build_is_condition(with("ifeq ''")));
    assert_true(build_condition(&args, &condition));
    assert_true(condition.match_value);
    assert_slice(condition.value, "");
    assert_ptr_equal(build_given(&condition), &condition);
    assert_true(build_is_condition(with("IFVERSION 18446744073709551615")));
    assert_true(build_condition(&args, &condition));
    assert_true(condition.version == UINT64_MAX);
    assert_false(build_condition(with("IFVERSION 0"), &condition));
    assert_false(build_condition(with("IFVERSION"), &condition));
    assert_false(build_condition(with("IFEQ"), &condition));
    assert_non_null(strstr(parsed_problem, "IFEQ of NAME needs a value"));
    assert_int_equal(build_existence(&args, KEYSTORE_ABSENT)->existence, KEYSTORE_ABSENT);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t ttl_ms;
        int64_t expire_at_ms;
    } cases[] = {
        {"EX 10", 10000, 0},
        {"px 10", 10, 0},
        {"EXAT 10", 0, 10000},
        {"PXAT 10", 0, 10},
        {"EX 9223372036854775", 9223372036854775000, 0},
        {"PXAT 9223372036854775807", 0, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct build_time when = {0};
        assert_true(build_is_time(with(cases[i].line)));
        assert_true(build_time(&args, &when));
        assert_true(when.ttl_ms == cases[i].ttl_ms);
        assert_true(when.expire_at_ms == cases[i].expire_at_ms);
    }
    assert_false(build_is_time(with("E 10")));
}

static void bad_times(void **state)
{
    (void)state;
    static const char *const bad[] = {"EX 0",   "PX -1", "EX 9223372036854776", "EX x", "EX 1.5",
                                      "PXAT 0", "EX"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct build_time when = {0};
        assert_false(build_time(with(bad[i]), &when));
    }
    struct build_time when = {.ttl_ms = 1};
    assert_false(build_time(with("PXAT 5"), &when));
    assert_non_null(strstr(parsed_problem, "PXAT is a second point in time"));
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys),
        TEST(conditions),
        TEST(times),
        TEST(bad_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
