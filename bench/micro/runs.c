/*
 * The cost of large objects: allocated, written and freed, with malloc() and base/runs. "replace"
 * is the usual life of a value, a new one before the former is freed; "grow" only allocates, so
 * each page is new. Each time is the least of several rounds, because other work on the machine can
 * only add to it.
 */
#include "base/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7
#define TOTAL  ((size_t)256 * 1024 * 1024)
#define MOST   ((size_t)16384)

struct allocator {
    const char *name;
    void *(*take)(size_t size);
    void (*give)(void *memory, size_t size);
};

static void give_to_malloc(void *memory, size_t size)
{
    (void)size;
    free(memory);
}

static const struct allocator allocators[] = {
    {"malloc", malloc, give_to_malloc},
    {"runs", runs_take, runs_give},
};

/* Of this thread: time in which others had the processor does not count. */
static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *make(const struct allocator *allocator, const char *bytes, size_t size)
{
    void *memory = allocator->take(size);
    memcpy(memory, bytes, size);
    return memory;
}

/* Microseconds per object that takes the place of one of 16. */
static double replace(const struct allocator *allocator, const char *bytes, size_t size)
{
    void *held[16];
    size_t count = TOTAL / size;
    for (size_t i = 0; i < 16; i++)
        held[i] = make(allocator, bytes, size);
    double begun = now_us();
    for (size_t i = 0; i < count; i++) {
        void *memory = make(allocator, bytes, size);
        allocator->give(held[i % 16], size);
        held[i % 16] = memory;
    }
    double took = now_us() - begun;
    for (size_t i = 0; i < 16; i++)
        allocator->give(held[i], size);
    return took / (double)count;
}

/* Microseconds per object; what freeing them all takes, too, in *freeing. */
static double grow(const struct allocator *allocator, const char *bytes, size_t size,
                   double *freeing)
{
    static void *held[MOST];
    size_t count = TOTAL / size < MOST ? TOTAL / size : MOST;
    double begun = now_us();
    for (size_t i = 0; i < count; i++)
        held[i] = make(allocator, bytes, size);
    double filled = now_us();
    for (size_t i = 0; i < count; i++)
        allocator->give(held[i * 7919 % count], size);
    *freeing = (now_us() - filled) / (double)count;
    return (filled - begun) / (double)count;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static void measure(const struct allocator *allocator, const char *bytes, size_t size)
{
    double replacing = 1e9, growing = 1e9, freeing = 1e9, freed;
    for (int round = 0; round < ROUNDS; round++) {
        replacing = least(replacing, replace(allocator, bytes, size));
        growing = least(growing, grow(allocator, bytes, size, &freed));
        freeing = least(freeing, freed);
    }
    printf("%8zu bytes, %-6s: replace %8.1f us, grow %8.1f us, free %8.1f us\n", size,
           allocator->name, replacing, growing, freeing);
}

int main(void)
{
    static const size_t sizes[] = {17000, 65536, 262144, 1048576, 4194304, 33554432};
    char *bytes = malloc(sizes[5]);
    memset(bytes, 'x', sizes[5]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t a = 0; a < 2; a++)
            measure(&allocators[a], bytes, sizes[i] + 24);
    free(bytes);
    return 0;
}
