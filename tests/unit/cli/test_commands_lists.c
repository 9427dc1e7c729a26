/* What the commands for lists ask for. */
#include "cli/answers.h"
#include "parsed.h"

static void pushes(void **state)
{
    (void)state;
    struct request request = parsed("LPUSH l 1 2 3");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LPUSH);
    assert_slice(request.op.request.list_insert.key, "l");
    assert_int_equal(request.op.request.list_insert.count, 3);
    assert_slice(request.op.request.list_insert.values[2], "3");
    assert_int_equal(request.op.request.list_insert.db, PARSED_DB);
    assert_null(request.op.request.list_insert.condition);
    assert_int_equal(parsed("RPUSH l 1").op.kind, KEYSTORE_OP_RPUSH);
    request = parsed("LPUSHX l 1");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LPUSH);
    assert_int_equal(request.op.request.list_insert.condition->existence, KEYSTORE_PRESENT);
    request = parsed("RPUSHX l 1");
    assert_int_equal(request.op.kind, KEYSTORE_OP_RPUSH);
    assert_int_equal(request.op.request.list_insert.condition->existence, KEYSTORE_PRESENT);
}

static void pops(void **state)
{
    (void)state;
    assert_int_equal(parsed("LPOP l").op.kind, KEYSTORE_OP_LPOP);
    assert_int_equal(parsed("RPOP l").op.kind, KEYSTORE_OP_RPOP);
    struct request request = parsed("LPOP l 2");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LIST_POP);
    assert_int_equal(request.op.request.pop.key_count, 1);
    assert_slice(request.op.request.pop.keys[0], "l");
    assert_int_equal(request.op.request.pop.end, KEYSTORE_HEAD);
    assert_int_equal(request.op.request.pop.count, 2);
    assert_int_equal(request.op.request.pop.db, PARSED_DB);
    assert_ptr_equal(request.answer, answers_popped);
    assert_int_equal(parsed("RPOP l 4294967295").op.request.pop.end, KEYSTORE_TAIL);
    assert_refused("LPOP l 4294967296", "is not a valid count");
    assert_refused("LPOP l -1", "'-1' is not a valid count");
}

/* To the API a count of 0 is one element. */
static void pops_of_nothing(void **state)
{
    (void)state;
    struct request request = parsed("RPOP l 0");
    assert_int_equal(request.op.kind, KEYSTORE_OP_DESCRIBE);
    assert_slice(request.op.request.key.key, "l");
    assert_ptr_equal(request.answer, answers_no_elements);
}

static void pops_of_several_lists(void **state)
{
    (void)state;
    struct request request = parsed("LMPOP 2 a b right count 5");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LIST_POP);
    assert_int_equal(request.op.request.pop.key_count, 2);
    assert_slice(request.op.request.pop.keys[1], "b");
    assert_int_equal(request.op.request.pop.end, KEYSTORE_TAIL);
    assert_int_equal(request.op.request.pop.count, 5);
    request = parsed("LMPOP 1 a LEFT");
    assert_int_equal(request.op.request.pop.end, KEYSTORE_HEAD);
    assert_int_equal(request.op.request.pop.count, 1);
    assert_refused("LMPOP 2 a LEFT", "LMPOP needs 2 keys followed by LEFT or RIGHT, but there are "
                                     "only 2 words");
    assert_refused("LMPOP 0 a LEFT", "'0' is not a valid number of keys");
    assert_refused("LMPOP 1 a b LEFT", "'b' is neither LEFT (the head) nor RIGHT");
    assert_refused("LMPOP 1 a LEFT COUNT", "COUNT of LMPOP needs a value");
    assert_refused("LMPOP 1 a LEFT COUNT 0", "'0' is not a valid count");
}

