/* A binary heap in which each timer knows its place, so that it can be removed. */
#include "base/timers.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

/* Timers called in a row; the rest have their turn a little later. */
#define MOST_CALLED 500

void timers_init(struct timers *timers, struct alarm alarm)
{
    *timers = (struct timers){.alarm = alarm};
}

void timers_deinit(struct timers *timers)
{
    CHECK(timers->count == 0);
    free(timers->heap);
}

static void timers_put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void timers_move_up(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    for (; place > 1 && timers->heap[place / 2]->at_ms > timer->at_ms; place /= 2)
        timers_put(timers, place, timers->heap[place / 2]);
    timers_put(timers, place, timer);
}

static void timers_move_down(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place, child;
    while ((child = 2 * place) <= timers->count) {
        if (child < timers->count && timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms)
            child++;
        if (timers->heap[child]->at_ms >= timer->at_ms)
            break;
        timers_put(timers, place, timers->heap[child]);
        place = child;
    }
    timers_put(timers, place, timer);
}

static void timers_add(struct timers *timers, struct timer *timer)
{
    if (timers->count + 1 >= timers->capacity) {
        timers->capacity = timers->capacity == 0 ? 16 : 2 * timers->capacity;
        timers->heap = mem_realloc(timers->heap, timers->capacity * sizeof *timers->heap);
    }
    timers_put(timers, ++timers->count, timer);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t at_ms)
{
    if (timer->place == 0)
        timers_add(timers, timer);
    timer->at_ms = at_ms;
    timers_move_up(timers, timer);
    timers_move_down(timers, timer);
    if (timer->place == 1 && timers->alarm.set != NULL)
        timers->alarm.set(timers->alarm.user, at_ms);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    if (timer->place == 0)
        return;
    DCHECK(timers->heap[timer->place] == timer);
    struct timer *last = timers->heap[timers->count--];
    if (last != timer) {
        timers_put(timers, timer->place, last);
        timers_move_up(timers, last);
        timers_move_down(timers, last);
    }
    timer->place = 0;
}

int64_t timers_run(struct timers *timers, int64_t now_ms)
{
    for (int i = 0; i < MOST_CALLED && timers->count > 0; i++) {
        struct timer *timer = timers->heap[1];
        if (timer->at_ms > now_ms)
            break;
        timers_clear(timers, timer);
        timer->on_time(timer);
    }
    return timers->count > 0 ? timers->heap[1]->at_ms : INT64_MAX;
}
