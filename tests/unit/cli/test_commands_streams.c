/* What the commands for streams ask for. */
#include "cli/answers.h"
#include "parsed.h"

static void keys_in_pages(void **state)
{
    (void)state;
    struct request request = parsed("scan 0");
    assert_int_equal(request.type, REQUEST_SCAN);
    assert_int_equal(request.scan.cursor.len, 0);
    assert_int_equal(request.scan.max_visited, 10);
    assert_int_equal(request.scan.db, PARSED_DB);
    request = parsed("SCAN abc12 COUNT 500 MATCH k* TYPE List");
    assert_slice(request.scan.cursor, "abc12");
    assert_slice(request.scan.pattern, "k*");
    assert_int_equal(request.scan.max_visited, 500);
    assert_int_equal(request.scan.type, KEYSTORE_TYPE_LIST);
    assert_refused("SCAN 0 COUNT 0", "'0' is not a valid count");
    assert_refused("SCAN 0 TYPE hash", "'hash' is no type");
    assert_refused("SCAN 0 LIMIT 5", "SCAN has no option 'LIMIT' there");
    assert_refused("SCAN 0 MATCH", "MATCH of SCAN needs a value");
}

static void keys_that_match(void **state)
{
    (void)state;
    struct request request = parsed("KEYS user:*");
    assert_int_equal(request.type, REQUEST_KEYS);
    assert_slice(request.scan.pattern, "user:*");
    assert_int_equal(request.scan.max_visited, 0);
    request = parsed("DELMATCH user:* TYPE string");
    assert_int_equal(request.type, REQUEST_DELETE_MATCHING);
    assert_int_equal(request.scan.type, KEYSTORE_TYPE_STRING);
    assert_refused("DELMATCH ''", "'*' matches all keys");
    assert_refused("DELMATCH a b", "DELMATCH has no option 'b' there");
}

static void messages(void **state)
{
    (void)state;
    struct request request = parsed("SUBSCRIBE a b");
    assert_int_equal(request.type, REQUEST_SUBSCRIBE);
    assert_int_equal(request.count, 2);
    assert_false(request.by_pattern);
    assert_true(parsed("PSUBSCRIBE a*").by_pattern);
    request = parsed("PUBLISH a hello");
    assert_int_equal(request.type, REQUEST_PUBLISH);
    assert_slice(request.message.channel, "a");
    assert_slice(request.message.payload, "hello");
}

static void queues(void **state)
{
    (void)state;
    struct request request = parsed("CONSUME a b");
    assert_int_equal(request.type, REQUEST_CONSUME);
    assert_int_equal(request.consume.key_count, 2);
    assert_int_equal(request.consume.db, PARSED_DB);
    assert_int_equal(request.limit, 0);
    request = parsed("CONSUME a RIGHT MAX 7 PENDING p LEASE 3 COUNT 9");
    assert_int_equal(request.consume.key_count, 1);
    assert_int_equal(request.consume.end, KEYSTORE_TAIL);
    assert_int_equal(request.consume.max_in_flight, 7);
    assert_slice(request.consume.pending, "p");
    assert_int_equal(request.consume.lease_ms, 3000);
    assert_int_equal(request.limit, 9);
    assert_false(request.consume.auto_ack);
    assert_true(parsed("CONSUME a AUTOACK").consume.auto_ack);
    assert_int_equal(parsed("CONSUME max").consume.key_count, 1); /* the first word is a key */
    assert_refused("CONSUME a MAX 10001", "'10001' is not a valid number of elements");
    assert_refused("CONSUME a COUNT 0", "'0' is not a valid count");
    assert_refused("CONSUME a LEASE", "LEASE of CONSUME needs a value");
}

static void changes(void **state)
{
    (void)state;
    struct request request = parsed("OBSERVE a* b FROM 12 INITIAL");
    assert_int_equal(request.type, REQUEST_OBSERVE);
    assert_int_equal(request.count, 2);
    assert_int_equal(request.from_version, 12);
    assert_true(request.initial);
    assert_refused("OBSERVE a FROM 0", "'0' is not a valid version");
    assert_refused("OBSERVE a INITIAL b", "OBSERVE has no option 'b' there");
}

static void a_backup(void **state)
{
    (void)state;
    struct request request = parsed("backup a.rdb");
    assert_int_equal(request.type, REQUEST_BACKUP);
    assert_string_equal(request.path, "a.rdb");
    assert_false(request.force);
    assert_true(parsed("BACKUP --force a.rdb").force);
    request = parsed("BACKUP - --force");
    assert_string_equal(request.path, "-");
    assert_true(request.force);
    assert_refused("BACKUP a b", "BACKUP has no option 'b' there");
    assert_refused("BACKUP --force", "name the file");
    assert_refused("BACKUP \"a\\x00b\"", "BACKUP takes the name of a file");
}

static void pops_that_wait(void **state)
{
    (void)state;
    struct request request = parsed("BLPOP a b 0.0001");
    assert_int_equal(request.type, REQUEST_BLOCKING);
    assert_int_equal(request.op.kind, KEYSTORE_OP_LIST_POP);
    assert_int_equal(request.op.request.pop.key_count, 2);
    assert_int_equal(request.op.request.pop.wait_ms, 1);
    assert_true(parsed("BRPOP a 0").op.request.pop.wait_ms > INT64_C(1000000000000));
    assert_int_equal(parsed("BRPOP a 2").op.request.pop.end, KEYSTORE_TAIL);
    request = parsed("BLMPOP 1.5 2 a b RIGHT COUNT 3");
    assert_int_equal(request.op.request.pop.wait_ms, 1500);
    assert_int_equal(request.op.request.pop.key_count, 2);
    assert_int_equal(request.op.request.pop.count, 3);
    request = parsed("BLMOVE a b LEFT RIGHT 1");
    assert_int_equal(request.op.request.move.wait_ms, 1000);
    assert_int_equal(request.op.request.move.target_end, KEYSTORE_TAIL);
    assert_int_equal(parsed("BRPOPLPUSH a b 1").op.request.move.source_end, KEYSTORE_TAIL);
    request_forget_wait(&request);
    assert_int_equal(request.op.request.move.wait_ms, 0);
    assert_refused("BLPOP a x", "'x' is not a valid timeout");
    assert_refused("BLPOP a -1", "'-1' is not a valid timeout");
    assert_refused("BLPOP a nan", "'nan' is not a valid timeout");
    assert_refused("BLMPOP 1 3 a b LEFT", "BLMPOP needs 3 keys followed by LEFT or RIGHT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_in_pages), cmocka_unit_test(keys_that_match),
        cmocka_unit_test(messages),      cmocka_unit_test(queues),
        cmocka_unit_test(changes),       cmocka_unit_test(pops_that_wait),
        cmocka_unit_test(a_backup),
    };
    return cmocka_run_group_tests(tests, NULL, parsed_tear_down);
}
