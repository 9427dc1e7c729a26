/* Tests of server/exposition.c: the families in each state of the server, and their numbers. */
#include "server/exposition.h"

#include "net/closings.h"
#include "net/peer.h"
#include "service/status.h"
#include "store/data/shard.h"

#include "server/exposition_fixture.h"

static char *write_all(struct exposition *exposition, enum metrics_format format)
{
    struct metrics_text text;
    metrics_text_init(&text, format);
    exposition_write(exposition, &text);
    return exposed_finish(&text);
}

static char *write_once(struct exposed *exposed)
{
    struct exposition *exposition = exposition_new(&exposed->report);
    char *text = write_all(exposition, METRICS_PROMETHEUS);
    exposition_free(exposition);
    return text;
}

#define assert_series(text, series, expected)                                                      \
    do {                                                                                           \
        if (exposed_value(text, series) != (expected))                                             \
            fail_msg("%s is %g", series, exposed_value(text, series));                             \
    } while (0)

/* What is not known yet is left out. */
static void test_while_loading(void **state)
{
    struct exposed *exposed = *state;
    atomic_store(&exposed->data.loaded_bytes, 30);
    atomic_store(&exposed->data.total_bytes, 120);
    char *text = write_once(exposed);
    assert_series(text, "keystore_loading", 1);
    assert_series(text, "keystore_loading_read_bytes", 30);
    assert_series(text, "keystore_loading_size_bytes", 120);
    assert_series(text, "keystore_revision", -1);
    assert_series(text, "keystore_worker_busy_seconds_total{worker=\"0\"}", -1);
    assert_series(text, "keystore_commands_total", 0);
    assert_series(text, "keystore_build_info{version=\"" KEYSTORE_VERSION "\"}", 1);
    free(text);
}

static void test_the_store(void **state)
{
    struct exposed *exposed = *state;
    exposed_load(exposed);
    exposed_set(exposed, 0, "a", 0);
    exposed_set(exposed, 3, "b", 0);
    exposed_set(exposed, 3, "c", 5000);
    char *text = write_once(exposed);
    assert_series(text, "keystore_loading", 0);
    assert_series(text, "keystore_revision", 3);
    assert_series(text, "keystore_keys{db=\"0\"}", 1);
    assert_series(text, "keystore_keys{db=\"1\"}", 0);
    assert_series(text, "keystore_keys{db=\"3\"}", 2);
    assert_series(text, "keystore_keys{db=\"4\"}", -1);
    assert_series(text, "keystore_keys_with_deadline{db=\"3\"}", 1);
    assert_series(text, "keystore_lookups_total{result=\"hit\"}", 0);
    assert_series(text, "keystore_evicted_keys_total{policy=\"allkeys-lru\"}", 0);
    assert_series(text, "keystore_memory_limit_bytes", 100000000);
    assert_true(exposed_value(text, "keystore_memory_used_bytes") > 0);
    assert_series(text, "keystore_read_only{cause=\"disk_full\"}", 0);
    assert_series(text, "keystore_read_only{cause=\"disk_failed\"}", 0);
    assert_series(text, "keystore_snapshot_in_progress", 0);
    free(text);
}

static void wait_until_durable(struct exposed *exposed, uint64_t revision)
{
    while (!journal_has_written(exposed->data.journal, revision))
        usleep(1000);
}

static void test_the_log(void **state)
{
    struct exposed *exposed = *state;
    exposed_load(exposed);
    exposed_set(exposed, 0, "a", 0);
    wait_until_durable(exposed, 1);
    char *text = write_once(exposed);
    assert_series(text, "keystore_durable_revision", 1);
    assert_series(text, "keystore_log_pending_bytes", 0);
    double syncs = exposed_value(text, "keystore_log_sync_seconds_count");
    assert_true(syncs >= 1);
    assert_series(text, "keystore_log_sync_seconds_bucket{le=\"+Inf\"}", syncs);
    assert_true(exposed_value(text, "keystore_log_sync_seconds_sum") > 0);
    assert_true(exposed_value(text, "keystore_log_written_bytes_total") > 0);
    assert_true(exposed_value(text, "keystore_log_size_bytes") > 0);
    free(text);
}

static void test_read_only(void **state)
{
    struct exposed *exposed = *state;
    struct durable *durable = journal_durable(exposed->data.journal);
    exposed_load(exposed);
    atomic_store(&durable->read_only_reason, "the disk is broken");
    char *text = write_once(exposed);
    assert_series(text, "keystore_read_only{cause=\"disk_full\"}", 0);
    assert_series(text, "keystore_read_only{cause=\"disk_failed\"}", 1);
    free(text);
    atomic_store(&durable->read_only_reason, wal_full_reason);
    text = write_once(exposed);
    assert_series(text, "keystore_read_only{cause=\"disk_full\"}", 1);
    assert_series(text, "keystore_read_only{cause=\"disk_failed\"}", 0);
    free(text);
    atomic_store(&durable->read_only_reason, NULL);
}

