/*
 * Tests of service/streams/channels.c: who is counted and gets what, once and in order, when
 * workers are woken, what is dropped, and that all of it holds with publishers on other threads.
 */
#include "service/streams/channels.h"

#include "base/account.h"
#include "base/mem.h"
#include "service/streams/published.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORKERS 3
#define MOST    20000

struct fixture {
    struct channels *channels;
    atomic_int wakes[WORKERS];
    size_t used; /* of the account, at the start */
};

/* Keeps the payloads, which are numbers, and lets go of the messages. */
struct subscriber {
    struct channels_subscription subscription; /* first */
    uint64_t got[MOST], sequences[MOST];
    size_t count, flushed; /* messages, and how many had come when it was flushed */
    unsigned flushes;
};

static void wake(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->used = account_used();
    fixture->channels = channels_new(WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        channels_set_waker(fixture->channels, i, (struct waker){wake, &fixture->wakes[i]});
    *state = fixture;
    return 0;
}

/* Nothing is left of any message. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct channels_counts counts = channels_count(fixture->channels);
    assert_int_equal(counts.channels + counts.patterns + counts.subscriptions, 0);
    channels_free(fixture->channels);
    assert_int_equal(account_used(), fixture->used);
    free(fixture);
    return 0;
}

static bool receive(struct channels_subscription *subscription, struct published_delivery *delivery)
{
    struct subscriber *subscriber = (struct subscriber *)subscription;
    assert_true(subscriber->count < MOST);
    assert_int_equal(delivery->message->payload.len, 8);
    memcpy(&subscriber->got[subscriber->count], delivery->message->payload.data, 8);
    subscriber->sequences[subscriber->count] = delivery->message->sequence;
    return subscriber->count++ == subscriber->flushed;
}

static bool ignore(struct channels_subscription *subscription, struct published_delivery *delivery)
{
    (void)subscription;
    (void)delivery;
    return false;
}

static void flush(struct channels_subscription *subscription)
{
    struct subscriber *subscriber = (struct subscriber *)subscription;
    assert_true(subscriber->flushed < subscriber->count);
    subscriber->flushed = subscriber->count;
    subscriber->flushes++;
}

/* Subscribes to names and patterns, which are separated by spaces; a pattern has a *. */
static struct subscriber *subscribe(struct fixture *fixture, unsigned worker, const char *text)
{
    struct subscriber *subscriber = calloc(1, sizeof *subscriber);
    struct slice names[16], patterns[16];
    size_t name_count = 0, pattern_count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        struct slice word = slice_make(text, len);
        if (memchr(text, '*', len) != NULL)
            patterns[pattern_count++] = word;
        else
            names[name_count++] = word;
        text += len + (text[len] == ' ');
    }
    subscriber->subscription.receive = receive;
    subscriber->subscription.flush = flush;
    subscriber->subscription.connection = subscriber;
    subscriber->subscription.worker = worker;
    assert_true(channels_subscribe(fixture->channels, &subscriber->subscription, names, name_count,
                                   patterns, pattern_count));
    return subscriber;
}

static void unsubscribe(struct fixture *fixture, struct subscriber *subscriber)
{
    channels_unsubscribe(fixture->channels, &subscriber->subscription);
    channels_unsubscribe(fixture->channels, &subscriber->subscription); /* does nothing */
    free(subscriber);
}

static uint64_t publish(struct channels *channels, const char *channel, uint64_t number)
{
    struct slice name = slice_from_string(channel), payload = slice_make(&number, sizeof number);
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)published_memory(name, payload, NULL, WORKERS));
    struct published *message = published_new(name, payload, NULL, WORKERS);
    uint64_t count = channels_publish(channels, message);
    published_release(message);
    return count;
}

static void deliver_all(struct fixture *fixture)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        int wakes;
        do { /* a turn that is not the last wakes the worker */
            wakes = atomic_load(&fixture->wakes[i]);
            channels_deliver(fixture->channels, i);
        } while (atomic_load(&fixture->wakes[i]) > wakes);
    }
}

