/*
 * The cost of lists alone: pushes and drops on short and long lists, access in the middle, the
 * longest single push, and memory per element. Each time is the least of several rounds, because
 * other work on the machine can only add to it.
 *
 * usage: micro_list            all times
 *        micro_list memory LISTS LENGTH KIND
 *                              what that many lists of that many elements take: "text" of 8 bytes,
 *                              "small" numbers 0, 1, 2..., or "nine" digits
 */
#include "store/list/list.h"
#include "store/memory/heap.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS  9
#define STEPS   200000
#define LONGEST ((size_t)10 * 1000 * 1000)

/* Of this thread: time in which others had the processor does not count. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

static size_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        abort();
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Eight bytes that no encoding of small integers could shorten. */
static void push_number(struct list *list, enum list_end end, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "e%07u", (unsigned)(number % 10000000));
    list_push(list, end, slice_make(text, 8));
}

static struct list *new_filled(size_t length)
{
    struct list *list = list_new();
    for (size_t i = 0; i < length; i++)
        push_number(list, LIST_TAIL, i);
    return list;
}

static const char element[] = "abcdefgh";

/* What follows takes STEPS steps on a list and leaves its length as it was. */
static void as_stack(struct list *list, uint64_t *random)
{
    (void)random;
    for (int i = 0; i < STEPS; i++)
        list_push(list, LIST_HEAD, slice_make(element, 8));
    for (int i = 0; i < STEPS; i++)
        list_drop(list, LIST_HEAD, 1);
}

static void as_queue(struct list *list, uint64_t *random)
{
    (void)random;
    for (int i = 0; i < STEPS; i++) {
        list_push(list, LIST_TAIL, slice_make(element, 8));
        list_drop(list, LIST_HEAD, 1);
    }
}

static void seek(struct list *list, uint64_t *random)
{
    struct list_cursor cursor;
    for (int i = 0; i < STEPS; i++) {
        if (!list_seek(list, &cursor, next_random(random) % list_length(list)))
            abort();
    }
}

static void range_of_ten(struct list *list, uint64_t *random)
{
    struct list_cursor cursor;
    size_t bytes = 0;
    for (int i = 0; i < STEPS; i++) {
        bool on = list_seek(list, &cursor, next_random(random) % list_length(list));
        for (int n = 0; on && n < 10; n++, on = list_next(&cursor))
            bytes += list_cursor_value(&cursor).len;
    }
    if (bytes == 0)
        abort();
}

static void insert_and_remove(struct list *list, uint64_t *random)
{
    for (int i = 0; i < STEPS; i++) {
        list_insert(list, next_random(random) % list_length(list), slice_make(element, 8));
        list_remove(list, next_random(random) % list_length(list));
    }
}

static double least_ns(struct list *list, void (*work)(struct list *list, uint64_t *random))
{
    uint64_t least = UINT64_MAX, random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns();
        work(list, &random);
        uint64_t taken = now_ns() - start;
        least = taken < least ? taken : least;
    }
    return (double)least / STEPS;
}

static void show_times(void)
{
    const size_t lengths[] = {1, 10, 1000, 1000 * 1000, LONGEST};
    printf("%-10s %12s %12s %10s %10s %14s   ns\n", "length", "push+drop", "queue", "seek",
           "range 10", "insert+remove");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct list *list = new_filled(lengths[i]);
        printf("%-10zu %12.1f %12.1f", lengths[i], least_ns(list, as_stack),
               least_ns(list, as_queue));
        printf(" %10.1f %10.1f", least_ns(list, seek), least_ns(list, range_of_ten));
        printf(" %14.1f\n", least_ns(list, insert_and_remove));
        list_free(list);
    }
}

/* The longest of LONGEST pushes to a new list; without a list, of as many that do nothing. */
static uint64_t longest_push_ns(struct list *list)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < LONGEST; i++) {
        uint64_t start = now_ns();
        if (list != NULL)
            list_push(list, i % 2 == 0 ? LIST_HEAD : LIST_TAIL, slice_make(element, 8));
        uint64_t taken = now_ns() - start;
        longest = taken > longest ? taken : longest;
    }
    return longest;
}

static void show_longest_push(void)
{
    uint64_t least = UINT64_MAX, least_of_nothing = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        struct list *list = list_new();
        uint64_t push = longest_push_ns(list), nothing = longest_push_ns(NULL);
        least = push < least ? push : least;
        least_of_nothing = nothing < least_of_nothing ? nothing : least_of_nothing;
        list_free(list);
    }
    printf("longest of 10 M pushes: %.1f us; of as many times nothing: %.1f us\n",
           (double)least / 1e3, (double)least_of_nothing / 1e3);
}

/* The nine digits are scattered, so that they have every size that nine digits can have. */
static void push_kind(struct list *list, char kind, uint64_t number)
{
    char text[32];
    if (kind == 't') {
        push_number(list, LIST_TAIL, number);
        return;
    }
    uint64_t printed = kind == 's' ? number : 100000000 + number * 7919 * 7919 % 900000000;
    int len = snprintf(text, sizeof text, "%lu", (unsigned long)printed);
    list_push(list, LIST_TAIL, slice_make(text, (size_t)len));
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd + heap_used();
}

static void show_memory(size_t lists, size_t length, char kind)
{
    struct list **all = calloc(lists, sizeof *all);
    size_t resident = resident_bytes(), heap = heap_bytes(), accounted = 0;
    for (size_t i = 0; i < lists; i++) {
        all[i] = list_new();
        for (size_t n = 0; n < length; n++)
            push_kind(all[i], kind, n);
        accounted += list_memory(all[i]);
    }
    resident = resident_bytes() - resident;
    heap = heap_bytes() - heap;
    printf("%zu lists of %zu: per list %.1f B by RSS, %.1f of the heap, %.1f accounted\n", lists,
           length, (double)resident / (double)lists, (double)heap / (double)lists,
           (double)accounted / (double)lists);
    for (size_t i = 0; i < lists; i++)
        list_free(all[i]);
    free(all);
}

int main(int argc, char **argv)
{
    if (argc == 5) {
        show_memory(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4][0]);
        return 0;
    }
    show_times();
    show_longest_push();
    return 0;
}
