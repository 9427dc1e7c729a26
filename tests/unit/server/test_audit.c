/* Tests of server/audit.c: what becomes of events. tests/e2e/test_audit.py has which there are. */
#include "server/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/folder.h"

static struct folder folder;
static char path[sizeof folder.path + 20];

static int make_folder(void **state)
{
    (void)state;
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/audit.log", folder.path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* The file's contents, in static memory. */
static const char *contents(void)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Adds up a number that records have; those without it count as `otherwise`. */
static unsigned long sum(const char *text, const char *name, unsigned long otherwise)
{
    unsigned long total = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *found = strstr(line, name);
        total += found != NULL && found < strchr(line, '\n')
                     ? strtoul(found + strlen(name), NULL, 10)
                     : otherwise;
    }
    return total;
}

static size_t lines(const char *text)
{
    return sum(text, "no such name", 1);
}

static struct audit_event event_of(const char *principal, const char *peer)
{
    struct audit_event event = {.event = "call", .rpc_method = "/s/m", .status = "x"};
    snprintf(event.principal, sizeof event.principal, "%s", principal);
    snprintf(event.peer, sizeof event.peer, "%s", peer);
    return event;
}

static void note(struct audit *audit, const char *principal, const char *peer)
{
    struct audit_event event = event_of(principal, peer);
    audit_sink(audit)->note(audit_sink(audit)->user, &event);
}

static void test_what_says_the_same_is_folded(void **state)
{
    (void)state;
    struct audit *audit = audit_open(path, "rules");
    for (int i = 0; i < 1000; i++)
        note(audit, "app", i % 2 == 0 ? "10.0.0.1:1000" : "10.0.0.1:2000");
    note(audit, "app", "10.0.0.2:1000");
    note(audit, "boss", "10.0.0.1:1000");
    audit_close(audit);
    const char *text = contents();
    assert_int_equal(sum(text, "\"count\":", 1), 1002);
    assert_in_range(lines(text), 4, 1001); /* 4, unless the loop takes seconds */
    assert_non_null(strstr(text, "\"peer\":\"10.0.0.2:1000\""));
    assert_non_null(strstr(text, "\"principal\":\"boss\""));
}

/* No event is unaccounted for: it has a record, is counted in one, or as lost. */
static void test_too_many_kinds(void **state)
{
    (void)state;
    struct audit *audit = audit_open(path, "rules");
    for (int i = 0; i < 5000; i++) {
        char name[20];
        snprintf(name, sizeof name, "user%d", i);
        note(audit, name, "10.0.0.1:1000");
    }
    uint64_t dropped = audit_counts(audit).dropped;
    audit_close(audit);
    const char *text = contents();
    bool has_last = strstr(text, "\"event\":\"lost\"") != NULL; /* which is no event of these */
    assert_int_equal(sum(text, "\"count\":", 1) + dropped, 5000 + has_last);
    assert_true(dropped > 0);
}

/* Or, without a next one, in the last. */
static void test_losses_are_in_records(void **state)
{
    (void)state;
    struct audit *audit = audit_open(path, "rules");
    for (int i = 0; i < 1000; i++) {
        char name[20];
        snprintf(name, sizeof name, "user%d", i);
        note(audit, name, "10.0.0.1:1000");
    }
    uint64_t dropped = audit_counts(audit).dropped;
    audit_close(audit);
    assert_int_equal(sum(contents(), "\"dropped\":", 0), dropped);
}

static void test_a_log_is_appended_to(void **state)
{
    (void)state;
    struct stat status;
    for (int i = 0; i < 2; i++) {
        struct audit *audit = audit_open(path, "rules");
        audit_note_users(audit, i == 0, i == 0 ? "" : "line 3: nonsense");
        audit_close(audit);
    }
    const char *text = contents();
    assert_int_equal(lines(text), 2);
    assert_non_null(strstr(text, "\"event\":\"users_file\""));
    assert_non_null(strstr(text, "\"reason\":\"line 3: nonsense\""));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_reopening(void **state)
{
    (void)state;
    char former[sizeof path + 2];
    snprintf(former, sizeof former, "%s.1", path);
    struct audit *audit = audit_open(path, "rules");
    assert_int_equal(rename(path, former), 0);
    audit_reopen(audit);
    audit_close(audit);
    assert_string_equal(contents(), ""); /* it was made again */
}

static void test_what_cannot_be_opened(void **state)
{
    (void)state;
    assert_null(audit_open(folder.path, "rules"));
    assert_null(audit_open("/nonexistent/audit.log", "rules"));
    assert_null(audit_open("/dev/null", "rules")); /* it would lose records in silence */
}

static void test_without_a_log(void **state)
{
    (void)state;
    assert_null(audit_sink(NULL));
    assert_int_equal(audit_counts(NULL).records, 0);
    audit_note_users(NULL, true, "");
    audit_reopen(NULL);
    audit_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_says_the_same_is_folded),
        TEST(test_too_many_kinds),
        TEST(test_losses_are_in_records),
        TEST(test_a_log_is_appended_to),
        TEST(test_reopening),
        TEST(test_what_cannot_be_opened),
        cmocka_unit_test(test_without_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
