/* Tests of store/receipts.c: claims, limits, what survives a restart, and many threads. */
#include "store/receipts.h"

#include "base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define NOW INT64_C(1700000000000)

static struct receipts *new_receipts(size_t count, size_t bytes)
{
    struct receipts_options options = {
        .most_count = count, .most_bytes = bytes, .age_ms = RECEIPTS_DEFAULT_AGE_MS};
    return receipts_new(&options);
}

static void count_wake(void *user)
{
    ++*(size_t *)user;
}

/* A call. */
struct call {
    struct receipts_claim claim;
    struct receipts_waiter waiter;
    size_t woken;
};

static enum receipts_answer claim_at(struct receipts *receipts, struct call *call, struct slice id,
                                     uint64_t print, int64_t now_ms)
{
    call->waiter.waker = (struct waker){count_wake, &call->woken};
    call->claim.id = id;
    call->claim.print = (struct receipts_print){.high = 7, .low = print};
    call->claim.now_ms = now_ms;
    call->claim.waiter = &call->waiter;
    buf_init(&call->claim.reply, RECEIPTS_MOST_REPLY);
    return receipts_claim(receipts, &call->claim);
}

/* A call of which only the answer matters; a claim is released. */
static enum receipts_answer ask(struct receipts *receipts, const char *id, uint64_t print)
{
    struct call call = {0};
    enum receipts_answer answer = claim_at(receipts, &call, slice_from_string(id), print, NOW);
    if (answer == RECEIPTS_NEW)
        receipts_release(receipts, call.claim.receipt);
    receipts_leave(&call.waiter);
    buf_deinit(&call.claim.reply);
    return answer;
}

/* With `record`, as a commit. */
static void write_once(struct receipts *receipts, struct slice id, struct slice reply,
                       uint64_t revision, struct buf *record)
{
    struct call call = {0};
    assert_int_equal(claim_at(receipts, &call, id, 1, NOW), RECEIPTS_NEW);
    receipts_keep(receipts, call.claim.receipt, NOW, revision, &reply, record);
}

static void assert_repeated(struct receipts *receipts, struct slice id, struct slice reply,
                            uint64_t revision)
{
    struct call call = {0};
    assert_int_equal(claim_at(receipts, &call, id, 1, NOW), RECEIPTS_REPEATED);
    assert_true(call.claim.has_reply);
    assert_true(slice_equal(buf_slice(&call.claim.reply), reply));
    assert_int_equal(call.claim.revision, revision);
    buf_deinit(&call.claim.reply);
}

static void test_a_kept_reply_is_repeated(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(1000, 1 << 20);
    write_once(receipts, SLICE_LITERAL("a"), SLICE_LITERAL("reply"), 5, NULL);
    write_once(receipts, SLICE_LITERAL("empty"), SLICE_LITERAL(""), 6, NULL);
    for (int i = 0; i < 3; i++) {
        assert_repeated(receipts, SLICE_LITERAL("a"), SLICE_LITERAL("reply"), 5);
        assert_repeated(receipts, SLICE_LITERAL("empty"), SLICE_LITERAL(""), 6);
    }
    assert_int_equal(ask(receipts, "a", 2), RECEIPTS_OTHER);
    assert_int_equal(ask(receipts, "b", 1), RECEIPTS_NEW);
    assert_int_equal(ask(receipts, "b", 1), RECEIPTS_NEW); /* it was released */
    struct receipts_stats stats = receipts_stats(receipts);
    assert_int_equal(stats.kept, 2);
    assert_int_equal(stats.repeated, 6);
    receipts_free(receipts);
}

static void test_a_long_reply_is_known_to_be_one(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(1000, 1 << 20);
    struct call call = {0}, again = {0};
    assert_int_equal(claim_at(receipts, &call, SLICE_LITERAL("a"), 1, NOW), RECEIPTS_NEW);
    receipts_keep(receipts, call.claim.receipt, NOW, 9, NULL, NULL);
    assert_int_equal(claim_at(receipts, &again, SLICE_LITERAL("a"), 1, NOW), RECEIPTS_REPEATED);
    assert_false(again.claim.has_reply);
    assert_int_equal(again.claim.revision, 9);
    buf_deinit(&again.claim.reply);
    receipts_free(receipts);
}

