/* Tests of server/certificates.c: when files are loaded, and what the log says about them. */
#include "server/certificates.h"

#include "base/clock.h"
#include "support/certs.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_S  ((int64_t)24 * 3600)
#define DAY_MS (DAY_S * 1000)

static struct folder folder;
static struct config config;
static struct certs_pair ca, pair;

static struct certs_pair make(const char *name, int64_t valid_s)
{
    return certs_make(folder.path, name, &ca, &(struct certs_options){.valid_s = valid_s});
}

static void set_path(char *path, const char *value)
{
    assert_true(strlen(value) < CONFIG_MAX_PATH);
    strcpy(path, value);
}

static int set_up(void **state)
{
    (void)state;
    folder_make(&folder);
    ca = certs_make(folder.path, "ca", NULL, &(struct certs_options){.valid_s = 100 * DAY_S});
    pair = make("server", 60 * DAY_S);
    config = (struct config){.listen_count = 1, .listen[0].is_tls = true};
    set_path(config.tls_cert, pair.cert);
    set_path(config.tls_key, pair.key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* What a piece of code writes to standard error. */
static struct {
    FILE *file;
    int saved;
    char text[4096];
} heard;

static void hear(void)
{
    heard.file = tmpfile();
    assert_non_null(heard.file);
    heard.saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(heard.file), STDERR_FILENO) >= 0);
}

static void assert_heard(const char *words)
{
    assert_true(dup2(heard.saved, STDERR_FILENO) >= 0);
    close(heard.saved);
    rewind(heard.file);
    size_t len = fread(heard.text, 1, sizeof heard.text - 1, heard.file);
    heard.text[len] = '\0';
    fclose(heard.file);
    if (words == NULL ? len > 0 : strstr(heard.text, words) == NULL)
        fail_msg("\"%s\" is not \"%s\"", heard.text, words != NULL ? words : "");
}

static void test_without_tls(void **state)
{
    (void)state;
    struct certificates certificates;
    config.listen[0].is_tls = false;
    config.tls_cert[0] = '\0';
    assert_true(certificates_open(&certificates, &config));
    assert_null(certificates.tls);
    certificates_look(&certificates, clock_unix_ms());
    certificates_reload(&certificates);
    certificates_close(&certificates);
}

static void test_files_that_are_missing(void **state)
{
    (void)state;
    struct certificates certificates;
    config.tls_key[0] = '\0';
    hear();
    bool opened = certificates_open(&certificates, &config);
    assert_heard("--tls-cert and --tls-key");
    assert_false(opened);
    set_path(config.tls_key, "/nowhere");
    hear();
    opened = certificates_open(&certificates, &config);
    assert_heard("cannot read /nowhere (--tls-key)");
    assert_false(opened);
    certificates_close(&certificates);
}

static void test_changes(void **state)
{
    (void)state;
    struct certificates certificates;
    assert_true(certificates_open(&certificates, &config));
    hear();
    certificates_look(&certificates, clock_unix_ms());
    assert_heard(NULL);
    make("server", 90 * DAY_S);
    hear();
    certificates_look(&certificates, clock_unix_ms());
    assert_heard("new connections get the certificate in ");
    assert_int_equal(unlink(pair.key), 0);
    hear();
    certificates_look(&certificates, clock_unix_ms());
    assert_heard("the certificate and key for TLS stay as they were: cannot read");
    hear();
    certificates_look(&certificates, clock_unix_ms()); /* it was said */
    assert_heard(NULL);
    hear();
    certificates_reload(&certificates); /* somebody asks */
    assert_heard("stay as they were: cannot read");
    assert_true(net_tls_counts(certificates.tls).expires_s * 1000 > clock_unix_ms() + 89 * DAY_MS);
    certificates_close(&certificates);
}

static void test_warnings_of_the_expiry(void **state)
{
    (void)state;
    struct certificates certificates;
    hear();
    bool opened = certificates_open(&certificates, &config);
    assert_heard(NULL);
    assert_true(opened);
    int64_t start_ms = net_tls_counts(certificates.tls).expires_s * 1000 - 60 * DAY_MS;
    const struct {
        int64_t at_ms;
        const char *words;
    } looks[] = {
        {29 * DAY_MS, NULL},
        {30 * DAY_MS, NULL},
        {30 * DAY_MS + 1000, "expires in 29 days"},
        {30 * DAY_MS + 2000, NULL},
        {31 * DAY_MS, NULL},
        {31 * DAY_MS + 1000, "expires in 28 days"},
        {60 * DAY_MS - 1000, "expires in 0 days"},
        {61 * DAY_MS, "has expired"},
        {61 * DAY_MS + 5000, NULL},
        {62 * DAY_MS, "has expired"},
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        hear();
        certificates_look(&certificates, start_ms + looks[i].at_ms);
        assert_heard(looks[i].words);
    }
    certificates_close(&certificates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_warnings_of_the_expiry, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
