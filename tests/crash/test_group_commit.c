/*
 * The log with its thread on the disk that crashes in every way: after each change of the disk,
 * what it leaves is a prefix of the records that holds all that was durable by then, also across
 * rotations. The same holds after every fault. With syncs that do nothing the test must fail.
 *
 * Which records share a batch depends on timing, so a seed does not replay all of it.
 */
#include "crash/walk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "journal/log/scan.h"
#include "journal/log/wal.h"
#include "journal/log/wal_file.h"
#include "journal/manifest.h"
#include "store/seeded.h"

#define FOLDER     "appendonlydir"
#define MANIFEST   "appendonly.aof.manifest"
#define MOST_STEPS 2000
#define STATES     20000

/* What was written, and how far it was durable at each step of the disk. */
struct history {
    struct fs_model *model;
    struct durable durable;
    struct manifest manifest;
    struct wal *log;
    pthread_mutex_t mutex;
    pthread_cond_t progress;
    uint64_t acknowledged;
    uint64_t acknowledged_at[MOST_STEPS];
    size_t steps; /* filled in */
    uint64_t written;
    int64_t seq; /* of the newest file */
};

/* Notes how far it was durable up to now; from now on it is what the log says. */
static void note(struct history *history)
{
    size_t steps = fs_model_steps(history->model);
    assert_true(steps < MOST_STEPS);
    for (; history->steps < steps; history->steps++)
        history->acknowledged_at[history->steps] = history->acknowledged;
    history->acknowledged = atomic_load(&history->durable.revision);
}

/* On the log's thread, the only one that changes the disk. */
static void on_progress(void *user)
{
    struct history *history = user;
    pthread_mutex_lock(&history->mutex);
    note(history);
    pthread_cond_signal(&history->progress);
    pthread_mutex_unlock(&history->mutex);
}

static void name_of(int64_t seq, char name[64])
{
    snprintf(name, 64, "appendonly.aof.%lld.incr.aof", (long long)seq);
}

static int add_to_manifest(struct history *history, const char *name)
{
    const struct manifest *manifest = &history->manifest;
    const char *last = manifest->count > 0 ? manifest->files[manifest->count - 1].name : "";
    if (strcmp(last, name) != 0) /* else this is another attempt */
        manifest_add(&history->manifest, name, (int64_t)manifest->count + 1, 'i');
    return manifest_replace(fs_model_fs(history->model), FOLDER, MANIFEST, &history->manifest);
}

static int on_rotated(void *user, const char *name)
{
    return add_to_manifest(user, name);
}

/* True if the directory, the first file, its line in the manifest and the log were created. */
static bool begin(struct history *history)
{
    struct fs *fs = fs_model_fs(history->model);
    struct fs_file *file;
    char name[64];
    name_of(history->seq = 1, name);
    if (fs_mkdir(fs, FOLDER) != 0 || fs_sync_directory(fs, ".") != 0 ||
        wal_file_create(fs, FOLDER, name, &file) != 0)
        return false;
    if (add_to_manifest(history, name) == 0 &&
        wal_new(&(struct wal_options){.fs = fs,
                                      .folder = FOLDER,
                                      .durable = &history->durable,
                                      .on_rotated = on_rotated,
                                      .user = history},
                file, &history->log) == 0)
        return true;
    fs_close(file);
    return false;
}

/* The record's revision determines its contents. */
static size_t value_size(uint64_t revision)
{
    return revision * 7919 % 1500;
}

static void write_record(struct history *history)
{
    static const char filler[1500] = "";
    struct change_sink *sink = wal_sink(history->log);
    uint64_t revision = history->written = sink->begin(sink);
    char key[24];
    snprintf(key, sizeof key, "%llu", (unsigned long long)revision);
    struct op op = {.kind = OP_SET,
                    .key = slice_from_string(key),
                    .value = slice_make(filler, value_size(revision))};
    for (uint64_t i = 0; i <= revision % 3; i++)
        sink->change(sink, &op);
    sink->end(sink);
}

static void wait_for_all(struct history *history)
{
    pthread_mutex_lock(&history->mutex);
    while (history->acknowledged < history->written &&
           atomic_load(&history->durable.read_only_reason) == NULL)
        pthread_cond_wait(&history->progress, &history->mutex);
    pthread_mutex_unlock(&history->mutex);
}

static void write_records(struct history *history, uint64_t *random, int bursts)
{
    for (int burst = 1; burst <= bursts; burst++) {
        for (uint32_t i = 1 + seeded_below(random, 6); i > 0; i--)
            write_record(history);
        if (burst % 10 == 0) {
            char name[64];
            name_of(++history->seq, name);
            wal_rotate(history->log, name);
        }
        if (seeded_below(random, 2) == 0)
            wait_for_all(history);
    }
    wait_for_all(history);
}

/* Records what a log does to the disk, from its first file to its end. */
static struct history *make_recording(struct fs_model_fault fault, unsigned lies, uint64_t random,
                                      int bursts)
{
    struct history *history = mem_alloc_zero(sizeof *history);
    history->model = fs_model_new();
    history->durable.on_progress = on_progress;
    history->durable.user = history;
    pthread_mutex_init(&history->mutex, NULL);
    pthread_cond_init(&history->progress, NULL);
    fs_model_lie(history->model, lies);
    fs_model_fail(history->model, fault);
    fs_model_record(history->model);
    if (begin(history)) {
        write_records(history, &random, bursts);
        wal_free(history->log);
    }
    note(history);
    return history;
}

