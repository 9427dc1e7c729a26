/* Tests of journal/rdb/snapshot_file.c: what is written is what was there, whatever is written
 * meanwhile. */
#include "journal/rdb/snapshot_file.h"

#include "base/account.h"
#include "base/arena.h"
#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "journal/load_rdb.h"
#include "store/op.h"
#include "store/receipts.h"
#include "store/restore.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/store_text.h"
#include "store/seeded.h"
#include "support/folder.h"

#define NAME "appendonly.aof.1.base.rdb"

struct fixture {
    struct folder folder;
    struct fs *fs;
    struct store *store;
    struct snapshot_file_progress progress;
    struct snapshot_file_result result;
    struct snapshot_file_options options;
    struct receipts *receipts; /* that load() restores; may be NULL */
    char *text_at_begin;       /* of the store */
    atomic_bool remove_them;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(&fixture->folder);
    assert_int_equal(fs_posix_open(fixture->folder.path, &fixture->fs), 0);
    assert_int_equal(fs_mkdir(fixture->fs, LAYOUT_FOLDER), 0);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->options = (struct snapshot_file_options){
        .fs = fixture->fs, .store = fixture->store, .name = NAME, .progress = &fixture->progress};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    free(fixture->text_at_begin);
    store_free(fixture->store);
    fs_close_directory(fixture->fs);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static void apply(struct store *store, struct op op)
{
    struct arena arena;
    struct op_result result;
    arena_init(&arena);
    store_apply(store, &op, &arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
    arena_deinit(&arena);
}

static void set(struct store *store, uint32_t db, uint32_t number, struct slice value)
{
    char name[20];
    snprintf(name, sizeof name, "key:%u", number);
    apply(store, (struct op){.kind = OP_SET,
                             .db = db,
                             .key = slice_from_string(name),
                             .value = value,
                             .expire_at_ms = number % 3 == 0 ? 4000000000000 + number : 0});
}

static void push(struct store *store, uint32_t number, const struct slice *values, size_t count)
{
    char name[20];
    snprintf(name, sizeof name, "list:%u", number);
    apply(store, (struct op){.kind = OP_R_PUSH,
                             .key = slice_from_string(name),
                             .values = values,
                             .value_count = count});
}

/* Strings and lists of all sizes. */
static void fill(struct store *store, uint64_t *random, uint32_t keys)
{
    static uint8_t bytes[300000];
    seeded_fill(random, bytes, 1000);
    for (uint32_t i = 0; i < keys; i++) {
        uint32_t most = seeded_below(random, 1000) == 0 ? sizeof bytes : 100;
        struct slice values[] = {slice_make(bytes, seeded_below(random, most)),
                                 SLICE_LITERAL("12345"), SLICE_LITERAL("")};
        set(store, seeded_below(random, 4), i, values[0]);
        if (i % 10 == 0)
            push(store, i % 70, values, 3);
    }
}

static struct slice map_base(struct fixture *fixture)
{
    struct slice bytes;
    struct fs_file *file;
    assert_int_equal(fs_open(fixture->fs, LAYOUT_FOLDER "/" NAME, FS_READ, &file), 0);
    assert_int_equal(fs_map(file, &bytes), 0);
    fs_close(file);
    return bytes;
}

/* A store with what the base has; freed by the caller. */
static struct store *load(struct fixture *fixture)
{
    size_t size;
    struct slice bytes = map_base(fixture);
    struct store *store = store_new(&(struct store_options){.databases = 4});
    struct loading loading = {.store = store, .receipts = fixture->receipts};
    if (!load_rdb(&loading, bytes, &size))
        fail_msg("%s", loading.why);
    assert_int_equal(size, bytes.len);
    assert_int_equal(bytes.len, fixture->result.bytes);
    assert_int_equal(restore_newest(store), fixture->result.revision);
    fs_unmap(fixture->fs, bytes);
    return store;
}

static size_t files_in(struct fixture *fixture)
{
    struct fs_names names = {0};
    assert_int_equal(fs_list(fixture->fs, LAYOUT_FOLDER, &names), 0);
    size_t count = names.count;
    fs_names_deinit(&names);
    return count;
}

static void test_it_holds_what_was_there(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    fill(fixture->store, &random, 3000);
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    struct store *loaded = load(fixture);
    store_text_same(fixture->store, loaded);
    assert_int_equal(fixture->result.revision, restore_newest(fixture->store));
    assert_int_equal(fixture->progress.keys, fixture->progress.total);
    assert_int_equal(fixture->result.keys, fixture->progress.keys);
    assert_int_equal(files_in(fixture), 1);
    store_free(loaded);
}

static void test_an_empty_store(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    struct store *loaded = load(fixture);
    store_text_expect(loaded, "");
    store_free(loaded);
}

/* ---- receipts ---- */

#define RECEIPTS 200

static const struct receipts_options receipts_options = {
    .most_count = 10000, .most_bytes = 1 << 28, .age_ms = RECEIPTS_DEFAULT_AGE_MS};

/* Claims the id of that number; the reply is in the claim if there was one. */
static enum receipts_answer claim(struct receipts *receipts, uint64_t number,
                                  struct receipts_claim *call)
{
    char id[20];
    snprintf(id, sizeof id, "id %u", (unsigned)number);
    *call = (struct receipts_claim){.id = slice_from_string(id), .now_ms = 1};
    buf_init(&call->reply, RECEIPTS_MOST_REPLY);
    return receipts_claim(receipts, call);
}

/* Those of all commits but every fifth, which had no id; the replies are of all sizes. */
static struct receipts *make_receipts(const uint8_t *bytes)
{
    struct receipts *receipts = receipts_new(&receipts_options);
    for (uint64_t revision = 1; revision <= RECEIPTS; revision++) {
        struct receipts_claim call;
        struct buf record;
        struct slice reply = slice_make(bytes, (size_t)(revision * 300));
        if (revision % 5 == 0)
            continue;
        buf_init(&record, SIZE_MAX);
        assert_int_equal(claim(receipts, revision, &call), RECEIPTS_NEW);
        receipts_keep(receipts, call.receipt, 1, revision, &reply, &record);
        buf_deinit(&record);
    }
    return receipts;
}

/* Exactly those up to its revision are in the base, after all keys. */
static void test_it_holds_the_receipts_up_to_its_revision(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint8_t *bytes = calloc(RECEIPTS, 300);
    seeded_fill(&random, bytes, RECEIPTS * 300);
    fill(fixture->store, &random, 100);
    uint64_t newest = restore_newest(fixture->store);
    assert_in_range(newest, 50, RECEIPTS - 10);
    struct receipts *receipts = make_receipts(bytes), *loaded = receipts_new(&receipts_options);
    fixture->options.receipts = receipts;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    fixture->receipts = loaded;
    store_free(load(fixture));
    for (uint64_t revision = 1; revision <= RECEIPTS; revision++) {
        struct receipts_claim call;
        bool is_there = revision <= newest && revision % 5 != 0;
        enum receipts_answer answer = claim(loaded, revision, &call);
        assert_int_equal(answer, is_there ? RECEIPTS_REPEATED : RECEIPTS_NEW);
        if (is_there)
            assert_true(
                slice_equal(buf_slice(&call.reply), slice_make(bytes, (size_t)(revision * 300))));
        else
            receipts_release(loaded, call.receipt);
        buf_deinit(&call.reply);
    }
    receipts_free(receipts);
    receipts_free(loaded);
    free(bytes);
}

/* ---- writes meanwhile ---- */

struct writer {
    struct fixture *fixture;
    void (*write)(struct writer *writer); /* once */
    pthread_t thread;
    atomic_bool stop;
    atomic_uint writes;
    atomic_uint most; /* writes: else what is not freed yet would have no bound on a slow machine */
    uint64_t random;
};

static void *write_on(void *user)
{
    struct writer *writer = user;
    while (!atomic_load(&writer->stop)) {
        if (atomic_load(&writer->writes) == atomic_load(&writer->most)) {
            sched_yield();
            continue;
        }
        writer->write(writer);
        atomic_fetch_add(&writer->writes, 1);
    }
    return NULL;
}

/* What the store holds when the base starts; nobody can write meanwhile. */
static void note_text(void *user, uint64_t revision)
{
    struct fixture *fixture = user;
    (void)revision;
    free(fixture->text_at_begin);
    fixture->text_at_begin = store_text(fixture->store);
}

/* Each of several snapshots holds what the store held at its begin, whatever is written meanwhile.
 */
static void expect_snapshots_beside(struct fixture *fixture, void (*write)(struct writer *writer),
                                    uint64_t random)
{
    fixture->options.on_begin = note_text;
    fixture->options.user = fixture;
    struct writer writer = {.fixture = fixture, .write = write, .random = random, .most = 100};
    assert_int_equal(pthread_create(&writer.thread, NULL, write_on, &writer), 0);
    for (unsigned round = 0; round < 6; round++) {
        while (atomic_load(&writer.writes) < round)
            sched_yield();
        atomic_fetch_add(&writer.most, 100);
        assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
        struct store *loaded = load(fixture);
        store_text_expect(loaded, fixture->text_at_begin);
        store_free(loaded);
        assert_int_equal(fs_unlink(fixture->fs, LAYOUT_FOLDER "/" NAME), 0);
    }
    atomic_store(&writer.stop, true);
    pthread_join(writer.thread, NULL);
}

static void write_and_flush(struct writer *writer)
{
    fill(writer->fixture->store, &writer->random, 50);
    apply(writer->fixture->store, (struct op){.kind = OP_FLUSH_DB, .db = 3});
}

static void test_writes_meanwhile_are_no_part_of_it(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    fill(fixture->store, &random, 4000);
    expect_snapshots_beside(fixture, write_and_flush, random);
}

/* More early keys than may gather: the threads that change them write them out. */
static void overwrite_all(void *user)
{
    struct fixture *fixture = user;
    for (uint32_t i = 0; i < 400; i++)
        set(fixture->store, 0, i, SLICE_LITERAL("new"));
}

static void test_many_long_strings_change_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[60000];
    memset(bytes, 'x', sizeof bytes);
    for (uint32_t i = 0; i < 400; i++)
        set(fixture->store, 0, i, slice_make(bytes, sizeof bytes));
    fixture->options.on_begin = note_text;
    fixture->options.on_progress = overwrite_all;
    fixture->options.user = fixture;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    struct store *loaded = load(fixture);
    store_text_expect(loaded, fixture->text_at_begin);
    store_free(loaded);
    assert_int_equal(restore_newest(fixture->store) > fixture->result.revision, 1);
}

/* ---- long lists meanwhile ---- */

#define LONG_LISTS  6
#define LONG_LENGTH 6000

static struct slice list_name(uint32_t number, char name[20])
{
    return slice_make(name, (size_t)snprintf(name, 20, "long:%u", number));
}

static void push_many(struct store *store, uint32_t number, uint64_t *random)
{
    static _Thread_local char texts[LONG_LENGTH][24];
    static _Thread_local struct slice values[LONG_LENGTH];
    for (size_t i = 0; i < LONG_LENGTH; i++) {
        const char *format = i % 2 == 0 ? "%u" : "element %u";
        int len = snprintf(texts[i], sizeof texts[i], format, seeded_below(random, 1000000));
        values[i] = slice_make(texts[i], (size_t)len);
    }
    char name[20];
    apply(store, (struct op){.kind = OP_R_PUSH,
                             .key = list_name(number, name),
                             .values = values,
                             .value_count = LONG_LENGTH});
}

/* The list, which has LONG_LENGTH elements at least, has no less afterwards. */
static void edit_long_list(struct store *store, uint32_t number, uint64_t *random)
{
    static const enum op_kind kinds[] = {OP_L_PUSH, OP_R_PUSH, OP_L_SET, OP_L_SET,  OP_L_SET,
                                         OP_L_TRIM, OP_COPY,   OP_COPY,  OP_RENAME, OP_DELETE};
    char name[20], other[20];
    struct slice value = SLICE_LITERAL("another element");
    struct op op = {.kind = kinds[seeded_below(random, sizeof kinds / sizeof *kinds)],
                    .key = list_name(number, name),
                    .target.bytes = list_name((number + 1) % LONG_LISTS, other),
                    .value = value,
                    .values = &value,
                    .value_count = 1};
    if (op.kind == OP_COPY)
        op.copy.replace = true;
    if (op.kind == OP_L_SET)
        op.index = seeded_below(random, LONG_LENGTH);
    op.stop = op.kind == OP_L_TRIM ? LONG_LENGTH - 1 : 0;
    apply(store, op);
    if (op.kind == OP_RENAME || op.kind == OP_DELETE)
        push_many(store, number, random);
}

static void edit_long_lists(struct writer *writer)
{
    struct store_sweep sweep = {.parts = 1};
    for (int i = 0; i < 10; i++)
        edit_long_list(writer->fixture->store, seeded_below(&writer->random, LONG_LISTS),
                       &writer->random);
    store_sweep(writer->fixture->store, &sweep, 0);
}

/* They are edited at the ends and within, copied, renamed over each other and removed while they
 * are written. */
static void test_long_lists_change_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    size_t journal = account_journal();
    for (uint32_t i = 0; i < LONG_LISTS; i++)
        push_many(fixture->store, i, &random);
    expect_snapshots_beside(fixture, edit_long_lists, random);
    assert_int_equal(account_journal(), journal);
}

