/* A hash table with open addressing, of numbers that already are hashes. */
#include "crash/known.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024

static uint64_t *find(const struct known *known, uint64_t hash)
{
    size_t at = (size_t)hash & (known->capacity - 1);
    while (known->slots[at] != 0 && known->slots[at] != hash)
        at = (at + 1) & (known->capacity - 1);
    return &known->slots[at];
}

/* At least half of the slots stay free. */
static void grow(struct known *known)
{
    struct known larger = {.count = known->count};
    larger.capacity = known->capacity > 0 ? 2 * known->capacity : FIRST_CAPACITY;
    larger.slots = mem_alloc_zero(larger.capacity * sizeof *larger.slots);
    for (size_t i = 0; i < known->capacity; i++) {
        if (known->slots[i] != 0)
            *find(&larger, known->slots[i]) = known->slots[i];
    }
    free(known->slots);
    *known = larger;
}

bool known_add(struct known *known, uint64_t hash)
{
    hash += hash == 0;
    if (2 * (known->count + 1) > known->capacity)
        grow(known);
    uint64_t *slot = find(known, hash);
    if (*slot != 0)
        return false;
    *slot = hash;
    known->count++;
    return true;
}

void known_deinit(struct known *known)
{
    free(known->slots);
    *known = (struct known){0};
}
