/* What a journal (journal.h) is made with, and how its saves end. */
#ifndef KEYSTORE_JOURNAL_JOURNAL_OPTIONS_H
#define KEYSTORE_JOURNAL_JOURNAL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct activity;
struct receipts;

enum journal_durability {
    JOURNAL_ALWAYS,       /* what was acknowledged survives every crash */
    JOURNAL_EVERY_SECOND, /* all but the last two seconds survive */
    JOURNAL_NONE,         /* what the last base holds survives */
};

/* A base is due when so many changes have been made and so many seconds have passed since the last
 * one. */
struct journal_rule {
    int64_t seconds;
    uint64_t changes;
};

#define JOURNAL_MOST_RULES 8

struct journal_options {
    enum journal_durability durability;
    uint32_t rewrite_percent;  /* size of the log, relative to the base, from which on a new base is
                                  due; 0: never, however many log files there are */
    uint64_t rewrite_min_size; /* bytes of the log below which none is due */
    struct journal_rule rules[JOURNAL_MOST_RULES];
    size_t rule_count;
    bool skip_unsupported;     /* as in recovery.h */
    uint64_t reserve_step;     /* revisions; 0 = RESERVE_FIRST_STEP (reserve.h) */
    struct activity *activity; /* as in wal_options.h */
    struct receipts *receipts; /* borrowed: restored and kept; NULL: they are not */
};

/* How the last save ended. */
enum journal_outcome { JOURNAL_NEVER, JOURNAL_GOOD, JOURNAL_FAILED };

#endif
