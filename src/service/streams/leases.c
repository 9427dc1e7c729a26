/* A list under a lock: pending lists are few, and entered once per stream. */
#include "service/streams/leases.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

/* Of the process, as is what they protect: the data behind an engine. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct leases *first;

static struct leases *leases_find(const struct engine *engine, uint32_t db, struct slice name)
{
    struct leases *leases = first;
    while (leases != NULL && (leases->engine != engine || leases->db != db ||
                              !slice_equal(slice_make(leases->name, leases->name_size), name)))
        leases = leases->next;
    return leases;
}

static struct leases *leases_add(const struct engine *engine, uint32_t db, struct slice name)
{
    struct leases *leases = mem_alloc_zero(sizeof *leases + name.len);
    leases->engine = engine;
    leases->db = db;
    leases->name_size = (uint32_t)name.len;
    slice_write(leases->name, name);
    leases->next = first;
    first = leases;
    return leases;
}

struct leases *leases_enter(const struct engine *engine, uint32_t db, struct slice name)
{
    pthread_mutex_lock(&lock);
    struct leases *leases = leases_find(engine, db, name);
    if (leases == NULL)
        leases = leases_add(engine, db, name);
    leases->users++;
    pthread_mutex_unlock(&lock);
    return leases;
}

void leases_leave(struct leases *leases)
{
    pthread_mutex_lock(&lock);
    if (--leases->users == 0) {
        struct leases **link = &first;
        while (*link != leases)
            link = &(*link)->next;
        *link = leases->next;
        free(leases);
    }
    pthread_mutex_unlock(&lock);
}
