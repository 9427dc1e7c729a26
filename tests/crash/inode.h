/* One file or folder of the model of a disk: see crash/disk.h. */
#ifndef KEYSTORE_TESTS_CRASH_INODE_H
#define KEYSTORE_TESTS_CRASH_INODE_H

#include "crash/disk.h"

struct name {
    char name[DISK_NAME_SIZE];
    uint32_t inode;
};

/* Names in a folder, in no order. */
struct names {
    struct name *items;
    size_t count;
    size_t capacity;
};

/* Changes since the last sync, oldest first. */
struct pending {
    struct disk_effect *items;
    size_t count;
    size_t capacity;
};

struct inode {
    bool is_folder;
    struct pending pending;
    struct view durable; /* of a file */
    struct view seen;
    struct names durable_names; /* of a folder */
    struct names seen_names;
};

void inode_free(struct inode *inode);

/* Applies a change of this file or folder. */
void inode_apply(struct inode *inode, const struct disk_effect *effect);

/* How a crash treats changes that are not durable. */
enum inode_mood {
    INODE_KEEP, /* all reached the disk */
    INODE_LOSE, /* none did */
    INODE_PART, /* those before some point did; the one at it is torn */
    INODE_FREE, /* each independently */
    INODE_MOODS,
};

struct inode_moods {
    enum inode_mood names;
    enum inode_mood contents;
};

struct inode_moods inode_pick_moods(struct chooser *chooser);

/* Fill in the names, or the content, of an empty one: what is left of `before` after a crash. */
void inode_crash_names(const struct inode *before, struct inode *after,
                       const struct inode_moods *moods, struct chooser *chooser);
void inode_crash_content(const struct inode *before, struct inode *after,
                         const struct inode_moods *moods, struct chooser *chooser);

#endif
