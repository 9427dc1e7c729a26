/*
 * The rules of durability in their simplest form: a log in batches, synced before a revision counts
 * as acknowledged, and a manifest that is replaced when a new log starts. Crashed after each change
 * of the disk in many ways, it must come back as a prefix of what was written that holds all that
 * was acknowledged. With syncs that do nothing the test must fail, which shows that it can.
 */
#include "crash/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/effort.h"
#include "base/mem.h"
#include "journal/log/scan.h"
#include "journal/manifest.h"
#include "store/seeded.h"
#include "support/resp_append.h"

#define FOLDER     "appendonlydir"
#define MANIFEST   "appendonly.aof.manifest"
#define MOST_STEPS 500
#define STATES     EFFORT(60000, 8000, 1000)
/* Of each of the some four hundred histories with a fault. */
#define FAULT_STATES EFFORT(100, 25, 10)

/* What was written and when it was acknowledged. */
struct history {
    struct fs_model *model;
    uint64_t acknowledged;                /* revision */
    uint64_t acknowledged_at[MOST_STEPS]; /* by step of the disk: up to which revision */
    size_t steps;                         /* filled in */
    uint64_t next;
    bool stopped; /* after an error: nothing is written or acknowledged any more */
};

/* One record: a command that depends on its revision alone, of some bytes to some sectors. */
static void append_record(struct buf *out, uint64_t revision)
{
    char number[24];
    static const char filler[1500] = "";
    snprintf(number, sizeof number, "%llu", (unsigned long long)revision);
    struct slice args[] = {SLICE_LITERAL("SET"), slice_from_string(number),
                           slice_make(filler, revision * 7919 % sizeof filler)};
    if (revision % 5 == 0)
        assert_true(resp_append(out, (struct slice[]){SLICE_LITERAL("MULTI")}, 1));
    assert_true(resp_append(out, args, 3));
    if (revision % 5 == 0) {
        assert_true(resp_append(out, args, 3));
        assert_true(resp_append(out, (struct slice[]){SLICE_LITERAL("EXEC")}, 1));
    }
}

static bool is_record(const struct scan_record *record)
{
    struct buf expected;
    struct buf got;
    buf_init(&expected, 10000);
    buf_init(&got, 10000);
    append_record(&expected, record->revision);
    bool in_transaction = record->revision % 5 == 0;
    if (in_transaction)
        assert_true(resp_append(&got, (struct slice[]){SLICE_LITERAL("MULTI")}, 1));
    for (size_t i = 0; i < record->count; i++)
        assert_true(resp_append(&got, record->commands[i].args, record->commands[i].count));
    if (in_transaction)
        assert_true(resp_append(&got, (struct slice[]){SLICE_LITERAL("EXEC")}, 1));
    bool same = slice_equal(buf_slice(&expected), buf_slice(&got));
    buf_deinit(&expected);
    buf_deinit(&got);
    return same;
}

/* Notes what is acknowledged for every step up to now. */
static void note(struct history *history)
{
    size_t steps = fs_model_steps(history->model);
    assert_true(steps < MOST_STEPS);
    for (; history->steps < steps; history->steps++)
        history->acknowledged_at[history->steps] = history->acknowledged;
}

/* From now on, all records so far are acknowledged. */
static void acknowledge(struct history *history)
{
    note(history);
    history->acknowledged = history->next - 1;
}

static void append_batch(struct history *history, struct fs_file *file, uint64_t ops)
{
    struct batch batch = {.seq = history->next, .ops = ops, .synced = history->acknowledged};
    uint8_t line[BATCH_MOST_LINE];
    struct buf payload;
    buf_init(&payload, (size_t)1024 * 1024);
    for (; ops > 0; ops--)
        append_record(&payload, history->next++);
    struct iovec pieces[2] = {{.iov_base = line},
                              {.iov_base = payload.data, .iov_len = payload.len}};
    pieces[0].iov_len = batch_format(&batch, (uint64_t)fs_size(file), pieces + 1, 1, line);
    if (fs_write(file, pieces, 2) != 0)
        history->stopped = true;
    buf_deinit(&payload);
}

static void sync_log(struct history *history, struct fs_file *file)
{
    if (history->stopped)
        return;
    if (fs_sync_data(file) == 0)
        acknowledge(history);
    else
        history->stopped = true;
}

