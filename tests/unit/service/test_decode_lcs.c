/* Tests of service/decode_lcs.c: the request of Lcs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/decoding.h"

static void test_the_request(void **state)
{
    (void)state;
    Keystore__V1__LcsRequest message = KEYSTORE__V1__LCS_REQUEST__INIT;
    struct decoding decoding;
    message.key = message_text("one");
    message.other_key = message_text("other");
    message.db = 7;
    decoding_of(&decoding, DECODER(lcs_request), OP_LCS, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "one");
    assert_is(decoding.op.target.bytes, "other");
    assert_int_equal(decoding.op.db, 7);
    assert_int_equal(decoding.op.target_db, 7);
    assert_false(decoding.op.lcs.want_string || decoding.op.lcs.want_matches);
    decoding_end(&decoding);
    message.want_string = true;
    message.want_matches = true;
    message.min_match_length = UINT64_MAX;
    decoding_of(&decoding, DECODER(lcs_request), OP_LCS, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.lcs.want_string && decoding.op.lcs.want_matches);
    assert_true(decoding.op.lcs.min_match == UINT64_MAX);
    decoding_end(&decoding);
    message.want_matches = false;
    decoding_of(&decoding, DECODER(lcs_request), OP_LCS, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT,
                   "min_match_length: it is given without want_matches");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_request)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