static void test_others_wait_for_the_end_of_a_claim(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(1000, 1 << 20);
    struct slice id = SLICE_LITERAL("a");
    struct call first = {0}, second = {0}, third = {0}, gone = {0};
    assert_int_equal(claim_at(receipts, &first, id, 1, NOW), RECEIPTS_NEW);
    assert_int_equal(ask(receipts, "a", 2), RECEIPTS_OTHER);
    assert_int_equal(claim_at(receipts, &gone, id, 1, NOW), RECEIPTS_BUSY);
    assert_int_equal(claim_at(receipts, &second, id, 1, NOW), RECEIPTS_BUSY);
    assert_int_equal(claim_at(receipts, &third, id, 1, NOW), RECEIPTS_BUSY);
    assert_int_equal(claim_at(receipts, &second, id, 1, NOW), RECEIPTS_BUSY); /* asked again */
    receipts_leave(&gone.waiter);
    receipts_release(receipts, first.claim.receipt);
    assert_int_equal(gone.woken, 0);
    assert_int_equal(second.woken, 1);
    assert_int_equal(third.woken, 1);
    assert_int_equal(claim_at(receipts, &second, id, 1, NOW), RECEIPTS_NEW);
    assert_int_equal(claim_at(receipts, &third, id, 1, NOW), RECEIPTS_BUSY);
    struct slice reply = SLICE_LITERAL("reply");
    receipts_keep(receipts, second.claim.receipt, NOW, 3, &reply, NULL);
    assert_int_equal(third.woken, 2);
    assert_repeated(receipts, id, reply, 3);
    receipts_leave(&third.waiter);
    receipts_leave(&second.waiter);
    receipts_free(receipts);
}

static void test_the_oldest_are_dropped(void **state)
{
    (void)state;
    enum { MOST = 100, ALL = 1000 };
    struct receipts *receipts = new_receipts(MOST, 1 << 20);
    char id[20];
    for (int i = 0; i < ALL; i++) {
        snprintf(id, sizeof id, "id %d", i);
        write_once(receipts, slice_from_string(id), SLICE_LITERAL("reply"), 1, NULL);
        assert_true(receipts_stats(receipts).kept <= MOST);
    }
    assert_int_equal(receipts_stats(receipts).dropped, ALL - MOST);
    for (int i = 0; i < ALL; i++) {
        snprintf(id, sizeof id, "id %d", i);
        assert_int_equal(ask(receipts, id, 1), i < ALL - MOST ? RECEIPTS_NEW : RECEIPTS_REPEATED);
    }
    receipts_free(receipts);
}

/* With replies of random sizes, and calls that are open all the while. */
static void test_a_flood_stays_within_the_memory(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t most = 1 << 20;
    struct receipts *receipts = new_receipts(1000000, most);
    struct call *open = mem_alloc_zero(100 * sizeof *open);
    uint8_t *reply = mem_alloc_zero(RECEIPTS_MOST_REPLY);
    char id[RECEIPTS_MOST_ID + 1];
    for (size_t i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "open %zu", i);
        assert_int_equal(claim_at(receipts, &open[i], slice_from_string(id), 1, NOW), RECEIPTS_NEW);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        size_t size = seeded_below(&random, 10) > 0 ? seeded_below(&random, 100)
                                                    : seeded_below(&random, 30000);
        snprintf(id, sizeof id, "%0*d", (int)(1 + seeded_below(&random, 64)), (int)i);
        if (ask(receipts, id, 1) == RECEIPTS_NEW)
            write_once(receipts, slice_from_string(id), slice_make(reply, size), 1, NULL);
        assert_true(receipts_stats(receipts).bytes <= most);
    }
    assert_true(receipts_stats(receipts).kept > 100);
    assert_true(receipts_stats(receipts).bytes > most / 2);
    for (size_t i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "open %zu", i);
        assert_int_equal(ask(receipts, id, 1), RECEIPTS_BUSY);
        receipts_release(receipts, open[i].claim.receipt);
    }
    free(reply);
    free(open);
    receipts_free(receipts);
}

/* A pop may have waited for longer than its reply is remembered. */
static void test_the_age_counts_from_the_write(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(1000, 1 << 20);
    const int64_t age_ms = RECEIPTS_DEFAULT_AGE_MS, later_ms = NOW + 3 * age_ms;
    struct call call = {0}, again = {0};
    struct slice reply = SLICE_LITERAL("reply");
    assert_int_equal(claim_at(receipts, &call, SLICE_LITERAL("a"), 1, NOW), RECEIPTS_NEW);
    receipts_expire(receipts, later_ms);
    receipts_keep(receipts, call.claim.receipt, later_ms, 1, &reply, NULL);
    assert_int_equal(claim_at(receipts, &again, SLICE_LITERAL("a"), 1, later_ms + age_ms - 1),
                     RECEIPTS_REPEATED);
    buf_deinit(&again.claim.reply);
    receipts_free(receipts);
}

