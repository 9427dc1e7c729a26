/*
 * Data directories that were damaged after they had been written: every bit of a log, of a base and
 * of a manifest is flipped, each in a directory of its own, and each file is truncated at every
 * byte. A start then finds all data, or refuses and touches nothing; only at the end of a log that
 * no server closed may it take damage for a torn write, and lose that write, but no other.
 */
#include "base/effort.h"
#include "crash/contents.h"
#include "crash/server.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/layout.h"
#include "journal/log/batch.h"
#include "journal/tidy.h"
#include "store/op.h"
#include "store/restore.h"
#include "store/seeded.h"
#include "store/store.h"

/* Bytes of the log and of the base. */
#define FILE_BYTES ((size_t)64 * 1024)
/* One change in so many is made. */
#define SHARE   EFFORT(1, 61, 251)
#define THREADS 2

static const struct journal_options always = {.durability = JOURNAL_ALWAYS};

/* ---- an intact directory ---- */

struct sound {
    struct disk *disk;
    uint32_t folder; /* of its files, on the disk */
    struct history history;
    uint64_t random;
};

static void set_long_value(struct sound *sound, struct server *server)
{
    uint8_t value[3000];
    char key[8];
    struct arena arena;
    struct op_result result;
    size_t size = 500 + seeded_below(&sound->random, sizeof value - 500);
    arena_init(&arena);
    seeded_fill(&sound->random, value, size);
    snprintf(key, sizeof key, "v%u", seeded_below(&sound->random, 64));
    struct op op = {
        .kind = OP_SET, .key = slice_from_string(key), .value = slice_make(value, size)};
    store_apply(server_store(server), &op, &arena, &result);
    op_result_release(&result);
    arena_deinit(&arena);
    assert_null(server_wait(server));
}

/* Writes until the log has so many bytes. */
static void fill_log(struct sound *sound, struct server *server)
{
    while (server_stats(server).log_bytes < FILE_BYTES) {
        set_long_value(sound, server);
        server_write(server, 1);
    }
}

/* Writes until a base has so many bytes, and leaves something in the log. */
static void fill_base(struct sound *sound, struct server *server)
{
    while (server_stats(server).base_bytes < FILE_BYTES) {
        fill_log(sound, server);
        server_save(server);
        assert_true(server_finish_save(server));
    }
    server_write(server, 5);
}

/* A directory that a server filled and left. */
static struct sound *sound_new(uint64_t random,
                               void (*fill)(struct sound *sound, struct server *server))
{
    const char *wrong;
    struct chooser chooser;
    struct sound *sound = mem_alloc_zero(sizeof *sound);
    struct fs_model *model = fs_model_new();
    sound->random = random;
    history_init(&sound->history);
    struct server *server = server_new(model, &sound->history, &always, random, &wrong);
    assert_non_null(server);
    fill(sound, server);
    assert_true(server_free(server));
    chooser_init_all(&chooser); /* whose first answers keep everything */
    sound->disk = disk_crash(fs_model_disk(model), &chooser);
    assert_true(disk_find(sound->disk, DISK_ROOT, LAYOUT_FOLDER, &sound->folder));
    fs_model_free(model);
    return sound;
}

static void sound_free(struct sound *sound)
{
    history_deinit(&sound->history);
    disk_free(sound->disk);
    free(sound);
}

/* The file whose name ends so. */
static uint32_t find_file(const struct sound *sound, const char *end)
{
    const char *name;
    uint32_t file = 0;
    for (size_t i = 0; (name = disk_name(sound->disk, sound->folder, i)) != NULL; i++) {
        size_t len = strlen(name), end_len = strlen(end);
        if (len >= end_len && strcmp(name + len - end_len, end) == 0)
            assert_true(disk_find(sound->disk, sound->folder, name, &file));
    }
    assert_int_not_equal(file, 0);
    return file;
}

static struct slice content(const struct disk *disk, uint32_t file)
{
    return view_bytes(disk_content(disk, file));
}

static void cut(struct disk *disk, uint32_t file, size_t size)
{
    disk_apply(disk, &(struct disk_effect){.kind = DISK_TRUNCATE, .inode = file, .offset = size});
    disk_apply(disk, &(struct disk_effect){.kind = DISK_SYNC, .inode = file});
}