/* Starts log number `seq`: it is durable before the manifest names it. NULL after an error. */
static struct fs_file *begin_log(struct history *history, struct manifest *manifest, int64_t seq)
{
    struct fs *fs = fs_model_fs(history->model);
    struct fs_file *file;
    char name[40];
    char path[80];
    snprintf(name, sizeof name, "appendonly.aof.%lld.incr.aof", (long long)seq);
    snprintf(path, sizeof path, FOLDER "/%s", name);
    if (history->stopped || fs_open(fs, path, FS_CREATE, &file) != 0)
        return NULL;
    manifest_add(manifest, name, seq, 'i');
    if (fs_sync(file) == 0 && fs_sync_directory(fs, FOLDER) == 0 &&
        manifest_replace(fs, FOLDER, MANIFEST, manifest) == 0)
        return file;
    fs_close(file);
    return NULL;
}

/* Batches in a log: synced one by one, or a few together. */
static void fill_log(struct history *history, struct fs_file *file, uint64_t *random, int batches)
{
    for (int i = 0; i < batches && !history->stopped; i++) {
        append_batch(history, file, 1 + seeded_below(random, 4));
        if (i % 8 < 4 || i % 8 == 7)
            sync_log(history, file);
    }
    sync_log(history, file);
}

static void write_logs(struct history *history, uint64_t random, int logs, int batches)
{
    struct fs *fs = fs_model_fs(history->model);
    struct manifest manifest = {0};
    history->stopped = fs_mkdir(fs, FOLDER) != 0 || fs_sync_directory(fs, ".") != 0;
    for (int seq = 1; seq <= logs && !history->stopped; seq++) {
        struct fs_file *file = begin_log(history, &manifest, seq);
        history->stopped = file == NULL;
        if (file != NULL)
            fill_log(history, file, &random, batches);
        fs_close(file);
    }
    manifest_deinit(&manifest);
    note(history);
}

static struct history *history_new(void)
{
    struct history *history = mem_alloc_zero(sizeof *history);
    history->model = fs_model_new();
    history->next = 1;
    fs_model_record(history->model);
    return history;
}

static void history_free(struct history *history)
{
    fs_model_free(history->model);
    free(history);
}

/* What must be there after a crash at that step. */
static uint64_t acknowledged_at(const struct history *history, size_t step)
{
    return step < history->steps ? history->acknowledged_at[step] : history->acknowledged;
}

/* Reads a log from *next on; what is wrong, or NULL. */
static const char *read_log(struct slice log, bool last, uint64_t *next, size_t *good)
{
    struct scan scan;
    struct scan_record record;
    const char *wrong = NULL;
    enum scan_verdict verdict;
    scan_init(&scan, log, *next);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD && wrong == NULL) {
        if (record.revision != (*next)++ || !is_record(&record))
            wrong = "a record that was not written";
    }
    if (wrong == NULL && (verdict == SCAN_DAMAGED || (verdict == SCAN_TORN && !last)))
        wrong = verdict == SCAN_DAMAGED ? "damage" : "a torn log before another";
    *good = scan.offset;
    scan_deinit(&scan);
    return wrong;
}

/* Truncates the torn tail of the last log, and continues it. */
static const char *go_on(struct history *history, struct fs_file *file, size_t good)
{
    if (fs_truncate(file, good) != 0 || fs_sync_data(file) != 0)
        return "the tail cannot be cut";
    acknowledge(history); /* what was found may be shown from now on */
    append_batch(history, file, 1);
    sync_log(history, file);
    return history->stopped ? "it cannot go on" : NULL;
}

static const char *recover_log(struct history *history, const char *name, bool last)
{
    struct fs *fs = fs_model_fs(history->model);
    struct fs_file *file;
    struct slice bytes;
    size_t good;
    char path[80];
    snprintf(path, sizeof path, FOLDER "/%s", name);
    if (fs_open(fs, path, FS_APPEND, &file) != 0)
        return "a log is missing that the manifest names";
    if (fs_sync_data(file) != 0)
        return "a log cannot be synced";
    fs_forget(file);
    assert_int_equal(fs_map(file, &bytes), 0);
    const char *wrong = read_log(bytes, last, &history->next, &good);
    fs_unmap(fs, bytes);
    if (wrong == NULL && last)
        wrong = go_on(history, file, good);
    fs_close(file);
    return wrong;
}

/* Starts on what a crash left and goes on; what is wrong, or NULL. */
static const char *recover(struct history *history, uint64_t acknowledged)
{
    struct manifest manifest = {0};
    struct manifest_fault fault;
    const char *wrong = NULL;
    struct fs *fs = fs_model_fs(history->model);
    /* A process that died may have left names that are visible but not durable. */
    if (fs_sync_directory(fs, ".") != 0)
        return "the directory cannot be synced";
    int error = fs_sync_directory(fs, FOLDER);
    if (error == 0)
        error = manifest_load(fs, FOLDER, MANIFEST, &manifest, &fault);
    if (error != 0 && error != -ENOENT)
        return "the manifest is broken";
    for (size_t i = 0; i < manifest.count && wrong == NULL; i++)
        wrong = recover_log(history, manifest.files[i].name, i + 1 == manifest.count);
    if (wrong == NULL && history->next <= acknowledged)
        wrong = "what was acknowledged is lost";
    note(history);
    manifest_deinit(&manifest);
    return wrong;
}

