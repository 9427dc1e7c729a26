/* Tests of http2/limits.c: the values advertised to clients, and the consistency of the limits. */
#include "http2/http2.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "http2/pair.h"

static void assert_setting(const struct pair *pair, nghttp2_settings_id setting, size_t value)
{
    assert_int_equal(nghttp2_session_get_remote_settings(pair->client->session, setting), value);
}

static void test_advertised_limits(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_setting(&pair, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    assert_setting(&pair, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1024 * 1024);
    assert_setting(&pair, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16 * 1024);
    assert_int_equal(nghttp2_session_get_remote_window_size(pair.client->session),
                     16 * 1024 * 1024);
    pair_free(pair);
}

/* Windows: RFC 9113, 6.9.1 and 6.9.2; the rest follows from the purpose of the limits. */
static void test_they_fit_together(void **state)
{
    (void)state;
    const struct http2_limits *limits = &http2_default_limits;
    assert_in_range(limits->stream_window, 65535, INT32_MAX);
    assert_in_range(limits->connection_window, limits->stream_window, INT32_MAX);
    assert_in_range(limits->max_output, 1, limits->max_queued);
    assert_in_range(limits->max_referenced, limits->max_output, limits->max_queued);
    assert_in_range(limits->reset_burst, limits->resets_per_s, limits->max_streams);
    assert_in_range(limits->max_settings, 6, UINT32_MAX); /* as many as RFC 9113 defines */
    assert_true(limits->max_continuations > 0 && limits->max_idle_frames > 0);
    assert_true(limits->max_unsent_control > 0);
    assert_true(limits->handshake_timeout_ms > 0 && limits->header_timeout_ms > 0);
    assert_true(limits->stall_timeout_ms > limits->header_timeout_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advertised_limits),
        cmocka_unit_test(test_they_fit_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
