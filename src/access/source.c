/* The newest snapshot of the users file, under a lock that is held for a few instructions. */
#include "access/source.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct access_source {
    char *path;
    pthread_mutex_t lock;   /* of: */
    struct access *access;  /* which has a holder here */
    atomic_uint generation; /* of it */
};

struct access_source *access_source_new(const char *path, char why[USERS_FILE_WHY])
{
    struct access *access = users_file_read(path, why);
    if (access == NULL)
        return NULL;
    struct access_source *source = mem_alloc_zero(sizeof *source);
    source->path = mem_copy_text(path);
    source->access = access;
    pthread_mutex_init(&source->lock, NULL);
    return source;
}

void access_source_free(struct access_source *source)
{
    if (source == NULL)
        return;
    access_release(source->access);
    pthread_mutex_destroy(&source->lock);
    free(source->path);
    free(source);
}

bool access_source_reload(struct access_source *source, char why[USERS_FILE_WHY])
{
    struct access *access = users_file_read(source->path, why);
    if (access == NULL)
        return false;
    pthread_mutex_lock(&source->lock);
    struct access *former = source->access;
    access_inherit(access, former);
    source->access = access;
    atomic_fetch_add(&source->generation, 1);
    pthread_mutex_unlock(&source->lock);
    access_release(former);
    return true;
}

unsigned access_source_generation(const struct access_source *source)
{
    return atomic_load_explicit(&source->generation, memory_order_acquire);
}

struct access *access_source_take(struct access_source *source, unsigned *generation)
{
    pthread_mutex_lock(&source->lock);
    struct access *access = access_retain(source->access);
    *generation = atomic_load(&source->generation);
    pthread_mutex_unlock(&source->lock);
    return access;
}
