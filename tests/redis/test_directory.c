/*
 * Data directories that go to and fro between KeyStore and the real redis-server, 7.0: each of many
 * random data sets is written here (and left in order, or killed and recovered), loaded by Redis,
 * changed there under random settings, loaded here, and sometimes changed here and loaded there
 * once more. Each time every key must be the same: database, type, value, elements and deadline.
 */
#include "journal/journal.h"
#include "journal/layout.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "journal/fs/posix.h"
#include "journal/tidy.h"
#include "store/keyspace_fixture.h"
#include "store/restore.h"
#include "store/seeded.h"
#include "support/folder.h"
#include "support/resp_append.h"

#include "journal/random_writes.h"
#include "redis/compare.h"

/* A sanitizer makes each some ten times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SETS 20
#else
#define SETS 200
#endif
#define MOST_WRITES   200
#define MOST_COMMANDS 300

struct set {
    struct folder folder;
    uint64_t random;
    struct redis redis;
    unsigned rewrites;
};

static unsigned sets_done;

static uint32_t pick(struct set *set, uint32_t bound)
{
    return seeded_below(&set->random, bound);
}

/* ---- our side ---- */

static struct store *new_store(void)
{
    return store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
}

static struct fs *open_folder(const char *path)
{
    struct fs *fs;
    assert_int_equal(fs_posix_open(path, &fs), 0);
    return fs;
}

/* A journal that has loaded the folder into the store, and keeps it from then on. */
static struct journal *open_journal(struct set *set, struct store *store,
                                    enum journal_durability durability)
{
    char why[500];
    struct journal_options options = {.durability = durability};
    struct journal *journal =
        journal_open(open_folder(set->folder.path), &options, why, sizeof why);
    assert_non_null(journal);
    const struct recovery *recovery = journal_load(journal, store, NULL, NULL);
    if (recovery->verdict != LOADING_DONE)
        fail_msg("%s", recovery->why);
    assert_true(journal_start(journal, why, sizeof why));
    return journal;
}

static void close_journal(struct journal *journal)
{
    assert_true(journal_stop(journal));
    journal_free(journal);
}

struct save {
    struct journal_save save; /* first: on_saved() finds it by it */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
    const char *why;
};

static void on_saved(struct journal_save *given, const char *why)
{
    struct save *save = (struct save *)given;
    pthread_mutex_lock(&save->mutex);
    save->done = true;
    save->why = why;
    pthread_cond_signal(&save->changed);
    pthread_mutex_unlock(&save->mutex);
}

static void write_at_random(struct set *set, struct store *store, unsigned count)
{
    struct writes writes;
    writes_init(&writes, store, set->random);
    writes.most_bytes = pick(set, 4) == 0 ? sizeof writes.bytes : 2000;
    for (unsigned i = 0; i < count; i++)
        writes_one(&writes);
    set->random = writes.random;
    writes_deinit(&writes);
}

/* Writes a new base while writes go on. */
static void save_among_writes(struct set *set, struct store *store, struct journal *journal)
{
    struct save save = {.save = {.on_done = on_saved}};
    pthread_mutex_init(&save.mutex, NULL);
    pthread_cond_init(&save.changed, NULL);
    journal_save(journal, &save.save);
    write_at_random(set, store, pick(set, MOST_WRITES));
    pthread_mutex_lock(&save.mutex);
    while (!save.done)
        pthread_cond_wait(&save.changed, &save.mutex);
    pthread_mutex_unlock(&save.mutex);
    assert_null(save.why);
    pthread_cond_destroy(&save.changed);
    pthread_mutex_destroy(&save.mutex);
}

static void write_here(struct set *set, struct store *store, struct journal *journal)
{
    for (unsigned saves = pick(set, 3); saves > 0; saves--) {
        write_at_random(set, store, pick(set, MOST_WRITES));
        save_among_writes(set, store, journal);
    }
    write_at_random(set, store, pick(set, MOST_WRITES));
}

/* Leaves the directory in order; what it holds. */
static struct store *write_and_stop(struct set *set)
{
    struct store *store = new_store();
    struct journal *journal = open_journal(set, store, JOURNAL_EVERY_SECOND);
    write_here(set, store, journal);
    close_journal(journal);
    return store;
}