/* A crash, a recovery and, if wanted, a second crash during or after that. */
static const char *try_state(struct fs_model *state, uint64_t acknowledged, uint64_t *again)
{
    struct history *history = mem_alloc_zero(sizeof *history);
    history->model = state;
    history->next = 1;
    history->acknowledged = acknowledged;
    if (again != NULL)
        fs_model_record(state);
    const char *wrong = recover(history, acknowledged);
    if (wrong == NULL && again != NULL) {
        struct walk *walk = walk_new(state);
        do {
            struct chooser chooser;
            chooser_init_random(&chooser, again);
            wrong = try_state(walk_crash(walk, &chooser), acknowledged_at(history, walk_step(walk)),
                              NULL);
        } while (wrong == NULL && walk_next(walk));
        walk_free(walk);
    }
    history_free(history);
    return wrong;
}

/* Crashes a history everywhere, about `states` times in all; what is wrong with one, or NULL. */
static const char *try_crashes(const struct history *history, size_t states, uint64_t *random,
                               size_t *tried)
{
    struct walk *walk = walk_new(history->model);
    size_t each = states / (history->steps + 1) + 1;
    const char *wrong = NULL;
    do {
        uint64_t acknowledged = acknowledged_at(history, walk_step(walk));
        for (size_t i = 0; i < each && wrong == NULL; i++) {
            struct chooser chooser;
            chooser_init_random(&chooser, random);
            wrong =
                try_state(walk_crash(walk, &chooser), acknowledged, i % 100 == 0 ? random : NULL);
            ++*tried;
        }
    } while (wrong == NULL && walk_next(walk));
    if (wrong != NULL)
        print_message("after step %zu: %s\n", walk_step(walk), wrong);
    walk_free(walk);
    return wrong;
}

static void every_crash_leaves_what_was_acknowledged(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t tried = 0;
    clock_t began = clock();
    struct history *history = history_new();
    write_logs(history, random, 3, 25);
    assert_false(history->stopped);
    assert_true(history->acknowledged > 100);
    assert_null(try_crashes(history, STATES, &random, &tried));
    print_message("%zu states, %zu changes, %.1f s\n", tried, history->steps,
                  (double)(clock() - began) / CLOCKS_PER_SEC);
    history_free(history);
}

/* The control. */
static void syncs_that_lie_are_noticed(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static const unsigned lies[] = {FS_MODEL_SYNC_DATA, FS_MODEL_SYNC, FS_MODEL_SYNC_DIRECTORY};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t tried = 0;
        struct history *history = history_new();
        fs_model_lie(history->model, lies[i]);
        write_logs(history, random, 3, 25);
        assert_non_null(try_crashes(history, STATES, &random, &tried));
        history_free(history);
    }
}

/*
 * One failing call: nothing is acknowledged after it, and what was acknowledged survives crashes.
 * The same holds if the process restarts on a machine that keeps running, whose memory shows more
 * than its disk holds.
 */
static void try_fault(struct fs_model_fault fault, uint64_t seed, bool *hit)
{
    uint64_t random = seed;
    size_t tried = 0;
    struct history *history = history_new();
    fs_model_fail(history->model, fault);
    write_logs(history, random, 2, 8);
    *hit = fs_model_failed(history->model);
    assert_null(try_crashes(history, FAULT_STATES, &random, &tried));
    history->stopped = false;
    history->next = 1;
    fs_model_fail(history->model, (struct fs_model_fault){0});
    assert_null(recover(history, history->acknowledged));
    assert_null(try_crashes(history, FAULT_STATES, &random, &tried));
    history_free(history);
}

static void every_fault_leaves_what_was_acknowledged(void **state)
{
    (void)state;
    uint64_t seed = seeded_start();
    static const struct fs_model_fault faults[] = {
        {.error = EIO},
        {.error = ENOSPC},
        {.partial = true},
        {.error = ENOSPC, .partial = true, .sticky = true},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct fs_model_fault fault = faults[i];
        bool hit = true;
        for (fault.call = 1; hit; fault.call++)
            try_fault(fault, seed, &hit);
        assert_true(fault.call > 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crash_leaves_what_was_acknowledged),
        cmocka_unit_test(syncs_that_lie_are_noticed),
        cmocka_unit_test(every_fault_leaves_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
