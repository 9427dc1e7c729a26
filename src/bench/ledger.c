/*
 * An entry of atomics for each number. The bytes of a write order its entry before its receipt: the
 * server has them in between. Does not know what is written.
 */
#include "bench/ledger.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

/* `left` of an entry that is being entered. */
#define CLAIMED UINT32_MAX

void ledger_init(struct ledger *ledger, uint64_t count, uint32_t receipts, uint32_t writers)
{
    CHECK(count > 0 && receipts > 0 && receipts < CLAIMED);
    *ledger = (struct ledger){
        .entries = mem_alloc_zero(count * sizeof *ledger->entries),
        .count = count,
        .receipts = receipts,
        .writers = writers,
    };
}

void ledger_deinit(struct ledger *ledger)
{
    free(ledger->entries);
    ledger->entries = NULL;
}

/* The entry is claimed before the turn is taken: else the turn after a whole round could find it
 * free while the former one is still being entered. */
bool ledger_enter(struct ledger *ledger, uint64_t start_ns, uint64_t *number)
{
    uint64_t next = atomic_load(&ledger->next);
    for (;;) {
        struct ledger_entry *entry = &ledger->entries[next % ledger->count];
        uint32_t left = 0;
        if (!atomic_compare_exchange_strong(&entry->left, &left, CLAIMED)) {
            uint64_t turn = atomic_load(&ledger->next);
            if (turn == next)
                return false;
            next = turn; /* another thread has it */
            continue;
        }
        uint64_t turn = next;
        if (atomic_compare_exchange_strong(&ledger->next, &turn, next + 1)) {
            *number = next % ledger->count;
            atomic_fetch_add(&ledger->open, 1);
            atomic_store(&entry->start_ns, start_ns);
            atomic_store(&entry->left, ledger->receipts);
            return true;
        }
        atomic_store(&entry->left, 0);
        next = turn;
    }
}

bool ledger_receive(struct ledger *ledger, uint64_t number, uint64_t *start_ns)
{
    if (number >= ledger->count)
        return false;
    struct ledger_entry *entry = &ledger->entries[number];
    *start_ns = atomic_load(&entry->start_ns); /* after the last receipt it may be another's */
    uint32_t left = atomic_load(&entry->left);
    do {
        if (left == 0 || left == CLAIMED)
            return false;
    } while (!atomic_compare_exchange_weak(&entry->left, &left, left - 1));
    if (left == 1)
        atomic_fetch_sub(&ledger->open, 1);
    return true;
}

void ledger_withdraw(struct ledger *ledger, uint64_t number)
{
    if (atomic_exchange(&ledger->entries[number].left, 0) != 0)
        atomic_fetch_sub(&ledger->open, 1);
}

void ledger_end_writing(struct ledger *ledger)
{
    atomic_fetch_sub(&ledger->writers, 1);
}

bool ledger_is_settled(const struct ledger *ledger)
{
    return atomic_load(&ledger->writers) == 0 && !ledger_is_open(ledger);
}

bool ledger_is_open(const struct ledger *ledger)
{
    return atomic_load(&ledger->open) > 0;
}

uint64_t ledger_missing(const struct ledger *ledger)
{
    uint64_t missing = 0;
    for (uint64_t i = 0; i < ledger->count; i++)
        missing += atomic_load(&ledger->entries[i].left);
    return missing;
}
