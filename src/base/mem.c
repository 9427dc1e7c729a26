/* The heap with one failure mode: see mem.h. Refuses to know who asks. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *checked(void *memory, size_t size)
{
    if (memory == NULL) {
        fprintf(stderr, "keystore: out of memory while allocating %zu bytes\n", size);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size > 0 ? size : 1), size);
}

void *mem_alloc_zero(size_t size)
{
    return checked(calloc(1, size > 0 ? size : 1), size);
}

void *mem_realloc(void *memory, size_t size)
{
    return checked(realloc(memory, size > 0 ? size : 1), size);
}
