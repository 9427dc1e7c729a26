/*
 * Checks a data directory as a whole: each file that its manifest names, their order, and what else
 * is there. Layout: journal/layout.h. Only reads; nobody may write there meanwhile.
 *
 * The verdict is that of a server's start (journal/recovery.h), which loads the data; this adds
 * what is in each file.
 */
#ifndef KEYSTORE_CHECK_DIRECTORY_H
#define KEYSTORE_CHECK_DIRECTORY_H

#include "check/inspect.h"
#include "journal/recovery.h"

enum role {
    ROLE_MANIFEST,
    ROLE_BASE,
    ROLE_LOG,
    ROLE_HISTORY,  /* no longer used according to the manifest; the next start removes it */
    ROLE_LEFTOVER, /* unfinished, or named by no manifest; the same */
    ROLE_DUMP,     /* dump.rdb, which holds the data: there is no manifest */
    ROLE_IGNORED,  /* dump.rdb, which is not read: there is a manifest */
    ROLE_LOCK,
    ROLE_VERSIONS, /* which revisions may have been given */
    ROLE_COPY,     /* kept by a repair */
    ROLE_UNKNOWN,
};

struct item {
    enum role role;
    char *path; /* from the data directory; owned */
    /* For files without data only `size`, and a state and `why` if they cannot be read. */
    struct inspection inspection;
    bool missing;      /* the manifest names it, but it is missing */
    uint64_t reserved; /* of ROLE_VERSIONS: the revision in it; 0 = it cannot be read */
};

struct directory {
    struct manifest manifest;
    bool has_manifest;
    bool repairable;    /* nothing is wrong that a cut does not remove */
    struct item *items; /* those with data in the order in which they are loaded */
    size_t count;
    size_t capacity;
    enum state state;
    char why[1000];                 /* what is wrong with no item in particular; empty = nothing */
    struct unsupported unsupported; /* what KeyStore does not take over from Redis */
    struct store *store; /* what was loaded; if the state is damaged, an unknown part of it */
};

/* Fills in an empty one, which the caller frees, whatever the state. */
void directory_check(struct fs *fs, struct progress *progress, struct directory *directory);

/* The same for one file, with its path from `fs`, which may be any folder; there is one item. */
void directory_check_file(struct fs *fs, const char *path, struct progress *progress,
                          struct directory *directory);

/* Loads into the store everything before the damage, if its place is known, else nothing. */
void directory_load_good(struct fs *fs, struct directory *directory);

void directory_deinit(struct directory *directory);

/* True if the file holds the data, or a part of them. */
static inline bool directory_holds_data(const struct item *item)
{
    return item->role == ROLE_BASE || item->role == ROLE_LOG || item->role == ROLE_DUMP;
}

#endif
