/* The documented differences. */
#include "differences.h"

#include <stdatomic.h>
#include <stdio.h>

static const struct row {
    const char *redis;
    const char *ours;
    const char *why;
} rows[DIFFERENCE_COUNT] = {
    [DIFFERENCE_NO_SUCH_KEY] = {"RENAME, RENAMENX and LSET of no key: an error",
                                "OK with ok = false",
                                "a miss is an answer in every method (api: status codes)"},
    [DIFFERENCE_RENAME_DB] = {"only MOVE leads to another database, and keeps the name",
                              "Rename takes another name along, and replaces",
                              "one method for RENAME, RENAMENX and MOVE; here it is COPY and DEL"},
    [DIFFERENCE_TXN_UNDONE] = {"EXEC carries out what follows a failed command, and undoes nothing",
                               "Txn does all or nothing and fails as its first failing operation",
                               "the promise of Txn"},
    [DIFFERENCE_COMPARE_LIST] = {"GET of a list: an error",
                                 "a Txn's compare with a value does not hold for a list",
                                 "a compare chooses between success and failure; it has no error"},
    [DIFFERENCE_ZERO] = {"LPOS with RANK 0 and LMPOP with COUNT 0: errors", "they are 1",
                         "zero is the default of every field"},
    [DIFFERENCE_EMPTY_KEY] =
        {"the empty key is a key", "BAD_ARGUMENT",
         "an unset field must not name a key (api: keys have 1 byte to 64 KiB)"},
    [DIFFERENCE_LONG_KEY] = {"a key may be as long as a value", "TOO_LARGE beyond 64 KiB",
                             "the same"},
    [DIFFERENCE_NEGATIVE_TIME] = {"a negative deadline or time to live removes the key (EXPIRE)",
                                  "BAD_ARGUMENT", "a client's mistake is told (api: status codes)"},
    [DIFFERENCE_WATCH_NO_EFFECT] =
        {"a command that changes nothing, such as LTRIM of nothing or SET of what has expired, "
         "ends "
         "a WATCH",
         "unchanged_since holds while the key has its version, or is absent",
         "nothing was written"},
    [DIFFERENCE_WATCH_ABSENT] = {"each absent key is watched by its name",
                                 "the removal of another key may count for one that is absent",
                                 "removals are kept by hash, in a table of a fixed size"},
    [DIFFERENCE_WATCH_BIT_FIELD] =
        {"a BITFIELD that fails to write for OVERFLOW FAIL makes the string longer, and ends no "
         "WATCH (nor is it in the log)",
         "unchanged_since does not hold", "the string is another one"},
    [DIFFERENCE_LCS_LENGTH] = {"LCS of strings whose table would take more than 512 MiB: an error",
                               "an answer up to 128 times as many places",
                               "the table takes a 2048th of the memory"},
};

static atomic_ulong met[DIFFERENCE_COUNT];

bool difference_met(enum difference difference)
{
    atomic_fetch_add_explicit(&met[difference], 1, memory_order_relaxed);
    return true;
}

void differences_print(void)
{
    for (int i = 0; i < DIFFERENCE_COUNT; i++)
        printf("  %8lu  Redis: %s\n            ours: %s\n            why: %s\n",
               atomic_load(&met[i]), rows[i].redis, rows[i].ours, rows[i].why);
}
