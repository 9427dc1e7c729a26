/*
 * Tests of the model file system: that it behaves as the real one while nothing crashes, that a
 * crash leaves exactly what it may leave, and that faults are those that were asked for.
 */
#include "crash/known.h"
#include "crash/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "store/seeded.h"
#include "support/folder.h"

#define MOST_STATES 200

static struct fs_file *file_of(struct fs *fs, const char *path, enum fs_mode mode)
{
    struct fs_file *file;
    assert_int_equal(fs_open(fs, path, mode, &file), 0);
    return file;
}

static void append(struct fs *fs, const char *path, const char *text)
{
    struct fs_file *file = file_of(fs, path, FS_APPEND);
    assert_int_equal(fs_write_slice(file, slice_from_string(text)), 0);
    assert_int_equal(fs_close(file), 0);
}

static void sync_file(struct fs *fs, const char *path)
{
    struct fs_file *file = file_of(fs, path, FS_APPEND);
    assert_int_equal(fs_sync_data(file), 0);
    assert_int_equal(fs_close(file), 0);
}

static void create(struct fs *fs, const char *path)
{
    assert_int_equal(fs_close(file_of(fs, path, FS_CREATE)), 0);
}

/* The names in the data directory with the contents of the files, as one line; '.' for zero. */
static void describe(struct fs *fs, char *out, size_t size)
{
    struct fs_names names = {0};
    size_t used = 0;
    out[0] = 0;
    assert_int_equal(fs_list(fs, ".", &names), 0);
    for (size_t i = 0; i < names.count; i++) {
        struct fs_file *file = file_of(fs, names.items[i], FS_READ);
        struct slice bytes;
        assert_int_equal(fs_map(file, &bytes), 0);
        used += (size_t)snprintf(out + used, size - used, "%s=", names.items[i]);
        for (size_t at = 0; at < bytes.len && used + 2 < size; at++)
            out[used++] = bytes.data[at] == 0 ? '.' : (char)bytes.data[at];
        out[used++] = ' ';
        out[used] = 0;
        fs_unmap(fs, bytes);
        fs_close(file);
    }
    fs_names_deinit(&names);
}

/* Different states. */
struct states {
    char texts[MOST_STATES][100];
    struct known hashes;
    size_t count;
};

static void add_state(struct states *states, const char *text)
{
    for (size_t i = 0; i < states->count; i++) {
        if (strcmp(states->texts[i], text) == 0)
            return;
    }
    assert_true(states->count < MOST_STATES);
    snprintf(states->texts[states->count++], sizeof *states->texts, "%s", text);
}

/* States have one hash if they have one text. */
static void check_hash(struct states *states, struct fs_model *state, bool is_new)
{
    uint64_t hash = disk_hash(fs_model_disk(state), 0);
    assert_int_equal(known_add(&states->hashes, hash), is_new);
    assert_int_not_equal(disk_hash(fs_model_disk(state), 1), hash);
}

/* All states that crashes at the end of the recording can leave. */
static void collect_states(struct fs_model *recording, struct states *states)
{
    struct walk *walk = walk_new(recording);
    struct chooser chooser;
    while (walk_next(walk))
        ;
    *states = (struct states){.count = 0};
    chooser_init_all(&chooser);
    do {
        char text[100];
        size_t before = states->count;
        struct fs_model *state = walk_crash(walk, &chooser);
        describe(fs_model_fs(state), text, sizeof text);
        add_state(states, text);
        check_hash(states, state, states->count > before);
        fs_model_free(state);
    } while (chooser_next(&chooser));
    known_deinit(&states->hashes);
    walk_free(walk);
}

