/* Each wish is an object of its own, as a task may be cancelled while the journal is at work. */
#include "engine/save_requests.h"

#include "base/mem.h"
#include "journal/journal.h"

#include <stdlib.h>

struct save_request {
    struct journal_save save; /* first: on_done finds the wish by it */
    struct engine *engine;
    unsigned part;
    const char *why;          /* it failed, or NULL */
    atomic_bool done;         /* `why` is known; the journal is done with this */
    struct engine_task *task; /* NULL: nobody waits */
    struct save_request *next;
};

/* On the journal's thread. */
static void save_requests_on_done(struct journal_save *save, const char *why)
{
    struct save_request *saving = (struct save_request *)save;
    struct engine *engine = saving->engine;
    unsigned part = saving->part;
    saving->why = why;
    atomic_store(&saving->done, true);
    /* From here on it may be gone. */
    engine->on_ready(engine->on_ready_user, part);
}

void save_requests_add(struct save_requests *list, struct journal *journal, struct engine *engine,
                       unsigned part, struct engine_task *task)
{
    struct save_request *saving = mem_alloc_zero(sizeof *saving);
    saving->save.on_done = save_requests_on_done;
    saving->engine = engine;
    saving->part = part;
    saving->task = task;
    saving->next = list->first;
    list->first = saving;
    journal_save(journal, &saving->save);
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
        struct save_request *saving = *at;
        if (!atomic_load(&saving->done)) {
            at = &saving->next;
            continue;
        }
        struct engine_task *task = saving->task;
        if (task != NULL)
            save_requests_fill_result(task, saving->why);
        *at = saving->next;
        free(saving);
        if (task != NULL)
            return task;
    }
    return NULL;
}

bool save_requests_forget(struct save_requests *list, const struct engine_task *task)
{
    for (struct save_request *saving = list->first; saving != NULL; saving = saving->next) {
        if (saving->task == task) {
            saving->task = NULL;
            return true;
        }
    }
    return false;
}

void save_requests_deinit(struct save_requests *list)
{
    while (list->first != NULL) {
        struct save_request *saving = list->first;
        list->first = saving->next;
        free(saving);
    }
}
