/* Tests of journal/log/command.c: what each kind of change is written as. That a real Redis does
 * the same with it is tested in tests/redis/test_command.c. */
#include "journal/log/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/log/resp.h"

#define LIMIT   ((size_t)64 * 1024 * 1024)
#define S(text) SLICE_LITERAL(text)

/* The command's arguments, each in brackets, with '$' between several commands. */
static void assert_written(const struct op *change, const char *expected)
{
    struct buf out;
    struct resp_args args = {0};
    char text[300] = "";
    size_t used;
    buf_init(&out, LIMIT);
    assert_true(command_append(&out, change));
    assert_int_equal(resp_parse(buf_slice(&out), &args, &used), RESP_COMMAND);
    assert_int_equal(used, out.len);
    for (size_t i = 0; i < args.count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "[%.*s]", (int)args.items[i].len,
                 (const char *)args.items[i].data);
    }
    assert_string_equal(text, expected);
    resp_args_deinit(&args);
    buf_deinit(&out);
}

static void strings_are_written(void **state)
{
    (void)state;
    struct op op = {.kind = OP_SET, .key = S("k"), .value = S("value")};
    assert_written(&op, "[SET][k][value]");
    op.set.keep_ttl = true;
    assert_written(&op, "[SET][k][value][KEEPTTL]");
    op.set.keep_ttl = false;
    op.expire_at_ms = 281474976710655;
    assert_written(&op, "[SET][k][value][PXAT][281474976710655]");
    op.kind = OP_APPEND;
    assert_written(&op, "[APPEND][k][value]");
    op.kind = OP_SET_RANGE;
    op.start = 4294967290;
    assert_written(&op, "[SETRANGE][k][4294967290][value]");
    op = (struct op){.kind = OP_INCR, .key = S("number"), .incr.by = INT64_MIN};
    assert_written(&op, "[INCRBY][number][-9223372036854775808]");
}

static void keys_are_written(void **state)
{
    (void)state;
    struct op op = {.kind = OP_DELETE, .key = S("k"), .target.bytes = S("t"), .target_db = 12};
    assert_written(&op, "[DEL][k]");
    op.kind = OP_RENAME;
    assert_written(&op, "[RENAME][k][t]");
    op.kind = OP_COPY;
    assert_written(&op, "[COPY][k][t][DB][12][REPLACE]");
    op.kind = OP_EXPIRE;
    op.expire_at_ms = 1700000000000;
    assert_written(&op, "[PEXPIREAT][k][1700000000000]");
    op.expire.persist = true;
    assert_written(&op, "[PERSIST][k]");
    op.kind = OP_FLUSH_DB;
    assert_written(&op, "[FLUSHDB]");
    op = (struct op){.kind = OP_SWAP_DB, .db = 3, .target_db = 12};
    assert_written(&op, "[SWAPDB][3][12]");
}

static void lists_are_written(void **state)
{
    (void)state;
    struct slice values[11];
    struct op_key key = {.bytes = S("p")};
    for (size_t i = 0; i < 11; i++)
        values[i] = S("v");
    struct op op = {.kind = OP_L_PUSH, .key = S("k"), .values = values, .value_count = 2};
    assert_written(&op, "[LPUSH][k][v][v]");
    op.kind = OP_R_PUSH;
    op.value_count = 11;
    assert_written(&op, "[RPUSH][k][v][v][v][v][v][v][v][v][v][v][v]");
    op = (struct op){.kind = OP_LIST_POP, .keys = &key, .key_count = 1, .count = 3};
    assert_written(&op, "[LPOP][p][3]");
    op.move.end = OP_TAIL;
    assert_written(&op, "[RPOP][p][3]");
    op = (struct op){.kind = OP_L_MOVE, .key = S("k"), .target.bytes = S("t"), .move.end = OP_TAIL};
    assert_written(&op, "[LMOVE][k][t][RIGHT][LEFT]");
    op = (struct op){.kind = OP_L_SET, .key = S("k"), .value = S("v"), .index = -1};
    assert_written(&op, "[LSET][k][-1][v]");
    op = (struct op){.kind = OP_L_INSERT, .key = S("k"), .value = S("v"), .insert.pivot = S("p")};
    assert_written(&op, "[LINSERT][k][BEFORE][p][v]");
    op.insert.after = true;
    assert_written(&op, "[LINSERT][k][AFTER][p][v]");
    op = (struct op){.kind = OP_L_REM, .key = S("k"), .value = S("v"), .count = INT64_MIN};
    assert_written(&op, "[LREM][k][-9223372036854775807][v]");
    op = (struct op){.kind = OP_L_TRIM, .key = S("k"), .start = 1, .stop = -2};
    assert_written(&op, "[LTRIM][k][1][-2]");
}

static void nothing_is_written_past_the_limit(void **state)
{
    (void)state;
    struct op op = {.kind = OP_SET, .key = S("k"), .value = S("0123456789")};
    struct slice value = S("0123456789");
    struct op push = {.kind = OP_L_PUSH, .key = S("k"), .values = &value, .value_count = 1};
    struct buf out;
    buf_init(&out, 30);
    assert_false(command_append(&out, &op));
    assert_false(command_append(&out, &push));
    assert_false(command_append_select(&out, 7));
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_written),
        cmocka_unit_test(keys_are_written),
        cmocka_unit_test(lists_are_written),
        cmocka_unit_test(nothing_is_written_past_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