static void assert_states(struct fs_model *recording, const char *const *expected, size_t count)
{
    struct states states;
    struct states wanted = {.count = 0};
    collect_states(recording, &states);
    for (size_t i = 0; i < count; i++)
        add_state(&wanted, expected[i]);
    for (size_t i = 0; i < states.count; i++) {
        size_t before = wanted.count;
        add_state(&wanted, states.texts[i]);
        if (wanted.count > before)
            fail_msg("not expected: '%s'", states.texts[i]);
    }
    for (size_t i = 0; i < wanted.count; i++) {
        size_t before = states.count;
        add_state(&states, wanted.texts[i]);
        if (states.count > before)
            fail_msg("not reached: '%s'", wanted.texts[i]);
    }
}

#define ASSERT_STATES(recording, ...)                                                              \
    do {                                                                                           \
        static const char *const expected[] = {__VA_ARGS__};                                       \
        assert_states(recording, expected, sizeof expected / sizeof *expected);                    \
    } while (0)

/* A recording whose file "f" is durable, with "ab" in it. */
static struct fs_model *with_durable_file(void)
{
    struct fs_model *model = fs_model_new();
    struct fs *fs = fs_model_fs(model);
    fs_model_record(model);
    create(fs, "f");
    append(fs, "f", "ab");
    sync_file(fs, "f");
    assert_int_equal(fs_sync_directory(fs, "."), 0);
    return model;
}

static void what_is_synced_stays(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    ASSERT_STATES(model, "f=ab ");
    fs_model_free(model);
}

static void unsynced_writes_are_torn_lost_and_mixed(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    append(fs_model_fs(model), "f", "cd");
    ASSERT_STATES(model, "f=ab ", "f=abc ", "f=abcd ", "f=ab.. ");
    append(fs_model_fs(model), "f", "ef");
    ASSERT_STATES(model, "f=ab ", "f=abc ", "f=abcd ", "f=ab.. ", "f=abcde ", "f=abcdef ",
                  "f=abcd.. ", "f=abc.e ", "f=abc.ef ", "f=abc... ", "f=ab..e ", "f=ab..ef ",
                  "f=ab.... ");
    sync_file(fs_model_fs(model), "f");
    ASSERT_STATES(model, "f=abcdef ");
    fs_model_free(model);
}

static void a_cut_is_kept_or_not(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    struct fs_file *file = file_of(fs_model_fs(model), "f", FS_APPEND);
    assert_int_equal(fs_truncate(file, 1), 0);
    ASSERT_STATES(model, "f=ab ", "f=a ");
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("x")), 0);
    ASSERT_STATES(model, "f=ab ", "f=a ", "f=ax ", "f=a. ");
    assert_int_equal(fs_sync(file), 0);
    ASSERT_STATES(model, "f=ax ");
    assert_int_equal(fs_close(file), 0);
    fs_model_free(model);
}

static void unsynced_names_come_and_go(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    struct fs *fs = fs_model_fs(model);
    create(fs, "t");
    append(fs, "t", "x");
    sync_file(fs, "t");
    ASSERT_STATES(model, "f=ab ", "f=ab t=x ");
    assert_int_equal(fs_rename(fs, "t", "f"), 0);
    ASSERT_STATES(model, "f=ab ", "f=ab t=x ", "f=x ");
    assert_int_equal(fs_sync_directory(fs, "."), 0);
    ASSERT_STATES(model, "f=x ");
    assert_int_equal(fs_unlink(fs, "f"), 0);
    ASSERT_STATES(model, "f=x ", "");
    fs_model_free(model);
}

/* The mistake that every program makes once: the name is durable before the bytes are. */
static void a_rename_does_not_sync_the_file(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    struct fs *fs = fs_model_fs(model);
    create(fs, "t");
    append(fs, "t", "x");
    assert_int_equal(fs_rename(fs, "t", "f"), 0);
    assert_int_equal(fs_sync_directory(fs, "."), 0);
    ASSERT_STATES(model, "f= ", "f=x ", "f=. ");
    fs_model_free(model);
}