/* Long lists that are removed before their turn are written all the same. */
static void remove_long_lists(void *user, uint64_t revision)
{
    note_text(user, revision);
    struct fixture *fixture = user;
    atomic_store(&fixture->remove_them, true);
}

static void *remove_when_asked(void *user)
{
    struct fixture *fixture = user;
    char name[20];
    while (!atomic_load(&fixture->remove_them))
        sched_yield();
    for (uint32_t i = 0; i < LONG_LISTS; i++)
        apply(fixture->store, (struct op){.kind = OP_DELETE, .key = list_name(i, name)});
    return NULL;
}

static void test_long_lists_are_removed_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    pthread_t thread;
    for (uint32_t i = 0; i < LONG_LISTS; i++)
        push_many(fixture->store, i, &random);
    fixture->options.on_begin = remove_long_lists;
    fixture->options.user = fixture;
    assert_int_equal(pthread_create(&thread, NULL, remove_when_asked, fixture), 0);
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    pthread_join(thread, NULL);
    assert_int_equal(fixture->result.keys, LONG_LISTS);
    assert_int_equal(store_count(fixture->store, 0), 0);
    struct store *loaded = load(fixture);
    store_text_expect(loaded, fixture->text_at_begin);
    store_free(loaded);
}

/* More early lists than may be pinned: the threads that remove them encode the others. */
#define BULKY_LISTS 100