static void flip(struct disk *disk, uint32_t file, size_t offset, uint8_t bits)
{
    struct blob *byte = blob_new(1);
    byte->data[0] = content(disk, file).data[offset] ^ bits;
    disk_apply(disk, &(struct disk_effect){
                         .kind = DISK_WRITE, .inode = file, .offset = offset, .bytes = byte});
    disk_apply(disk, &(struct disk_effect){.kind = DISK_SYNC, .inode = file});
    blob_release(byte);
}

/* ---- damage ---- */

/* All changes of one kind that are made to one file. */
struct damage {
    const struct sound *sound;
    uint32_t file;
    bool flips;   /* a bit each, else cuts */
    size_t first; /* byte */
    size_t count; /* of changes */
    size_t share; /* of which one in so many is made */
    /* What may be lost: from that byte on the revisions above this one. */
    size_t weak;
    uint64_t weak_revision;
    bool exact; /* the file is a log, of which all whole batches are found, and no more */
    /* The results. */
    atomic_size_t refused, complete, shorter;
    atomic_size_t wrong;
};

/* The directory after change number i. */
static struct fs_model *apply(const struct damage *damage, size_t i)
{
    struct chooser chooser;
    chooser_init_all(&chooser);
    struct disk *disk = disk_crash(damage->sound->disk, &chooser);
    if (damage->flips)
        flip(disk, damage->file, damage->first + i / 8, (uint8_t)(1u << i % 8));
    else
        cut(disk, damage->file, damage->first + i);
    return fs_model_from(disk);
}

/* True if the directory is as the damage left it. */
static bool is_untouched(const struct damage *damage, size_t i, const struct fs_model *model)
{
    struct fs_model *fresh = apply(damage, i);
    const struct disk *before = fs_model_disk(fresh), *after = fs_model_disk(model);
    uint32_t folder = damage->sound->folder;
    const char *name;
    bool same = true;
    size_t count = 0;
    for (; (name = disk_name(before, folder, count)) != NULL; count++) {
        uint32_t a, b;
        same = same && disk_find(before, folder, name, &a) && disk_find(after, folder, name, &b) &&
               slice_equal(content(before, a), content(after, b));
    }
    same = same && disk_name(after, folder, count) == NULL;
    fs_model_free(fresh);
    return same;
}

/* The last revision in whole batches before that byte. */
static uint64_t revision_before(struct slice log, size_t offset)
{
    struct batch batch;
    uint64_t revision = 0;
    for (size_t at = 0; batch_parse(log, at, &batch); at += batch.line_size + batch.len) {
        if (at + batch.line_size + batch.len <= offset)
            revision = batch.seq + batch.ops - 1;
    }
    return revision;
}

static const char *judge(struct damage *damage, size_t i, const struct fs_model *model,
                         const struct recovery *recovery, const struct store *store)
{
    const struct history *history = &damage->sound->history;
    size_t offset = damage->first + (damage->flips ? i / 8 : i);
    uint64_t least = offset < damage->weak ? history->newest : damage->weak_revision;
    if (recovery->verdict == LOADING_FAILED)
        return "the file system is blamed";
    if (recovery->verdict != LOADING_DONE) {
        damage->refused++;
        return i % 16 != 0 || is_untouched(damage, i, model) ? NULL : "the directory was touched";
    }
    if (recovery->revision < least)
        return "something is lost silently";
    if (damage->exact &&
        recovery->revision != revision_before(content(damage->sound->disk, damage->file), offset))
        return "a whole batch is lost, or half of one was applied";
    if (!history_is_at(history, store, recovery->revision))
        return "the data are of no state that there was";
    *(recovery->revision < history->newest ? &damage->shorter : &damage->complete) += 1;
    return NULL;
}

static void try(struct damage *damage, size_t i, struct store *store)
{
    struct recovery recovery;
    struct recovery_options options = {0};
    struct fs_model *model = apply(damage, i);
    contents_clear(store);
    tidy_load(fs_model_fs(model), store, &options, &recovery);
    const char *wrong = judge(damage, i, model, &recovery, store);
    if (wrong != NULL) {
        damage->wrong++;
        print_message("%s %zu: revision %" PRIu64 ", %s; %s\n", damage->flips ? "flip" : "cut", i,
                      recovery.revision, wrong, recovery.why);
    }
    recovery_deinit(&recovery);
    fs_model_free(model);
}

/* ---- all of it, on some threads ---- */

struct worker {
    struct damage *damage;
    size_t number;
    pthread_t thread;
};

static void *work(void *context)
{
    const struct worker *worker = context;
    struct damage *damage = worker->damage;
    struct store *store = store_new(&(struct store_options){.databases = SERVER_DATABASES});
    size_t step = THREADS * damage->share;
    for (size_t i = worker->number * damage->share; i < damage->count && damage->wrong < 5;
         i += step)
        try(damage, i, store);
    store_free(store);
    return NULL;
}