static void assert_got(const struct subscriber *subscriber, size_t count, const uint64_t *numbers)
{
    assert_int_equal(subscriber->count, count);
    assert_int_equal(subscriber->flushed, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(subscriber->got[i], numbers[i]);
}

static void test_who_gets_what(void **state)
{
    struct fixture *fixture = *state;
    assert_false(channels_has_subscriptions(fixture->channels));
    struct subscriber *a = subscribe(fixture, 0, "a"), *ab = subscribe(fixture, 1, "a b b a"),
                      *all = subscribe(fixture, 1, "* b a* *a"), *as = subscribe(fixture, 2, "a*");
    assert_true(channels_has_subscriptions(fixture->channels));
    struct channels_counts counts = channels_count(fixture->channels);
    assert_int_equal(counts.channels, 2);
    assert_int_equal(counts.patterns, 3);
    assert_int_equal(counts.subscriptions, 4);
    assert_int_equal(publish(fixture->channels, "a", 1), 4);
    assert_int_equal(publish(fixture->channels, "b", 2), 2);
    assert_int_equal(publish(fixture->channels, "aa", 3), 2);
    assert_int_equal(publish(fixture->channels, "c", 4), 1);
    assert_int_equal(publish(fixture->channels, "", 5), 1);
    deliver_all(fixture);
    assert_got(a, 1, (const uint64_t[]){1});
    assert_got(ab, 2, (const uint64_t[]){1, 2});
    assert_got(all, 5, (const uint64_t[]){1, 2, 3, 4, 5});
    assert_got(as, 2, (const uint64_t[]){1, 3});
    unsubscribe(fixture, all);
    assert_int_equal(publish(fixture->channels, "c", 6), 0);
    assert_int_equal(publish(fixture->channels, "b", 6), 1);
    unsubscribe(fixture, a);
    unsubscribe(fixture, ab);
    unsubscribe(fixture, as);
    deliver_all(fixture);
}

/* A worker is woken once for all that is published before it looks. */
static void test_wakes(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *zero = subscribe(fixture, 0, "c"), *one = subscribe(fixture, 1, "c");
    for (uint64_t i = 0; i < 10; i++)
        publish(fixture->channels, "c", i);
    assert_int_equal(fixture->wakes[0], 1);
    assert_int_equal(fixture->wakes[1], 1);
    assert_int_equal(fixture->wakes[2], 0);
    channels_deliver(fixture->channels, 0);
    assert_int_equal(zero->count, 10);
    assert_int_equal(one->count, 0);
    publish(fixture->channels, "c", 10);
    assert_int_equal(fixture->wakes[0], 2);
    assert_int_equal(fixture->wakes[1], 1);
    deliver_all(fixture);
    assert_int_equal(one->count, 11);
    unsubscribe(fixture, zero);
    unsubscribe(fixture, one);
}

/* Not what was published before, even if it has not been passed on yet. */
static void test_who_comes_and_goes_amid_messages(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *first = subscribe(fixture, 0, "c"), *gone = subscribe(fixture, 0, "c");
    assert_int_equal(publish(fixture->channels, "c", 1), 2);
    struct subscriber *later = subscribe(fixture, 0, "c c*");
    assert_int_equal(publish(fixture->channels, "c", 2), 3);
    unsubscribe(fixture, gone);
    assert_int_equal(publish(fixture->channels, "c", 3), 2);
    deliver_all(fixture);
    assert_got(first, 3, (const uint64_t[]){1, 2, 3});
    assert_got(later, 2, (const uint64_t[]){2, 3});
    /* All are gone, and somebody new comes, while a message waits. */
    publish(fixture->channels, "c", 4);
    unsubscribe(fixture, first);
    unsubscribe(fixture, later);
    later = subscribe(fixture, 0, "c");
    deliver_all(fixture);
    assert_got(later, 0, NULL);
    unsubscribe(fixture, later);
}

/* A turn writes to some of the connections; what comes for the others is written together. */
static void test_connections_are_written_in_turns(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *all[1000];
    for (size_t i = 0; i < 1000; i++)
        all[i] = subscribe(fixture, 0, "c");
    assert_int_equal(publish(fixture->channels, "c", 7), 1000);
    channels_deliver(fixture->channels, 0);
    size_t reached = 0;
    while (reached < 1000 && all[reached]->flushes == 1)
        reached++;
    assert_in_range(reached, 50, 500);
    assert_int_equal(fixture->wakes[0], 2);
    publish(fixture->channels, "c", 8);
    unsubscribe(fixture, all[reached]); /* the next one */
    unsubscribe(fixture, all[reached - 1]);
    unsubscribe(fixture, all[999]);
    deliver_all(fixture);
    for (size_t i = 0; i < 999; i++) {
        if (i == reached || i == reached - 1)
            continue;
        assert_int_equal(all[i]->flushed, 2);
        assert_int_equal(all[i]->flushes, i < reached ? 2 : 1);
        unsubscribe(fixture, all[i]);
    }
}

static void test_a_connection_is_written_once(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *all[1000];
    for (size_t i = 0; i < 1000; i++) {
        all[i] = subscribe(fixture, 0, "c");
        all[i]->subscription.connection = all[i - i % 100];
    }
    publish(fixture->channels, "c", 7);
    channels_deliver(fixture->channels, 0);
    assert_int_equal(fixture->wakes[0], 1);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(all[i]->flushes, 1);
        unsubscribe(fixture, all[i]);
    }
}

