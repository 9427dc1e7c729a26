/* The edit distance by its table of prefixes, and how large it may be. */
#include "base/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define MOST 40

static size_t nearest_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int nearest_letter(const char *text, size_t at)
{
    return toupper((unsigned char)text[at]);
}

size_t nearest_distance(const char *word, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    size_t table[MOST + 1][MOST + 1];
    if (len > MOST || name_len > MOST)
        return SIZE_MAX;
    for (size_t j = 0; j <= name_len; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= len; i++) {
        table[i][0] = i;
        for (size_t j = 1; j <= name_len; j++) {
            int letter = nearest_letter(word, i - 1), wanted = nearest_letter(name, j - 1);
            size_t best = table[i - 1][j - 1] + (letter == wanted ? 0 : 1);
            best = nearest_smaller(best, nearest_smaller(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && letter == nearest_letter(name, j - 2) &&
                nearest_letter(word, i - 2) == wanted)
                best = nearest_smaller(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[len][name_len];
}

/* The number of letters by which a misspelt word of this length may differ. */
static size_t nearest_tolerance(size_t len)
{
    if (len < 3)
        return 1;
    return len < 6 ? 2 : 3;
}

void nearest_begin(struct nearest *nearest, const char *word, size_t len)
{
    *nearest = (struct nearest){.word = word, .len = len, .below = nearest_tolerance(len) + 1};
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t distance = nearest_distance(nearest->word, nearest->len, name);
    if (distance >= nearest->below)
        return;
    nearest->below = distance;
    nearest->name = name;
}