static void test_what_is_old_is_forgotten(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(1000, 1 << 20);
    const int64_t age_ms = RECEIPTS_DEFAULT_AGE_MS;
    struct call call = {0};
    char id[20];
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "id %d", i);
        write_once(receipts, slice_from_string(id), SLICE_LITERAL("reply"), 1, NULL);
    }
    assert_int_equal(claim_at(receipts, &call, SLICE_LITERAL("id 150"), 1, NOW + age_ms - 1),
                     RECEIPTS_REPEATED);
    buf_deinit(&call.claim.reply);
    assert_int_equal(claim_at(receipts, &call, SLICE_LITERAL("id 150"), 2, NOW + age_ms),
                     RECEIPTS_NEW); /* the id may be used for another request now */
    receipts_release(receipts, call.claim.receipt);
    receipts_expire(receipts, NOW + age_ms - 1);
    assert_in_range(receipts_stats(receipts).kept, 190, 199);
    for (int i = 0; i < 10; i++)
        receipts_expire(receipts, NOW + age_ms);
    assert_int_equal(receipts_stats(receipts).kept, 0);
    assert_int_equal(receipts_stats(receipts).bytes, 0);
    assert_int_equal(receipts_stats(receipts).dropped, 0);
    receipts_free(receipts);
}

/* ---- across restarts ---- */

struct copier {
    struct receipts *to;
    uint64_t revision;
    size_t count;
};

static bool copy_record(void *user, struct slice record)
{
    struct copier *copier = user;
    copier->count++;
    assert_true(receipts_is_valid(record));
    assert_true(receipts_restore(copier->to, record, copier->revision));
    return true;
}

static void test_saved_and_restored(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    uint64_t random = seeded_start();
    struct receipts *from = new_receipts(100000, 1 << 28), *to = new_receipts(100000, 1 << 28);
    uint8_t *bytes = mem_alloc(RECEIPTS_MOST_REPLY);
    size_t sizes[COUNT];
    char id[30];
    for (size_t i = 0; i < RECEIPTS_MOST_REPLY; i++)
        bytes[i] = (uint8_t)seeded_below(&random, 256);
    for (size_t i = 0; i < COUNT; i++) {
        struct buf record;
        buf_init(&record, SIZE_MAX);
        sizes[i] = i == 7 ? RECEIPTS_MOST_REPLY : seeded_below(&random, 3000);
        snprintf(id, sizeof id, "id %zu", i);
        /* Every third has changed nothing. */
        write_once(from, slice_from_string(id), slice_make(bytes, sizes[i]), 1 + i,
                   i % 3 != 0 ? &record : NULL);
        assert_int_equal(record.len > 0, i % 3 != 0);
        buf_deinit(&record);
    }
    struct copier copier = {.to = to, .revision = 2000};
    receipts_save(from, 2000, copy_record, &copier);
    assert_int_equal(copier.count, receipts_stats(to).kept);
    for (size_t i = 0; i < COUNT; i++) {
        bool is_saved = i % 3 != 0 && 1 + i <= 2000;
        snprintf(id, sizeof id, "id %zu", i);
        if (is_saved)
            assert_repeated(to, slice_from_string(id), slice_make(bytes, sizes[i]), 2000);
        else
            assert_int_equal(ask(to, id, 1), RECEIPTS_NEW);
    }
    receipts_save(from, 2000, copy_record, &copier); /* once more: nothing is there twice */
    assert_int_equal(copier.count, 2 * receipts_stats(to).kept);
    free(bytes);
    receipts_free(from);
    receipts_free(to);
}

static bool keep_none(void *user, struct slice record)
{
    (void)record;
    ++*(size_t *)user;
    return false;
}

static void test_saving_ends_early(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(100, 1 << 20);
    struct buf record;
    size_t count = 0;
    buf_init(&record, SIZE_MAX);
    write_once(receipts, SLICE_LITERAL("a"), SLICE_LITERAL("x"), 1, &record);
    write_once(receipts, SLICE_LITERAL("b"), SLICE_LITERAL("x"), 1, &record);
    receipts_save(receipts, 1, keep_none, &count);
    assert_int_equal(count, 1);
    buf_deinit(&record);
    receipts_free(receipts);
}

