/* Tests of journal/log/command_read.c: there and back, and bad forms. What a real Redis logs is
 * read in tests/redis/test_command_read.c. */
#include "journal/log/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#include "journal/random_writes.h"

#define WRITES 20000
#define LIMIT  ((size_t)64 * 1024 * 1024)

/* ---- there and back ---- */

/* Applies to a second store what is read back from the bytes of each change. */
struct mirror {
    struct change_sink sink;
    struct store *store;
    struct arena arena;
    struct buf out, again;
    struct resp_args args;
    uint64_t revision;
    size_t changes;
    struct op *commit[64]; /* aborted commits must not be applied */
    size_t count;
};

static uint64_t begin(struct change_sink *sink)
{
    struct mirror *mirror = (struct mirror *)sink;
    mirror->count = 0;
    mirror->out.len = 0;
    arena_reset(&mirror->arena);
    return ++mirror->revision;
}

static void change(struct change_sink *sink, const struct op *op)
{
    struct mirror *mirror = (struct mirror *)sink;
    const char *why;
    size_t used;
    mirror->out.len = 0;
    mirror->again.len = 0;
    mirror->args.count = 0;
    assert_true(command_append(&mirror->out, op));
    struct slice text = arena_copy(&mirror->arena, buf_slice(&mirror->out));
    assert_int_equal(resp_parse(text, &mirror->args, &used), RESP_COMMAND);
    struct slice *args = arena_alloc(&mirror->arena, mirror->args.count * sizeof *args);
    memcpy(args, mirror->args.items, mirror->args.count * sizeof *args);
    struct scan_command command = {.db = op->db, .args = args, .count = mirror->args.count};
    struct op *read = arena_alloc(&mirror->arena, sizeof *read);
    assert_int_equal(command_read(&command, &mirror->arena, read, &why), COMMAND_OP);
    assert_null(why);
    assert_int_equal(read->kind, op->kind);
    assert_int_equal(read->db, op->db);
    assert_true(command_append(&mirror->again, read));
    assert_true(slice_equal(buf_slice(&mirror->again), text));
    assert_true(mirror->count < 64);
    mirror->commit[mirror->count++] = read;
}

static void end(struct change_sink *sink)
{
    struct mirror *mirror = (struct mirror *)sink;
    for (size_t i = 0; i < mirror->count; i++)
        keyspace_carry_out(mirror->store, &mirror->arena, mirror->commit[i]);
    mirror->changes += mirror->count;
}

static void abort_commit(struct change_sink *sink)
{
    ((struct mirror *)sink)->revision--;
}

static void what_was_written_comes_back(void **state)
{
    (void)state;
    struct writes writes;
    struct mirror mirror = {
        .sink = {.begin = begin, .change = change, .end = end, .abort = abort_commit}};
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    mirror.store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    arena_init(&mirror.arena);
    buf_init(&mirror.out, LIMIT);
    buf_init(&mirror.again, LIMIT);
    store_set_sink(store, &mirror.sink);
    writes_init(&writes, store, seeded_start());
    for (size_t i = 1; i <= WRITES; i++) {
        writes_one(&writes);
        if (i % 1000 == 0)
            keyspace_assert_within(store, mirror.store);
    }
    assert_true(mirror.changes > WRITES / 4);
    writes_deinit(&writes);
    resp_args_deinit(&mirror.args);
    buf_deinit(&mirror.again);
    buf_deinit(&mirror.out);
    arena_deinit(&mirror.arena);
    store_free(mirror.store);
    store_free(store);
}

/* ---- what is not read ---- */

/* The verdict for a command of words without spaces. */
static enum command_verdict verdict_of(const char *words, struct op *op)
{
    struct slice args[16];
    struct arena arena;
    const char *why;
    struct scan_command command = {.db = 1, .args = args};
    arena_init(&arena);
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        args[command.count++] = slice_make(words, len);
        words += len + (words[len] == ' ');
    }
    enum command_verdict verdict = command_read(&command, &arena, op, &why);
    assert_true((verdict >= COMMAND_UNSUPPORTED) == (why != NULL));
    arena_deinit(&arena);
    return verdict;
}

static void assert_verdicts(const char *const *commands, size_t count,
                            enum command_verdict expected)
{
    for (size_t i = 0; i < count; i++) {
        struct op op;
        if (verdict_of(commands[i], &op) != expected)
            fail_msg("another verdict: %s", commands[i]);
    }
}

static void bad_forms_are_refused(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "SET a",
        "SET a 1 PXAT",
        "SET a 1 PXAT x",
        "SET a 1 PXAT 0",
        "SET a 1 EXAT 9223372036854775807",
        "SET a 1 SOON",
        "MSET a 1 b",
        "MSET a",
        "SETRANGE a -1 x",
        "SETRANGE a 01 x",
        "INCR a 1",
        "INCRBY a 1.0",
        "INCRBY a 9223372036854775808",
        "DECRBY a -9223372036854775808",
        "DEL",
        "PEXPIREAT a",
        "PEXPIREAT a soon",
        "PEXPIREAT a 1 ZZ",
        "EXPIREAT a 9223372036854776",
        "EXPIREAT a -9223372036854776",
        "PERSIST a b",
        "RENAME a",
        "MOVE a -1",
        "MOVE a 2147483648",
        "COPY a b DB",
        "COPY a b DB x",
        "COPY a b REPLAC",
        "LPUSH a",
        "LPOP a -1",
        "LPOP a x",
        "LMOVE a b LEFT UP",
        "LMOVE a b TOP LEFT",
        "LSET a x y",
        "LINSERT a AMID x y",
        "LREM a x y",
        "LTRIM a 1 x",
        "LTRIM a 1",
        "FLUSHDB NOW",
        "FLUSHALL SYNC SYNC",
        "MULTI",
        "EXEC",
    };
    size_t known = sizeof commands / sizeof *commands - 2;
    assert_verdicts(commands, known, COMMAND_BAD);
    /* The scan has dealt with these. */
    assert_verdicts(commands + known, 2, COMMAND_UNKNOWN);
}

