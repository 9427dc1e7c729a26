/* Two kinds of queues under one lock: jobs to do, and for each worker its jobs that are done. */
#include "service/offload.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct queue {
    struct offload_job *first, *last;
};

struct offload_worker {
    struct queue done;
    struct waker waker;
};

struct offload {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* there is a job, or it is time to stop */
    struct queue waiting;
    struct offload_worker *workers;
    bool stopping;
    unsigned worker_count;
    atomic_uint_fast64_t count;
    unsigned thread_count;
    pthread_t threads[];
};

static void offload_push(struct queue *queue, struct offload_job *job)
{
    job->next = NULL;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = job;
    queue->last = job;
}

static void offload_push_first(struct queue *queue, struct offload_job *job)
{
    job->next = queue->first;
    queue->first = job;
    if (queue->last == NULL)
        queue->last = job;
}

static struct offload_job *offload_pop(struct queue *queue)
{
    struct offload_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = NULL;
    return job;
}

/* NULL: it is time to stop. */
static struct offload_job *offload_next_job(struct offload *offload)
{
    struct offload_job *job = NULL;
    pthread_mutex_lock(&offload->mutex);
    while (!offload->stopping && (job = offload_pop(&offload->waiting)) == NULL)
        pthread_cond_wait(&offload->wake, &offload->mutex);
    pthread_mutex_unlock(&offload->mutex);
    return job;
}

void offload_hand(struct offload *offload, struct offload_job *job)
{
    struct offload_worker *worker = &offload->workers[job->worker];
    pthread_mutex_lock(&offload->mutex);
    offload_push(&worker->done, job);
    pthread_mutex_unlock(&offload->mutex);
    waker_wake(worker->waker);
}

static void *offload_run(void *user)
{
    struct offload *offload = user;
    struct offload_job *job;
    while ((job = offload_next_job(offload)) != NULL) {
        job->run(job);
        offload_hand(offload, job);
    }
    return NULL;
}

static int offload_start_threads(struct offload *offload, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        int error = pthread_create(&offload->threads[i], NULL, offload_run, offload);
        if (error != 0)
            return error;
        pthread_setname_np(offload->threads[i], "offload");
        offload->thread_count++;
    }
    return 0;
}

struct offload *offload_new(unsigned threads, unsigned workers)
{
    struct offload *offload =
        mem_alloc_zero(sizeof *offload + threads * sizeof offload->threads[0]);
    pthread_mutex_init(&offload->mutex, NULL);
    pthread_cond_init(&offload->wake, NULL);
    offload->workers = mem_alloc_zero(workers * sizeof *offload->workers);
    offload->worker_count = workers;
    int error = offload_start_threads(offload, threads);
    if (error == 0)
        return offload;
    offload_stop(offload);
    offload_free(offload);
    errno = error;
    return NULL;
}

void offload_set_waker(struct offload *offload, unsigned worker, struct waker waker)
{
    CHECK(worker < offload->worker_count);
    offload->workers[worker].waker = waker;
}

void offload_stop(struct offload *offload)
{
    struct offload_job *job;
    if (offload == NULL)
        return;
    pthread_mutex_lock(&offload->mutex);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
    for (unsigned i = 0; i < offload->thread_count; i++)
        pthread_join(offload->threads[i], NULL);
    offload->thread_count = 0;
    while ((job = offload_pop(&offload->waiting)) != NULL)
        offload_push(&offload->workers[job->worker].done, job);
}

void offload_free(struct offload *offload)
{
    if (offload == NULL)
        return;
    pthread_mutex_destroy(&offload->mutex);
    pthread_cond_destroy(&offload->wake);
    free(offload->workers);
    free(offload);
}

void offload_add(struct offload *offload, struct offload_job *job, bool urgent)
{
    if (!urgent)
        atomic_fetch_add_explicit(&offload->count, 1, memory_order_relaxed);
    pthread_mutex_lock(&offload->mutex);
    if (urgent)
        offload_push_first(&offload->waiting, job);
    else
        offload_push(&offload->waiting, job);
    pthread_cond_signal(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
}

struct offload_job *offload_take(struct offload *offload, unsigned worker)
{
    pthread_mutex_lock(&offload->mutex);
    struct offload_job *job = offload_pop(&offload->workers[worker].done);
    pthread_mutex_unlock(&offload->mutex);
    return job;
}

uint64_t offload_count(const struct offload *offload)
{
    return atomic_load_explicit(&offload->count, memory_order_relaxed);
}
