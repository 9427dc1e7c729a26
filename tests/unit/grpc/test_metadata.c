/* Tests of grpc/metadata.c: request ids, traces and attempts, well-formed and malformed. */
#include "grpc/metadata.h"

#include "grpc/request.h"
#include "http2/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define HEAD  "00-" TRACE "-" SPAN "-"
/* The same trace and span as grpc-trace-bin, sampled. */
#define TRACE_BIN "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE"

/* Of two fields; NULL for the second: of one. */
static struct grpc_metadata *parse_two(const char *name, const char *value, const char *second,
                                       const char *second_value, const char **why)
{
    const struct http2_field fields[] = {
        {.name = slice_from_string(name), .value = slice_from_string(value)},
        {.name = slice_from_string(second != NULL ? second : "te"),
         .value = slice_from_string(second != NULL ? second_value : "trailers")},
    };
    struct grpc_request request;
    grpc_request_parse(fields, 2, &request);
    return grpc_metadata_new(&request.rare, why);
}

static struct grpc_metadata *parse(const char *name, const char *value, const char **why)
{
    return parse_two(name, value, NULL, NULL, why);
}

static void test_most_calls_have_none(void **state)
{
    (void)state;
    static const char *const names[] = {"user-agent",
                                        "traceparenT",
                                        "grpc-trace-bim",
                                        "keystore-request-ix",
                                        "keystore-request-id-bim",
                                        "grpc-previous-rpc-attemptx"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *why = "unset";
        assert_null(parse(names[i], "1", &why));
        assert_null(why);
    }
}

static void assert_id(const char *name, const char *value, const char *bytes, size_t size)
{
    const char *why;
    struct grpc_metadata *metadata = parse(name, value, &why);
    if (metadata == NULL)
        fail_msg("\"%s\": %s", value, why);
    assert_null(why);
    assert_int_equal(metadata->request_id_size, size);
    assert_memory_equal(metadata->request_id, bytes, size);
    assert_false(metadata->has_trace);
    free(metadata);
}

#define EIGHT      "12345678"
#define SIXTY_FOUR EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

static void test_request_ids(void **state)
{
    (void)state;
    assert_id("keystore-request-id", "a", "a", 1);
    assert_id("keystore-request-id", "a b~!", "a b~!", 5);
    assert_id("keystore-request-id", SIXTY_FOUR, SIXTY_FOUR, 64);
    assert_id("keystore-request-id-bin", "YQ", "a", 1);
    assert_id("keystore-request-id-bin", "YQ==", "a", 1);
    assert_id("keystore-request-id-bin", "YWI", "ab", 2);
    assert_id("keystore-request-id-bin", "YWI=", "ab", 2);
    assert_id("keystore-request-id-bin", "YWJj", "abc", 3);
    assert_id("keystore-request-id-bin", "AP/+", "\0\xff\xfe", 3);
    assert_id("keystore-request-id-bin", "AAECAwQFBgcICQoLDA0ODw",
              "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
    char longest[87];
    memset(longest, 'A', 86);
    longest[86] = '\0';
    char zeros[64] = {0};
    assert_id("keystore-request-id-bin", longest, zeros, 64);
}

static void test_malformed_request_ids(void **state)
{
    (void)state;
    static const char *const texts[] = {"", SIXTY_FOUR "9", "a\tb", "\x7f", "\xc3\xa4", "a\nb"};
    static const char *const bins[] = {
        "",
        "=",
        "==",
        "Y",
        "Y===",
        "YQ=",
        "YQ===",
        "Y=Q=",
        "YWJj,YWJj",
        "YW Jj",
        "YW-_",
        "YWJjZ",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    const char *why;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_null(parse("keystore-request-id", texts[i], &why));
        assert_non_null(strstr(why, "printable ASCII"));
    }
    for (size_t i = 0; i < sizeof bins / sizeof bins[0]; i++) {
        if (parse("keystore-request-id-bin", bins[i], &why) != NULL)
            fail_msg("\"%s\" was taken", bins[i]);
        assert_non_null(strstr(why, "base64"));
    }
    assert_null(parse_two("keystore-request-id", "a", "keystore-request-id", "a", &why));
    assert_non_null(strstr(why, "several"));
    assert_null(parse_two("keystore-request-id", "a", "keystore-request-id-bin", "YQ", &why));
    assert_non_null(strstr(why, "several"));
}

static void assert_trace(const struct grpc_metadata *metadata, uint8_t flags)
{
    static const uint8_t trace[] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
                                    0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
    static const uint8_t span[] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31};
    assert_non_null(metadata);
    assert_true(metadata->has_trace);
    assert_memory_equal(metadata->trace_id, trace, sizeof trace);
    assert_memory_equal(metadata->span_id, span, sizeof span);
    assert_int_equal(metadata->trace_flags, flags);
    assert_int_equal(metadata->request_id_size, 0);
}

