/* Tests of net/visit.c: the places of visitors while connections come and go. What is known of a
 * connection with a socket, and its end: tests/e2e/test_clients.py. */
#include "net/visit.h"

#include "net/connection_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 4

static struct net_shared *shared;
static struct net_connection connections[COUNT];

static int set_up(void **state)
{
    (void)state;
    shared = calloc(1, sizeof *shared);
    for (size_t i = 0; i < COUNT; i++)
        connections[i] = (struct net_connection){
            .shared = shared, .id = i + 1, .next = i + 1 < COUNT ? &connections[i + 1] : NULL};
    shared->first = &connections[0];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(shared->visits);
    free(shared);
    return 0;
}

/* As connection_close() does. */
static void close_connection(size_t index)
{
    struct net_connection **link = &shared->first;
    visit_on_close(&connections[index]);
    while (*link != &connections[index])
        link = &(*link)->next;
    *link = connections[index].next;
    connections[index].next = NULL;
}

static uint64_t next_id(struct net_visit *visit)
{
    const struct net_connection *connection = net_visit_next(visit);
    return connection != NULL ? net_connection_id(connection) : 0;
}

static void each_once(void **state)
{
    (void)state;
    struct net_visit visit;
    visit_begin(shared, &visit);
    for (uint64_t i = 1; i <= COUNT; i++)
        assert_int_equal(next_id(&visit), i);
    assert_int_equal(next_id(&visit), 0);
    assert_int_equal(next_id(&visit), 0);
    net_visit_end(&visit);
    net_visit_end(&visit);
}

static void a_visitor_goes_on_when_its_connection_closes(void **state)
{
    (void)state;
    struct net_visit one, two;
    visit_begin(shared, &one);
    visit_begin(shared, &two);
    assert_int_equal(next_id(&one), 1); /* the next one is 2, and 1 for the other visitor */
    close_connection(0);
    close_connection(1);
    assert_int_equal(next_id(&one), 3);
    assert_int_equal(next_id(&two), 3);
    close_connection(3);
    assert_int_equal(next_id(&one), 0);
    net_visit_end(&one);
    assert_int_equal(next_id(&two), 0);
    net_visit_end(&two);
}

static void those_that_are_closed_already_are_left_out(void **state)
{
    (void)state;
    struct net_visit visit;
    connections[0].ending = connections[2].ending = connections[3].ending = true;
    visit_begin(shared, &visit);
    assert_int_equal(next_id(&visit), 2);
    assert_int_equal(next_id(&visit), 0);
    net_visit_end(&visit);
}

static void a_visitor_outlives_the_loop(void **state)
{
    (void)state;
    struct net_visit visit, other;
    visit_begin(shared, &visit);
    visit_begin(shared, &other);
    net_visit_end_all(shared);
    assert_int_equal(next_id(&visit), 0);
    net_visit_end(&visit);
    net_visit_end(&other);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_once),
        TEST(a_visitor_goes_on_when_its_connection_closes),
        TEST(those_that_are_closed_already_are_left_out),
        TEST(a_visitor_outlives_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
