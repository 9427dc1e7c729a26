/* WHOAMI and ACL WHOAMI: what is shown; the client library is played here. */
#include "cli/who_am_i.h"

#include "fake_client.h"
#include "parsed.h"
#include "printed.h"

static const char *shown(const char *line)
{
    struct request request = parsed(line);
    struct reply reply = {.type = REPLY_NIL};
    assert_int_equal(who_am_i_send(NULL, &request, &parsed_arena, &reply), KEYSTORE_OK);
    FILE *out = printed_open();
    format_reply_raw(out, &reply);
    fclose(out);
    return printed_text;
}

static void who_it_is(void **state)
{
    (void)state;
    static const char *const rules[] = {"read keys=a", "pubsub"};
    fake_identity = (struct keystore_identity){.user = "ann",
                                               .means = KEYSTORE_MEANS_SESSION,
                                               .id = "0123",
                                               .expires_at_ms = 1795999869036,
                                               .rules = rules,
                                               .count = 2};
    assert_string_equal(shown("WHOAMI"),
                        "user = ann\nknown by = a password\nid = 0123\n"
                        "expires = 2026-11-30T00:51:09Z\nallow = read keys=a\nallow = pubsub\n");
    assert_string_equal(shown("ACL WHOAMI"), "ann\n");
    fake_identity = (struct keystore_identity){
        .user = "ann", .means = KEYSTORE_MEANS_CERTIFICATE, .id = "", .rules = rules};
    assert_string_equal(shown("WHOAMI"),
                        "user = ann\nknown by = the certificate of the connection\n");
}

static void a_server_without_users(void **state)
{
    (void)state;
    static const char *const rules[] = {"all"};
    fake_identity = (struct keystore_identity){.user = "", .id = "", .rules = rules, .count = 1};
    assert_string_equal(shown("WHOAMI"),
                        "known by = nothing: the server has no users, so everybody "
                        "may do everything\nallow = all\n");
    assert_string_equal(shown("ACL WHOAMI"), "default\n");
}

static void what_is_refused(void **state)
{
    (void)state;
    assert_refused("ACL LIST", "keystore-cli user");
    assert_refused("WHOAMI x", "no arguments");
    assert_refused("AUTH", "1 to 2 arguments");
    assert_refused("AUTH a b c", "1 to 2 arguments");
    assert_true(parsed("AUTH kst_abc").is_token);
    assert_false(parsed("AUTH kst_").is_token);
    assert_false(parsed("AUTH kst_abc x").is_token);
    assert_int_equal(parsed("AUTH ann").count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_it_is),
        cmocka_unit_test(a_server_without_users),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, parsed_tear_down);
}