static void try_all(struct damage *damage)
{
    struct worker workers[THREADS];
    clock_t began = clock();
    if (damage->share == 0)
        damage->share = 1;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.damage = damage, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    print_message("%zu %s: %zu refused, %zu without effect, %zu torn, %.1f s\n",
                  (damage->count + damage->share - 1) / damage->share,
                  damage->flips ? "bits flipped" : "cuts", damage->refused, damage->complete,
                  damage->shorter, (double)(clock() - began) / CLOCKS_PER_SEC);
    assert_int_equal(damage->wrong, 0);
}

/* ---- tests ---- */

/* Where the last two batches of a closed log start: that with the last writes, and the closing
 * line. */
static void find_end(struct slice log, size_t *last, size_t *closing, uint64_t *seq)
{
    struct batch batch;
    *last = *closing = 0;
    for (size_t at = 0; batch_parse(log, at, &batch); at += batch.line_size + batch.len) {
        *last = *closing;
        *closing = at;
        if (batch.ops > 0)
            *seq = batch.seq;
    }
    assert_true(*last > 0);
}

static void every_bit_of_a_log(void **state)
{
    (void)state;
    struct sound *sound = sound_new(seeded_start(), fill_log);
    uint32_t file = find_file(sound, ".incr.aof");
    struct damage damage = {.sound = sound,
                            .file = file,
                            .flips = true,
                            .count = content(sound->disk, file).len * 8,
                            .share = SHARE,
                            .weak = SIZE_MAX};
    assert_true(damage.count >= FILE_BYTES * 8);
    try_all(&damage);
    assert_int_equal(damage.shorter, 0);
    sound_free(sound);
}

/* As after a crash: then the end of the log may be torn, and only that. */
static void a_log_that_nobody_closed(void **state)
{
    (void)state;
    struct sound *sound = sound_new(seeded_start(), fill_log);
    uint32_t file = find_file(sound, ".incr.aof");
    size_t last, closing;
    uint64_t seq = 0;
    find_end(content(sound->disk, file), &last, &closing, &seq);
    cut(sound->disk, file, closing);
    size_t first = closing - 6000;
    struct damage flips = {.sound = sound,
                           .file = file,
                           .flips = true,
                           .first = first,
                           .count = (closing - first) * 8,
                           .share = SHARE,
                           .weak = last,
                           .weak_revision = seq - 1};
    try_all(&flips);
    assert_true(flips.shorter > 0);
    struct damage cuts = {
        .sound = sound, .file = file, .count = closing, .share = SHARE, .exact = true};
    try_all(&cuts);
    assert_int_equal(cuts.refused + cuts.complete, 0);
    struct damage end = {
        .sound = sound, .file = file, .first = first, .count = closing - first, .exact = true};
    if (SHARE > 1)
        try_all(&end);
    sound_free(sound);
}

static void a_base(void **state)
{
    (void)state;
    struct sound *sound = sound_new(seeded_start(), fill_base);
    uint32_t file = find_file(sound, ".base.rdb");
    size_t size = content(sound->disk, file).len;
    struct damage flips = {.sound = sound,
                           .file = file,
                           .flips = true,
                           .count = size * 8,
                           .share = SHARE,
                           .weak = SIZE_MAX};
    struct damage cuts = {
        .sound = sound, .file = file, .count = size, .share = SHARE, .weak = SIZE_MAX};
    assert_true(flips.count >= FILE_BYTES * 8);
    try_all(&flips);
    try_all(&cuts);
    assert_int_equal(cuts.complete, 0);
    sound_free(sound);
}

/* It has no checksum; but what it names must be there, and nothing else may be. */
static void a_manifest(void **state)
{
    (void)state;
    struct sound *sound = sound_new(seeded_start(), fill_base);
    uint32_t file = find_file(sound, ".manifest");
    size_t size = content(sound->disk, file).len;
    struct damage flips = {
        .sound = sound, .file = file, .flips = true, .count = size * 8, .weak = SIZE_MAX};
    struct damage cuts = {.sound = sound, .file = file, .count = size, .weak = SIZE_MAX};
    try_all(&flips);
    try_all(&cuts);
    sound_free(sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest),
        cmocka_unit_test(every_bit_of_a_log),
        cmocka_unit_test(a_log_that_nobody_closed),
        cmocka_unit_test(a_base),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
