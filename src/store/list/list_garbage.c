/* Spines that are no longer needed, cleared one after another. Does not know lists or shards. */
#include "store/list/list_garbage.h"

#include "store/list/spine.h"
#include "store/memory/heap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct garbage {
    struct garbage *next;
    struct spine spine;
    size_t bytes; /* as passed in, less what was dropped */
};

/* The latest first; what a thread is clearing is not in it. */
static struct garbage *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t total_bytes;

static void list_garbage_put(struct garbage *garbage)
{
    pthread_mutex_lock(&lock);
    garbage->next = all;
    all = garbage;
    pthread_mutex_unlock(&lock);
}

static struct garbage *list_garbage_take(void)
{
    pthread_mutex_lock(&lock);
    struct garbage *garbage = all;
    if (garbage != NULL)
        all = garbage->next;
    pthread_mutex_unlock(&lock);
    return garbage;
}

void list_garbage_add(const struct spine *spine, size_t bytes)
{
    struct garbage *garbage = heap_alloc(sizeof *garbage);
    *garbage = (struct garbage){.spine = *spine, .bytes = bytes};
    atomic_fetch_add_explicit(&total_bytes, bytes, memory_order_relaxed);
    list_garbage_put(garbage);
}

/* Returns how many steps it took. */
static size_t list_garbage_clear(struct garbage *garbage, size_t steps)
{
    size_t bytes = 0, taken = spine_clear(&garbage->spine, steps, &bytes);
    bool is_clear = garbage->spine.root == NULL;
    if (is_clear)
        bytes = garbage->bytes; /* including what others share */
    garbage->bytes -= bytes;
    atomic_fetch_sub_explicit(&total_bytes, bytes, memory_order_relaxed);
    if (is_clear)
        heap_free(garbage, sizeof *garbage);
    else
        list_garbage_put(garbage);
    return taken;
}

size_t list_garbage_collect(size_t steps)
{
    size_t taken = 0;
    struct garbage *garbage;
    while (taken < steps && list_garbage_bytes() > 0 && (garbage = list_garbage_take()) != NULL)
        taken += list_garbage_clear(garbage, steps - taken);
    return taken;
}

size_t list_garbage_bytes(void)
{
    return atomic_load_explicit(&total_bytes, memory_order_relaxed);
}
