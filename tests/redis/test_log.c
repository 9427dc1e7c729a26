/*
 * The real redis-server, 7.0, as the judge of our files: it loads our batches and manifest with
 * every value, goes on in our log, and what it wrote comes back through scan and manifest.
 */
#include "journal/log/scan.h"
#include "journal/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "journal/log_builder.h"
#include "support/folder.h"
#include "support/redis.h"
#include "support/redis_process.h"
#include "support/words.h"

#define FOLDER   "appendonlydir"
#define MANIFEST "appendonly.aof.manifest"
#define LOG      "appendonly.aof.1.incr.aof"
#define KEYS     20
#define DBS      3

/* What the keys must hold: "<db>/<key>" to the number that was written last; 0 = nothing. */
struct expected {
    unsigned values[DBS][KEYS];
    unsigned next;
    uint32_t db;
};

static void append_set(struct buf *out, struct expected *expected, uint64_t *random)
{
    char words[80];
    if (seeded_below(random, 3) == 0) {
        expected->db = seeded_below(random, DBS);
        snprintf(words, sizeof words, "SELECT %u", expected->db);
        words_append(out, words);
    }
    unsigned key = seeded_below(random, KEYS);
    unsigned value = ++expected->next;
    if (value % 7 == 0) {
        snprintf(words, sizeof words, "DEL key%u", key);
        value = 0;
    } else {
        snprintf(words, sizeof words, "SET key%u %u PXAT 99999999999999", key, value);
    }
    words_append(out, words);
    expected->values[expected->db][key] = value;
}

static void append_random_batch(struct buf *log, uint64_t *seq, struct expected *expected,
                                uint64_t *random)
{
    struct buf payload;
    struct batch batch = {.seq = *seq, .ops = seeded_below(random, 5), .synced = *seq - 1};
    buf_init(&payload, BUILDER_LIMIT);
    for (uint64_t i = 0; i < batch.ops; i++) {
        bool in_transaction = seeded_below(random, 4) == 0;
        if (in_transaction)
            words_append(&payload, "MULTI");
        for (size_t sets = in_transaction ? 3 : 1; sets > 0; sets--)
            append_set(&payload, expected, random);
        if (in_transaction)
            words_append(&payload, "EXEC");
    }
    builder_raw_batch(log, batch, buf_slice(&payload));
    *seq += batch.ops;
    buf_deinit(&payload);
}

static void write_file(struct fs *fs, const char *path, struct slice bytes)
{
    struct fs_file *file;
    assert_int_equal(fs_open(fs, path, FS_CREATE, &file), 0);
    assert_int_equal(fs_write_slice(file, bytes), 0);
    assert_int_equal(fs_sync(file), 0);
    assert_int_equal(fs_close(file), 0);
}

static void write_directory(struct fs *fs, struct slice log)
{
    struct manifest manifest = {0};
    assert_int_equal(fs_mkdir(fs, FOLDER), 0);
    write_file(fs, FOLDER "/" LOG, log);
    manifest_add(&manifest, LOG, 1, 'i');
    assert_int_equal(manifest_replace(fs, FOLDER, MANIFEST, &manifest), 0);
    manifest_deinit(&manifest);
}

static void assert_value(struct redis *redis, unsigned key, unsigned value)
{
    struct redis_reply reply;
    char words[80];
    char wanted[40];
    snprintf(words, sizeof words, "GET key%u", key);
    snprintf(wanted, sizeof wanted, "%u", value);
    redis_ask(redis, &reply, words);
    assert_int_equal(reply.type, '$');
    assert_int_equal(reply.number < 0, value == 0);
    assert_true(value == 0 || slice_equal(reply.bytes, slice_from_string(wanted)));
    redis_reply_free(&reply);
}

static void assert_values(struct redis *redis, const struct expected *expected)
{
    for (unsigned db = 0; db < DBS; db++) {
        char words[80];
        snprintf(words, sizeof words, "SELECT %u", db);
        redis_do(redis, words);
        for (unsigned key = 0; key < KEYS; key++)
            assert_value(redis, key, expected->values[db][key]);
    }
}

/* Reads the log of the directory; its records' texts go, joined by ';', to `records`. */
static enum scan_verdict read_log(struct fs *fs, const char *name, struct buf *records)
{
    char path[200];
    struct fs_file *file;
    struct slice bytes;
    struct scan scan;
    struct scan_record record;
    enum scan_verdict verdict;
    snprintf(path, sizeof path, FOLDER "/%s", name);
    assert_int_equal(fs_open(fs, path, FS_READ, &file), 0);
    assert_int_equal(fs_map(file, &bytes), 0);
    scan_init(&scan, bytes, 1);
    buf_init(records, BUILDER_LIMIT);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD) {
        char *text = builder_record_text(&record);
        builder_append_text(records, text);
        builder_append_text(records, ";");
        free(text);
    }
    builder_append(records, slice_make("", 1));
    scan_deinit(&scan);
    fs_unmap(fs, bytes);
    fs_close(file);
    return verdict;
}

