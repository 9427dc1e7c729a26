/* Tests of server/report.c: the sections of Info about a store, connections and workers. */
#include "server/report.h"

#include "base/activity.h"
#include "engine/embedded.h"
#include "net/admission.h"
#include "server/data.h"
#include "server/worker.h"
#include "store/op.h"
#include "store/store.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/link.h"

/* A server that does not listen, and its report. */
struct fixture {
    struct config config;
    struct engine *engine;
    struct net_admission *admission;
    struct worker *workers[2];
    struct activity activity;
    struct report report;
    struct link *link;              /* asks */
    Keystore__V1__InfoReply *reply; /* of the newest ask() */
    struct data data;
};

static bool never(void)
{
    return false;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->config = (struct config){
        .threads = 2,
        .max_connections = 3,
        .max_value = 1000,
        .store = {.databases = 4, .max_memory = 100000000, .policy = STORE_ALLKEYS_LRU},
        .journal = {.durability = JOURNAL_EVERY_SECOND},
        .http2 = http2_default_limits,
        .net = net_default_limits};
    strcpy(fixture->config.dir, "/tmp/keystore-report-XXXXXX");
    assert_non_null(mkdtemp(fixture->config.dir));
    fixture->engine = embedded_new(&fixture->config.store, 2);
    activity_init(&fixture->activity, 1000);
    assert_true(data_open(&fixture->data, &fixture->config, fixture->engine, &fixture->activity));
    fixture->admission = net_admission_new(3, 0);
    report_init(&fixture->report);
    fixture->report.config = &fixture->config;
    fixture->report.store = embedded_store(fixture->engine);
    fixture->report.admission = fixture->admission;
    fixture->report.data = &fixture->data;
    fixture->link = link_new(fixture->engine, &fixture->report.info);
    *state = fixture;
    return 0;
}

static void forget(struct fixture *fixture)
{
    if (fixture->reply != NULL)
        keystore__v1__info_reply__free_unpacked(fixture->reply, NULL);
    fixture->reply = NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    forget(fixture);
    link_free(fixture->link);
    for (size_t i = 0; i < 2; i++)
        worker_free(fixture->workers[i]);
    net_admission_free(fixture->admission);
    assert_true(data_stop(&fixture->data));
    embedded_free(fixture->engine);
    data_close(&fixture->data);
    assert_int_equal(nftw(fixture->config.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

/* Asks for a section; NULL = all. */
static void ask(struct fixture *fixture, const char *section)
{
    Keystore__V1__InfoRequest message = KEYSTORE__V1__INFO_REQUEST__INIT;
    char *names[] = {(char *)section};
    message.sections = names;
    message.n_sections = section != NULL;
    struct ng_stream *call = link_call(fixture->link, "/KeyStoreAdmin/Info", &message);
    struct slice reply = ng_call_reply(call);
    forget(fixture);
    fixture->reply = keystore__v1__info_reply__unpack(NULL, reply.len, reply.data);
    assert_non_null(fixture->reply);
}

/* NULL: there is no such field. */
static const char *field(const struct fixture *fixture, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < fixture->reply->n_fields; i++) {
        if (strcmp(fixture->reply->fields[i]->key, name) != 0)
            continue;
        assert_null(value); /* names are unique */
        value = fixture->reply->fields[i]->value;
    }
    return value;
}

static void assert_field(const struct fixture *fixture, const char *name, const char *expected)
{
    assert_non_null(field(fixture, name));
    assert_string_equal(field(fixture, name), expected);
}

static long long number(const struct fixture *fixture, const char *name)
{
    char *end;
    assert_non_null(field(fixture, name));
    long long value = strtoll(field(fixture, name), &end, 10);
    assert_int_equal(*end, 0);
    return value;
}

static void set(struct fixture *fixture, uint32_t db, const char *key, size_t size,
                int64_t expire_at_ms)
{
    static const uint8_t value[20000];
    struct op op = {.kind = OP_SET,
                    .db = db,
                    .now_ms = 1000,
                    .key = slice_from_string(key),
                    .value = slice_make(value, size),
                    .expire_at_ms = expire_at_ms};
    struct op_result result;
    struct arena arena;
    arena_init(&arena);
    store_apply(embedded_store(fixture->engine), &op, &arena, &result);
    assert_true(result.ok);
    op_result_release(&result);
    arena_deinit(&arena);
}

static void test_server(void **state)
{
    struct fixture *fixture = *state;
    char pid[20];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    fixture->report.started_ms -= (int64_t)1000 * (2 * 24 * 60 * 60 + 5);
    ask(fixture, "server");
    assert_field(fixture, "keystore_version", KEYSTORE_VERSION);
    assert_field(fixture, "process_id", pid);
    assert_field(fixture, "worker_threads", "2");
    assert_field(fixture, "uptime_in_days", "2");
    assert_true(number(fixture, "uptime_in_seconds") >= 2 * 24 * 60 * 60 + 5);
    assert_true(number(fixture, "server_time_usec") > 1700000000000000);
}

static void test_connections(void **state)
{
    struct fixture *fixture = *state;
    struct net_peer peer = {.is_counted = false};
    for (int i = 0; i < 3; i++)
        assert_true(net_admission_enter(fixture->admission, &peer));
    for (int i = 0; i < 2; i++)
        assert_false(net_admission_enter(fixture->admission, &peer));
    net_admission_leave(fixture->admission, &peer);
    ask(fixture, "clients");
    assert_field(fixture, "connected_clients", "2");
    assert_field(fixture, "maxclients", "3");
    ask(fixture, "stats");
    assert_field(fixture, "total_connections_received", "3");
    assert_field(fixture, "rejected_connections", "2");
}

static void test_memory(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "memory");
    long long before = number(fixture, "used_memory");
    for (int i = 0; i < 1000; i++) {
        char key[20];
        snprintf(key, sizeof key, "key:%d", i);
        set(fixture, 0, key, 20000, 0);
    }
    ask(fixture, "memory");
    assert_true(number(fixture, "used_memory") > before + 1000 * 10000);
    assert_true(number(fixture, "used_memory_rss") > number(fixture, "used_memory"));
    assert_true(number(fixture, "allocator_resident") >=
                number(fixture, "used_memory") + number(fixture, "mem_small_allocations"));
    assert_field(fixture, "maxmemory", "100000000");
    assert_field(fixture, "maxmemory_policy", "allkeys-lru");
}

static void test_commands_of_all_workers(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "stats");
    assert_field(fixture, "total_commands_processed", "0");
    struct worker_options options = {.config = &fixture->config,
                                     .engine = fixture->engine,
                                     .activity = &fixture->activity,
                                     .admission = fixture->admission,
                                     .info = &fixture->report.info};
    for (unsigned i = 0; i < 2; i++)
        fixture->workers[i] = worker_new(&options, i);
    fixture->report.workers = fixture->workers;
    ask(fixture, "stats");
    assert_field(fixture, "total_commands_processed", "0");
    assert_field(fixture, "expired_keys", "0");
    assert_field(fixture, "evicted_keys", "0");
}