/* What the process to be killed tells of itself. */
struct told {
    atomic_uint_fast64_t durable; /* revision */
};

static struct durable *durable_of_child;

static void tell_durable(void *user)
{
    struct told *told = user;
    atomic_store(&told->durable, atomic_load(&durable_of_child->revision));
}

/* Writes until it is killed. */
static void run_child(struct set *set, struct told *told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct store *store = new_store();
    struct journal_options options = {.durability = JOURNAL_ALWAYS};
    char why[500];
    struct journal *journal =
        journal_open(open_folder(set->folder.path), &options, why, sizeof why);
    if (journal == NULL || journal_load(journal, store, NULL, NULL)->verdict != LOADING_DONE)
        _exit(1);
    durable_of_child = journal_durable(journal);
    durable_of_child->on_progress = tell_durable;
    durable_of_child->user = told;
    if (!journal_start(journal, why, sizeof why))
        _exit(1);
    for (;;)
        write_here(set, store, journal);
}

/* Half of a batch's line, as a crash of the machine may leave it. */
static void tear_log(struct set *set)
{
    struct fs *fs = open_folder(set->folder.path);
    struct manifest manifest = {0};
    struct manifest_fault fault;
    struct fs_file *file;
    char path[LAYOUT_PATH];
    assert_int_equal(manifest_load(fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &manifest, &fault), 0);
    layout_path(path, manifest.files[manifest.count - 1].name);
    assert_int_equal(fs_open(fs, path, FS_APPEND, &file), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("#KS1 seq=9 ops=1 len=")), 0);
    fs_close(file);
    manifest_deinit(&manifest);
    fs_close_directory(fs);
}

/* A process that is killed at some time, and a start after that; what it found. */
static struct store *write_and_kill(struct set *set)
{
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    uint64_t least = 1 + pick(set, 300);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_child(set, told);
    while (atomic_load(&told->durable) < least) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        poll(NULL, 0, 1);
    }
    uint64_t durable = atomic_load(&told->durable);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    munmap(told, sizeof *told);
    if (pick(set, 2) == 0)
        tear_log(set);
    struct store *store = new_store();
    struct journal *journal = open_journal(set, store, JOURNAL_ALWAYS);
    assert_true(restore_newest(store) >= durable);
    close_journal(journal);
    return store;
}

/* ---- their side ---- */

static struct slice key_of(struct set *set, bool list)
{
    static const char *const names[] = {"a", "b", "c", "s\r\n$1", "l1", "l2", "l3", "*3"};
    bool other = pick(set, 20) == 0;
    return slice_from_string(names[pick(set, 4) + (list != other ? 4u : 0u)]);
}

static struct slice value_of(struct set *set)
{
    static const char *const texts[] = {"", "0", "-1", "17", "1.5", "\r\n", "99999", "-9999999999"};
    static uint8_t bytes[3000];
    uint32_t which = pick(set, 16);
    if (which < sizeof texts / sizeof *texts)
        return slice_from_string(texts[which]);
    size_t most = which < 15 ? 70 : sizeof bytes;
    size_t len = pick(set, (uint32_t)most);
    if (pick(set, 2) == 0)
        memset(bytes, 'x', sizeof bytes); /* can be compressed */
    else
        seeded_fill(&set->random, bytes, len);
    return slice_make(bytes, len);
}

/*
 * A command: words, of which "S" and "L" stand for keys with strings and lists, "V" for values, "N"
 * for a small number, "D" for a database, "T" for a deadline, "M" for milliseconds.
 */