static void a_folder_is_lost_with_all_below(void **state)
{
    (void)state;
    struct fs_model *model = fs_model_new();
    struct fs *fs = fs_model_fs(model);
    struct chooser chooser;
    size_t seen = 0;
    size_t states = 0;
    fs_model_record(model);
    assert_int_equal(fs_mkdir(fs, "d"), 0);
    create(fs, "d/f");
    assert_int_equal(fs_sync_directory(fs, "d"), 0);
    struct walk *walk = walk_new(model);
    while (walk_next(walk))
        ;
    for (chooser_init_all(&chooser); states == 0 || chooser_next(&chooser); states++) {
        struct fs_model *crashed = walk_crash(walk, &chooser);
        struct fs_file *file;
        int error = fs_open(fs_model_fs(crashed), "d/f", FS_READ, &file);
        assert_true(error == 0 || error == -ENOENT);
        if (error == 0)
            fs_close(file);
        seen += error == 0;
        fs_model_free(crashed);
    }
    assert_true(seen > 0 && seen < states);
    walk_free(walk);
    fs_model_free(model);
}

/* A write of many sectors is torn between any of them. */
static void sectors_are_lost_one_by_one(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct fs_model *model = with_durable_file();
    char text[4 * DISK_SECTOR + 1];
    bool lost_alone[4] = {false};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    append(fs_model_fs(model), "f", text);
    struct walk *walk = walk_new(model);
    while (walk_next(walk))
        ;
    for (int i = 0; i < 3000; i++) {
        struct chooser chooser;
        chooser_init_random(&chooser, &random);
        struct fs_model *crashed = walk_crash(walk, &chooser);
        struct fs_file *file = file_of(fs_model_fs(crashed), "f", FS_READ);
        struct slice bytes;
        assert_int_equal(fs_map(file, &bytes), 0);
        assert_memory_equal(bytes.data, "ab", 2);
        for (size_t sector = 0; sector < 4; sector++) {
            bool others = bytes.len == 4 * DISK_SECTOR + 2;
            for (size_t at = 2; at < bytes.len && at < 4 * DISK_SECTOR; at++)
                others = others && (bytes.data[at] == 0) == (at / DISK_SECTOR == sector);
            lost_alone[sector] = lost_alone[sector] || others;
        }
        fs_unmap(fs_model_fs(crashed), bytes);
        fs_close(file);
        fs_model_free(crashed);
    }
    for (size_t sector = 0; sector < 4; sector++)
        assert_true(lost_alone[sector]);
    walk_free(walk);
    fs_model_free(model);
}

/* A state can be written to, recorded and crashed again, and its recording knows nothing of it. */
static void states_are_independent(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    append(fs_model_fs(model), "f", "cd");
    struct walk *walk = walk_new(model);
    while (walk_next(walk))
        ;
    for (int i = 0; i < 3; i++) {
        struct chooser chooser;
        char text[100];
        chooser_init_all(&chooser); /* whose first state keeps everything */
        struct fs_model *first = walk_crash(walk, &chooser);
        fs_model_record(first);
        append(fs_model_fs(first), "f", "X");
        ASSERT_STATES(first, "f=abcd ", "f=abcdX ", "f=abcd. ");
        sync_file(fs_model_fs(first), "f");
        ASSERT_STATES(first, "f=abcdX ");
        describe(fs_model_fs(model), text, sizeof text);
        assert_string_equal(text, "f=abcd ");
        fs_model_free(first);
    }
    ASSERT_STATES(model, "f=ab ", "f=abc ", "f=abcd ", "f=ab.. ");
    walk_free(walk);
    fs_model_free(model);
}

static void syncs_that_lie_are_seen(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    fs_model_lie(model, FS_MODEL_SYNC_DATA);
    append(fs_model_fs(model), "f", "c");
    sync_file(fs_model_fs(model), "f");
    ASSERT_STATES(model, "f=ab ", "f=abc ", "f=ab. ");
    fs_model_lie(model, FS_MODEL_SYNC_DIRECTORY);
    sync_file(fs_model_fs(model), "f");
    assert_int_equal(fs_unlink(fs_model_fs(model), "f"), 0);
    assert_int_equal(fs_sync_directory(fs_model_fs(model), "."), 0);
    ASSERT_STATES(model, "f=abc ", "");
    fs_model_free(model);
}

