/* Each request is an object of its own, for its task may be cancelled while the journal writes. */
#include "engine/save_requests.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "journal/journal.h"

#include <stdlib.h>

struct save_request {
    struct journal_save save; /* first: on_done finds the request by it */
    struct waker waker;
    const char *why;          /* it failed; NULL: it did not */
    atomic_bool done;         /* `why` is set; the journal does not use this any more */
    struct engine_task *task; /* NULL: nobody waits */
    struct save_request *next;
};

/* On the journal's thread. */
static void save_requests_on_done(struct journal_save *save, const char *why)
{
    struct save_request *request = (struct save_request *)save;
    struct waker waker = request->waker; /* once it is done, the worker may free it */
    request->why = why;
    atomic_store(&request->done, true);
    waker_wake(waker);
}

void save_requests_add(struct save_requests *list, struct journal *journal, struct waker waker,
                       struct engine_task *task)
{
    struct save_request *request = mem_alloc_zero(sizeof *request);
    request->save.on_done = save_requests_on_done;
    request->waker = waker;
    request->task = task;
    request->next = list->first;
    list->first = request;
    journal_save(journal, &request->save);
}

static void save_requests_fill_result(struct engine_task *task, const char *why)
{
    task->result = (struct op_result){.ok = why == NULL};
    if (why != NULL) {
        task->result.err = ERR_NOT_DURABLE;
        task->result.why = why;
    }
}

struct engine_task *save_requests_take(struct save_requests *list)
{
    struct save_request **at = &list->first;
    while (*at != NULL) {
        struct save_request *request = *at;
        if (!atomic_load(&request->done)) {
            at = &request->next;
            continue;
        }
        struct engine_task *task = request->task;
        if (task != NULL)
            save_requests_fill_result(task, request->why);
        *at = request->next;
        free(request);
        if (task != NULL)
            return task;
    }
    return NULL;
}

bool save_requests_forget(struct save_requests *list, const struct engine_task *task)
{
    for (struct save_request *request = list->first; request != NULL; request = request->next) {
        if (request->task == task) {
            request->task = NULL;
            return true;
        }
    }
    return false;
}

void save_requests_deinit(struct save_requests *list)
{
    while (list->first != NULL) {
        struct save_request *request = list->first;
        list->first = request->next;
        free(request);
    }
}