static void remove_bulky_lists(void *user)
{
    struct fixture *fixture = user;
    char name[20];
    for (uint32_t i = 0; i < BULKY_LISTS; i++)
        apply(fixture->store, (struct op){.kind = OP_DELETE, .key = list_name(i, name)});
}

/* A list of 16 elements, the last one of that length. */
static void assert_bulky(struct store *store, struct slice name, size_t last)
{
    struct arena arena;
    struct op_result result;
    struct op op = {.kind = OP_L_RANGE, .key = name, .start = -1, .stop = -1};
    arena_init(&arena);
    store_apply(store, &op, &arena, &result);
    assert_int_equal(result.length, 16);
    assert_int_equal(result.values[0].len, last);
    op_result_release(&result);
    arena_deinit(&arena);
}

static void test_many_bulky_lists_are_removed_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[60000];
    struct slice values[16];
    size_t journal = account_journal();
    char name[20];
    for (size_t i = 0; i < 16; i++)
        values[i] = slice_make(bytes, sizeof bytes - i);
    for (uint32_t i = 0; i < BULKY_LISTS; i++)
        apply(fixture->store, (struct op){.kind = OP_R_PUSH,
                                          .key = list_name(i, name),
                                          .values = values,
                                          .value_count = 16});
    fixture->options.on_progress = remove_bulky_lists;
    fixture->options.user = fixture;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    assert_int_equal(fixture->result.keys, BULKY_LISTS);
    assert_int_equal(account_journal(), journal);
    struct store *loaded = load(fixture);
    assert_int_equal(store_count(loaded, 0), BULKY_LISTS);
    for (uint32_t i = 0; i < BULKY_LISTS; i++)
        assert_bulky(loaded, list_name(i, name), sizeof bytes - 15);
    store_free(loaded);
}

