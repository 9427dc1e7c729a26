/* Which settings are said to have no effect, and that others are not. */
#include "server/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGUMENTS 12

static void on_hint(void *user, const char *hint)
{
    char *text = user;
    strcat(strcat(text, hint), "\n");
}

/* The hints on a command line, one a line; a NULL ends the arguments. */
static void assert_hints_on(char **arguments, const char *expected)
{
    static struct config config;
    char *argv[MAX_ARGUMENTS + 2] = {"keystore-server"};
    char seen[4 * HINTS_SIZE] = "";
    int argc = 1;
    while (arguments[argc - 1] != NULL) {
        argv[argc] = arguments[argc - 1];
        argc++;
    }
    assert_int_equal(config_read(argc, argv, &config), CONFIG_RUN);
    hints_give(&config, on_hint, seen);
    assert_string_equal(seen, expected);
}

#define HINTS(expected, ...) assert_hints_on((char *[]){__VA_ARGS__, NULL}, expected)

static void test_what_has_an_effect(void **state)
{
    (void)state;
    assert_hints_on((char *[]){NULL}, "");
    HINTS("", "--max-memory", "1GiB", "--max-memory-policy", "allkeys-lru", "--max-value", "1GiB");
    HINTS("", "--max-memory", "1MiB");
    HINTS("", "--durability", "none", "--save", "1 1");
    HINTS("", "--durability", "everysec", "--save", "");
    HINTS("", "--log-rewrite-percent", "10", "--log-rewrite-min-size", "1MiB");
    HINTS("", "--max-connections", "10", "--max-connections-per-address", "9");
    HINTS("", "--listen", "unix:/tmp/a", "--listen", "127.0.0.1:0", "--max-connections-per-address",
          "9");
}

static void test_memory(void **state)
{
    (void)state;
    HINTS("--max-memory-policy allkeys-lru has no effect without --max-memory: nothing is ever "
          "evicted\n",
          "--max-memory-policy", "allkeys-lru");
    HINTS("", "--max-memory-policy", "noeviction");
    HINTS("--max-value has no effect beyond --max-memory: values of more than 1048576 bytes never "
          "fit\n",
          "--max-value", "2MiB", "--max-memory", "1MiB");
}

static void test_durability(void **state)
{
    (void)state;
    static const char save[] =
        "--save has no effect on what survives with --durability %s, because the "
        "log has all writes: it only costs more snapshots\n";
    char expected[HINTS_SIZE];
    snprintf(expected, sizeof expected, save, "always");
    HINTS(expected, "--durability", "always", "--save", "1 1");
    HINTS(expected, "--save", "1 1");
    snprintf(expected, sizeof expected, save, "everysec");
    HINTS(expected, "--durability", "everysec", "--save", "1 1");
    /* Also if it is what it would be anyway. */
    HINTS("--log-rewrite-percent has no effect with --durability none: there is no log\n"
          "--log-rewrite-min-size has no effect with --durability none: there is no log\n",
          "--durability", "none", "--log-rewrite-percent", "100", "--log-rewrite-min-size",
          "64MiB");
    HINTS("--log-rewrite-min-size has no effect with --log-rewrite-percent 0: the log may grow to "
          "any size\n",
          "--log-rewrite-percent", "0", "--log-rewrite-min-size", "64MiB");
}

static void test_connections(void **state)
{
    (void)state;
    HINTS("--max-connections-per-address 1000 has no effect: --max-connections allows only 10 from "
          "all addresses together\n",
          "--max-connections", "10", "--max-connections-per-address", "1000");
    HINTS("--max-connections-per-address has no effect: every --listen is a unix socket, whose "
          "clients have no address\n",
          "--listen", "unix:/tmp/a", "--max-connections-per-address", "9");
}

static void test_tls(void **state)
{
    (void)state;
    HINTS("the certificates and keys for TLS have no effect without --tls-listen: no address "
          "speaks TLS\n",
          "--tls-cert", "/cert");
    HINTS("", "--tls-cert", "");
    HINTS("", "--tls-listen", "127.0.0.1:0", "--tls-cert", "/cert", "--tls-key", "/key");
}

static void test_users(void **state)
{
    (void)state;
    HINTS("--max-calls-per-user has no effect without --users-file: there are no users\n"
          "--calls-per-second-per-user has no effect without --users-file: there are no users\n",
          "--max-calls", "5", "--max-calls-per-user", "5", "--calls-per-second-per-user", "5");
    HINTS("", "--users-file", "users", "--max-calls-per-user", "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_an_effect),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_durability),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