static void test_keyspace(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "keyspace");
    assert_int_equal(fixture->reply->n_fields, 0);
    set(fixture, 1, "a", 5, 0);
    set(fixture, 1, "b", 5, 5000);
    set(fixture, 3, "c", 5, 5000);
    ask(fixture, "keyspace");
    assert_int_equal(fixture->reply->n_fields, 2);
    assert_field(fixture, "db1", "keys=2,expires=1");
    assert_field(fixture, "db3", "keys=1,expires=1");
}

static void test_persistence(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "persistence");
    assert_field(fixture, "dir", fixture->config.dir);
    assert_field(fixture, "durability", "everysec");
    assert_field(fixture, "loading", "1");
    assert_int_equal(data_load(&fixture->data, never), DATA_LOADED);
    set(fixture, 0, "key", 5, 0);
    ask(fixture, "persistence");
    assert_field(fixture, "loading", "0");
    assert_field(fixture, "revision", "1");
    assert_field(fixture, "aof_enabled", "1");
    assert_field(fixture, "aof_last_write_status", "ok");
    assert_field(fixture, "writes_refused", "");
    assert_field(fixture, "rdb_changes_since_last_save", "1");
}

static void test_all_sections_together(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, 0, "a", 5, 0);
    ask(fixture, NULL);
    for (size_t i = 0; i < fixture->reply->n_fields; i++)
        assert_non_null(field(fixture, fixture->reply->fields[i]->key));
    assert_non_null(strchr(field(fixture, "used_cpu_user"), '.'));
    assert_non_null(field(fixture, "used_cpu_sys"));
    assert_field(fixture, "db0", "keys=1,expires=0");
}

#define REPORT(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPORT(test_server),
        REPORT(test_connections),
        REPORT(test_memory),
        REPORT(test_commands_of_all_workers),
        REPORT(test_keyspace),
        REPORT(test_persistence),
        REPORT(test_all_sections_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
