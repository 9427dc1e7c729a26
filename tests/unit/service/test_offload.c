/* Tests of service/offload.c: the order of jobs, who gets them back, and what is left at the end.
 */
#include "service/offload.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define WORKERS 3

struct job {
    struct offload_job job; /* first */
    sem_t *gate;            /* NULL: it does not wait */
    sem_t *started;         /* NULL: nobody waits for it */
    int turn;               /* its place in the order of all */
};

static atomic_int turns;

static void run(struct offload_job *job)
{
    struct job *own = (struct job *)job;
    own->turn = atomic_fetch_add(&turns, 1);
    if (own->started != NULL)
        sem_post(own->started);
    if (own->gate != NULL)
        sem_wait(own->gate);
}

static sem_t done[WORKERS];

static void wake(void *user)
{
    sem_post(user);
}

static struct offload *start(unsigned threads)
{
    for (unsigned i = 0; i < WORKERS; i++)
        sem_init(&done[i], 0, 0);
    atomic_store(&turns, 0);
    struct offload *offload = offload_new(threads, WORKERS);
    assert_non_null(offload);
    for (unsigned i = 0; i < WORKERS; i++)
        offload_set_waker(offload, i, (struct waker){wake, &done[i]});
    return offload;
}

static void add(struct offload *offload, struct job *job, unsigned worker, bool urgent)
{
    job->job.run = run;
    job->job.worker = worker;
    offload_add(offload, &job->job, urgent);
}

static void jobs_come_back_to_their_worker(void **state)
{
    (void)state;
    struct job jobs[WORKERS] = {0};
    struct offload *offload = start(2);
    for (unsigned i = 0; i < WORKERS; i++)
        add(offload, &jobs[i], i, false);
    for (unsigned i = 0; i < WORKERS; i++) {
        sem_wait(&done[i]);
        assert_ptr_equal(offload_take(offload, i), &jobs[i].job);
        assert_null(offload_take(offload, i));
    }
    assert_int_equal(offload_count(offload), WORKERS);
    offload_stop(offload);
    offload_free(offload);
}

static void jobs_are_handed_to_a_worker(void **state)
{
    (void)state;
    struct job jobs[2] = {{.turn = -1, .job.worker = 2}, {.turn = -1, .job.worker = 2}};
    struct offload *offload = start(1);
    for (int i = 0; i < 2; i++)
        offload_hand(offload, &jobs[i].job);
    for (int i = 0; i < 2; i++) {
        sem_wait(&done[2]);
        assert_ptr_equal(offload_take(offload, 2), &jobs[i].job);
        assert_int_equal(jobs[i].turn, -1); /* no thread has run it */
    }
    assert_null(offload_take(offload, 2));
    assert_int_equal(offload_count(offload), 0);
    offload_stop(offload);
    offload_free(offload);
}

/* One waits at a gate, so that the others have to queue. */
static void urgent_jobs_come_first(void **state)
{
    (void)state;
    sem_t gate, started;
    sem_init(&gate, 0, 0);
    sem_init(&started, 0, 0);
    struct job jobs[4] = {{.gate = &gate, .started = &started}};
    struct offload *offload = start(1);
    add(offload, &jobs[0], 0, false);
    sem_wait(&started);
    add(offload, &jobs[1], 0, false);
    add(offload, &jobs[2], 0, false);
    add(offload, &jobs[3], 0, true);
    sem_post(&gate);
    for (int i = 0; i < 4; i++)
        sem_wait(&done[0]);
    static const int expected[] = {0, 2, 3, 1};
    for (int i = 0; i < 4; i++)
        assert_int_equal(jobs[i].turn, expected[i]);
    while (offload_take(offload, 0) != NULL)
        continue;
    offload_stop(offload);
    offload_free(offload);
}

static void *stop(void *offload)
{
    offload_stop(offload);
    return NULL;
}

static void what_is_not_started_comes_back_at_the_end(void **state)
{
    (void)state;
    sem_t gate, started;
    sem_init(&gate, 0, 0);
    sem_init(&started, 0, 0);
    struct job first = {.gate = &gate, .started = &started}, second = {.turn = -1};
    struct offload *offload = start(1);
    add(offload, &first, 1, false);
    sem_wait(&started);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop, offload), 0);
    add(offload, &second, 1, false);
    sem_post(&gate);
    pthread_join(stopper, NULL);
    size_t taken = 0;
    while (offload_take(offload, 1) != NULL)
        taken++;
    assert_int_equal(taken, 2);
    offload_free(offload);
    offload_stop(NULL);
    offload_free(NULL);
}

/* ---- many ---- */

#define ROUND  50
#define URGENT 7 /* of these, every eighth */
#define EACH   20000

struct submitter {
    struct offload *offload;
    pthread_t thread;
    unsigned worker;
    struct job jobs[ROUND];
};

/* In rounds, because a job may be reused only when it has come back. */
static void *submit_many(void *user)
{
    struct submitter *submitter = user;
    for (size_t round = 0; round < EACH / ROUND; round++) {
        size_t taken = 0;
        for (size_t i = 0; i < ROUND; i++)
            add(submitter->offload, &submitter->jobs[i], submitter->worker, i % 8 == 0);
        while (taken < ROUND) {
            sem_wait(&done[submitter->worker]);
            while (offload_take(submitter->offload, submitter->worker) != NULL)
                taken++;
        }
    }
    return NULL;
}

static void no_job_is_lost(void **state)
{
    (void)state;
    static struct submitter submitters[WORKERS];
    struct offload *offload = start(4);
    for (unsigned i = 0; i < WORKERS; i++) {
        submitters[i] = (struct submitter){.offload = offload, .worker = i};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]),
                         0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(submitters[i].thread, NULL);
    assert_int_equal(offload_count(offload), WORKERS * EACH / ROUND * (ROUND - URGENT));
    assert_int_equal(atomic_load(&turns), WORKERS * EACH);
    offload_stop(offload);
    offload_free(offload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_to_their_worker),
        cmocka_unit_test(jobs_are_handed_to_a_worker),
        cmocka_unit_test(urgent_jobs_come_first),
        cmocka_unit_test(what_is_not_started_comes_back_at_the_end),
        cmocka_unit_test(no_job_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