static void test_traces(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        uint8_t flags;
    } cases[] = {{"traceparent", HEAD "01", 1},
                 {"traceparent", HEAD "00", 0},
                 {"traceparent", "cc-" TRACE "-" SPAN "-03", 3},
                 {"traceparent", "cc-" TRACE "-" SPAN "-01-more", 1},
                 {"grpc-trace-bin", TRACE_BIN, 1},
                 {"grpc-trace-bin", TRACE_BIN "=", 1}};
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grpc_metadata *metadata = parse(cases[i].name, cases[i].value, &why);
        assert_trace(metadata, cases[i].flags);
        free(metadata);
    }
    struct grpc_metadata *both =
        parse_two("grpc-trace-bin", TRACE_BIN, "traceparent", HEAD "07", &why);
    assert_trace(both, 7);
    free(both);
    both = parse_two("grpc-trace-bin", TRACE_BIN, "traceparent", "malformed", &why);
    assert_trace(both, 1);
    free(both);
}

static void test_malformed_traces_are_ignored(void **state)
{
    (void)state;
    static const char *const parents[] = {"",
                                          "00",
                                          HEAD,
                                          HEAD "0",
                                          HEAD "01-more",
                                          HEAD "0g",
                                          "ff-" TRACE "-" SPAN "-01",
                                          "00-00000000000000000000000000000000-" SPAN "-01",
                                          "00-" TRACE "-0000000000000000-01",
                                          "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
                                          "00_" TRACE "-" SPAN "-01",
                                          "cc-" TRACE "-" SPAN "-01more"};
    static const char *const bins[] = {"",
                                       "AAAA",
                                       "!",
                                       TRACE_BIN "AAAA",
                                       "AQAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE",
                                       "AAAAAAAAAAAAAAAAAAAAAAAAAAeta3FpIDMxAgE"};
    const char *why;
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
        struct grpc_metadata *metadata = parse("traceparent", parents[i], &why);
        assert_non_null(metadata);
        assert_false(metadata->has_trace);
        assert_int_equal(metadata->trace_id[0] | metadata->span_id[0] | metadata->trace_flags, 0);
        free(metadata);
    }
    for (size_t i = 0; i < sizeof bins / sizeof bins[0]; i++) {
        struct grpc_metadata *metadata = parse("grpc-trace-bin", bins[i], &why);
        assert_non_null(metadata);
        assert_false(metadata->has_trace);
        free(metadata);
    }
}

static void test_attempts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t attempts;
    } cases[] = {{"0", 0},          {"1", 1}, {"17", 17}, {"999999999", 999999999},
                 {"1000000000", 0}, {"", 0},  {"-1", 0},  {"1a", 0}};
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grpc_metadata *metadata = parse("grpc-previous-rpc-attempts", cases[i].text, &why);
        assert_non_null(metadata);
        assert_int_equal(metadata->previous_attempts, cases[i].attempts);
        free(metadata);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most_calls_have_none),         cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_malformed_request_ids),        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_malformed_traces_are_ignored), cmocka_unit_test(test_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
