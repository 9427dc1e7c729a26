/* Tests of base/mutex.c: mutual exclusion, and no lost wake-ups. */
#include "base/mutex.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define TURNS   200000

struct shared {
    struct mutex mutex;
    long turns; /* not atomic: only the mutex makes the sum right */
    long each;
    atomic_int ids[THREADS]; /* the kernel's ids of the threads that have started */
    atomic_int begun;
};

static void *take_turns(void *user)
{
    struct shared *shared = user;
    atomic_store(&shared->ids[atomic_fetch_add(&shared->begun, 1)], gettid());
    for (long i = 0; i < shared->each; i++) {
        mutex_lock(&shared->mutex);
        shared->turns++;
        mutex_unlock(&shared->mutex);
    }
    return NULL;
}

static void start(pthread_t *threads, struct shared *shared)
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, shared), 0);
}

static void join(const pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_has_one_holder_at_a_time(void **state)
{
    (void)state;
    struct shared shared = {.each = TURNS};
    pthread_t threads[THREADS];
    start(threads, &shared);
    join(threads);
    assert_int_equal(shared.turns, THREADS * TURNS);
}

static void test_is_not_contended_without_company(void **state)
{
    (void)state;
    struct mutex mutex = {0};
    mutex_lock(&mutex);
    assert_int_equal(atomic_load(&mutex.state), MUTEX_HELD);
    mutex_unlock(&mutex);
    assert_int_equal(atomic_load(&mutex.state), MUTEX_FREE);
}

/* True if the thread has started and sleeps. */
static bool sleeps(int id)
{
    char path[64], state = 0;
    if (id == 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'S';
}

static void test_wakes_all_waiters(void **state)
{
    (void)state;
    struct shared shared = {.each = 1};
    pthread_t threads[THREADS];
    mutex_lock(&shared.mutex);
    start(threads, &shared);
    while (atomic_load(&shared.mutex.state) != MUTEX_CONTENDED)
        sched_yield();
    for (int i = 0; i < THREADS; i++)
        while (!sleeps(atomic_load(&shared.ids[i])))
            sched_yield();
    assert_int_equal(shared.turns, 0);
    mutex_unlock(&shared.mutex);
    join(threads);
    assert_int_equal(shared.turns, THREADS);
}

/* ---- held for long ---- */

static void test_a_brief_holder_does_not_wait_for_a_long_one(void **state)
{
    (void)state;
    struct mutex mutex = {0};
    mutex_lock_long(&mutex);
    assert_false(mutex_lock_brief(&mutex));
    mutex_unlock(&mutex);
    assert_true(mutex_lock_brief(&mutex));
    assert_int_equal(atomic_load(&mutex.state), MUTEX_HELD);
    mutex_unlock(&mutex);
    assert_int_equal(atomic_load(&mutex.state), MUTEX_FREE);
}

struct sleeper {
    struct mutex *mutex;
    atomic_int id;
    bool brief, got;
};

static void *sleep_for_it(void *user)
{
    struct sleeper *sleeper = user;
    atomic_store(&sleeper->id, gettid());
    if (sleeper->brief) {
        sleeper->got = mutex_lock_brief(sleeper->mutex);
    } else {
        mutex_lock_long(sleeper->mutex);
        sleeper->got = true;
    }
    return NULL;
}

/* Two threads wait for a brief holder; then a third one gets the mutex and holds it for long. */
static void test_a_long_hold_wakes_brief_sleepers(void **state)
{
    (void)state;
    struct mutex mutex = {0};
    struct sleeper sleepers[] = {
        {.mutex = &mutex}, {.mutex = &mutex, .brief = true}, {.mutex = &mutex, .brief = true}};
    pthread_t threads[3];
    mutex_lock(&mutex);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_for_it, &sleepers[i]), 0);
        while (!sleeps(atomic_load(&sleepers[i].id)))
            sched_yield();
    }
    mutex_unlock(&mutex); /* the kernel chooses whom to wake: usually the first waiter */
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_join(threads[2], NULL);
    assert_true(sleepers[0].got);
    assert_true(atomic_load(&mutex.state) >= MUTEX_LONG || sleepers[1].got || sleepers[2].got);
    mutex_unlock(&mutex);
}

struct crowd {
    struct mutex mutex;
    long turns; /* not atomic */
    atomic_long refused;
};

static void *take_long_turns(void *user)
{
    struct crowd *crowd = user;
    for (int i = 0; i < TURNS / 20; i++) {
        mutex_lock_long(&crowd->mutex);
        crowd->turns++;
        mutex_unlock(&crowd->mutex);
    }
    return NULL;
}

static void *take_brief_turns(void *user)
{
    struct crowd *crowd = user;
    for (int i = 0; i < TURNS / 20;) {
        if (!mutex_lock_brief(&crowd->mutex)) {
            atomic_fetch_add(&crowd->refused, 1);
            continue;
        }
        crowd->turns++;
        mutex_unlock(&crowd->mutex);
        i++;
    }
    return NULL;
}

static void *take_usual_turns(void *user)
{
    struct crowd *crowd = user;
    for (int i = 0; i < TURNS / 20; i++) {
        mutex_lock(&crowd->mutex);
        crowd->turns++;
        mutex_unlock(&crowd->mutex);
    }
    return NULL;
}

static void test_all_kinds_of_holders_get_their_turns(void **state)
{
    (void)state;
    static void *(*const kinds[])(void *) = {take_long_turns, take_brief_turns, take_usual_turns,
                                             take_long_turns, take_brief_turns, take_usual_turns};
    enum { COUNT = sizeof kinds / sizeof kinds[0] };
    struct crowd crowd = {0};
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, kinds[i], &crowd), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(crowd.turns, COUNT * (TURNS / 20));
    assert_true(mutex_lock_brief(&crowd.mutex));
    mutex_unlock(&crowd.mutex);
}

static void test_unlocking_an_unlocked_mutex_aborts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        struct mutex mutex = {0};
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL);
        mutex_unlock(&mutex);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_one_holder_at_a_time),
        cmocka_unit_test(test_is_not_contended_without_company),
        cmocka_unit_test(test_wakes_all_waiters),
        cmocka_unit_test(test_a_brief_holder_does_not_wait_for_a_long_one),
        cmocka_unit_test(test_a_long_hold_wakes_brief_sleepers),
        cmocka_unit_test(test_all_kinds_of_holders_get_their_turns),
        cmocka_unit_test(test_unlocking_an_unlocked_mutex_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
