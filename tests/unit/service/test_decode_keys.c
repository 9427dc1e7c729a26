/* Tests of service/decode_keys.c: what each field becomes, and what is refused. */
#include "service/decode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/account.h"
#include "service/decoding.h"

static void test_keys(void **state)
{
    (void)state;
    ProtobufCBinaryData keys[] = {message_text("one"), message_text(""), message_text("one")};
    Keystore__V1__Keys message = KEYSTORE__V1__KEYS__INIT;
    struct decoding decoding;
    message.keys = keys;
    message.n_keys = 3;
    message.db = 12;
    decoding_of(&decoding, DECODER(keys), OP_M_GET, &message);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.key_count, 3);
    assert_is(decoding.op.keys[0].bytes, "one");
    assert_is(decoding.op.keys[1].bytes, "");
    assert_is(decoding.op.keys[2].bytes, "one");
    for (size_t i = 0; i < 3; i++)
        assert_true(decoding.op.keys[i].hash == 0);
    assert_int_equal(decoding.op.db, 12);
    decoding_end(&decoding);
    message.n_keys = 0;
    decoding_of(&decoding, DECODER(keys), OP_EXISTS, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "keys: it is empty");
}

static void test_expirations(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        int64_t ttl_ms, expire_at_ms;
        bool persist;
        int when;
        const char *refused;
        int64_t deadline;
    } cases[] = {
        {OP_EXPIRE, 1000, 0, false, 0, NULL, DECODING_NOW_MS + 1000},
        {OP_EXPIRE, 0, 1, false, 4, NULL, 1},
        {OP_EXPIRE, 0, 1, false, 1, NULL, 1},
        {OP_EXPIRE, 0, 0, true, 0, NULL, 0},
        {OP_EXPIRE, 0, 0, false, 0, "neither it nor expire_at_ms or persist", 0},
        {OP_EXPIRE, 0, 0, false, 2, "neither it nor expire_at_ms or persist", 0},
        {OP_EXPIRE, 1, 1, false, 0, "expire_at_ms: it is given with ttl_ms", 0},
        {OP_EXPIRE, 1, 0, true, 0, "persist: it is given with a new", 0},
        {OP_EXPIRE, 0, 1, true, 0, "persist: it is given with a new", 0},
        {OP_EXPIRE, -1, 0, false, 0, "negative", 0},
        {OP_EXPIRE, 0, -1, false, 0, "negative", 0},
        {OP_EXPIRE, INT64_MAX, 0, false, 0, "too large", 0},
        {OP_EXPIRE, 1, 0, false, 5, "when: there is no such value", 0},
        {OP_EXPIRE, 1, 0, false, -1, "when: there is no such value", 0},
        {OP_EXPIRE, 0, 0, true, 1, "when: it is given with persist", 0},
        {OP_GET_EX, 0, 0, false, 0, NULL, 0},
        {OP_GET_EX, 5, 0, false, 0, NULL, DECODING_NOW_MS + 5},
        {OP_GET_EX, 0, 5, false, 0, NULL, 5},
        {OP_GET_EX, 0, 0, true, 0, NULL, 0},
        {OP_GET_EX, 5, 0, false, 1, "when: it means nothing for GetEx", 0},
        {OP_GET_EX, 0, 5, true, 0, "persist: it is given with a new", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Keystore__V1__ExpireRequest message = KEYSTORE__V1__EXPIRE_REQUEST__INIT;
        struct decoding decoding;
        message.key = message_text("key");
        message.ttl_ms = cases[i].ttl_ms;
        message.expire_at_ms = cases[i].expire_at_ms;
        message.persist = cases[i].persist;
        message.when = (Keystore__V1__ExpireRequest__When)cases[i].when;
        message.db = 9;
        decoding_of(&decoding, DECODER(expire_request), cases[i].kind, &message);
        if (cases[i].refused != NULL) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, cases[i].refused);
            continue;
        }
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "key");
        assert_int_equal(decoding.op.db, 9);
        assert_true(decoding.op.expire_at_ms == cases[i].deadline);
        assert_int_equal(decoding.op.expire.persist, cases[i].persist);
        assert_int_equal(decoding.op.expire.when, cases[i].when);
        decoding_end(&decoding);
    }
}

static void test_the_numbers_of_when_are_the_stores(void **state)
{
    (void)state;
    assert_int_equal(KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_UNSPECIFIED, OP_ALWAYS);
    assert_int_equal(KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_NO_EXPIRY, OP_NO_EXPIRY);
    assert_int_equal(KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_HAS_EXPIRY, OP_HAS_EXPIRY);
    assert_int_equal(KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_LATER, OP_LATER);
    assert_int_equal(KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_SOONER, OP_SOONER);
}

