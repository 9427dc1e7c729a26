/*
 * keystore-check's repair, crashed after each change of the disk in many ways: what it changes
 * always still exists as it was, in place or as a copy, and another repair gets to the same result.
 */
#include "check/repair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/effort.h"
#include "crash/walk.h"
#include "journal/layout.h"
#include "journal/log/batch.h"
#include "store/seeded.h"
#include "support/resp_append.h"

#define LOGS    3
#define RECORDS 4u /* of a log, each in a batch of its own */
#define BAD     1  /* the log that is damaged, from 0 */
#define STATES  EFFORT(4000, 800, 200)

struct before {
    struct buf logs[LOGS];
    uint64_t last; /* revision that a repair leads to */
};

static struct progress quiet;

static void log_path(char path[LAYOUT_PATH], int64_t seq)
{
    char name[LAYOUT_NAME];
    layout_log_name(name, seq);
    layout_path(path, name);
}

static void add_batch(struct buf *log, uint64_t revision)
{
    uint8_t line[BATCH_MOST_LINE];
    static const char filler[700] = "";
    struct slice args[] = {SLICE_LITERAL("SET"), SLICE_LITERAL("k"),
                           slice_make(filler, revision * 97 % sizeof filler)};
    struct buf payload;
    buf_init(&payload, 10000);
    assert_true(resp_append(&payload, args, 3));
    struct batch batch = {.seq = revision, .ops = 1, .synced = revision - 1};
    struct iovec piece = {.iov_base = payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, log->len, &piece, 1, line);
    assert_true(buf_append(log, slice_make(line, size)) && buf_append(log, buf_slice(&payload)));
    buf_deinit(&payload);
}

static void write_file(struct fs *fs, const char *path, struct slice bytes)
{
    struct fs_file *file;
    assert_int_equal(fs_open(fs, path, FS_CREATE, &file), 0);
    assert_int_equal(fs_write_slice(file, bytes), 0);
    assert_int_equal(fs_sync(file), 0);
    fs_close(file);
}

/* A directory with a flipped bit in the third batch of the second log. */
static struct fs_model *make_damaged(struct before *before)
{
    struct fs_model *model = fs_model_new();
    struct fs *fs = fs_model_fs(model);
    struct manifest manifest = {0};
    assert_int_equal(fs_mkdir(fs, LAYOUT_FOLDER), 0);
    assert_int_equal(fs_sync_directory(fs, "."), 0);
    for (unsigned i = 0; i < LOGS; i++) {
        char path[LAYOUT_PATH];
        size_t third = 0;
        buf_init(&before->logs[i], 100000);
        for (unsigned j = 0; j < RECORDS; j++) {
            third = j == 2 ? before->logs[i].len : third;
            add_batch(&before->logs[i], 1 + i * RECORDS + j);
        }
        if (i == BAD)
            before->logs[i].data[third + 20] ^= 4;
        log_path(path, i + 1);
        write_file(fs, path, buf_slice(&before->logs[i]));
        manifest_add(&manifest, strchr(path, '/') + 1, i + 1, 'i');
    }
    before->last = BAD * RECORDS + 2;
    assert_int_equal(fs_sync_directory(fs, LAYOUT_FOLDER), 0);
    assert_int_equal(manifest_replace(fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &manifest), 0);
    manifest_deinit(&manifest);
    return model;
}

/* Repairs what needs it; returns the state then, and the newest revision. STATE_UNREADABLE: it
 * failed. */
static enum state repair(struct fs *fs, uint64_t *last)
{
    struct directory directory = {0};
    char problem[REPAIR_PROBLEM_SIZE];
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    directory_check(fs, &quiet, &directory);
    bool good =
        directory.state == STATE_GOOD || repair_directory(fs, &directory, true, nowhere, problem);
    directory_deinit(&directory);
    fclose(nowhere);
    directory_check(fs, &quiet, &directory);
    enum state state = good ? directory.state : STATE_UNREADABLE;
    *last = 0;
    for (size_t i = 0; i < directory.count; i++) {
        if (directory.items[i].role == ROLE_LOG)
            *last = directory.items[i].inspection.next - 1;
    }
    directory_deinit(&directory);
    return state;
}

static bool holds(struct fs *fs, const char *path, struct slice wanted)
{
    struct fs_file *file;
    struct slice bytes;
    if (fs_open(fs, path, FS_READ, &file) != 0)
        return false;
    assert_int_equal(fs_map(file, &bytes), 0);
    bool same = slice_equal(bytes, wanted);
    fs_unmap(fs, bytes);
    fs_close(file);
    return same;
}

/* The log exists as it was, or a copy of it. */
static bool is_kept(struct fs *fs, int64_t seq, struct slice was)
{
    char path[LAYOUT_PATH];
    char copy[LAYOUT_PATH + 40];
    log_path(path, seq);
    bool kept = holds(fs, path, was);
    for (unsigned n = 1; n <= 2 && !kept; n++) {
        snprintf(copy, sizeof copy, "%s.before-repair-%u", path, n);
        kept = holds(fs, copy, was);
    }
    return kept;
}

static const char *judge(struct fs *fs, const struct before *before)
{
    uint64_t last;
    for (unsigned i = 0; i < LOGS; i++) {
        if (!is_kept(fs, i + 1, buf_slice(&before->logs[i])))
            return "a log is lost";
    }
    if (repair(fs, &last) != STATE_GOOD)
        return "it cannot be repaired again";
    return last == before->last ? NULL : "the second repair has a different result";
}

/* What is wrong after one of the crashes, or NULL. */
static const char *try_crashes(struct fs_model *model, const struct before *before, size_t states)
{
    uint64_t random = seeded_start();
    struct walk *walk = walk_new(model);
    size_t each = states / (fs_model_steps(model) + 1) + 1;
    const char *wrong = NULL;
    do {
        for (size_t i = 0; i < each && wrong == NULL; i++) {
            struct chooser chooser;
            chooser_init_random(&chooser, &random);
            struct fs_model *state = walk_crash(walk, &chooser);
            wrong = judge(fs_model_fs(state), before);
            fs_model_free(state);
        }
    } while (wrong == NULL && walk_next(walk));
    if (wrong != NULL)
        print_message("after step %zu: %s\n", walk_step(walk), wrong);
    walk_free(walk);
    return wrong;
}

static const char *repair_and_crash(unsigned lies)
{
    struct before before = {.last = 0};
    uint64_t last;
    struct fs_model *model = make_damaged(&before);
    fs_model_record(model);
    fs_model_lie(model, lies);
    assert_int_equal(repair(fs_model_fs(model), &last), STATE_GOOD);
    assert_int_equal(last, before.last);
    const char *wrong = try_crashes(model, &before, STATES);
    for (unsigned i = 0; i < LOGS; i++)
        buf_deinit(&before.logs[i]);
    fs_model_free(model);
    return wrong;
}

static void a_repair_survives_crashes(void **state)
{
    (void)state;
    assert_null(repair_and_crash(0));
}

/* The control: copies that are not durable are noticed. */
static void syncs_that_lie_are_noticed(void **state)
{
    (void)state;
    assert_non_null(repair_and_crash(FS_MODEL_SYNC));
    assert_non_null(repair_and_crash(FS_MODEL_SYNC_DIRECTORY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repair_survives_crashes),
        cmocka_unit_test(syncs_that_lie_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
