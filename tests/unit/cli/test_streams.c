/* What the commands for streams do with what comes; the client library is played here. What they
 * print: tests/e2e. */
#include "cli/session.h"

#include "fake_client.h"
#include "keystore/streams.h"
#include "parsed.h"

#include "support/folder.h"

#include <signal.h>
#include <unistd.h>

static struct options options = {.target = "nowhere"};
static struct session session;

/* What the streams deliver, and what was done to them. */
static const struct keystore_slice names[] = {{"a", 1}, {"b", 1}, {"c", 1}};
static size_t pages_left, deleted, acknowledged, closed, finished;
static struct keystore_scan_request scanned;
static struct keystore_error stream_error;
static uint64_t backup_size, backup_gap;
static bool interrupts;
static enum keystore_next last; /* behind all that is delivered */

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    pages_left = deleted = acknowledged = closed = finished = 0;
    last = KEYSTORE_END;
    backup_size = 9;
    backup_gap = 0;
    interrupts = false;
    stream_error = (struct keystore_error){0};
    options.yes = false;
    session_init(&session, &options);
    return 0;
}

static int tear_down(void **state)
{
    session_deinit(&session);
    return parsed_tear_down(state);
}

static enum session_result run(const char *line)
{
    return session_run(&session, parsed_words(line), "");
}

static enum keystore_code open_stream(struct keystore_stream **stream)
{
    *stream = (struct keystore_stream *)&stream_error; /* never looked into */
    return fake_call("stream");
}

enum keystore_code keystore_scan(struct keystore_client *unused,
                                 const struct keystore_scan_request *request,
                                 struct keystore_stream **stream)
{
    (void)unused;
    scanned = *request;
    return open_stream(stream);
}

enum keystore_next keystore_scan_next(struct keystore_stream *stream, int64_t timeout_ms,
                                      struct keystore_scan_page *answer)
{
    static struct keystore_scan_entry entries[3];
    (void)stream;
    assert_int_equal(timeout_ms, KEYSTORE_FOREVER);
    for (size_t i = 0; i < 3; i++)
        entries[i].key = names[i];
    *answer = (struct keystore_scan_page){.entries = entries, .count = 3};
    return pages_left-- > 0 ? KEYSTORE_ITEM : last;
}

enum keystore_code keystore_delete_many(struct keystore_client *unused,
                                        const struct keystore_keys *request,
                                        struct keystore_status *answer)
{
    (void)unused;
    deleted += request->count;
    *answer = (struct keystore_status){.count = (int64_t)request->count};
    return fake_call("delete_many");
}

enum keystore_code keystore_consume(struct keystore_client *unused,
                                    const struct keystore_consume_request *request,
                                    struct keystore_stream **stream)
{
    (void)unused;
    (void)request;
    return open_stream(stream);
}

enum keystore_next keystore_consume_next(struct keystore_stream *stream, int64_t timeout_ms,
                                         struct keystore_deliveries *answer)
{
    static const struct keystore_delivery items[] = {{.id = 1, .key = {"q", 1}},
                                                     {.id = 2, .key = {"q", 1}}};
    (void)stream;
    (void)timeout_ms;
    *answer = (struct keystore_deliveries){0};
    if (pages_left == 0 || finished > 0)
        return last; /* KEYSTORE_END */
    pages_left--;
    *answer = (struct keystore_deliveries){.items = items, .count = 2};
    if (pages_left == 0)
        raise(SIGINT); /* Ctrl-C, behind what has come */
    return KEYSTORE_ITEM;
}

enum keystore_code keystore_backup(struct keystore_client *unused, struct keystore_stream **stream)
{
    (void)unused;
    return open_stream(stream);
}

/* Three pages of three bytes. */
enum keystore_next keystore_backup_next(struct keystore_stream *stream, int64_t timeout_ms,
                                        struct keystore_backup_page *answer)
{
    (void)stream;
    (void)timeout_ms;
    *answer = (struct keystore_backup_page){
        .data = {"abc", 3}, .offset = (3 - pages_left) * 3 + backup_gap, .size = backup_size};
    if (interrupts && pages_left == 2)
        raise(SIGINT);
    return pages_left-- > 0 ? KEYSTORE_ITEM : last;
}

enum keystore_code keystore_consume_ack(struct keystore_stream *stream,
                                        const struct keystore_acks *acks)
{
    (void)stream;
    for (size_t i = 0; i < acks->done_count; i++)
        assert_int_equal(acks->done[i], i + 1);
    acknowledged += acks->done_count;
    return KEYSTORE_OK;
}

