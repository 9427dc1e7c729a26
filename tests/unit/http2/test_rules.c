/* Tests of http2/rules.c: valid and malformed fields of RFC 9113, 8, as blocks and one at a time.
 */
#include "http2/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MAX_FIELDS 8

struct pair {
    const char *name;
    const char *value;
};

/* Checks a block, up to the first malformed field. */
static bool is_good(const struct pair *fields, bool trailers, struct rules *rules)
{
    rules_init(rules, trailers);
    for (; fields->name != NULL; fields++) {
        if (rules_check_field(rules, slice_from_string(fields->name),
                              slice_from_string(fields->value)) == RULES_MALFORMED)
            return false;
    }
    return rules_check_end(rules);
}

static void print_block(const struct pair *fields)
{
    for (; fields->name != NULL; fields++)
        print_error("  %s: %s\n", fields->name, fields->value);
}

static void assert_blocks(const struct pair (*blocks)[MAX_FIELDS], size_t count, bool trailers,
                          bool good)
{
    for (size_t i = 0; i < count; i++) {
        struct rules rules;
        if (is_good(blocks[i], trailers, &rules) == good)
            continue;
        print_block(blocks[i]);
        fail_msg("that block is %s", good ? "refused" : "accepted");
    }
}

#define METHOD                                                                                     \
    {                                                                                              \
        ":method", "POST"                                                                          \
    }
#define SCHEME                                                                                     \
    {                                                                                              \
        ":scheme", "http"                                                                          \
    }
#define PATH                                                                                       \
    {                                                                                              \
        ":path", "/a"                                                                              \
    }