static void what_is_not_known_is_unsupported(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "SADD s 1",   "HSET h a 1",      "PFADD a 1",    "SETEX a 1 b",     "PSETEX a 1 b",
        "EXPIRE a 1", "PEXPIRE a 1",     "SET a b EX 1", "FUNCTION LOAD x", "INCRBYFLOAT a 1",
        "PFCOUNT a",  "SET a b NX PX 1", "VADD a b",     "HSETEX a 1",      "MSETEX 1 a b EX 5",
    };
    assert_verdicts(commands, sizeof commands / sizeof *commands, COMMAND_UNSUPPORTED);
}

static void keys_have_bounds(void **state)
{
    (void)state;
    static uint8_t bytes[OP_MAX_KEY + 1];
    static const struct {
        const char *name;
        size_t count; /* of arguments */
        size_t key;   /* which of them is the bad one */
    } forms[] = {{"SET", 3, 1},    {"APPEND", 3, 1},    {"MSET", 5, 3},
                 {"RENAME", 3, 2}, {"COPY", 3, 1},      {"LPUSH", 3, 1},
                 {"LPOP", 2, 1},   {"RPOPLPUSH", 3, 2}, {"BITOP", 4, 2}};
    struct arena arena;
    struct op op;
    const char *why;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct slice args[5] = {slice_from_string(forms[i].name), SLICE_LITERAL("a"),
                                SLICE_LITERAL("b"), SLICE_LITERAL("c"), SLICE_LITERAL("d")};
        struct scan_command command = {.args = args, .count = forms[i].count};
        for (size_t len = 0; len <= OP_MAX_KEY + 1; len += OP_MAX_KEY / 2 + (len > 0)) {
            args[forms[i].key] = slice_make(bytes, len > OP_MAX_KEY ? OP_MAX_KEY + 1 : len);
            bool good = len > 0 && len <= OP_MAX_KEY;
            enum command_verdict verdict = command_read(&command, &arena, &op, &why);
            if (good)
                assert_true(verdict == COMMAND_OP || verdict == COMMAND_COMPUTED);
            else
                assert_int_equal(verdict, COMMAND_UNSUPPORTED);
        }
    }
    arena_deinit(&arena);
}

static void the_operation_says_what_the_command_says(void **state)
{
    (void)state;
    struct op op;
    assert_int_equal(verdict_of("MOVE k 3", &op), COMMAND_OP);
    assert_int_equal(op.kind, OP_RENAME);
    assert_int_equal(op.db, 1);
    assert_int_equal(op.target_db, 3);
    assert_true(op.copy.absent_only);
    assert_true(slice_equal(op.key, op.target.bytes));
    assert_int_equal(verdict_of("PEXPIREAT k -5 LT", &op), COMMAND_OP);
    assert_int_equal(op.expire_at_ms, -5);
    assert_int_equal(op.expire.when, OP_SOONER);
    assert_int_equal(verdict_of("SET k v XX EXAT 2", &op), COMMAND_OP);
    assert_int_equal(op.condition.existence, EXISTENCE_PRESENT);
    assert_int_equal(op.expire_at_ms, 2000);
    assert_int_equal(verdict_of("RPOPLPUSH k t", &op), COMMAND_OP);
    assert_int_equal(op.move.end, OP_TAIL);
    assert_int_equal(op.move.target_end, OP_HEAD);
    assert_int_equal(op.target_db, 1);
    assert_int_equal(verdict_of("RPOP k 2", &op), COMMAND_OP);
    assert_int_equal(op.kind, OP_LIST_POP);
    assert_int_equal(op.move.end, OP_TAIL);
    assert_int_equal(verdict_of("LPOP k 0", &op), COMMAND_NOTHING);
    assert_int_equal(verdict_of("PING", &op), COMMAND_NOTHING);
    assert_int_equal(verdict_of("flushall async", &op), COMMAND_FLUSH_ALL);
    assert_int_equal(op.kind, OP_FLUSH_DB);
    assert_int_equal(verdict_of("SWAPDB 3 12", &op), COMMAND_OP);
    assert_int_equal(op.kind, OP_SWAP_DB);
    assert_int_equal(op.db, 3);
    assert_int_equal(op.target_db, 12);
    assert_int_equal(verdict_of("SWAPDB 3 x", &op), COMMAND_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(bad_forms_are_refused),
        cmocka_unit_test(what_is_not_known_is_unsupported),
        cmocka_unit_test(keys_have_bounds),
        cmocka_unit_test(the_operation_says_what_the_command_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
