/*
 * Loads a data directory (journal/layout.h) into a store: the base, and the logs since then, as the
 * manifest names them; or, without a manifest, the dump.rdb of a Redis. Its verdict is the only
 * judgement of a directory: servers start by it, and keystore-check reports it.
 *
 * A start repairs what a crash has left only after everything is loaded (journal/tidy.h). A
 * directory whose data cannot be loaded stays unchanged, so that it can still be inspected,
 * repaired, or loaded with other settings.
 */
#ifndef KEYSTORE_JOURNAL_RECOVERY_H
#define KEYSTORE_JOURNAL_RECOVERY_H

#include "journal/layout.h"
#include "journal/loading.h"
#include "journal/manifest.h"

/* Where the data of a directory are to end, as if everything from there on had been truncated. */
struct recovery_cut {
    const char *path; /* from the data directory; a path that no file has cuts nothing */
    uint64_t offset;  /* 0: nothing of the file is loaded, which may be missing */
};

struct recovery_options {
    /* Nothing is synced: for callers that only read, and may not be allowed to do more. */
    bool read_only;
    /* Not NULL: only what is before it is loaded, and the manifest may lack logs. */
    const struct recovery_cut *cut;
    /* Keys of types that the store does not have are left out; else the loading is refused. */
    bool skip_unsupported;
    struct receipts *receipts; /* to be restored; NULL: they are only counted */
    /* As in struct loading; may be NULL. */
    bool (*on_progress)(void *user, const struct loading_progress *progress);
    void *user;
};

/* The file at which a loading ended, or which is torn. */
struct recovery_fault {
    char path[LAYOUT_PATH]; /* from the data directory; empty: no single file is at fault */
    bool missing;           /* it is missing */
    uint64_t offset;        /* everything before it is good */
    char why[320];          /* without full stop and file name */
};

/* What a directory held; pass it to recovery_deinit(). */
struct recovery {
    enum loading_verdict verdict;
    char why[1000]; /* unless LOADING_DONE: an error message for the user */
    struct recovery_fault fault;
    bool has_manifest;
    struct manifest manifest; /* empty if there was none; after a start without history */
    bool from_dump;           /* loaded from dump.rdb: no manifest names what is in the store */
    uint64_t revision;        /* of the newest commit */
    uint64_t reserved;        /* newest revision that may have been given (reserve.h); 0 = none */
    uint64_t base_bytes, log_bytes;
    uint64_t ignored_bytes; /* after the end of the snapshot in dump.rdb */
    struct loading_progress progress;
    struct unsupported unsupported; /* what was left out, or would be */
    /* The torn tail, which a start truncates: its file, where it starts, and why it is one. */
    char torn_name[NAME_MAX + 1]; /* empty = there was none */
    uint64_t torn_offset, torn_bytes;
    const char *torn_why;
};

/*
 * Loads the directory, which nobody else changes meanwhile, into the empty store, and changes
 * nothing. Afterwards the store has the revision of the newest commit. Returns `recovery->verdict`;
 * unless it is LOADING_DONE, the store holds a part of the data and must be discarded.
 */
enum loading_verdict recovery_judge(struct fs *fs, struct store *store,
                                    const struct recovery_options *options,
                                    struct recovery *recovery);

/* The same for one file in whatever folder `fs` is: a snapshot, a log, or a snapshot followed by a
 * log. */
enum loading_verdict recovery_judge_file(struct fs *fs, const char *path, struct store *store,
                                         const struct recovery_options *options,
                                         struct recovery *recovery);

void recovery_deinit(struct recovery *recovery);

#endif
