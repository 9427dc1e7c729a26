/*
 * The manifest of Redis' multi-part append-only file: which files make up the data, a line each,
 *
 *     file appendonly.aof.1.base.rdb seq 1 type b
 *
 * with type b (base), i (log since then, in order of seq) or h (history: no longer used, to be
 * removed). Format and order are those of redis-server 7.0; parsing is at least as strict:
 * everything that Redis writes is accepted, and nothing that Redis refuses.
 */
#ifndef KEYSTORE_JOURNAL_MANIFEST_H
#define KEYSTORE_JOURNAL_MANIFEST_H

#include "base/buf.h"
#include "journal/fs/fs.h"

/* Maximum bytes of a manifest; some 10,000 files. */
#define MANIFEST_MOST_BYTES ((size_t)1024 * 1024)

struct manifest_file {
    char *name;  /* without folder; owned */
    int64_t seq; /* at least 1 */
    char type;   /* 'b', 'i' or 'h' */
};

/* All zero is empty. At most one base; the seq of type i increases. */
struct manifest {
    struct manifest_file *files;
    size_t count;
    size_t capacity;
};

void manifest_deinit(struct manifest *manifest);

/* Appends a file, with a copy of the name. */
void manifest_add(struct manifest *manifest, const char *name, int64_t seq, char type);

/* The base; NULL if there is none. */
const struct manifest_file *manifest_base(const struct manifest *manifest);

/* Why a text is not a manifest. */
struct manifest_fault {
    const char *why; /* an error message in static memory, without its subject */
    size_t line;     /* from 1; 0: the file as a whole */
};

/* Reads a manifest into an empty one. False if the text is not a manifest; then it is empty again.
 */
bool manifest_parse(struct slice text, struct manifest *manifest, struct manifest_fault *fault)
    __attribute__((warn_unused_result));

/* Appends the text of the manifest, in Redis' order: base, history, logs. False past the limit. */
bool manifest_format(const struct manifest *manifest, struct buf *out)
    __attribute__((warn_unused_result));

/* Reads `name` in `folder`. 0, or -EINVAL with *fault filled in, or the file system's error:
 * -ENOENT if there is no manifest. */
int manifest_load(struct fs *fs, const char *folder, const char *name, struct manifest *manifest,
                  struct manifest_fault *fault) __attribute__((warn_unused_result));

/*
 * Replaces or creates `name` in `folder` so that a crash leaves the former one or this one: writes
 * "temp-<name>" as Redis does, syncs it, renames it, syncs the folder. The files that it names must
 * already be durable. 0 or a negative errno value; after an error in the last sync either may
 * survive.
 */
int manifest_replace(struct fs *fs, const char *folder, const char *name,
                     const struct manifest *manifest) __attribute__((warn_unused_result));

#endif
