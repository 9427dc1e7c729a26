/*
 * What is under way between its write and its receipt: keys whose events watchers have yet to
 * receive, or elements that no consumer has received yet. Shared by all threads of a run.
 */
#ifndef KEYSTORE_BENCH_LEDGER_H
#define KEYSTORE_BENCH_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ledger_entry {
    _Atomic uint64_t start_ns; /* of the write */
    _Atomic uint32_t left;     /* receipts to come; 0 = not under way */
};

struct ledger {
    struct ledger_entry *entries; /* by number of the key or element */
    uint64_t count;
    uint32_t receipts;        /* of each write */
    _Atomic uint64_t next;    /* writes so far; its remainder is the number of the next one */
    _Atomic uint64_t open;    /* entries under way */
    _Atomic uint32_t writers; /* threads that may still write */
};

/* For numbers below `count`, each of whose writes is received `receipts` times, at least once. */
void ledger_init(struct ledger *ledger, uint64_t count, uint32_t receipts, uint32_t writers);

void ledger_deinit(struct ledger *ledger);

/* Enters a write, in turn; false, with *number unchanged, while that number is still under way. */
bool ledger_enter(struct ledger *ledger, uint64_t start_ns, uint64_t *number)
    __attribute__((warn_unused_result));

/* Strikes out a receipt, and says when its write started; false if none was to come. */
bool ledger_receive(struct ledger *ledger, uint64_t number, uint64_t *start_ns)
    __attribute__((warn_unused_result));

/* Strikes out a write that has failed. */
void ledger_withdraw(struct ledger *ledger, uint64_t number);

/* To be called once by each writer, when its last write has ended. */
void ledger_end_writing(struct ledger *ledger);

/* Whether all writes have ended and all receipts have come. */
bool ledger_is_settled(const struct ledger *ledger);

/* Whether any receipt is to come. */
bool ledger_is_open(const struct ledger *ledger);

/* Receipts that have not come. Not while others use it. */
uint64_t ledger_missing(const struct ledger *ledger);

#endif
