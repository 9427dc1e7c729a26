/* Tests of service/streams/settings.c: real calls in memory; the settings are played. */
#include "service/streams/settings.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

#define LIST "/keystore.v1.KeyStoreAdmin/Config"
#define SET  "/keystore.v1.KeyStoreAdmin/SetConfig"

static char value_of_b[100];

static bool played_at(void *user, size_t index, struct arena *arena, struct setting_entry *entry)
{
    static const char *const names[] = {"max-a", "max-b", "c"};
    (void)user;
    (void)arena;
    if (index >= 3)
        return false;
    *entry = (struct setting_entry){.name = names[index],
                                    .value = index == 1 ? value_of_b : "",
                                    .origin = (enum setting_origin)(index + 1),
                                    .accepts = "anything",
                                    .is_changeable = index == 1,
                                    .help = "help"};
    return true;
}

static enum err played_set(void *user, const char *name, const char *value, struct arena *arena,
                           bool *changed, const char **why)
{
    (void)user;
    (void)arena;
    if (strcmp(name, "max-b") != 0) {
        *why = "there is no such setting";
        return ERR_BAD_ARGUMENT;
    }
    *changed = strcmp(value, value_of_b) != 0;
    snprintf(value_of_b, sizeof value_of_b, "%s", value);
    return ERR_NONE;
}

static int setup(void **state)
{
    static const struct settings_source source = {.at = played_at, .set = played_set};
    link_settings = &source;
    snprintf(value_of_b, sizeof value_of_b, "one");
    return embedded_setup(state);
}

static Keystore__V1__ConfigReply *list(struct link *link, const char *pattern)
{
    Keystore__V1__ConfigRequest request = KEYSTORE__V1__CONFIG_REQUEST__INIT;
    request.pattern = (char *)(uintptr_t)pattern;
    struct slice reply = ng_call_reply(link_call(link, LIST, &request));
    Keystore__V1__ConfigReply *config =
        keystore__v1__config_reply__unpack(NULL, reply.len, reply.data);
    assert_non_null(config);
    return config;
}

static struct ng_stream *set(struct link *link, const char *name, const char *value)
{
    Keystore__V1__SetConfigRequest request = KEYSTORE__V1__SET_CONFIG_REQUEST__INIT;
    request.name = (char *)(uintptr_t)name;
    request.value = (char *)(uintptr_t)value;
    return link_call(link, SET, &request);
}

static void test_settings_are_listed(void **state)
{
    Keystore__V1__ConfigReply *config = list(*state, "");
    assert_int_equal(config->n_settings, 3);
    assert_string_equal(config->settings[1]->name, "max-b");
    assert_string_equal(config->settings[1]->value, "one");
    assert_int_equal(config->settings[1]->origin,
                     KEYSTORE__V1__CONFIG_REPLY__ORIGIN__ORIGIN_COMMAND_LINE);
    assert_string_equal(config->settings[1]->accepts, "anything");
    assert_string_equal(config->settings[1]->help, "help");
    assert_true(config->settings[1]->changeable);
    assert_false(config->settings[2]->changeable);
    keystore__v1__config_reply__free_unpacked(config, NULL);
    config = list(*state, "max-*");
    assert_int_equal(config->n_settings, 2);
    keystore__v1__config_reply__free_unpacked(config, NULL);
    config = list(*state, "nothing");
    assert_int_equal(config->n_settings, 0);
    keystore__v1__config_reply__free_unpacked(config, NULL);
}

static void test_a_setting_is_changed(void **state)
{
    assert_status(set(*state, "max-b", "two"), true, 0);
    assert_string_equal(value_of_b, "two");
    assert_status(set(*state, "max-b", "two"), false, 0);
    ng_call_assert_failed(set(*state, "max-a", "x"), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "there is no such setting");
}

static void test_wrong_requests(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = ng_call(link->client, LIST, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_INTERNAL);
    call = ng_call_begin(link->client, LIST);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
}

static void test_a_server_without_settings(void **state)
{
    (void)state;
    void *link;
    link_settings = NULL;
    embedded_setup(&link);
    ng_call_assert_failed(set(link, "max-b", "x"), GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED",
                          "does not tell its settings");
    embedded_teardown(&link);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, embedded_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_settings_are_listed),
        TEST(test_a_setting_is_changed),
        TEST(test_wrong_requests),
        cmocka_unit_test(test_a_server_without_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