/* After a failed sync the bytes are seen until the crash, and lost in it whatever is synced. */
static void a_failed_sync_loses_the_bytes(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    struct fs *fs = fs_model_fs(model);
    struct fs_file *file = file_of(fs, "f", FS_APPEND);
    char text[100];
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("cd")), 0);
    fs_model_fail(model, (struct fs_model_fault){.call = fs_model_calls(model) + 1, .error = EIO});
    assert_int_equal(fs_sync_data(file), -EIO);
    assert_true(fs_model_failed(model));
    assert_int_equal(fs_sync_data(file), 0);
    describe(fs, text, sizeof text);
    assert_string_equal(text, "f=abcd ");
    ASSERT_STATES(model, "f=ab ");
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("e")), 0);
    fs_forget(file);
    describe(fs, text, sizeof text);
    assert_string_equal(text, "f=ab..e ");
    assert_int_equal(fs_sync_data(file), 0);
    ASSERT_STATES(model, "f=ab..e ");
    assert_int_equal(fs_close(file), 0);
    fs_model_free(model);
}

static void writes_fail_on_demand(void **state)
{
    (void)state;
    struct fs_model *model = with_durable_file();
    struct fs *fs = fs_model_fs(model);
    struct fs_file *file = file_of(fs, "f", FS_APPEND);
    char text[100];
    struct fs_model_fault fault = {.call = fs_model_calls(model) + 1, .error = ENOSPC};
    fs_model_fail(model, fault);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("cd")), -ENOSPC);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("cd")), 0);
    fault = (struct fs_model_fault){.call = fs_model_calls(model) + 1, .partial = true};
    fs_model_fail(model, fault);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("efgh")), 0); /* in two */
    assert_int_equal(fs_model_calls(model), fault.call + 1);
    fault = (struct fs_model_fault){
        .call = fs_model_calls(model) + 1, .error = ENOSPC, .partial = true, .sticky = true};
    fs_model_fail(model, fault);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("ijkl")), -ENOSPC);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("m")), -ENOSPC);
    assert_int_equal(fs_sync(file), 0);
    describe(fs, text, sizeof text);
    assert_string_equal(text, "f=abcdefghij ");
    assert_int_equal(fs_close(file), 0);
    fs_model_free(model);
}

static void every_call_can_fail(void **state)
{
    (void)state;
    struct fs_names names = {0};
    struct fs_model *model = with_durable_file();
    struct fs *fs = fs_model_fs(model);
    struct fs_file *file = file_of(fs, "f", FS_APPEND);
    struct fs_file *other;
    struct slice bytes;
    char byte;
    int results[13];
    for (size_t i = 0; i < 13; i++) {
        struct fs_model_fault fault = {.call = fs_model_calls(model) + 1 + i, .error = EIO};
        fs_model_fail(model, fault);
        results[0] = fs_open(fs, "f", FS_READ, &other);
        if (results[0] == 0)
            fs_close(other);
        results[1] = fs_write_slice(file, SLICE_LITERAL("x"));
        results[2] = (int)fs_read(file, 0, &byte, 1) - 1;
        results[2] = results[2] < 0 ? results[2] + 1 : 0;
        results[3] = fs_map(file, &bytes);
        if (results[3] == 0)
            fs_unmap(fs, bytes);
        results[4] = fs_sync_data(file);
        results[5] = fs_sync(file);
        results[6] = fs_truncate(file, 1);
        results[7] = fs_allocate(file, 0, 100);
        results[8] = fs_mkdir(fs, "d");
        results[9] = fs_list(fs, ".", &names);
        results[10] = fs_sync_directory(fs, ".");
        results[11] = fs_rename(fs, "f", "f");
        results[12] = fs_unlink(fs, "none");
        fs_names_deinit(&names);
        for (size_t call = 0; call < 13; call++) {
            int usual = call == 12 ? -ENOENT : call == 8 && i > 0 ? -EEXIST : 0;
            assert_int_equal(results[call], call == i ? -EIO : usual);
        }
    }
    assert_int_equal(fs_close(file), 0);
    fs_model_free(model);
}