enum keystore_code keystore_consume_finish(struct keystore_stream *stream)
{
    (void)stream;
    finished++;
    return KEYSTORE_OK;
}

const struct keystore_error *keystore_stream_error(const struct keystore_stream *stream)
{
    (void)stream;
    return &stream_error;
}

void keystore_stream_close(struct keystore_stream *stream)
{
    closed += stream != NULL;
}

static void a_scan_reads_all_pages(void **state)
{
    (void)state;
    pages_left = 3;
    assert_int_equal(run("SCAN 0 MATCH k* COUNT 7"), SESSION_OK);
    assert_int_equal(scanned.max_visited, 7);
    assert_int_equal(scanned.pattern.len, 2);
    assert_int_equal(closed, 1);
}

static void a_failed_stream_fails_the_command(void **state)
{
    (void)state;
    pages_left = 1;
    last = KEYSTORE_FAILED;
    stream_error.code = KEYSTORE_UNAVAILABLE;
    assert_int_equal(run("KEYS *"), SESSION_FAILED);
    assert_int_equal(closed, 1);
    assert_null(session.client); /* the next command reconnects */
}

static void nothing_is_deleted_without_a_yes(void **state)
{
    (void)state;
    pages_left = 2;
    assert_int_equal(run("DELMATCH k*"), SESSION_FAILED);
    assert_int_equal(deleted, 0);
    options.yes = true;
    assert_int_equal(run("DELMATCH k*"), SESSION_OK);
    assert_int_equal(deleted, 6);
}

static void what_was_printed_is_acknowledged(void **state)
{
    (void)state;
    pages_left = 2;
    assert_int_equal(run("CONSUME q"), SESSION_OK);
    assert_int_equal(acknowledged, 4);
    assert_int_equal(finished, 1);
    assert_int_equal(closed, 1);
    assert_true(session.quit); /* there is no prompt to go back to */
    session.quit = false;
    session.interactive = true;
    pages_left = 1;
    finished = 0;
    assert_int_equal(run("CONSUME q AUTOACK"), SESSION_OK);
    assert_int_equal(acknowledged, 4);
    assert_false(session.quit);
}

static void a_limit_ends_a_consumer(void **state)
{
    (void)state;
    pages_left = 100;
    assert_int_equal(run("CONSUME q COUNT 3"), SESSION_OK);
    assert_int_equal(pages_left, 98);
    assert_false(session.quit);
}

/* A backup of three pages into a file of its own; returns whether the file is there after it. */
static bool is_backed_up(enum session_result expected)
{
    struct folder folder;
    char line[PATH_MAX];
    folder_make(&folder);
    snprintf(line, sizeof line, "BACKUP %s/b", folder.path);
    pages_left = 3;
    closed = 0;
    assert_int_equal(run(line), expected);
    assert_int_equal(closed, 1);
    snprintf(line, sizeof line, "%s/b", folder.path);
    bool there = access(line, F_OK) == 0;
    assert_true(there || rmdir(folder.path) == 0); /* nothing else is there */
    if (there)
        folder_remove(&folder);
    return there;
}

static void a_backup_is_whole_or_not_there(void **state)
{
    (void)state;
    assert_true(is_backed_up(SESSION_OK));
    last = KEYSTORE_FAILED;
    stream_error.code = KEYSTORE_RESOURCE_EXHAUSTED;
    assert_false(is_backed_up(SESSION_FAILED));
    last = KEYSTORE_END;
    backup_size = 10; /* of which nine come */
    assert_false(is_backed_up(SESSION_FAILED));
    backup_size = 9;
    backup_gap = 1;
    assert_false(is_backed_up(SESSION_FAILED));
    backup_gap = 0;
    interrupts = true;
    assert_false(is_backed_up(SESSION_FAILED));
}

static void not_within_a_transaction(void **state)
{
    (void)state;
    assert_int_equal(run("MULTI"), SESSION_OK);
    assert_int_equal(run("KEYS *"), SESSION_FAILED);
    assert_int_equal(run("BLPOP q 0"), SESSION_OK); /* but it does not wait there */
    assert_int_equal(session.transaction.requests[0].op.request.pop.wait_ms, 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_scan_reads_all_pages),           TEST(a_failed_stream_fails_the_command),
        TEST(nothing_is_deleted_without_a_yes), TEST(what_was_printed_is_acknowledged),
        TEST(a_limit_ends_a_consumer),          TEST(not_within_a_transaction),
        TEST(a_backup_is_whole_or_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