/* A message with many subscriptions is passed on in several turns, between which they may end. */
static void test_a_message_takes_several_turns(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 50000 };
    struct channels_subscription *all = calloc(COUNT, sizeof *all);
    struct slice name = SLICE_LITERAL("c");
    size_t seen = 0;
    for (size_t i = 0; i < COUNT; i++) {
        all[i].receive = ignore;
        channels_subscribe(fixture->channels, &all[i], &name, 1, NULL, 0);
    }
    assert_int_equal(publish(fixture->channels, "c", 7), COUNT);
    channels_deliver(fixture->channels, 0);
    while (seen < COUNT && all[seen].seen == 1)
        seen++;
    assert_in_range(seen, 1000, COUNT - 1000);
    channels_unsubscribe(fixture->channels, &all[seen]); /* the next one */
    channels_unsubscribe(fixture->channels, &all[seen - 1]);
    channels_unsubscribe(fixture->channels, &all[COUNT - 1]);
    deliver_all(fixture);
    for (size_t i = 0; i < COUNT - 1; i++) {
        assert_int_equal(all[i].seen, i != seen);
        channels_unsubscribe(fixture->channels, &all[i]);
    }
    free(all);
}

static void test_sequence_numbers(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *pattern = subscribe(fixture, 1, "*");
    uint64_t last = 0;
    for (size_t round = 0; round < 3; round++) {
        publish(fixture->channels, "c", 1);
        struct subscriber *named = subscribe(fixture, 0, "c");
        publish(fixture->channels, "other", 2);
        for (uint64_t i = 0; i < 3; i++)
            publish(fixture->channels, "c", i);
        publish(fixture->channels, "other", 2);
        publish(fixture->channels, "c", 3);
        deliver_all(fixture);
        assert_int_equal(named->count, 4);
        for (size_t i = 1; i < 4; i++)
            assert_int_equal(named->sequences[i], named->sequences[0] + i);
        assert_true(named->sequences[0] > last);
        last = named->sequences[3];
        unsubscribe(fixture, named);
    }
    publish(fixture->channels, "c", 4);
    deliver_all(fixture);
    assert_true(pattern->sequences[pattern->count - 1] > last);
    unsubscribe(fixture, pattern);
}

/* A worker that does not look loses the oldest, and its subscriptions know how many. */
static void test_a_queue_has_a_limit(void **state)
{
    struct fixture *fixture = *state;
    struct subscriber *one = subscribe(fixture, 0, "c c*"), *two = subscribe(fixture, 0, "d");
    for (uint64_t i = 0; i < 100; i++)
        publish(fixture->channels, "c", i);
    struct subscriber *late = subscribe(fixture, 0, "c");
    for (uint64_t i = 100; i < CHANNELS_QUEUE + 150; i++)
        assert_int_equal(publish(fixture->channels, "c", i), 2);
    assert_int_equal(one->subscription.lost, 150);
    assert_int_equal(two->subscription.lost, 0);
    assert_int_equal(late->subscription.lost, 50);
    deliver_all(fixture);
    assert_int_equal(one->count, CHANNELS_QUEUE);
    for (size_t i = 0; i < CHANNELS_QUEUE; i++)
        assert_int_equal(one->got[i], i + 150);
    assert_int_equal(late->count, CHANNELS_QUEUE);
    unsubscribe(fixture, one);
    unsubscribe(fixture, two);
    unsubscribe(fixture, late);
}

