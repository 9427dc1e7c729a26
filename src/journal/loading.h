/*
 * What the loaders of a start share: the store that they fill, how far they are, what they could
 * not take over, and what was wrong.
 */
#ifndef KEYSTORE_JOURNAL_LOADING_H
#define KEYSTORE_JOURNAL_LOADING_H

#include "journal/left_out.h"
#include "journal/unsupported.h"

struct store;

enum loading_verdict {
    LOADING_DONE = 0,
    LOADING_STOPPED, /* on_progress asked for it */
    LOADING_REFUSED, /* it needs a decision: another setting, or another directory */
    LOADING_DAMAGED, /* data are missing or are not what was written */
    LOADING_FAILED,  /* the file system did not do what it was asked */
};

struct loading_progress {
    uint64_t done;  /* bytes read */
    uint64_t total; /* bytes there are */
    uint64_t keys;  /* keys and commands read */
};

struct loading {
    struct store *store;
    /* Called now and then, at least once per file; false ends the loading. May be NULL. */
    bool (*on_progress)(void *user, const struct loading_progress *progress);
    void *user;
    struct loading_progress progress;
    struct unsupported unsupported;
    struct left_out left_out; /* keys that exist, or may, but not in the store */
    enum loading_verdict verdict;
    size_t offset; /* where it ended, unless it is done: bytes from the beginning of the file */
    char why[320]; /* a sentence without full stop and without the file's name */

    /* The rest is private. */
    uint64_t before; /* bytes of the files before this one */
    uint64_t next;   /* on_progress is called from so many bytes on */
};

/* Frees what was noted; the rest stays readable. */
void loading_deinit(struct loading *loading);

/* A file begins; the one before, 0 bytes if there is none, is done. */
void loading_begin_file(struct loading *loading, uint64_t former_size);

/* So many bytes of the file are read; false if the loading is to end: then the verdict is set. */
bool loading_reach(struct loading *loading, size_t offset);

/* What is not printable becomes '?': names of keys, commands and files in messages may be any
 * bytes, and a terminal would obey some. */
void loading_clean(char *text);

/* Ends the loading with a verdict, unless it has one; returns false. */
bool loading_fail(struct loading *loading, enum loading_verdict verdict, size_t offset,
                  const char *format, ...) __attribute__((format(printf, 4, 5), cold));

#endif
