/* Tests of service/identity.c: the error messages of what is not allowed. */
#include "service/identity.h"

#include "access/users_file.h"
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_refusals(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    const char *text;
    struct arena arena;
    struct access *access =
        users_file_parse(SLICE_LITERAL("[user eve]\nallow = read keys=a*\n"), why);
    struct identity identity = {.access = access, .user = &access->users[0]};
    const struct grpc_principal *eve = &identity.principal;
    struct op get = {.kind = OP_GET, .key = SLICE_LITERAL("a1"), .db = 3};
    struct op set = {.kind = OP_SET, .key = SLICE_LITERAL("a1"), .db = 3};
    struct op random = {.kind = OP_RANDOM_KEY, .db = 2};
    const struct access_need channel = {.kinds = ACCESS_WRITE,
                                        .types = ACCESS_PUBSUB,
                                        .is_of_no_database = true,
                                        .key = SLICE_LITERAL("a1")};
    arena_init(&arena);
    assert_int_equal(identity_permit(NULL, &set, &arena, &text), ERR_NONE);
    assert_int_equal(identity_permit_need(NULL, &channel, "Publish", &arena, &text), ERR_NONE);
    assert_int_equal(identity_permit(eve, &get, &arena, &text), ERR_NONE);
    assert_int_equal(identity_permit(eve, &set, &arena, &text), ERR_FORBIDDEN);
    assert_string_equal(text, "Set needs `write` or `string` on a key in database 3, which no rule "
                              "of the user eve allows");
    assert_int_equal(identity_permit(eve, &random, &arena, &text), ERR_FORBIDDEN);
    assert_string_equal(text, "RandomKey needs `read` or `key` on all keys of database 2, which no "
                              "rule of the user eve allows");
    assert_int_equal(identity_permit_need(eve, &channel, "Publish", &arena, &text), ERR_FORBIDDEN);
    assert_string_equal(text, "Publish needs `write` or `pubsub` on the channel, which no rule of "
                              "the user eve allows");
    arena_deinit(&arena);
    access_release(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
