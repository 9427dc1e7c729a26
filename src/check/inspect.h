/*
 * Counts what is in one file of data: a snapshot (journal/rdb/format.h), a log
 * (journal/log/scan.h), or a snapshot with a log behind it, as Redis before 7.0 wrote them. What it
 * is shows in its bytes; up to where it is good the recovery has said (journal/recovery.h).
 */
#ifndef KEYSTORE_CHECK_INSPECT_H
#define KEYSTORE_CHECK_INSPECT_H

#include "base/slice.h"
#include "check/progress.h"

/* What a recovery says of the data; the exit code. */
enum state {
    STATE_GOOD = 0,
    STATE_TORN = 1,    /* a bad end as a crash leaves it; the next start would cut it */
    STATE_DAMAGED = 2, /* what had been durable is gone or wrong */
    STATE_UNREADABLE = 3,
    STATE_REFUSED = 4, /* nothing is wrong with the bytes, but a server does not start on them */
};

/* Bytes of a sentence that says what is wrong. */
#define INSPECT_WHY_SIZE ((size_t)320)

struct inspect_rdb {
    bool present;
    unsigned version; /* of the format */
    bool checksum;    /* there is one, and it is right */
    uint64_t size;    /* bytes, if the snapshot is good */
    bool has_revision;
    uint64_t revision; /* that it shows */
    uint64_t strings;
    uint64_t lists;
    uint64_t elements; /* of all lists */
    uint64_t expiring; /* strings and lists with a deadline */
};

struct inspect_log {
    bool present;
    uint64_t batches;
    uint64_t records;
    uint64_t checked; /* of these, records in batches, which have checksums */
    uint64_t commands;
    uint64_t first; /* revision of the first record; 0 = none, or not known */
    uint64_t last;
    uint64_t synced; /* revisions up to this one were durable, says the log itself */
};

struct inspection {
    enum state state;
    uint64_t size; /* bytes of the file */
    uint64_t next; /* revision that a record behind this file is due to have; 0 = not known */
    struct inspect_rdb rdb;
    struct inspect_log log;

    /* Of a file that is not good. */
    uint64_t good;              /* what stands before this offset is to be kept by a repair */
    char why[INSPECT_WHY_SIZE]; /* without full stop */
    uint64_t bad_batches;       /* at or behind `good`, of which a line is left */
    uint64_t bad_records;       /* in these */
};

/*
 * Counts what stands before `good`, and beyond it what a cut there takes away; SIZE_MAX: the file
 * is good. `next` is the revision that the first record is due to have, as in scan_init(); a
 * snapshot's own revision is stronger. `progress` follows; it was begun. The state is left good.
 */
void inspect(struct slice bytes, uint64_t good, uint64_t next, struct progress *progress,
             struct inspection *inspection);

#endif
