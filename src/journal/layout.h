/*
 * Names in the data directory, which are those of Redis (redis-server 7.0 with its default
 * settings), except the lock and the versions:
 *
 *     keystore.lock                                held while a server uses the directory
 *     keystore.versions                            revisions that may have been given (reserve.h)
 *     dump.rdb                                     read if there is no manifest; never written
 *     appendonlydir/appendonly.aof.manifest        which of the files below make up the data
 *     appendonlydir/appendonly.aof.N.base.rdb      a base: a snapshot
 *     appendonlydir/appendonly.aof.N.incr.aof      a log since then
 *     appendonlydir/temp-appendonly.aof.*          an unfinished base or manifest
 */
#ifndef KEYSTORE_JOURNAL_LAYOUT_H
#define KEYSTORE_JOURNAL_LAYOUT_H

#include "journal/manifest.h"

#include <limits.h>

#define LAYOUT_LOCK     "keystore.lock"
#define LAYOUT_VERSIONS "keystore.versions"
#define LAYOUT_DUMP     "dump.rdb"
#define LAYOUT_FOLDER   "appendonlydir"
#define LAYOUT_MANIFEST "appendonly.aof.manifest"

/* Maximum size of a file's name in the folder, and of its path from the data directory, in bytes
 * with the terminating zero. */
#define LAYOUT_NAME ((size_t)NAME_MAX + 1)
#define LAYOUT_PATH (sizeof LAYOUT_FOLDER + LAYOUT_NAME)

/* The name of the base or log with that number. */
void layout_base_name(char name[LAYOUT_NAME], int64_t seq);
void layout_log_name(char name[LAYOUT_NAME], int64_t seq);

/* The temporary name of that file while it is unfinished. */
void layout_temporary_name(char name[LAYOUT_NAME], const char *finished);

/* The path of a file in the folder. `name` has at most NAME_MAX bytes. */
void layout_path(char path[LAYOUT_PATH], const char *name);

/* The highest number of a base ('b') or log ('i') in the manifest; 0 if there is none. */
int64_t layout_newest(const struct manifest *manifest, char type);

/* The number in the name of a log; 0 if it is not a log's. */
int64_t layout_log_seq(const char *name);

/* True for the path of a standalone snapshot, a dump: what follows its end is ignored. */
bool layout_is_dump(const char *path);

/* True for the temporary names of unfinished files. */
bool layout_is_temporary(const char *name);

/* True for names of bases, logs and unfinished files: a file of such a name that is in the folder
 * but not in the manifest is of no use. */
bool layout_is_data_file(const char *name);

#endif
