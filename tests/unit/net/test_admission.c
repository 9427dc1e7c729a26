/* Tests of net/admission.c: both limits, which peers count as one address, and concurrent threads.
 */
#include "net/admission.h"

#include "base/log_limit.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  20000

static struct net_peer peer_of(int family, const char *text)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                 : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    assert_int_equal(inet_pton(family, text, at), 1);
    return net_peer_of(&address);
}

/* What the next log line reports; the clock advances so that one is due. */
static uint64_t take_refused(struct net_admission *admission)
{
    static int64_t now_ms = 1;
    struct net_admission_refused refused = {0};
    now_ms += LOG_LIMIT_SPAN_MS;
    bool due = net_admission_take_refused(admission, now_ms, &refused);
    assert_int_equal(due, refused.all > 0);
    return refused.all;
}

static void test_the_limit_of_all(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(3, 0);
    struct net_peer peer = peer_of(AF_INET, "127.0.0.1");
    for (int i = 0; i < 3; i++)
        assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    net_admission_leave(admission, &peer);
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    net_admission_free(admission);
}

static void assert_counts(struct net_admission *admission, uint32_t open, uint64_t admitted,
                          uint64_t refused)
{
    struct net_admission_counts counts = net_admission_counts(admission);
    assert_int_equal(counts.open, open);
    assert_int_equal(counts.admitted, admitted);
    assert_int_equal(counts.refused, refused);
}

static void test_counts(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(2, 0);
    struct net_peer peer = peer_of(AF_INET, "127.0.0.1");
    assert_counts(admission, 0, 0, 0);
    assert_true(net_admission_enter(admission, &peer));
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    assert_counts(admission, 2, 2, 1);
    assert_int_equal(take_refused(admission), 1);
    assert_int_equal(take_refused(admission), 0);
    net_admission_leave(admission, &peer);
    assert_counts(admission, 1, 2, 1);
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    assert_counts(admission, 2, 3, 2);
    assert_int_equal(take_refused(admission), 1);
    net_admission_free(admission);
}

static void test_the_limit_of_an_address(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(100, 2);
    struct net_peer one = peer_of(AF_INET, "127.0.0.1"), other = peer_of(AF_INET6, "::1");
    assert_true(net_admission_enter(admission, &one));
    assert_true(net_admission_enter(admission, &one));
    assert_false(net_admission_enter(admission, &one));
    assert_true(net_admission_enter(admission, &other));
    net_admission_leave(admission, &one);
    assert_true(net_admission_enter(admission, &one));
    assert_false(net_admission_enter(admission, &one));
    assert_true(net_admission_enter(admission, &other));
    assert_false(net_admission_enter(admission, &other));
    net_admission_free(admission);
}

/* A connection refused for its address does not count towards the other limit, and vice versa. */
static void test_a_refused_connection_counts_nowhere(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(2, 1);
    struct net_peer one = peer_of(AF_INET, "10.0.0.1"), two = peer_of(AF_INET, "10.0.0.2"),
                    three = peer_of(AF_INET, "10.0.0.3");
    assert_true(net_admission_enter(admission, &one));
    for (int i = 0; i < 10; i++)
        assert_false(net_admission_enter(admission, &one));
    assert_true(net_admission_enter(admission, &two));
    assert_false(net_admission_enter(admission, &three));
    net_admission_leave(admission, &two);
    assert_true(net_admission_enter(admission, &three));
    net_admission_free(admission);
}

static void test_unix_sockets_have_no_address(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(5, 1);
    const struct sockaddr_storage address = {.ss_family = AF_UNIX}, none = {0};
    struct net_peer peer = net_peer_of(&address);
    assert_false(peer.is_counted);
    assert_false(net_peer_of(&none).is_counted);
    for (int i = 0; i < 5; i++)
        assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    for (int i = 0; i < 5; i++)
        net_admission_leave(admission, &peer);
    assert_true(net_admission_enter(admission, &peer));
    net_admission_free(admission);
}

static void test_refusals_are_reported_once(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(2, 1);
    struct net_peer peer = peer_of(AF_INET, "127.0.0.1");
    assert_int_equal(take_refused(admission), 0);
    assert_true(net_admission_enter(admission, &peer));
    for (int i = 0; i < 7; i++)
        assert_false(net_admission_enter(admission, &peer));
    assert_int_equal(take_refused(admission), 7);
    assert_int_equal(take_refused(admission), 0);
    net_admission_free(admission);
}

static void test_refusals_are_reported_by_reason(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(3, 2);
    struct net_peer one = peer_of(AF_INET, "127.0.0.1"), other = peer_of(AF_INET, "127.0.0.2");
    struct net_admission_refused refused;
    assert_true(net_admission_enter(admission, &one));
    assert_true(net_admission_enter(admission, &one));
    assert_false(net_admission_enter(admission, &one));
    assert_true(net_admission_take_refused(admission, 1, &refused));
    assert_int_equal(refused.all, 1);
    assert_int_equal(refused.per_address, 1);
    assert_memory_equal(refused.last.address, one.address, sizeof one.address);
    assert_true(net_admission_enter(admission, &other));
    assert_false(net_admission_enter(admission, &other));
    assert_false(net_admission_take_refused(admission, LOG_LIMIT_SPAN_MS, &refused)); /* too soon */
    assert_true(net_admission_take_refused(admission, LOG_LIMIT_SPAN_MS + 1, &refused));
    assert_int_equal(refused.all, 1);
    assert_int_equal(refused.per_address, 0);
    assert_memory_equal(refused.last.address, other.address, sizeof other.address);
    assert_int_equal(net_admission_counts(admission).refused_per_address, 1);
    net_admission_free(admission);
}