static void test_connections(void **state)
{
    struct exposed *exposed = *state;
    struct net_peer peer = {.is_counted = false};
    struct closing closing = {CLOSING_FLOOD, "too much"};
    for (int i = 0; i < 3; i++)
        assert_true(net_admission_enter(exposed->admission, &peer));
    for (int i = 0; i < 2; i++)
        assert_false(net_admission_enter(exposed->admission, &peer));
    net_admission_leave(exposed->admission, &peer);
    net_closings_note(net_admission_closings(exposed->admission), &peer, closing, 0);
    char *text = write_once(exposed);
    assert_series(text, "keystore_connections", 2);
    assert_series(text, "keystore_connections_limit", 3);
    assert_series(text, "keystore_connections_accepted_total", 3);
    assert_series(text, "keystore_connections_closed_total{cause=\"flood\"}", 1);
    assert_series(text, "keystore_connections_closed_total{cause=\"tls\"}", 0);
    assert_series(text, "keystore_limit_hits_total{limit=\"max_connections\"}", 2);
    assert_series(text, "keystore_limit_hits_total{limit=\"max_connections_per_address\"}", 0);
    free(text);
}

static void test_errors(void **state)
{
    struct exposed *exposed = *state;
    uint64_t before = status_count(ERR_WRONG_TYPE);
    status_of(ERR_WRONG_TYPE, "it is a list");
    char *text = write_once(exposed);
    assert_series(text, "keystore_errors_total{reason=\"WRONG_TYPE\"}", (double)before + 1);
    free(text);
}

static void test_workers(void **state)
{
    struct exposed *exposed = *state;
    exposed_make_workers(exposed);
    char *text = write_once(exposed);
    assert_series(text, "keystore_workers", 2);
    assert_series(text, "keystore_worker_busy_seconds_total{worker=\"0\"}", -1);
    free(text);
    assert_int_equal(worker_start(exposed->workers[1]), 0);
    text = write_once(exposed);
    assert_series(text, "keystore_worker_busy_seconds_total{worker=\"0\"}", -1);
    assert_true(exposed_value(text, "keystore_worker_busy_seconds_total{worker=\"1\"}") >= 0);
    free(text);
    worker_stop(exposed->workers[1]);
    worker_join(exposed->workers[1]);
}

/* Then the numbers of the store are those from before; the others are new. */
static void test_an_operation_that_takes_long(void **state)
{
    struct exposed *exposed = *state;
    struct mutex *lock = &embedded_store(exposed->engine)->shards[7].lock;
    struct exposition *exposition = exposition_new(&exposed->report);
    exposed_load(exposed);
    mutex_lock_long(lock);
    char *text = write_all(exposition, METRICS_PROMETHEUS);
    assert_series(text, "keystore_keys{db=\"0\"}", -1); /* nobody has counted them yet */
    free(text);
    mutex_unlock(lock);
    exposed_set(exposed, 0, "a", 0);
    free(write_all(exposition, METRICS_PROMETHEUS));
    exposed_set(exposed, 0, "b", 0);
    mutex_lock_long(lock);
    text = write_all(exposition, METRICS_PROMETHEUS);
    assert_series(text, "keystore_keys{db=\"0\"}", 1);
    assert_series(text, "keystore_revision", 2);
    free(text);
    mutex_unlock(lock);
    text = write_all(exposition, METRICS_PROMETHEUS);
    assert_series(text, "keystore_keys{db=\"0\"}", 2);
    free(text);
    exposition_free(exposition);
}

static void test_open_metrics(void **state)
{
    struct exposed *exposed = *state;
    struct exposition *exposition = exposition_new(&exposed->report);
    exposed_load(exposed);
    char *text = write_all(exposition, METRICS_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE keystore_log_sync_seconds histogram\n"
                                 "# UNIT keystore_log_sync_seconds seconds\n"));
    assert_non_null(strstr(text, "# TYPE keystore_errors counter\nkeystore_errors_total{"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
    exposition_free(exposition);
    exposition_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exposed_setup, exposed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_while_loading), TEST(test_the_store),
        TEST(test_the_log),       TEST(test_read_only),
        TEST(test_connections),   TEST(test_errors),
        TEST(test_workers),       TEST(test_an_operation_that_takes_long),
        TEST(test_open_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
