/* Tests of server/runtime.c: origins, what is refused, and what is applied. */
#include "server/runtime.h"

#include "base/account.h"
#include "net/admission.h"
#include "server/data.h"
#include "server/options.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct config config;
static struct runtime runtime;
static struct data data; /* that has no journal yet */
static struct net_admission *admission;
static struct store *store;
static struct arena arena;

static int set_up(void **state)
{
    const char *why;
    (void)state;
    options_fill_defaults(&config);
    assert_true(options_set(options_find("listen"), &config, "127.0.0.1:1", &why));
    assert_true(options_set(options_find("listen"), &config, "unix:/tmp/s", &why));
    assert_true(options_set(options_find("tls-listen"), &config, "[::1]:2", &why));
    assert_true(options_set(options_find("databases"), &config, "3", &why));
    assert_true(options_set(options_find("threads"), &config, "2", &why));
    config.on_command_line = UINT64_C(1) << options_find("threads");
    options_settle(&config);
    admission = net_admission_new(config.max_connections, 0);
    store = store_new(&config.store);
    runtime_init(&runtime, &config, admission, &data, store);
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    runtime_deinit(&runtime);
    store_free(store);
    net_admission_free(admission);
    arena_deinit(&arena);
    account_set_limit(SIZE_MAX);
    log_set_level(LOG_INFO);
    return 0;
}

/* The setting of that name, the one with that number of them. */
static struct setting_entry find(const char *name, size_t number)
{
    struct setting_entry entry;
    for (size_t i = 0; runtime.source.at(&runtime, i, &arena, &entry); i++)
        if (strcmp(entry.name, name) == 0 && number-- == 0)
            return entry;
    fail_msg("there is no %s", name);
    return entry;
}

static bool set(const char *name, const char *value)
{
    const char *why;
    bool changed;
    enum err err = runtime.source.set(&runtime, name, value, &arena, &changed, &why);
    if (err != ERR_NONE)
        fail_msg("%s", why);
    return changed;
}

static void assert_refused(const char *name, const char *value, const char *words)
{
    const char *why = "";
    bool changed;
    assert_int_equal(runtime.source.set(&runtime, name, value, &arena, &changed, &why),
                     ERR_BAD_ARGUMENT);
    if (strstr(why, words) == NULL)
        fail_msg("'%s' is not in: %s", words, why);
}

static void settings_and_their_origins(void **state)
{
    (void)state;
    assert_string_equal(find("listen", 0).value, "127.0.0.1:1");
    assert_string_equal(find("listen", 1).value, "unix:/tmp/s");
    assert_string_equal(find("tls-listen", 0).value, "[::1]:2");
    assert_int_equal(find("threads", 0).origin, SETTING_COMMAND_LINE);
    assert_string_equal(find("threads", 0).accepts, "a number of threads, 1 to 1024");
    assert_int_equal(find("databases", 0).origin, SETTING_FILE);
    assert_int_equal(find("max-value", 0).origin, SETTING_DEFAULT);
    assert_string_equal(find("max-value", 0).value, "64MiB");
    assert_string_equal(find("max-client-memory", 0).value, "1GiB"); /* in effect, not 0 */
    assert_string_equal(find("durability", 0).accepts, "always, everysec or none");
    assert_string_equal(find("import-skip-unsupported", 0).value, "no");
    assert_string_equal(find("save", 0).value, "");
    assert_string_equal(find("write-timeout", 0).value, "60");
}

static void each_changeable_setting_takes_its_own_value(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t row = OPTION_FIRST_SETTING; row < options_table().count; row++) {
        const char *name = options_row(row)->name;
        struct setting_entry entry = find(name, 0);
        assert_int_equal(entry.is_changeable, options_is_changeable(row));
        if (!entry.is_changeable) {
            assert_refused(name, entry.value, "needs a restart");
            continue;
        }
        assert_false(set(name, entry.value));
        assert_int_equal(find(name, 0).origin, SETTING_CHANGED);
        count++;
    }
    assert_int_equal(count, 18);
}

static void changes_are_applied(void **state)
{
    (void)state;
    struct config taken;
    unsigned generation = 0;
    assert_false(runtime_take(&runtime, &generation, &taken));
    assert_true(set("max-connections", "7"));
    assert_int_equal(net_admission_counts(admission).max_open, 7);
    assert_true(set("max-client-memory", "100MiB"));
    assert_int_equal(account_limit(), 100 << 20);
    assert_true(set("max-client-memory", "0")); /* the default */
    assert_int_equal(account_limit(), 1 << 30);
    assert_true(set("idle-timeout", "5"));
    assert_true(set("save", "60 5"));
    assert_true(set("drain-timeout", "3"));
    assert_int_equal(runtime_drain_timeout_ms(&runtime), 3000);
    assert_true(runtime_take(&runtime, &generation, &taken));
    assert_int_equal(taken.idle_timeout_ms, 5000);
    assert_int_equal(taken.journal.rule_count, 1);
    assert_false(runtime_take(&runtime, &generation, &taken));
    assert_false(set("idle-timeout", "5"));
}

static void the_memory_limit(void **state)
{
    (void)state;
    assert_true(set("max-memory", "2GiB"));
    assert_int_equal(store_limit(store).max_memory, (size_t)2 << 30);
    assert_int_equal(store_limit(store).policy, STORE_NOEVICTION);
    assert_int_equal(account_limit(), 256 << 20); /* its default follows */
    assert_string_equal(find("max-client-memory", 0).value, "256MiB");
    assert_int_equal(find("max-client-memory", 0).origin, SETTING_DEFAULT);
    assert_true(set("max-memory-policy", "volatile-ttl"));
    assert_int_equal(store_limit(store).policy, STORE_VOLATILE_TTL);
    assert_int_equal(store_limit(store).max_memory, (size_t)2 << 30);
    assert_true(set("max-client-memory", "300MiB"));
    assert_true(set("max-memory", "1GiB"));
    assert_int_equal(account_limit(), 300 << 20); /* what was given does not */
    assert_true(set("max-memory", "0"));
    assert_int_equal(store_limit(store).max_memory, 0);
    assert_refused("max-memory-policy", "lru", "must be noeviction, allkeys-lru,");
    assert_refused("max-memory", "much", "must be a number of bytes");
}

static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct config taken;
    unsigned generation = 0;
    assert_refused("idle-timeout", "soon", "must be a number of seconds, 0 to 864000");
    assert_refused("log-level", "loud", "must be error, warning, info or debug");
    assert_refused("max-connections", "0", "must be a number of connections, 1 to");
    assert_refused("idel-timeout", "5", "did you mean idle-timeout?");
    assert_refused("Idle-Timeout", "5", "did you mean idle-timeout?");
    assert_refused("maxmemory", "5", "Redis' maxmemory is max-memory here");
    assert_refused("nothing-like-it", "5", "Config lists all");
    assert_refused("config", "file", "there is no setting");
    assert_refused("", "", "there is no setting");
    assert_int_equal(find("idle-timeout", 0).origin, SETTING_DEFAULT);
    assert_false(runtime_take(&runtime, &generation, &taken));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(settings_and_their_origins),
        TEST(each_changeable_setting_takes_its_own_value),
        TEST(changes_are_applied),
        TEST(the_memory_limit),
        TEST(what_is_refused_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
