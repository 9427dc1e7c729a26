/* Tests of service/streams/leases.c: who names the same list of the same data shares the count. */
#include "service/streams/leases.h"

#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_users_of_a_list_share_its_leases(void **state)
{
    (void)state;
    static const struct engine one, other;
    struct leases *a = leases_enter(&one, 0, SLICE_LITERAL("list"));
    atomic_fetch_add(&a->count, 3);
    struct leases *b = leases_enter(&one, 0, SLICE_LITERAL("list"));
    assert_ptr_equal(a, b);
    struct leases *others[] = {leases_enter(&one, 0, SLICE_LITERAL("lists")),
                               leases_enter(&one, 1, SLICE_LITERAL("list")),
                               leases_enter(&other, 0, SLICE_LITERAL("list"))};
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_not_equal(others[i], a);
        assert_int_equal(others[i]->count, 0);
        leases_leave(others[i]);
    }
    leases_leave(a);
    assert_int_equal(b->count, 3);
    leases_leave(b);
    a = leases_enter(&one, 0, SLICE_LITERAL("list"));
    assert_int_equal(a->count, 0);
    leases_leave(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_of_a_list_share_its_leases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