static void test_copies_and_renames(void **state)
{
    (void)state;
    Keystore__V1__CopyRequest message = KEYSTORE__V1__COPY_REQUEST__INIT;
    struct decoding decoding;
    message.source = message_text("from");
    message.target = message_text("to");
    message.db = 3;
    for (int i = 0; i < 4; i++) { /* unset: the source's; 0 is a database like others */
        bool copy = i % 2 == 0, given = i >= 2;
        message.target_database_case = given ? KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE_TARGET_DB
                                             : KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE__NOT_SET;
        message.target_db = 0;
        message.replace = copy;
        message.absent_only = !copy;
        decoding_of(&decoding, DECODER(copy_request), copy ? OP_COPY : OP_RENAME, &message);
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "from");
        assert_is(decoding.op.target.bytes, "to");
        assert_int_equal(decoding.op.db, 3);
        assert_int_equal(decoding.op.target_db, given ? 0 : 3);
        assert_int_equal(decoding.op.copy.replace, copy);
        assert_int_equal(decoding.op.copy.absent_only, !copy);
        decoding_end(&decoding);
    }
    decoding_of(&decoding, DECODER(copy_request), OP_COPY, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "absent_only: it is for Rename");
    message.absent_only = false;
    message.replace = true;
    decoding_of(&decoding, DECODER(copy_request), OP_RENAME, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "replace: it is for Copy");
}

static void test_databases(void **state)
{
    (void)state;
    Keystore__V1__DbRequest message = KEYSTORE__V1__DB_REQUEST__INIT;
    struct decoding decoding;
    message.db = UINT32_MAX;
    decoding_of(&decoding, DECODER(db_request), OP_FLUSH_DB, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.db == UINT32_MAX);
    decoding_end(&decoding);
    Keystore__V1__SwapRequest swap = KEYSTORE__V1__SWAP_REQUEST__INIT;
    swap.db = 2;
    swap.other_db = UINT32_MAX;
    decoding_of(&decoding, DECODER(swap_request), OP_SWAP_DB, &swap);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.db, 2);
    assert_true(decoding.op.target_db == UINT32_MAX);
    decoding_end(&decoding);
}

/* ---- memory ---- */

#define MIB ((size_t)1024 * 1024)

/* A message of `count` keys of one byte, which the caller frees. */
static struct slice many_keys(size_t count)
{
    ProtobufCBinaryData *keys = malloc(count * sizeof *keys);
    Keystore__V1__Keys message = KEYSTORE__V1__KEYS__INIT;
    for (size_t i = 0; i < count; i++)
        keys[i] = message_text("k");
    message.keys = keys;
    message.n_keys = count;
    struct slice packed = message_pack(&message);
    free(keys);
    return packed;
}

static void test_what_a_request_unfolds_into_is_counted(void **state)
{
    (void)state;
    struct slice packed = many_keys(300000);
    struct decoding decoding;
    size_t before = account_used(),
           size = 300000 * (sizeof(ProtobufCBinaryData) + sizeof(struct op_key));
    decoding_begin(&decoding, DECODER(keys), OP_EXISTS, packed);
    assert_decoded(&decoding);
    assert_in_range(account_used() - before, size, size * 101 / 100);
    decoding_end(&decoding);
    assert_int_equal(account_used(), before);
    message_free_packed(packed);
}

/* Whichever step would take too much takes nothing. */
static void test_a_request_that_unfolds_too_far_is_refused(void **state)
{
    (void)state;
    struct slice packed = many_keys(300000);
    static const struct {
        size_t limit, taken;
    } cases[] = {{8 * MIB, 0}, {16 * MIB, 300000 * sizeof(ProtobufCBinaryData)}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decoding decoding;
        account_set_limit(cases[i].limit);
        decoding_begin(&decoding, DECODER(keys), OP_EXISTS, packed);
        assert_in_range(account_used(), cases[i].taken, cases[i].taken * 101 / 100);
        assert_refused(&decoding, ERR_TOO_LARGE, "--max-client-memory; send fewer elements");
        assert_int_equal(account_used(), 0);
    }
    account_set_limit(SIZE_MAX);
    message_free_packed(packed);
}

/* Each one fits into the limit, but not all at the same time. */
static void test_several_requests_share_the_limit(void **state)
{
    (void)state;
    enum { REQUESTS = 8 };
    struct slice packed = many_keys(100000);
    struct decoding decodings[REQUESTS];
    size_t done = 0;
    account_set_limit(16 * MIB);
    for (; done < REQUESTS; done++) {
        decoding_begin(&decodings[done], DECODER(keys), OP_EXISTS, packed);
        if (decodings[done].err != ERR_NONE)
            break;
        assert_true(account_used() <= 16 * MIB);
    }
    assert_int_equal(done, 4);
    assert_refused(&decodings[done], ERR_NO_CLIENT_MEMORY, "try again");
    for (size_t i = 0; i < done; i++)
        decoding_end(&decodings[i]);
    decoding_begin(&decodings[0], DECODER(keys), OP_EXISTS, packed);
    assert_decoded(&decodings[0]);
    decoding_end(&decodings[0]);
    assert_int_equal(account_used(), 0);
    account_set_limit(SIZE_MAX);
    message_free_packed(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_expirations),
        cmocka_unit_test(test_the_numbers_of_when_are_the_stores),
        cmocka_unit_test(test_copies_and_renames),
        cmocka_unit_test(test_databases),
        cmocka_unit_test(test_what_a_request_unfolds_into_is_counted),
        cmocka_unit_test(test_a_request_that_unfolds_too_far_is_refused),
        cmocka_unit_test(test_several_requests_share_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
