/* Tests of journal/past.c: the logs since the base are read in order, over restarts, rotations and
 * what crashes leave; what is missing is noticed. */
#include "journal/past.h"

#include "journal/journal_fixture.h"

struct reading {
    uint64_t revisions[2000];
    size_t count, changes;
    size_t most; /* commits until it stops */
};

static void on_change(void *user, uint64_t revision, const struct op *change)
{
    struct reading *reading = user;
    (void)revision;
    (void)change;
    reading->changes++;
}

static bool on_commit(void *user, uint64_t revision)
{
    struct reading *reading = user;
    reading->revisions[reading->count++] = revision;
    return reading->count % reading->most != 0;
}

static enum past_answer go_on(struct past *past, uint64_t upto, struct reading *reading)
{
    struct past_reader reader = {.on_change = on_change, .on_commit = on_commit, .user = reading};
    enum past_answer answer;
    do
        answer = past_read(past, upto, &reader);
    while (answer == PAST_MORE);
    return answer;
}

/* Reads from there to the end, and returns the answer. */
static enum past_answer read_all(struct fixture *fixture, uint64_t after, uint64_t upto,
                                 struct reading *reading)
{
    *reading = (struct reading){.most = 7};
    struct past *past = journal_past(fixture->journal, after);
    assert_non_null(past);
    enum past_answer answer = go_on(past, upto, reading);
    past_close(past);
    return answer;
}

static void assert_reads(struct fixture *fixture, uint64_t after, uint64_t upto)
{
    struct reading reading;
    assert_int_equal(read_all(fixture, after, upto, &reading), PAST_END);
    assert_int_equal(reading.count, upto - after);
    for (size_t i = 0; i < reading.count; i++)
        assert_int_equal(reading.revisions[i], after + 1 + i);
    assert_int_equal(reading.changes, reading.count);
}

static void wait_for_disk(struct fixture *fixture, uint64_t revision)
{
    for (int i = 0; !journal_has_written(fixture->journal, revision); i++) {
        assert_true(i < PATIENCE_S * 500);
        pause_briefly();
    }
}

static void test_reads_over_restarts(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 4; i++) {
        start(fixture);
        fill(fixture, i, 50);
    }
    wait_for_disk(fixture, 200);
    for (uint64_t after = 0; after < 200; after += 9)
        assert_reads(fixture, after, 200);
    assert_reads(fixture, 30, 120);
    assert_reads(fixture, 200, 200);
}

static void test_reads_what_is_written_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.most = 7};
    start(fixture);
    fill(fixture, 0, 20);
    wait_for_disk(fixture, 20);
    struct past *past = journal_past(fixture->journal, 5);
    assert_int_equal(go_on(past, 20, &reading), PAST_END);
    for (uint64_t revision = 30; revision <= 100; revision += 10) {
        fill(fixture, 0, 10);
        if (revision % 20 == 0)
            save(fixture); /* the log goes on in another file, and the former one is removed */
        wait_for_disk(fixture, revision);
        assert_int_equal(go_on(past, revision, &reading), PAST_END);
    }
    past_close(past);
    assert_int_equal(reading.count, 95);
    for (size_t i = 0; i < reading.count; i++)
        assert_int_equal(reading.revisions[i], 6 + i);
}

static void test_what_is_in_the_base_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading;
    start(fixture);
    fill(fixture, 0, 20);
    save(fixture);
    fill(fixture, 0, 20);
    wait_for_disk(fixture, 40);
    assert_int_equal(read_all(fixture, 19, 40, &reading), PAST_LOST);
    assert_int_equal(reading.count, 0);
    assert_reads(fixture, 20, 40);
}

/* Several rotations pass while nobody reads: the next file is not the one that follows. */
static void test_files_that_have_gone_are_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.most = 7};
    start(fixture);
    fill(fixture, 0, 10);
    wait_for_disk(fixture, 10);
    struct past *past = journal_past(fixture->journal, 0);
    assert_int_equal(go_on(past, 10, &reading), PAST_END);
    for (int i = 0; i < 2; i++) {
        fill(fixture, 0, 10);
        save(fixture);
    }
    fill(fixture, 0, 10);
    wait_for_disk(fixture, 40);
    assert_int_equal(go_on(past, 40, &reading), PAST_LOST);
    assert_true(reading.count <= 20);
    past_close(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_reads_over_restarts),
        JOURNAL_TEST(test_reads_what_is_written_meanwhile),
        JOURNAL_TEST(test_what_is_in_the_base_is_lost),
        JOURNAL_TEST(test_files_that_have_gone_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
