/* A journal with its store, in a directory of the real file system. */
#ifndef KEYSTORE_TESTS_JOURNAL_JOURNAL_FIXTURE_H
#define KEYSTORE_TESTS_JOURNAL_JOURNAL_FIXTURE_H

#include "journal/journal.h"

#include "base/arena.h"
#include "base/log.h"
#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "store/op.h"
#include "store/restore.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "journal/store_text.h"
#include "store/seeded.h"
#include "support/folder.h"

#define PATIENCE_S 60

struct fixture {
    struct folder folder;
    struct journal_options options;
    struct journal *journal; /* NULL: not open */
    struct store *store;
    struct arena arena;
};

static inline int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    log_set_level(LOG_ERROR);
    folder_make(&fixture->folder);
    fixture->options =
        (struct journal_options){.rewrite_percent = 100, .rewrite_min_size = UINT64_MAX};
    arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

static inline void stop(struct fixture *fixture)
{
    if (fixture->journal == NULL)
        return;
    assert_true(journal_stop(fixture->journal));
    journal_free(fixture->journal);
    store_free(fixture->store);
    fixture->journal = NULL;
}

static inline int teardown(void **state)
{
    struct fixture *fixture = *state;
    stop(fixture);
    arena_deinit(&fixture->arena);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static inline struct fs *open_directory(struct fixture *fixture)
{
    struct fs *fs;
    assert_int_equal(fs_posix_open(fixture->folder.path, &fs), 0);
    return fs;
}

static inline void ignore(void *user)
{
    (void)user;
}

/* Starts with a new store and what is in the directory. */
static inline void start(struct fixture *fixture)
{
    char why[1000];
    stop(fixture);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->journal = journal_open(open_directory(fixture), &fixture->options, why, sizeof why);
    if (fixture->journal == NULL)
        fail_msg("%s", why);
    const struct recovery *recovery = journal_load(fixture->journal, fixture->store, NULL, NULL);
    if (recovery->verdict != LOADING_DONE)
        fail_msg("%s", recovery->why);
    journal_durable(fixture->journal)->on_progress = ignore;
    if (!journal_start(fixture->journal, why, sizeof why))
        fail_msg("%s", why);
}

/* Stops and starts: everything is loaded again. */
static inline void restart(struct fixture *fixture)
{
    char *text = store_text(fixture->store);
    start(fixture);
    store_text_expect(fixture->store, text);
    free(text);
}

static inline void set(struct fixture *fixture, uint32_t number, struct slice value)
{
    char name[20];
    struct op_result result = {0};
    snprintf(name, sizeof name, "key:%u", number);
    struct op op = {.kind = OP_SET, .key = slice_from_string(name), .value = value};
    arena_reset(&fixture->arena);
    store_apply(fixture->store, &op, &fixture->arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
}

static inline void fill(struct fixture *fixture, uint32_t from, uint32_t count)
{
    static char value[1000];
    for (uint32_t i = from; i < from + count; i++)
        set(fixture, i, slice_make(value, i % sizeof value));
}

/* Names in the folder, each followed by a space. */
static inline const char *files(struct fixture *fixture)
{
    static char text[10000];
    struct fs_names names = {0};
    struct fs *fs = open_directory(fixture);
    assert_int_equal(fs_list(fs, LAYOUT_FOLDER, &names), 0);
    text[0] = 0;
    for (size_t i = 0; i < names.count; i++) {
        strcat(text, names.items[i]);
        strcat(text, " ");
    }
    fs_names_deinit(&names);
    fs_close_directory(fs);
    return text;
}

static inline void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

struct save_request {
    struct journal_save save; /* first member: on_done finds the request by it */
    const char *why;
    atomic_bool done;
};

static inline void on_done(struct journal_save *save, const char *why)
{
    struct save_request *save_request = (struct save_request *)save;
    save_request->why = why;
    atomic_store(&save_request->done, true);
}

static inline void await(struct save_request *save_request)
{
    for (int i = 0; !atomic_load(&save_request->done); i++) {
        assert_true(i < PATIENCE_S * 500);
        pause_briefly();
    }
}

static inline void save(struct fixture *fixture)
{
    struct save_request save_request = {.save.on_done = on_done};
    journal_save(fixture->journal, &save_request.save);
    await(&save_request);
    assert_null(save_request.why);
}

#define JOURNAL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
