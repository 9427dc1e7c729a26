/* Tests of server/roster.c: visits that outlive their loop. Connections with sockets:
 * tests/e2e/test_clients.py. */
#include "server/roster.h"

#include "net/admission.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_visit_outlives_the_loop(void **state)
{
    (void)state;
    const struct net_protocol protocol = {0};
    struct client_entry entry;
    struct net_admission *admission = net_admission_new(1, 0);
    struct net_loop *loop = net_loop_new(&protocol, admission, &net_default_limits);
    struct clients_source source = roster_source(loop);
    void *first = source.begin(source.user), *second = source.begin(source.user);
    assert_false(source.next(first, &entry));
    source.end(first);
    net_loop_free(loop);
    assert_false(source.next(second, &entry));
    source.end(second);
    net_admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_visit_outlives_the_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