static void test_what_is_no_record_is_refused(void **state)
{
    (void)state;
    struct receipts *receipts = new_receipts(100, 1 << 20);
    struct buf record;
    buf_init(&record, SIZE_MAX);
    write_once(receipts, SLICE_LITERAL("the id"), SLICE_LITERAL("reply"), 1, &record);
    struct slice good = buf_slice(&record);
    size_t head = 2 + 6 + 25;
    assert_true(receipts_restore(receipts, good, 1));
    for (size_t len = 0; len < head; len++)
        assert_false(receipts_restore(receipts, slice_make(good.data, len), 1));
    static const struct {
        size_t at;
        uint8_t byte;
    } faults[] = {{0, 0}, {0, 2}, {1, 0}, {1, 65}, {1, 255}, {31, 0x80}, {32, 0}, {32, 2}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint8_t former = record.data[faults[i].at];
        record.data[faults[i].at] = faults[i].byte;
        if (receipts_restore(receipts, buf_slice(&record), 1))
            fail_msg("byte %zu may be %d", faults[i].at, faults[i].byte);
        record.data[faults[i].at] = former;
    }
    assert_int_equal(receipts_stats(receipts).kept, 1);
    assert_repeated(receipts, SLICE_LITERAL("the id"), SLICE_LITERAL("reply"), 1);
    buf_deinit(&record);
    receipts_free(receipts);
}

/* ---- threads ---- */

#define THREADS 4
#define IDS     2000

struct race {
    struct receipts *receipts;
    atomic_int executed[IDS];
};

static void wake_flag(void *user)
{
    atomic_store((atomic_bool *)user, true);
}

/* Calls each id until it is answered; every other claim fails the first time. */
static void *race_run(void *user)
{
    struct race *race = user;
    for (int i = 0; i < IDS; i++) {
        atomic_bool woken = false;
        char id[20];
        snprintf(id, sizeof id, "id %d", i);
        struct receipts_waiter waiter = {.waker = {wake_flag, &woken}};
        struct receipts_claim claim = {
            .id = slice_from_string(id), .now_ms = NOW, .waiter = &waiter};
        buf_init(&claim.reply, RECEIPTS_MOST_REPLY);
        bool failed = i % 2 == 0;
        for (bool done = false; !done;) {
            switch (receipts_claim(race->receipts, &claim)) {
            case RECEIPTS_NEW:
                if (failed) {
                    failed = false;
                    receipts_release(race->receipts, claim.receipt);
                    break;
                }
                atomic_fetch_add(&race->executed[i], 1);
                struct slice reply = slice_from_string(id);
                receipts_keep(race->receipts, claim.receipt, NOW, 1, &reply, NULL);
                done = true;
                break;
            case RECEIPTS_REPEATED:
                done = slice_equal(buf_slice(&claim.reply), claim.id);
                break;
            case RECEIPTS_BUSY:
                if (i % 3 == 0)
                    receipts_leave(&waiter);
                else
                    while (!atomic_exchange(&woken, false))
                        sched_yield();
                break;
            case RECEIPTS_OTHER:
                return NULL; /* which the counts will show */
            }
        }
        receipts_leave(&waiter);
        buf_deinit(&claim.reply);
    }
    return NULL;
}

static void test_each_id_is_carried_out_once(void **state)
{
    (void)state;
    struct race *race = mem_alloc_zero(sizeof *race);
    pthread_t threads[THREADS];
    race->receipts = new_receipts(100000, 1 << 28);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, race), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < IDS; i++)
        assert_int_equal(atomic_load(&race->executed[i]), 1);
    receipts_free(race->receipts);
    free(race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kept_reply_is_repeated),
        cmocka_unit_test(test_a_long_reply_is_known_to_be_one),
        cmocka_unit_test(test_others_wait_for_the_end_of_a_claim),
        cmocka_unit_test(test_the_oldest_are_dropped),
        cmocka_unit_test(test_a_flood_stays_within_the_memory),
        cmocka_unit_test(test_the_age_counts_from_the_write),
        cmocka_unit_test(test_what_is_old_is_forgotten),
        cmocka_unit_test(test_saved_and_restored),
        cmocka_unit_test(test_saving_ends_early),
        cmocka_unit_test(test_what_is_no_record_is_refused),
        cmocka_unit_test(test_each_id_is_carried_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