static void moves(void **state)
{
    (void)state;
    struct request request = parsed("LMOVE a b LEFT right");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LMOVE);
    assert_slice(request.op.request.move.source, "a");
    assert_slice(request.op.request.move.target, "b");
    assert_int_equal(request.op.request.move.source_end, KEYSTORE_HEAD);
    assert_int_equal(request.op.request.move.target_end, KEYSTORE_TAIL);
    assert_int_equal(request.op.request.move.db, PARSED_DB);
    request = parsed("RPOPLPUSH a b");
    assert_slice(request.op.request.move.target, "b");
    assert_int_equal(request.op.request.move.source_end, KEYSTORE_TAIL);
    assert_int_equal(request.op.request.move.target_end, KEYSTORE_HEAD);
    assert_refused("LMOVE a b LEFT up", "'up' is neither LEFT (the head) nor RIGHT");
}

static void ranges(void **state)
{
    (void)state;
    struct request request = parsed("LRANGE l -9223372036854775808 9223372036854775807");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LRANGE);
    assert_true(request.op.request.list_range.start == INT64_MIN);
    assert_true(request.op.request.list_range.stop == INT64_MAX);
    assert_int_equal(request.op.request.list_range.db, PARSED_DB);
    assert_int_equal(parsed("LTRIM l 0 -1").op.kind, KEYSTORE_OP_LTRIM);
    assert_int_equal(parsed("LTRIM l 0 -1").op.request.list_range.stop, -1);
    assert_refused("LRANGE l b 0", "'b' is not a valid start index: LRANGE takes a 64-bit integer");
    assert_int_equal(parsed("LLEN l").op.kind, KEYSTORE_OP_DESCRIBE);
}

static void items(void **state)
{
    (void)state;
    struct request request = parsed("LINDEX l -2");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LINDEX);
    assert_int_equal(request.op.request.list_item.index, -2);
    request = parsed("LSET l 1 v");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LSET);
    assert_int_equal(request.op.request.list_item.index, 1);
    assert_slice(request.op.request.list_item.value, "v");
    assert_int_equal(request.op.request.list_item.db, PARSED_DB);
    request = parsed("LINSERT l after p v");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LINSERT);
    assert_true(request.op.request.list_item.after);
    assert_slice(request.op.request.list_item.pivot, "p");
    assert_slice(request.op.request.list_item.value, "v");
    assert_false(parsed("LINSERT l BEFORE p v").op.request.list_item.after);
    assert_refused("LINSERT l BEHIND p v", "'BEHIND' is neither BEFORE nor AFTER; usage: LINSERT");
}

static void finding(void **state)
{
    (void)state;
    struct request request = parsed("LREM l -2 v");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LREM);
    assert_int_equal(request.op.request.list_find.count, -2);
    assert_slice(request.op.request.list_find.value, "v");
    request = parsed("LPOS l v");
    assert_int_equal(request.op.kind, KEYSTORE_OP_LPOS);
    assert_int_equal(request.op.request.list_find.count, 1);
    assert_int_equal(request.op.request.list_find.rank, 0);
    assert_int_equal(request.op.request.list_find.db, PARSED_DB);
    assert_ptr_equal(request.answer, answers_position);
    request = parsed("LPOS l v MAXLEN 9 rank -2 COUNT 0");
    assert_int_equal(request.op.request.list_find.count, 0);
    assert_int_equal(request.op.request.list_find.rank, -2);
    assert_int_equal(request.op.request.list_find.max_scan, 9);
    assert_ptr_equal(request.answer, answers_positions);
    assert_refused("LPOS l v RANK 0", "RANK cannot be 0");
    assert_refused("LPOS l v COUNT -1", "'-1' is not a valid count");
    assert_refused("LPOS l v MAXLEN", "MAXLEN of LPOS needs a value");
    assert_refused("LPOS l v FIRST", "LPOS has no option 'FIRST'");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pushes), TEST(pops),   TEST(pops_of_nothing), TEST(pops_of_several_lists),
        TEST(moves),  TEST(ranges), TEST(items),           TEST(finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