static const char *const commands[] = {
    "SET S V",
    "SET S V",
    "SET S V PXAT T",
    "SET S V KEEPTTL",
    "SET S V PX M",
    "SETEX S M V",
    "PSETEX S M V",
    "GETSET S V",
    "SETNX S V",
    "MSET S V S V",
    "MSETNX S V S V",
    "APPEND S V",
    "SETRANGE S 20 V",
    "SET S N",
    "INCRBY S N",
    "DECR S",
    "DECRBY S N",
    "INCRBYFLOAT S .3",
    "GETDEL S",
    "GETEX S PXAT T",
    "GETEX S PERSIST",
    "EXPIRE S M",
    "PEXPIREAT L T",
    "PEXPIREAT S 1",
    "PERSIST S",
    "RENAME S S",
    "RENAME L L",
    "RENAMENX S L",
    "COPY S S DB D",
    "COPY L L REPLACE",
    "COPY L L DB D",
    "MOVE S D",
    "DEL S L",
    "UNLINK L S",
    "RPUSH L V V V N N",
    "LPUSH L V V V V N",
    "RPUSH L N N V",
    "LPUSHX L V",
    "RPUSHX L V V",
    "LINSERT L BEFORE N V",
    "LSET L N V",
    "LREM L N N",
    "LTRIM L N -2",
    "LPOP L",
    "RPOP L 2",
    "LPOP L N",
    "LMOVE L L LEFT LEFT",
    "RPOPLPUSH L L",
    "LMPOP 2 L L LEFT",
    "SELECT D",
    "RPUSH L V V V V V",
    "RPUSH L N N N N N N",
};

static void append_word(struct set *set, struct slice word, struct buf *values,
                        struct slice *argument)
{
    char number[32] = "";
    *argument = word;
    if (word.len != 1)
        return;
    switch (word.data[0]) {
    case 'S':
    case 'L':
        *argument = key_of(set, word.data[0] == 'L');
        return;
    case 'V':
        *argument = value_of(set);
        break;
    case 'N':
        snprintf(number, sizeof number, "%d", (int)pick(set, 24) - 8);
        break;
    case 'D':
        snprintf(number, sizeof number, "%u", pick(set, KEYSPACE_DATABASES));
        break;
    case 'T':
        snprintf(number, sizeof number, "%lld", (long long)WRITES_NOW_MS + pick(set, 1000));
        break;
    case 'M':
        snprintf(number, sizeof number, "%u", 100000000 + pick(set, 1000));
        break;
    default:
        return;
    }
    if (number[0] != 0)
        *argument = slice_from_string(number);
    size_t start = values->len;
    assert_true(buf_append(values, *argument));
    *argument = slice_make(values->data + start, argument->len);
}

/* Appends a random command. */
static void append_command(struct set *set, struct buf *out)
{
    const char *words = commands[pick(set, sizeof commands / sizeof *commands)];
    struct slice arguments[16];
    struct buf values;
    size_t count = 0;
    buf_init(&values, REDIS_LIMIT);
    assert_non_null(buf_reserve(&values, 65536)); /* so that it stays where it is */
    for (; *words != 0; words += *words == ' ') {
        size_t len = strcspn(words, " ");
        append_word(set, slice_make(words, len), &values, &arguments[count++]);
        words += len;
    }
    assert_true(resp_append(out, arguments, count));
    buf_deinit(&values);
}

static void append_text(struct buf *out, const char *word)
{
    assert_true(resp_append(out, (struct slice[]){slice_from_string(word)}, 1));
}

/* Commands may fail: a key may be of the other type. */
static void pass_reply(struct redis *redis)
{
    struct redis_reply reply;
    redis_receive(redis, &reply);
    redis_reply_free(&reply);
}

static void write_there(struct set *set)
{
    struct buf out;
    size_t replies = 0;
    buf_init(&out, REDIS_LIMIT);
    for (unsigned count = pick(set, MOST_COMMANDS); count > 0; count--) {
        unsigned parts = pick(set, 10) == 0 ? 1 + pick(set, 5) : 0;
        if (parts > 0)
            append_text(&out, "MULTI");
        for (unsigned i = 0; i < (parts > 0 ? parts : 1); i++)
            append_command(set, &out);
        if (parts > 0)
            append_text(&out, "EXEC");
        if (pick(set, 200) == 0) {
            append_text(&out, "FLUSHDB");
            replies++;
        }
        replies += parts > 0 ? parts + 2 : 1;
    }
    redis_send(&set->redis, buf_slice(&out));
    for (; replies > 0; replies--)
        pass_reply(&set->redis);
    buf_deinit(&out);
}

