/* Keeps the copies of lists that are pinned, and counts them. Does not know who reads them. */
#include "store/list/pinned.h"

#include "base/account.h"
#include "base/check.h"
#include "base/mem.h"
#include "store/list/list.h"

#include <pthread.h>
#include <stdlib.h>

struct pinned_copy {
    struct pinned_copy *next, **link; /* of those that are counted; else NULL */
    struct pinned_id id;
    struct list *list;
    size_t bytes;
    size_t readers;
};

/* Of the process, like the heap. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pinned_copy *copies; /* those that are counted */
static size_t total_bytes, total_readers;

static struct pinned_copy *pinned_find(const struct pinned_id *id)
{
    struct pinned_copy *copy = copies;
    while (copy != NULL &&
           (copy->id.hash != id->hash || copy->id.version != id->version || copy->id.db != id->db))
        copy = copy->next;
    return copy;
}

static bool pinned_fits(size_t bytes)
{
    size_t limit = account_limit();
    return total_bytes == 0 || (bytes <= limit && total_bytes <= limit - bytes);
}

static struct pinned_copy *pinned_add(const struct list *list, const struct pinned_id *id)
{
    struct pinned_copy *copy = mem_alloc_zero(sizeof *copy);
    copy->id = *id;
    copy->list = list_copy(list);
    copy->bytes = list_memory(list);
    if (copy->bytes < PINNED_LEAST)
        return copy;
    copy->next = copies;
    copy->link = &copies;
    if (copies != NULL)
        copies->link = &copy->next;
    copies = copy;
    total_bytes += copy->bytes;
    return copy;
}

bool pinned_take(struct pinned *pinned, const struct list *list, struct pinned_id id)
{
    DCHECK(pinned->list == NULL);
    size_t bytes = list_memory(list);
    pthread_mutex_lock(&lock);
    struct pinned_copy *copy = bytes >= PINNED_LEAST ? pinned_find(&id) : NULL;
    if (copy == NULL && (bytes < PINNED_LEAST || pinned_fits(bytes)))
        copy = pinned_add(list, &id);
    if (copy != NULL) {
        copy->readers++;
        total_readers++;
        *pinned = (struct pinned){.list = copy->list, .copy = copy};
    }
    pthread_mutex_unlock(&lock);
    return copy != NULL;
}

void pinned_release(struct pinned *pinned)
{
    struct pinned_copy *copy = pinned->copy;
    if (copy == NULL)
        return;
    *pinned = (struct pinned){0};
    pthread_mutex_lock(&lock);
    DCHECK(copy->readers > 0 && total_readers > 0);
    total_readers--;
    bool was_last = --copy->readers == 0;
    if (was_last && copy->link != NULL) {
        *copy->link = copy->next;
        if (copy->next != NULL)
            copy->next->link = copy->link;
        total_bytes -= copy->bytes;
    }
    pthread_mutex_unlock(&lock);
    if (was_last) {
        list_free(copy->list);
        free(copy);
    }
}

size_t pinned_bytes(void)
{
    pthread_mutex_lock(&lock);
    size_t bytes = total_bytes;
    pthread_mutex_unlock(&lock);
    return bytes;
}

size_t pinned_count(void)
{
    pthread_mutex_lock(&lock);
    size_t count = total_readers;
    pthread_mutex_unlock(&lock);
    return count;
}