static void history_free(struct history *history)
{
    pthread_cond_destroy(&history->progress);
    pthread_mutex_destroy(&history->mutex);
    manifest_deinit(&history->manifest);
    fs_model_free(history->model);
    free(history);
}

/* ---- what a crash leaves ---- */

static bool is_record(const struct scan_record *record)
{
    char key[24];
    snprintf(key, sizeof key, "%llu", (unsigned long long)record->revision);
    bool good = record->count == record->revision % 3 + 1;
    for (size_t i = 0; i < record->count; i++)
        good = good && record->commands[i].count == 3 &&
               slice_equal(record->commands[i].args[1], slice_from_string(key)) &&
               record->commands[i].args[2].len == value_size(record->revision);
    return good;
}

/* Reads a file from *next on; what is wrong, or NULL. */
static const char *check_bytes(struct slice bytes, bool last, uint64_t *next)
{
    struct scan scan;
    struct scan_record record;
    enum scan_verdict verdict;
    const char *wrong = NULL;
    scan_init(&scan, bytes, *next);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD && wrong == NULL)
        if (record.revision != (*next)++ || !is_record(&record))
            wrong = "a record that was not written";
    if (wrong == NULL && verdict == SCAN_DAMAGED)
        wrong = "damage";
    if (wrong == NULL && verdict == SCAN_TORN && !last)
        wrong = "a torn file before another";
    scan_deinit(&scan);
    return wrong;
}

static const char *check_file(struct fs *fs, const char *name, bool last, uint64_t *next)
{
    struct fs_file *file;
    struct slice bytes;
    char path[128];
    snprintf(path, sizeof path, FOLDER "/%s", name);
    if (fs_open(fs, path, FS_READ, &file) != 0)
        return "a file is missing that the manifest names";
    assert_int_equal(fs_map(file, &bytes), 0);
    const char *wrong = check_bytes(bytes, last, next);
    fs_unmap(fs, bytes);
    fs_close(file);
    return wrong;
}

static const char *check(struct fs_model *state, uint64_t acknowledged)
{
    struct fs *fs = fs_model_fs(state);
    struct manifest manifest = {0};
    struct manifest_fault fault;
    const char *wrong = NULL;
    uint64_t next = 1;
    int error = manifest_load(fs, FOLDER, MANIFEST, &manifest, &fault);
    if (error != 0 && error != -ENOENT)
        wrong = "the manifest is broken";
    for (size_t i = 0; i < manifest.count && wrong == NULL; i++)
        wrong = check_file(fs, manifest.files[i].name, i + 1 == manifest.count, &next);
    if (wrong == NULL && next <= acknowledged)
        wrong = "what was durable is lost";
    manifest_deinit(&manifest);
    return wrong;
}

/* Crashes everywhere, about `states` times in all; what is wrong with one, or NULL. */
static const char *try_crashes(const struct history *history, size_t states, uint64_t *random)
{
    struct walk *walk = walk_new(history->model);
    size_t each = states / (history->steps + 1) + 1;
    const char *wrong = NULL;
    do {
        size_t step = walk_step(walk);
        uint64_t acknowledged =
            step < history->steps ? history->acknowledged_at[step] : history->acknowledged;
        for (size_t i = 0; i < each && wrong == NULL; i++) {
            struct chooser chooser;
            chooser_init_random(&chooser, random);
            struct fs_model *state = walk_crash(walk, &chooser);
            wrong = check(state, acknowledged);
            fs_model_free(state);
        }
    } while (wrong == NULL && walk_next(walk));
    if (wrong != NULL)
        print_message("after step %zu: %s\n", walk_step(walk), wrong);
    walk_free(walk);
    return wrong;
}

/* ---- the tests ---- */

static void every_crash_leaves_what_was_durable(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct history *history = make_recording((struct fs_model_fault){0}, 0, random, 60);
    assert_true(history->written > 60);
    assert_int_equal(history->acknowledged, history->written);
    assert_int_equal(history->manifest.count, 7);
    assert_null(try_crashes(history, STATES, &random));
    print_message("%zu changes of the disk\n", history->steps);
    history_free(history);
}

/* The control. */
static void syncs_that_lie_are_noticed(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static const unsigned lies[] = {FS_MODEL_SYNC_DATA, FS_MODEL_SYNC, FS_MODEL_SYNC_DIRECTORY};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct history *history = make_recording((struct fs_model_fault){0}, lies[i], random, 60);
        assert_non_null(try_crashes(history, STATES, &random));
        history_free(history);
    }
}

/* Fails every call of a history once, one after the other. */
static void every_fault_leaves_what_was_durable(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static const struct fs_model_fault faults[] = {
        {.error = EIO},
        {.error = ENOSPC},
        {.error = EIO, .partial = true},
        {.error = EIO, .sticky = true},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct fs_model_fault fault = faults[i];
        bool hit = true;
        for (fault.call = 1; hit; fault.call++) {
            struct history *history = make_recording(fault, 0, random, 12);
            hit = fs_model_failed(history->model);
            assert_null(try_crashes(history, 300, &random));
            history_free(history);
        }
        assert_true(fault.call > 20); /* at least: directory, two files, manifests, an end */
    }
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crash_leaves_what_was_durable),
        cmocka_unit_test(syncs_that_lie_are_noticed),
        cmocka_unit_test(every_fault_leaves_what_was_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
