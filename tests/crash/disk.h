/*
 * A model of a disk with a file system on it, as pessimistic as journal/fs/fs.h: for each file and
 * folder, what is durable, what the running system sees, and the changes in between. A crash keeps
 * what is durable and, of the other changes, what a chooser decides.
 */
#ifndef KEYSTORE_TESTS_CRASH_DISK_H
#define KEYSTORE_TESTS_CRASH_DISK_H

#include "base/blob.h"
#include "crash/chooser.h"
#include "crash/view.h"

/* Bytes of a name with its terminating zero. */
#define DISK_NAME_SIZE 64

/* The data directory. */
#define DISK_ROOT 0

/* Bytes that a torn write writes atomically. */
#define DISK_SECTOR ((size_t)512)

enum disk_kind {
    DISK_CREATE,         /* a file `target` in folder `inode` */
    DISK_MKDIR,          /* a folder `target` in folder `inode` */
    DISK_RENAME,         /* `name` to `to` within the folder */
    DISK_UNLINK,         /* `name` in the folder */
    DISK_SYNC_DIRECTORY, /* the folder's names become durable */
    DISK_WRITE,          /* `bytes` at `offset` of the file */
    DISK_TRUNCATE,       /* the file to `offset` bytes */
    DISK_SYNC,           /* the file becomes durable */
    DISK_LOSE,   /* a sync failed: what was not durable never will be, but is still visible */
    DISK_FORGET, /* what a failed sync lost is no longer visible */
};

/* A change of the disk. */
struct disk_effect {
    enum disk_kind kind;
    uint32_t inode;
    uint32_t target;
    uint64_t offset;
    struct blob *bytes;
    char name[DISK_NAME_SIZE];
    char to[DISK_NAME_SIZE];
};

struct disk;

/* A disk with an empty data directory. */
struct disk *disk_new(void);
void disk_free(struct disk *disk);

/* The number that the next file or folder gets, for DISK_CREATE and DISK_MKDIR. */
uint32_t disk_next(const struct disk *disk);

/* Applies a change that is possible; shares its bytes. */
void disk_apply(struct disk *disk, const struct disk_effect *effect);

/* What the running system sees. */

/* The file or folder of that name; false if there is none. */
bool disk_find(const struct disk *disk, uint32_t folder, const char *name, uint32_t *inode);
bool disk_is_folder(const struct disk *disk, uint32_t inode);
struct view disk_content(const struct disk *disk, uint32_t file); /* borrowed */
/* The n-th name in a folder; NULL after the last. */
const char *disk_name(const struct disk *disk, uint32_t folder, size_t n);
/* A hash of all names and what they refer to: equal for disks on which a program finds the same. */
uint64_t disk_hash(const struct disk *disk, uint64_t seed);

/*
 * Returns the disk after a crash: a new one, all of which is durable. For each file and folder the
 * chooser decides on the changes since its last sync: all kept; all lost; those before some point
 * kept and the one at it torn; or each independently kept, lost, torn at a byte, torn into sectors,
 * or only its length kept and its bytes zero, sometimes in another order.
 */
struct disk *disk_crash(const struct disk *disk, struct chooser *chooser);

#endif
