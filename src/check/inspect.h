/*
 * Counts what is in one file of data: a snapshot (journal/rdb/format.h), a log
 * (journal/log/scan.h), or a snapshot followed by a log, as Redis before 7.0 wrote them. Its bytes
 * show which; up to where it is good is known from the recovery (journal/recovery.h).
 */
#ifndef KEYSTORE_CHECK_INSPECT_H
#define KEYSTORE_CHECK_INSPECT_H

#include "base/slice.h"
#include "check/progress.h"

/* The verdict on the data; the exit code. */
enum state {
    STATE_GOOD = 0,
    STATE_TORN = 1,    /* a bad end as a crash leaves it; the next start would truncate it */
    STATE_DAMAGED = 2, /* what had been durable is lost or wrong */
    STATE_UNREADABLE = 3,
    STATE_REFUSED = 4, /* the bytes are intact, but a server does not start on them */
};

/* Size of an error message. */
#define INSPECT_WHY_SIZE ((size_t)320)

struct inspect_rdb {
    bool present;
    unsigned version; /* of the format */
    bool checksum;    /* there is one, and it is right */
    uint64_t size;    /* bytes, if the snapshot is good */
    bool has_revision;
    uint64_t revision; /* of the snapshot */
    uint64_t strings;
    uint64_t lists;
    uint64_t elements; /* of all lists */
    uint64_t expiring; /* strings and lists with a deadline */
    uint64_t receipts; /* of request ids */
};

struct inspect_log {
    bool present;
    uint64_t batches;
    uint64_t records;
    uint64_t checked; /* of these, records in batches, which have checksums */
    uint64_t commands;
    uint64_t first; /* revision of the first record; 0 = none, or not known */
    uint64_t last;
    uint64_t receipts; /* of request ids */
    uint64_t synced;   /* revisions up to this one were durable, according to the log itself */
};

struct inspection {
    enum state state;
    uint64_t size; /* bytes of the file */
    uint64_t next; /* expected revision of a record after this file; 0 = not known */
    struct inspect_rdb rdb;
    struct inspect_log log;

    /* Of a file that is not good. */
    uint64_t good;              /* a repair keeps everything before this offset */
    char why[INSPECT_WHY_SIZE]; /* without full stop */
    uint64_t bad_batches;       /* at or after `good`, of which a line is left */
    uint64_t bad_records;       /* in these */
};

/*
 * Counts what is before `good`, and after it what a cut there removes; SIZE_MAX: the file is good.
 * `next` is the expected revision of the first record, as in scan_init(); a snapshot's own revision
 * takes precedence. `progress` is updated; its owner has started it. The state becomes good.
 */
void inspect(struct slice bytes, uint64_t good, uint64_t next, struct progress *progress,
             struct inspection *inspection);

#endif
