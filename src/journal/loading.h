/*
 * What the loaders of a start share: the store that they fill, their progress, what they could not
 * take over, and the error.
 */
#ifndef KEYSTORE_JOURNAL_LOADING_H
#define KEYSTORE_JOURNAL_LOADING_H

#include "journal/left_out.h"
#include "journal/unsupported.h"

struct receipts;
struct store;

enum loading_verdict {
    LOADING_DONE = 0,
    LOADING_STOPPED, /* on_progress asked for it */
    LOADING_REFUSED, /* the operator must decide: other settings, or another directory */
    LOADING_DAMAGED, /* data are missing or are not what was written */
    LOADING_FAILED,  /* the file system returned an error */
};

struct loading_progress {
    uint64_t done;  /* bytes read */
    uint64_t total; /* bytes in total */
    uint64_t keys;  /* keys and commands read */
};

struct loading {
    struct store *store;
    struct receipts *receipts; /* restored here; NULL: they are not */
    /* Called regularly, at least once per file; false stops the loading. May be NULL. */
    bool (*on_progress)(void *user, const struct loading_progress *progress);
    void *user;
    struct loading_progress progress;
    struct unsupported unsupported;
    struct left_out left_out; /* keys that exist, or may, but not in the store */
    enum loading_verdict verdict;
    size_t offset; /* where it ended, unless LOADING_DONE: bytes from the start of the file */
    char why[320]; /* an error message without full stop and file name */

    /* The rest is private. */
    uint64_t before; /* bytes of the files before this one */
    uint64_t next;   /* when so many bytes are done, on_progress is called */
};

/* Frees what was noted; the other fields stay readable. */
void loading_deinit(struct loading *loading);

/* Starts a file; the one before, of `former_size` bytes (0 if there is none), is done. */
void loading_start_file(struct loading *loading, uint64_t former_size);

/* `offset` bytes of the file are read. False if the loading is to end: then the verdict is set. */
bool loading_reach(struct loading *loading, size_t offset);

/* Restores a receipt (store/receipts.h) of a commit of that revision; bytes that are none, such as
 * those of a later version, are skipped. */
void loading_note(struct loading *loading, struct slice bytes, uint64_t revision);

/* Replaces what is not printable by '?': names of keys, commands and files in messages may be any
 * bytes, and a terminal would obey some. */
void loading_clean(char *text);

/* Ends the loading with a verdict, unless it already has one; returns false. */
bool loading_fail(struct loading *loading, enum loading_verdict verdict, size_t offset,
                  const char *format, ...) __attribute__((format(printf, 4, 5), cold));

#endif
