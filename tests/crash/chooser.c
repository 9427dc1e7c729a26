/* Random or exhaustive choices. The exhaustive ones count like an odometer, last decision first. */
#include "crash/chooser.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

void chooser_init_random(struct chooser *chooser, uint64_t *random)
{
    chooser->random = random;
}

void chooser_init_all(struct chooser *chooser)
{
    chooser->random = NULL;
    chooser->at = 0;
    chooser->count = 0;
}

uint32_t chooser_pick(struct chooser *chooser, uint32_t bound)
{
    if (chooser->random != NULL)
        return seeded_below(chooser->random, bound);
    size_t at = chooser->at++;
    if (at == CHOOSER_MOST)
        fail_msg("more than %d decisions in one state; use a smaller case", CHOOSER_MOST);
    if (at == chooser->count) {
        chooser->chosen[chooser->count++] = 0;
        chooser->bounds[at] = bound;
    }
    return chooser->chosen[at];
}

bool chooser_next(struct chooser *chooser)
{
    size_t at = chooser->count;
    while (at > 0 && chooser->chosen[at - 1] + 1 == chooser->bounds[at - 1])
        at--;
    if (at == 0)
        return false;
    chooser->chosen[at - 1]++;
    chooser->count = at;
    chooser->at = 0;
    return true;
}
