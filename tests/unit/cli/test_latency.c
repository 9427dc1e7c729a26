/* LATENCY: which methods are meant, and how they are shown; the client library is played here. */
#include "cli/latency.h"

#include "fake_client.h"
#include "parsed.h"
#include "printed.h"

static const uint64_t bounds[] = {10, 20, 50};
static const uint64_t get_buckets[] = {0, 3, 0, 1};
static const uint64_t get_codes[17] = {[KEYSTORE_OK] = 3, [KEYSTORE_UNAVAILABLE] = 1};
static const uint64_t nothing[17];

static const struct keystore_method_latency methods[] = {
    {
        .service = "keystore.v1.KeyStore",
        .method = "Get",
        .started = 5,
        .ended = 4,
        .failed = 1,
        .retried = 2,
        .messages_received = 5,
        .messages_sent = 3,
        .sum_us = 110,
        .max_us = 70,
        .p50_us = 16.66,
        .p90_us = 61,
        .p99_us = 69.1,
        .p999_us = 70,
        .buckets = get_buckets,
        .bucket_count = 4,
        .codes = get_codes,
        .code_count = 17,
    },
    {
        .service = "",
        .method = "unknown",
        .buckets = nothing,
        .bucket_count = 4,
        .codes = nothing,
        .code_count = 17,
    },
};

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    fake_latency = (struct keystore_latency_reply){
        .methods = methods, .count = 2, .bounds_us = bounds, .bound_count = 3};
    return 0;
}

static struct reply send(const char *line)
{
    struct request request = parsed(line);
    struct reply reply = {.type = REPLY_NIL};
    assert_int_equal(latency_send(NULL, &request, &parsed_arena, &reply), fake_code);
    return reply;
}

static void assert_printed(const char *line, const char *people, const char *programs)
{
    struct reply reply = send(line);
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    assert_string_equal(printed_text, people);
    out = printed_open();
    format_reply_raw(out, &reply);
    fclose(out);
    assert_string_equal(printed_text, programs);
}

#define GET_LINE                                                                                   \
    "method=keystore.v1.KeyStore/Get started=5 ended=4 failed=1 retried=2 messages-received=5 "    \
    "messages-sent=3 sum-us=110 p50-us=16.7 p90-us=61.0 p99-us=69.1 p999-us=70.0 max-us=70 "       \
    "codes=0:3,14:1\n"

static void counts(void **state)
{
    (void)state;
    assert_printed(
        "LATENCY",
        "method   calls  in flight  failed  retried  mean us   p50   p90   p99  p99.9  max\n"
        "Get          5          1       1        2     27.5  16.7  61.0  69.1   70.0   70\n"
        "unknown      0          0       0        0      0.0   0.0   0.0   0.0    0.0    0\n",
        GET_LINE "method=unknown started=0 ended=0 failed=0 retried=0 "
                 "messages-received=0 messages-sent=0 sum-us=0 p50-us=0.0 p90-us=0.0 "
                 "p99-us=0.0 p999-us=0.0 max-us=0 codes=\n");
    assert_int_equal(fake_calls, 1);
}

static void histograms(void **state)
{
    (void)state;
    assert_printed("LATENCY HISTOGRAM",
                   "method  up to us  calls     %\n"
                   "Get           20      3  75.0  ##############################\n"
                   "              50      0   0.0\n"
                   "             inf      1  25.0  ##########\n",
                   "method=keystore.v1.KeyStore/Get up-to-us=20 calls=3 so-far=3\n"
                   "method=keystore.v1.KeyStore/Get up-to-us=50 calls=0 so-far=3\n"
                   "method=keystore.v1.KeyStore/Get up-to-us=inf calls=1 so-far=4\n");
}

/* Lines for programs, of which there is one per method. */
static size_t lines_of(const char *line)
{
    struct reply reply = send(line);
    if (reply.type == REPLY_LIST)
        return 0;
    size_t lines = 1;
    for (size_t i = 0; i < reply.items[1].bytes.len; i++)
        lines += ((const char *)reply.items[1].bytes.data)[i] == '\n';
    return lines;
}

static void names_and_patterns(void **state)
{
    (void)state;
    assert_int_equal(lines_of("LATENCY get"), 1);
    assert_int_equal(lines_of("LATENCY g?t"), 1);
    assert_int_equal(lines_of("LATENCY *"), 2);
    assert_int_equal(lines_of("LATENCY get unknown"), 2);
    assert_int_equal(lines_of("LATENCY Keystore.V1.KeyStore/*"), 1);
    assert_int_equal(lines_of("LATENCY keystore.v1.KeyStore/Get get"), 1);
    assert_int_equal(lines_of("LATENCY x*"), 0);
    assert_int_equal(fake_calls, 7); /* the server is not asked for what a pattern does not match */
}

/* The server says whether there is such a method. */
static void a_name_that_was_not_called(void **state)
{
    (void)state;
    fake_latency.count = 1; /* only Get */
    assert_int_equal(lines_of("LATENCY get Set"), 2);
    assert_int_equal(fake_calls, 2);
    assert_string_equal(fake_sent_method, "Set");
    fake_code = KEYSTORE_INVALID_ARGUMENT;
    (void)send("LATENCY Set");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts),
        TEST(histograms),
        TEST(names_and_patterns),
        TEST(a_name_that_was_not_called),
    };
    return cmocka_run_group_tests(tests, NULL, parsed_tear_down);
}
