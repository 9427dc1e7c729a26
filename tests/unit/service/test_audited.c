/* Tests of service/audited.c: which operations of a Pipeline have an event. tests/e2e/test_audit.py
 * has the events of calls. */
#include "service/audited.h"

#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static size_t noted;

static void note(void *user, const struct audit_event *event)
{
    (void)user;
    (void)event;
    noted++;
}

/* What fails for another reason is no event, and without a sink nobody is asked. */
static void test_what_is_no_event(void **state)
{
    (void)state;
    const struct audit_sink sink = {.note = note};
    const struct service_options without = {.audit = NULL}, with = {.audit = &sink};
    const struct op_result forbidden = {.err = ERR_FORBIDDEN, .why = "no"};
    const struct op_result missing = {.err = ERR_BAD_ARGUMENT, .why = "no"};
    audited_note_operation(&without, NULL, NULL, OP_GET, &forbidden);
    audited_note_operation(&with, NULL, NULL, OP_GET, &missing);
    const struct grpc_outcome denied = {.code = GRPC_PERMISSION_DENIED};
    const struct grpc_outcome failed = {.code = GRPC_INTERNAL};
    audited_on_outcome(&without, NULL, &denied);
    audited_on_outcome(&with, NULL, &failed);
    assert_int_equal(noted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
