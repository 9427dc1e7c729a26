/* nghttp2 allocates with these, so that tests can make it fail like the rest of the library. */
#ifndef KEYSTORE_CLIENT_HEAP_H
#define KEYSTORE_CLIENT_HEAP_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

static inline void *heap_malloc(size_t size, void *unused)
{
    (void)unused;
    return malloc(size);
}

static inline void *heap_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return calloc(count, size);
}

static inline void *heap_realloc(void *memory, size_t size, void *unused)
{
    (void)unused;
    return realloc(memory, size);
}

static inline void heap_free(void *memory, void *unused)
{
    (void)unused;
    free(memory);
}

static inline nghttp2_mem heap_for_nghttp2(void)
{
    return (nghttp2_mem){NULL, heap_malloc, heap_free, heap_calloc, heap_realloc};
}

#endif