/* Settings that decide how values are kept and written. */
static void configure(struct set *set)
{
    static const char *const settings[][4] = {
        {"list-max-listpack-size", "-2", "-1", "5"}, {"list-max-listpack-size", "1", "60", "-5"},
        {"list-compress-depth", "0", "1", "2"},      {"rdbcompression", "yes", "no", "yes"},
        {"aof-use-rdb-preamble", "yes", "no", "no"}, {"aof-timestamp-enabled", "no", "yes", "no"},
    };
    char words[100];
    redis_do(&set->redis, "CONFIG SET hz 200");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        snprintf(words, sizeof words, "CONFIG SET %s %s", settings[i][0],
                 settings[i][1 + pick(set, 3)]);
        redis_do(&set->redis, words);
    }
    snprintf(words, sizeof words, "DEBUG QUICKLIST-PACKED-THRESHOLD %s",
             pick(set, 2) == 0 ? "100b" : "1gb");
    redis_do(&set->redis, words);
}

static bool is_rewriting(struct redis *redis)
{
    static const char running[] = "aof_rewrite_in_progress:1", due[] = "aof_rewrite_scheduled:1";
    struct redis_reply reply;
    redis_ask(redis, &reply, "INFO persistence");
    struct slice text = reply.bytes;
    bool rewriting = memmem(text.data, text.len, running, sizeof running - 1) != NULL ||
                     memmem(text.data, text.len, due, sizeof due - 1) != NULL;
    redis_reply_free(&reply);
    return rewriting;
}

static void rewrite(struct set *set)
{
    redis_do(&set->redis, "BGREWRITEAOF");
    while (is_rewriting(&set->redis))
        poll(NULL, 0, 2);
    set->rewrites++;
}

/* ---- from there to here ---- */

/* Redis holds what the folder holds. */
static void compare_loaded(struct set *set, const char *path)
{
    struct recovery recovery;
    struct recovery_options options = {0};
    struct store *store = new_store();
    struct fs *fs = open_folder(path);
    if (tidy_load(fs, store, &options, &recovery) != LOADING_DONE)
        fail_msg("%s", recovery.why);
    compare_stores(&set->redis, store);
    recovery_deinit(&recovery);
    fs_close_directory(fs);
    store_free(store);
}

static void compare_dump(struct set *set)
{
    struct folder other;
    char from[PATH_MAX], to[PATH_MAX];
    redis_do(&set->redis, "SAVE");
    folder_make(&other);
    snprintf(from, sizeof from, "%s/dump.rdb", set->folder.path);
    snprintf(to, sizeof to, "%s/dump.rdb", other.path);
    assert_int_equal(rename(from, to), 0);
    compare_loaded(set, other.path);
    folder_remove(&other);
}

/* ---- all together ---- */

static struct store *write_first(struct set *set)
{
    switch (pick(set, 5)) {
    case 0:
        return NULL; /* Redis begins */
    case 1:
    case 2:
        return write_and_kill(set);
    default:
        return write_and_stop(set);
    }
}

static void stop_redis(struct set *set)
{
    if (pick(set, 2) == 0)
        redis_stop(&set->redis);
    else
        redis_kill(&set->redis);
}

static void load_there(struct set *set, struct store *store)
{
    redis_start(&set->redis, set->folder.path, NULL, NULL);
    if (store != NULL)
        compare_stores(&set->redis, store);
    store_free(store);
}

static void write_and_load_there(struct set *set)
{
    configure(set);
    write_there(set);
    if (pick(set, 2) == 0) {
        rewrite(set);
        write_there(set);
    }
    compare_loaded(set, set->folder.path);
    if (pick(set, 3) == 0)
        compare_dump(set);
}

static void try_set(uint64_t random)
{
    struct set set = {.random = random};
    folder_make(&set.folder);
    load_there(&set, write_first(&set));
    write_and_load_there(&set);
    stop_redis(&set);
    if (pick(&set, 3) == 0) {
        load_there(&set, write_and_stop(&set));
        stop_redis(&set);
    }
    folder_remove(&set.folder);
}

static void directories_go_to_and_fro(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    log_set_level(LOG_ERROR);
    for (sets_done = 0; sets_done < SETS; sets_done++) {
        seeded_below(&random, 2);
        try_set(random);
    }
}

static int tell_sets(void **state)
{
    (void)state;
    print_message("%u of %u data sets are the same on both sides\n", sets_done, SETS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(directories_go_to_and_fro, tell_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
