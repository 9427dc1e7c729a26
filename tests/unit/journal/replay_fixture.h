/*
 * A log of commands and what its replay makes of it. A test uses replay_setup and replay_teardown,
 * which keep a struct replay_fixture in *state. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_JOURNAL_REPLAY_FIXTURE_H
#define KEYSTORE_TESTS_JOURNAL_REPLAY_FIXTURE_H

#include "journal/replay.h"
#include "store/store.h"

#include <stdlib.h>

#include "journal/store_text.h"
#include "support/resp_append.h"
#include "support/words.h"

struct replay_fixture {
    struct store *store;
    struct loading loading;
    struct buf log;
    struct replay_end end;
};

static inline int replay_setup(void **state)
{
    struct replay_fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->loading.store = fixture->store;
    buf_init(&fixture->log, SIZE_MAX);
    *state = fixture;
    return 0;
}

static inline int replay_teardown(void **state)
{
    struct replay_fixture *fixture = *state;
    buf_deinit(&fixture->log);
    loading_deinit(&fixture->loading);
    store_free(fixture->store);
    free(fixture);
    return 0;
}

/* Appends the command of words, as words_append(). */
static inline void replay_add(struct replay_fixture *fixture, const char *command)
{
    words_append(&fixture->log, command);
}

/* Replays the log; true if the loading continues. */
static inline bool replay_run(struct replay_fixture *fixture)
{
    bool good = replay_log(&fixture->loading, buf_slice(&fixture->log), 0, &fixture->end);
    assert_true(good == (fixture->loading.verdict == LOADING_DONE));
    return good;
}

/* The replay ends the loading like this. */
static inline void replay_expect_end(struct replay_fixture *fixture, enum loading_verdict verdict,
                                     size_t offset, const char *words)
{
    assert_false(replay_run(fixture));
    assert_int_equal(fixture->loading.verdict, verdict);
    assert_int_equal(fixture->loading.offset, offset);
    if (strstr(fixture->loading.why, words) == NULL)
        fail_msg("%s", fixture->loading.why);
}

/* Asserts what was left out, as unsupported_print() prints it. */
static inline void replay_expect_left_out(const struct replay_fixture *fixture,
                                          const char *expected)
{
    char text[700];
    unsupported_print(&fixture->loading.unsupported, text, sizeof text);
    assert_string_equal(text, expected);
}

#define REPLAY_TEST(test) cmocka_unit_test_setup_teardown(test, replay_setup, replay_teardown)

#endif
