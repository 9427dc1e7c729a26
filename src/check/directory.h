/*
 * Checks a data directory as a whole: each file that its manifest names, their order, and what else
 * lies there. Layout: journal/layout.h. Only reads; nobody may write there meanwhile.
 *
 * The judgement is that of a server's start (journal/recovery.h), which loads the data; this adds
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
    ROLE_HISTORY,  /* no longer used, says the manifest; the next start removes it */
    ROLE_LEFTOVER, /* unfinished, or of no manifest's; the same */
    ROLE_DUMP,     /* dump.rdb, and the data are in it: there is no manifest */
    ROLE_IGNORED,  /* dump.rdb, and nobody reads it: there is a manifest */
    ROLE_LOCK,
    ROLE_VERSIONS, /* which revisions may have been given */
    ROLE_COPY,     /* kept by a repair */
    ROLE_UNKNOWN,
};

struct item {
    enum role role;
    char *path; /* from the data directory; owned */
    /* Of what holds no data only `size`; of it, too, a state and `why` if it cannot be read. */
    struct inspection inspection;
    bool missing;      /* the manifest names it, but it is not there */
    uint64_t reserved; /* of ROLE_VERSIONS: the revision that it tells; 0 = it cannot be read */
};

struct directory {
    struct manifest manifest;
    bool has_manifest;
    bool repairable;    /* nothing is wrong but what a cut takes away */
    struct item *items; /* those with data in the order in which they are loaded */
    size_t count;
    size_t capacity;
    enum state state;
    char why[1000];                 /* what is wrong that is no item's own; empty = nothing */
    struct unsupported unsupported; /* what KeyStore does not take over from Redis */
    struct store *store; /* what was loaded; if the state is damaged, an unknown part of it */
};

/* Fills in an empty one, which the caller frees, whatever the state. */
void directory_check(struct fs *fs, struct progress *progress, struct directory *directory);

/* The same for one file, its path from where `fs` is, which may be any folder: it has one item. */
void directory_check_file(struct fs *fs, const char *path, struct progress *progress,
                          struct directory *directory);

/* Has the store hold all that stands before the damage, if that can be told, and else nothing. */
void directory_load_good(struct fs *fs, struct directory *directory);

void directory_deinit(struct directory *directory);

/* True if the data are in this file, or a part of them. */
static inline bool directory_holds_data(const struct item *item)
{
    return item->role == ROLE_BASE || item->role == ROLE_LOG || item->role == ROLE_DUMP;
}

#endif
