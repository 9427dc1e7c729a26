/* Tests of cli/health.c: the exit code of every outcome; the client library is played here. */
#include "cli/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_client.h"

static const char *sent_service;
static enum keystore_serving_status played;

enum keystore_code keystore_health(struct keystore_client *client,
                                   const struct keystore_health_request *request,
                                   struct keystore_health_reply *answer)
{
    (void)client;
    sent_service = request->service;
    answer->status = played;
    return fake_call("health");
}

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

/* Checks the service; *text gets what was printed to that descriptor. */
static enum health_code check(char *service, int descriptor, char text[200])
{
    struct options options = {.command = &service, .command_count = service != NULL};
    FILE *file = tmpfile();
    int kept = dup(descriptor);
    assert_non_null(file);
    fflush(NULL);
    assert_true(kept >= 0 && dup2(fileno(file), descriptor) == descriptor);
    enum health_code code = health_check(&options);
    fflush(NULL);
    assert_int_equal(dup2(kept, descriptor), descriptor);
    close(kept);
    rewind(file);
    text[fread(text, 1, 199, file)] = '\0';
    fclose(file);
    assert_int_equal(fake_connections, 0);
    return code;
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        enum keystore_serving_status status;
        enum health_code code;
        const char *text;
    } cases[] = {
        {KEYSTORE_SERVING, HEALTH_SERVING, "SERVING\n"},
        {KEYSTORE_NOT_SERVING, HEALTH_NOT_SERVING, "NOT_SERVING\n"},
        {KEYSTORE_SERVING_UNKNOWN, HEALTH_NOT_SERVING, "UNKNOWN\n"},
        {(enum keystore_serving_status)77, HEALTH_NOT_SERVING, "UNKNOWN\n"},
    };
    char text[200], service[] = "keystore.live";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        played = cases[i].status;
        assert_int_equal(check(NULL, STDOUT_FILENO, text), cases[i].code);
        assert_string_equal(sent_service, "");
        assert_string_equal(text, cases[i].text);
        assert_int_equal(check(service, STDOUT_FILENO, text), cases[i].code);
        assert_string_equal(sent_service, "keystore.live");
    }
}

static void test_failures(void **state)
{
    (void)state;
    char text[200];
    fake_code = KEYSTORE_NOT_FOUND;
    fake_error = (struct keystore_error){.code = fake_code, .message = "no such service"};
    assert_int_equal(check(NULL, STDERR_FILENO, text), HEALTH_FAILED);
    assert_string_equal(text, "(error) CODE: no such service\n");
    fake_unreachable = true;
    assert_int_equal(check(NULL, STDERR_FILENO, text), HEALTH_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_statuses, set_up),
        cmocka_unit_test_setup(test_failures, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
