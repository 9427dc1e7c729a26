/* An ordered list. New tasks have nearly always seen the newest revision, so their place is
 * searched from the end. */
#include "engine/waiting.h"

#include "base/check.h"

#include <stddef.h>

void waiting_add(struct waiting *waiting, struct engine_task *task)
{
    struct engine_task *before = waiting->last;
    while (before != NULL && before->result.seen > task->result.seen)
        before = before->previous;
    struct engine_task *after = before != NULL ? before->next : waiting->first;
    task->previous = before;
    task->next = after;
    *(before != NULL ? &before->next : &waiting->first) = task;
    *(after != NULL ? &after->previous : &waiting->last) = task;
    DCHECK(after == NULL || after->result.seen > task->result.seen);
}

void waiting_remove(struct waiting *waiting, struct engine_task *task)
{
    CHECK((task->previous != NULL ? task->previous->next : waiting->first) == task);
    CHECK((task->next != NULL ? task->next->previous : waiting->last) == task);
    *(task->previous != NULL ? &task->previous->next : &waiting->first) = task->next;
    *(task->next != NULL ? &task->next->previous : &waiting->last) = task->previous;
}

struct engine_task *waiting_take(struct waiting *waiting, uint64_t revision)
{
    struct engine_task *task = waiting->first;
    if (task == NULL || task->result.seen > revision)
        return NULL;
    waiting_remove(waiting, task);
    return task;
}