static bool ends_with(const struct buf *text, const char *end)
{
    size_t len = strlen(end) + 1;
    return text->len >= len && memcmp(text->data + text->len - len, end, len) == 0;
}

/* What Redis added to our log, behind our batches. */
static void assert_went_on(struct fs *fs)
{
    struct buf records;
    assert_int_equal(read_log(fs, LOG, &records), SCAN_CLEAN);
    assert_true(ends_with(&records, ";2:3'SET'5'added'3'one';2:5'LPUSH'4'list'1'a'1'b'"
                                    "2:3'DEL'5'other';"));
    buf_deinit(&records);
}

/* A log of ours, for a directory that write_directory() fills. */
struct our_log {
    struct folder folder;
    struct fs *fs;
    struct buf bytes;
    struct expected expected;
    uint64_t seq, random;
};

/* Appends batches until there are that many records. */
static void our_log_begin(struct our_log *log, uint64_t records)
{
    *log = (struct our_log){.seq = 1, .random = seeded_start()};
    folder_make(&log->folder);
    assert_int_equal(fs_posix_open(log->folder.path, &log->fs), 0);
    buf_init(&log->bytes, BUILDER_LIMIT);
    while (log->seq < records)
        append_random_batch(&log->bytes, &log->seq, &log->expected, &log->random);
}

static void our_log_end(struct our_log *log)
{
    buf_deinit(&log->bytes);
    fs_close_directory(log->fs);
    folder_remove(&log->folder);
}

static void redis_loads_our_files_and_goes_on(void **state)
{
    (void)state;
    struct our_log log;
    struct redis redis;
    our_log_begin(&log, 300);
    write_directory(log.fs, buf_slice(&log.bytes));
    assert_int_equal(
        redis_process_check(log.folder.path, "redis-check-aof", FOLDER "/" MANIFEST, true), 0);
    redis_start(&redis, log.folder.path, NULL, NULL);
    assert_values(&redis, &log.expected);
    static const char *const commands[] = {
        "SELECT 2", "SET other x", "SET added one", "MULTI", "LPUSH list a b", "DEL other", "EXEC"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        redis_do(&redis, commands[i]);
    redis_stop(&redis);
    assert_went_on(log.fs);
    redis_start(&redis, log.folder.path, NULL, NULL);
    assert_values(&redis, &log.expected);
    redis_stop(&redis);
    our_log_end(&log);
}

/* After a crash: our reading says where to cut, and Redis loads what is left. */
static void redis_loads_a_log_that_was_cut(void **state)
{
    (void)state;
    struct our_log log;
    struct redis redis;
    our_log_begin(&log, 100);
    size_t good = log.bytes.len;
    struct expected lost = log.expected;
    append_random_batch(&log.bytes, &log.seq, &lost, &log.random);
    struct scan scan;
    struct scan_record record;
    enum scan_verdict verdict;
    scan_init(&scan, slice_make(log.bytes.data, log.bytes.len - 1), 1);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD)
        ;
    assert_int_equal(verdict, SCAN_TORN);
    assert_int_equal(scan.offset, good);
    scan_deinit(&scan);
    write_directory(log.fs, slice_make(log.bytes.data, good));
    redis_start(&redis, log.folder.path, NULL, NULL);
    assert_values(&redis, &log.expected);
    redis_stop(&redis);
    our_log_end(&log);
}

/* A directory that Redis made, with time annotations and a second log. */
static void we_read_what_redis_wrote(void **state)
{
    (void)state;
    struct folder folder;
    struct fs *fs;
    struct redis redis;
    struct manifest manifest = {0};
    struct manifest_fault fault;
    struct buf records;
    folder_make(&folder);
    redis_start(&redis, folder.path, "--aof-timestamp-enabled", "yes");
    static const char *const commands[] = {"set a 1", "select 4", "rpush l x y", "multi",
                                           "del a",   "lpop l",   "exec"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        redis_do(&redis, commands[i]);
    redis_stop(&redis);
    assert_int_equal(fs_posix_open(folder.path, &fs), 0);
    assert_int_equal(manifest_load(fs, FOLDER, MANIFEST, &manifest, &fault), 0);
    assert_int_equal(manifest.count, 2);
    assert_string_equal(manifest_base(&manifest)->name, "appendonly.aof.1.base.rdb");
    assert_string_equal(manifest.files[1].name, LOG);
    assert_int_equal(read_log(fs, manifest.files[1].name, &records), SCAN_CLEAN);
    assert_string_equal((char *)records.data, "0:3'set'1'a'1'1';4:5'rpush'1'l'1'x'1'y';"
                                              "4:4'lpop'1'l';");
    buf_deinit(&records);
    manifest_deinit(&manifest);
    fs_close_directory(fs);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_loads_our_files_and_goes_on),
        cmocka_unit_test(redis_loads_a_log_that_was_cut),
        cmocka_unit_test(we_read_what_redis_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