static void test_the_limit_changes_below_the_cap(void **state)
{
    (void)state;
    const struct net_peer peer = {.port = 1};
    struct net_admission *admission = net_admission_new(5, 0);
    net_admission_cap(admission, 3);
    assert_int_equal(net_admission_counts(admission).max_open, 3);
    net_admission_set_max(admission, 1);
    assert_int_equal(net_admission_counts(admission).max_open, 1);
    assert_false(net_admission_counts(admission).capped);
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    net_admission_set_max(admission, 100);
    assert_int_equal(net_admission_counts(admission).max_open, 3);
    assert_true(net_admission_counts(admission).capped);
    assert_true(net_admission_enter(admission, &peer));
    assert_int_equal(net_admission_next_id(admission), 1);
    assert_int_equal(net_admission_next_id(admission), 2);
    net_admission_leave(admission, &peer);
    net_admission_leave(admission, &peer);
    net_admission_free(admission);
}

static void test_the_cap_only_lowers(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(3, 0);
    struct net_peer peer = peer_of(AF_INET, "127.0.0.1");
    net_admission_cap(admission, 4);
    assert_false(net_admission_counts(admission).capped);
    net_admission_cap(admission, 1);
    assert_true(net_admission_counts(admission).capped);
    assert_int_equal(net_admission_counts(admission).max_open, 1);
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    net_admission_free(admission);
}

static void test_pauses_are_counted_and_rarely_logged(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(3, 0);
    assert_true(net_admission_note_pause(admission, 5));
    assert_false(net_admission_note_pause(admission, 6));
    assert_true(net_admission_note_pause(admission, 5 + LOG_LIMIT_SPAN_MS));
    assert_int_equal(net_admission_counts(admission).pauses, 3);
    net_admission_free(admission);
}

static struct net_peer numbered_peer(uint32_t number)
{
    struct net_peer peer = {.is_counted = true};
    memcpy(peer.address + 12, &number, sizeof number);
    return peer;
}

/* More addresses than the table has buckets. */
static void test_many_addresses(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(100000, 1);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct net_peer peer = numbered_peer(i);
            assert_true(net_admission_enter(admission, &peer));
            assert_false(net_admission_enter(admission, &peer));
        }
        for (uint32_t i = 0; i < 5000; i++) {
            struct net_peer peer = numbered_peer(round == 0 ? i : 4999 - i);
            net_admission_leave(admission, &peer);
        }
    }
    net_admission_free(admission);
    net_admission_free(NULL);
}

/* Addresses without connections take no memory. (Not measurable under a sanitizer.) */
static void test_addresses_without_connections_are_forgotten(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(100, 1);
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < 20000; i++) {
        struct net_peer peer = numbered_peer(i);
        assert_true(net_admission_enter(admission, &peer));
        net_admission_leave(admission, &peer);
    }
    assert_true(mallinfo2().uordblks <= before + 1000);
    net_admission_free(admission);
}

/* What the threads share. */
static struct net_admission *shared;
static atomic_int inside, most_inside, refused;

static void *come_and_go(void *user)
{
    struct net_peer peer = numbered_peer(*(uint32_t *)user % 2);
    for (int i = 0; i < ROUNDS; i++) {
        if (!net_admission_enter(shared, &peer)) {
            atomic_fetch_add(&refused, 1);
            continue;
        }
        int now = atomic_fetch_add(&inside, 1) + 1;
        int most = atomic_load(&most_inside);
        while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
            continue;
        atomic_fetch_sub(&inside, 1);
        net_admission_leave(shared, &peer);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    shared = net_admission_new(2, 1);
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(most_inside <= 2);
    assert_int_equal(take_refused(shared), refused);
    struct net_peer one = numbered_peer(0), other = numbered_peer(1);
    assert_true(net_admission_enter(shared, &one)); /* all have left */
    assert_true(net_admission_enter(shared, &other));
    net_admission_free(shared);
}

/* Neither they nor the others count for each other's limits. */
static void test_probes(void **state)
{
    (void)state;
    struct net_admission *admission = net_admission_new(1, 1);
    struct net_peer peer = peer_of(AF_INET, "127.0.0.1");
    for (int i = 0; i < NET_PROBE_CONNECTIONS; i++)
        assert_true(net_admission_enter_probe(admission, &peer));
    assert_false(net_admission_enter_probe(admission, &peer));
    assert_true(net_admission_enter(admission, &peer));
    assert_false(net_admission_enter(admission, &peer));
    struct net_admission_counts counts = net_admission_counts(admission);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.probes, NET_PROBE_CONNECTIONS);
    assert_int_equal(counts.admitted, NET_PROBE_CONNECTIONS + 1);
    assert_int_equal(counts.refused, 2);
    assert_int_equal(counts.refused_probes, 1);
    net_admission_leave_probe(admission);
    assert_false(net_admission_enter(admission, &peer));
    assert_true(net_admission_enter_probe(admission, &peer));
    net_admission_leave(admission, &peer);
    assert_true(net_admission_enter(admission, &peer));
    net_admission_leave(admission, &peer);
    net_admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_the_limit_of_all),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_the_limit_of_an_address),
        cmocka_unit_test(test_a_refused_connection_counts_nowhere),
        cmocka_unit_test(test_unix_sockets_have_no_address),
        cmocka_unit_test(test_refusals_are_reported_once),
        cmocka_unit_test(test_refusals_are_reported_by_reason),
        cmocka_unit_test(test_the_cap_only_lowers),
        cmocka_unit_test(test_the_limit_changes_below_the_cap),
        cmocka_unit_test(test_pauses_are_counted_and_rarely_logged),
        cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_addresses_without_connections_are_forgotten),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