static void test_many_channels(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 5000 };
    struct channels_subscription *all = calloc(COUNT, sizeof *all);
    char name[24];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "channel %d", i);
        struct slice slice = slice_from_string(name);
        all[i].receive = receive;
        channels_subscribe(fixture->channels, &all[i], &slice, 1, NULL, 0);
    }
    assert_int_equal(channels_count(fixture->channels).channels, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        channels_unsubscribe(fixture->channels, &all[i]);
    struct slice *names = calloc(COUNT, sizeof *names);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "channel %d", i);
        names[i] = slice_make(strdup(name), strlen(name));
    }
    channels_subscribe(fixture->channels, &all[0], names, COUNT, NULL, 0);
    assert_int_equal(channels_count(fixture->channels).channels, COUNT);
    channels_unsubscribe(fixture->channels, &all[0]);
    assert_int_equal(channels_count(fixture->channels).channels, COUNT / 2);
    for (int i = 1; i < COUNT; i += 2)
        channels_unsubscribe(fixture->channels, &all[i]);
    for (int i = 0; i < COUNT; i++)
        free((void *)names[i].data);
    free(names);
    free(all);
}

static void test_patterns_have_a_limit(void **state)
{
    struct fixture *fixture = *state;
    struct channels_subscription most = {.receive = ignore}, one = most;
    struct slice *patterns = calloc(CHANNELS_PATTERNS, sizeof *patterns);
    uint16_t *texts = calloc(CHANNELS_PATTERNS, sizeof *texts);
    for (size_t i = 0; i < CHANNELS_PATTERNS; i++) {
        texts[i] = (uint16_t)i;
        patterns[i] = slice_make(&texts[i], sizeof texts[i]);
    }
    assert_true(channels_memory(fixture->channels, patterns, CHANNELS_PATTERNS) >
                CHANNELS_PATTERNS * 100);
    assert_true(channels_subscribe(fixture->channels, &most, NULL, 0, patterns, CHANNELS_PATTERNS));
    assert_false(channels_subscribe(fixture->channels, &one, NULL, 0, patterns, 1));
    assert_true(channels_subscribe(fixture->channels, &one, patterns, 1, NULL, 0));
    channels_unsubscribe(fixture->channels, &one);
    channels_unsubscribe(fixture->channels, &most);
    assert_true(channels_subscribe(fixture->channels, &one, NULL, 0, patterns, 1));
    channels_unsubscribe(fixture->channels, &one);
    free(patterns);
    free(texts);
}

/* ---- publishers on other threads ---- */

#define PUBLISHERS 3
#define EACH       2000

struct publisher {
    pthread_t thread;
    struct channels *channels;
    uint64_t number;
};

static void *run_publisher(void *user)
{
    struct publisher *publisher = user;
    for (uint64_t i = 0; i < EACH; i++)
        publish(publisher->channels, i % 3 == 0 ? "d" : "c", publisher->number << 32 | i);
    return NULL;
}

/* Each publisher's in its order; numbers ascend by one; subscriptions come and go meanwhile. */
static void test_publishers_on_threads(void **state)
{
    struct fixture *fixture = *state;
    struct publisher publishers[PUBLISHERS];
    struct subscriber *named = subscribe(fixture, 0, "c"), *all = subscribe(fixture, 1, "*");
    for (uint64_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.channels = fixture->channels, .number = i};
        pthread_create(&publishers[i].thread, NULL, run_publisher, &publishers[i]);
    }
    for (size_t i = 0; i < 300; i++) {
        struct subscriber *passing = subscribe(fixture, 0, i % 2 == 0 ? "c" : "c* d");
        channels_deliver(fixture->channels, 0);
        channels_deliver(fixture->channels, 1);
        unsubscribe(fixture, passing);
    }
    for (uint64_t i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    deliver_all(fixture);
    assert_int_equal(all->count + all->subscription.lost, PUBLISHERS * EACH);
    uint64_t next[PUBLISHERS] = {0};
    for (size_t i = 0; i < all->count; i++) {
        uint64_t number = all->got[i] >> 32, at = all->got[i] & UINT32_MAX;
        assert_true(at >= next[number]);
        next[number] = at + 1;
    }
    for (size_t i = 1; i < named->count && named->subscription.lost == 0; i++)
        assert_int_equal(named->sequences[i], named->sequences[i - 1] + 1);
    unsubscribe(fixture, named);
    unsubscribe(fixture, all);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_gets_what),
        TEST(test_wakes),
        TEST(test_who_comes_and_goes_amid_messages),
        TEST(test_connections_are_written_in_turns),
        TEST(test_a_connection_is_written_once),
        TEST(test_a_message_takes_several_turns),
        TEST(test_sequence_numbers),
        TEST(test_a_queue_has_a_limit),
        TEST(test_many_channels),
        TEST(test_patterns_have_a_limit),
        TEST(test_publishers_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