static void the_directory_is_locked_until_it_is_closed(void **state)
{
    (void)state;
    struct fs_model *model = fs_model_new();
    struct fs *fs = fs_model_fs(model);
    long holder = 0;
    assert_int_equal(fs_lock(fs, "lock", &holder), 0);
    assert_int_equal(fs_lock(fs, "lock", &holder), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    fs_close_directory(fs);
    assert_int_equal(fs_lock(fs, "lock", &holder), 0);
    fs_model_free(model);
}

/* One random call on a file system; what came of it, as text. */
static void try_call(struct fs *fs, uint64_t random, char *out, size_t size)
{
    static const char *const paths[] = {"a", "b", "c", "d/a", "d/b", "e/a", "./a", "a/x"};
    const char *path = paths[seeded_below(&random, 8)];
    struct fs_file *file;
    int result;
    out[0] = 0;
    switch (seeded_below(&random, 8)) {
    case 0:
        result = fs_mkdir(fs, seeded_below(&random, 4) == 0 ? "e/d" : "d");
        break;
    case 1:
        result = fs_rename(fs, seeded_below(&random, 2) ? "a" : "b", "c");
        break;
    case 2:
        result = fs_unlink(fs, seeded_below(&random, 4) == 0 ? "d" : path);
        break;
    case 3:
        result = fs_sync_directory(fs, seeded_below(&random, 2) == 0 ? "." : "d");
        break;
    default:
        result = fs_open(fs, path, (enum fs_mode)seeded_below(&random, 3), &file);
        if (result != 0)
            break;
        struct slice bytes;
        result = fs_write_slice(file, slice_make(path, strlen(path)));
        if (seeded_below(&random, 3) == 0) {
            int cut = fs_truncate(file, (uint64_t)fs_size(file) / 2);
            result = result == 0 ? cut : result; /* EBADF or EINVAL of a file to be read */
        }
        assert_int_equal(fs_map(file, &bytes), 0);
        snprintf(out, size, "%.*s ", (int)bytes.len, bytes.len > 0 ? (char *)bytes.data : "");
        fs_unmap(fs, bytes);
        fs_close(file);
        break;
    }
    snprintf(out + strlen(out), size - strlen(out), "%d", result);
}

static void behaves_as_the_real_one(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 20; round++) {
        struct folder folder;
        struct fs *real;
        struct fs_model *model = fs_model_new();
        folder_make(&folder);
        assert_int_equal(fs_posix_open(folder.path, &real), 0);
        for (int i = 0; i < 100; i++) {
            char expected[1000];
            char got[1000];
            seeded_below(&random, 2);
            try_call(real, random, expected, sizeof expected);
            try_call(fs_model_fs(model), random, got, sizeof got);
            assert_string_equal(got, expected);
        }
        fs_close_directory(real);
        folder_remove(&folder);
        fs_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_synced_stays),
        cmocka_unit_test(unsynced_writes_are_torn_lost_and_mixed),
        cmocka_unit_test(a_cut_is_kept_or_not),
        cmocka_unit_test(unsynced_names_come_and_go),
        cmocka_unit_test(a_rename_does_not_sync_the_file),
        cmocka_unit_test(a_folder_is_lost_with_all_below),
        cmocka_unit_test(sectors_are_lost_one_by_one),
        cmocka_unit_test(states_are_independent),
        cmocka_unit_test(syncs_that_lie_are_seen),
        cmocka_unit_test(a_failed_sync_loses_the_bytes),
        cmocka_unit_test(writes_fail_on_demand),
        cmocka_unit_test(every_call_can_fail),
        cmocka_unit_test(the_directory_is_locked_until_it_is_closed),
        cmocka_unit_test(behaves_as_the_real_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