/* ---- what goes wrong ---- */

static void test_it_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    atomic_bool stop = true;
    fill(fixture->store, &random, 100);
    fixture->options.stop = &stop;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), -ECANCELED);
    assert_int_equal(files_in(fixture), 0);
    stop = false;
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
}

/* An unfinished file of before is no hindrance. */
static void test_an_unfinished_one_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct fs_file *file;
    assert_int_equal(fs_open(fixture->fs, LAYOUT_FOLDER "/temp-" NAME, FS_CREATE, &file), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("half")), 0);
    fs_close(file);
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), 0);
    assert_int_equal(files_in(fixture), 1);
    store_free(load(fixture));
}

static void test_without_a_folder(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" LAYOUT_FOLDER, fixture->folder.path);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(snapshot_file_write(&fixture->options, &fixture->result), -ENOENT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_holds_what_was_there),
        TEST(test_an_empty_store),
        TEST(test_it_holds_the_receipts_up_to_its_revision),
        TEST(test_writes_meanwhile_are_no_part_of_it),
        TEST(test_many_long_strings_change_meanwhile),
        TEST(test_long_lists_change_meanwhile),
        TEST(test_long_lists_are_removed_meanwhile),
        TEST(test_many_bulky_lists_are_removed_meanwhile),
        TEST(test_it_can_be_stopped),
        TEST(test_an_unfinished_one_is_replaced),
        TEST(test_without_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