#define AUTHORITY                                                                                  \
    {                                                                                              \
        ":authority", "host:1"                                                                     \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_good_requests(void **state)
{
    (void)state;
    static const struct pair blocks[][MAX_FIELDS] = {
        {METHOD, SCHEME, PATH, AUTHORITY},
        {AUTHORITY, PATH, SCHEME, METHOD},
        {METHOD, SCHEME, PATH, AUTHORITY, {"te", "trailers"}, {"a", ""}, {"a", "again"}},
        {METHOD, SCHEME, PATH, AUTHORITY, {"te", "Trailers"}, {"content-length", "0"}},
        {METHOD, SCHEME, PATH, {"host", "host"}},
        {METHOD, SCHEME, PATH, AUTHORITY, {"host", "host"}},
        {METHOD, {":scheme", "HTTPS"}, PATH, AUTHORITY},
        {METHOD, {":scheme", "git+ssh-1.0"}, {":path", "no-slash"}, AUTHORITY},
        {{":method", "OPTIONS"}, SCHEME, {":path", "*"}, AUTHORITY},
        {{":method", "ODD-one"}, SCHEME, PATH, AUTHORITY},
        {{":method", "CONNECT"}, AUTHORITY},
        /* What gRPC clients send over a unix socket. */
        {METHOD, SCHEME, PATH},
        {METHOD, SCHEME, PATH, {":authority", ""}},
        {METHOD, SCHEME, PATH, {":authority", "/run/keystore.sock"}},
        {METHOD, SCHEME, PATH, {":authority", "%2Frun%2Fkeystore.sock"}},
        {METHOD, SCHEME, PATH, {":authority", "run/a directory"}},
    };
    assert_blocks(blocks, COUNT(blocks), false, true);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    static const struct pair blocks[][MAX_FIELDS] = {
        {{0}},
        {SCHEME, PATH, AUTHORITY},
        {METHOD, PATH, AUTHORITY},
        {METHOD, SCHEME, AUTHORITY},
        {{"host", "host"}},
        {METHOD, SCHEME, {":path", "no-slash"}, AUTHORITY},
        {METHOD, SCHEME, {":path", "*"}, AUTHORITY},
        {{":method", "OPTIONS"}, SCHEME, {":path", "*a"}, AUTHORITY},
        {{":method", "CONNECT"}},
        {{":method", "CONNECT"}, {"host", "host"}},
        {{":method", "CONNECT"}, AUTHORITY, PATH},
        {{":method", "CONNECT"}, AUTHORITY, SCHEME},
        {{":method", "CONNECT"}, AUTHORITY, SCHEME, PATH},
    };
    assert_blocks(blocks, COUNT(blocks), false, false);
}

static void test_bad_pseudo_fields(void **state)
{
    (void)state;
    static const struct pair blocks[][MAX_FIELDS] = {
        {METHOD, SCHEME, PATH, AUTHORITY, METHOD},
        {METHOD, SCHEME, PATH, AUTHORITY, SCHEME},
        {METHOD, SCHEME, PATH, AUTHORITY, PATH},
        {METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY},
        {METHOD, SCHEME, {"a", "b"}, PATH, AUTHORITY},
        {METHOD, SCHEME, PATH, AUTHORITY, {":status", "200"}},
        {METHOD, SCHEME, PATH, AUTHORITY, {":protocol", "websocket"}},
        {METHOD, SCHEME, PATH, AUTHORITY, {":", "x"}},
        {METHOD, SCHEME, PATH, AUTHORITY, {":Path", "/"}},
        {{":method", ""}, SCHEME, PATH, AUTHORITY},
        {{":method", "PO ST"}, SCHEME, PATH, AUTHORITY},
        {METHOD, {":scheme", ""}, PATH, AUTHORITY},
        {METHOD, {":scheme", "1http"}, PATH, AUTHORITY},
        {METHOD, {":scheme", "ht_tp"}, PATH, AUTHORITY},
        {METHOD, SCHEME, {":path", ""}, AUTHORITY},
        {METHOD, SCHEME, {":path", "/a b"}, AUTHORITY},
        {METHOD, SCHEME, {":path", "/a\nb"}, AUTHORITY},
        {METHOD, SCHEME, PATH, {":authority", "host\r"}},
    };
    assert_blocks(blocks, COUNT(blocks), false, false);
}

/* True if a field in addition to those of a valid request is accepted. */
static bool judge(struct slice name, struct slice value)
{
    static const struct pair request[] = {METHOD, SCHEME, PATH, AUTHORITY, {0}};
    struct rules rules;
    assert_true(is_good(request, false, &rules));
    return rules_check_field(&rules, name, value) == RULES_GOOD;
}

static void test_regular_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool good;
    } fields[] = {
        {"a", "b", true},
        {"grpc-timeout", "1S", true},
        {"x", "\t inside", false},
        {"x", "inside\tis fine", true},
        {"x", "at the end ", false},
        {"x", "\xc3\xa4", true},
        {"x", "new\nline", false},
        {"x", "return\r", false},
        {"x", "\x7f", false},
        {"", "x", false},
        {"Upper", "x", false},
        {"sp ace", "x", false},
        {"colon:", "x", false},
        {"umlaut\xc3\xa4", "x", false},
        {"connection", "close", false},
        {"keep-alive", "1", false},
        {"proxy-connection", "1", false},
        {"transfer-encoding", "chunked", false},
        {"upgrade", "h2c", false},
        {"te", "trailers", true},
        {"te", "gzip", false},
        {"te", "trailers, gzip", false},
        {"te", "", false},
        {"host", "host:80", true},
        {"host", "ho\nst", false},
        {"host", "", true},
        {"content-length", "0", true},
        {"content-length", "9223372036854775807", true},
        {"content-length", "9223372036854775808", false},
        {"content-length", "99999999999999999999999", false},
        {"content-length", "", false},
        {"content-length", "-1", false},
        {"content-length", "+1", false},
        {"content-length", "1 ", false},
        {"content-length", "1,1", false},
        {"content-length", "0x10", false},
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (judge(slice_from_string(fields[i].name), slice_from_string(fields[i].value)) !=
            fields[i].good)
            fail_msg("`%s: %s` is judged wrongly", fields[i].name, fields[i].value);
    }
    assert_false(judge(SLICE_LITERAL("x"), SLICE_LITERAL("a\0b")));
    assert_false(judge(SLICE_LITERAL("a\0b"), SLICE_LITERAL("x")));
}

static void test_what_may_come_once(void **state)
{
    (void)state;
    static const struct pair blocks[][MAX_FIELDS] = {
        {METHOD, SCHEME, PATH, {"content-length", "1"}, {"host", "a"}, {"content-length", "1"}},
        {METHOD, SCHEME, PATH, {"host", "a"}, {"host", "a"}},
    };
    assert_blocks(blocks, COUNT(blocks), false, false);
}

static void test_trailers(void **state)
{
    (void)state;
    static const struct pair good[][MAX_FIELDS] = {{{0}}, {{"checksum", "1"}, {"x", ""}}};
    static const struct pair bad[][MAX_FIELDS] = {
        {METHOD}, {{"x", "y"}, PATH}, {{"Upper", "x"}}, {{"connection", "close"}}};
    assert_blocks(good, COUNT(good), true, true);
    assert_blocks(bad, COUNT(bad), true, false);
}

static void test_content_length_is_reported(void **state)
{
    (void)state;
    static const struct pair without[] = {METHOD, SCHEME, PATH, AUTHORITY, {0}};
    static const struct pair with[] = {METHOD, SCHEME, PATH, AUTHORITY, {"content-length", "0012"},
                                       {0}};
    struct rules rules;
    assert_true(is_good(without, false, &rules));
    assert_int_equal(rules.content_length, -1);
    assert_true(is_good(with, false, &rules));
    assert_int_equal(rules.content_length, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_bad_pseudo_fields),
        cmocka_unit_test(test_regular_fields),
        cmocka_unit_test(test_what_may_come_once),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_content_length_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
