/* Files and folders with a durable and a visible state. Each is an inode (crash/inode.h). */
#include "crash/disk.h"

#include "base/mem.h"
#include "crash/inode.h"

#include <stdlib.h>
#include <xxhash.h>

struct disk {
    struct inode **inodes;
    uint32_t count;
    uint32_t capacity;
};

static struct inode *add_inode(struct disk *disk, bool is_folder)
{
    if (disk->count == disk->capacity) {
        disk->capacity = disk->capacity > 0 ? disk->capacity * 2 : 8;
        disk->inodes = mem_realloc(disk->inodes, disk->capacity * sizeof *disk->inodes);
    }
    struct inode *inode = mem_alloc_zero(sizeof *inode);
    inode->is_folder = is_folder;
    disk->inodes[disk->count++] = inode;
    return inode;
}

struct disk *disk_new(void)
{
    struct disk *disk = mem_alloc_zero(sizeof *disk);
    add_inode(disk, true);
    return disk;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    for (uint32_t i = 0; i < disk->count; i++)
        inode_free(disk->inodes[i]);
    free(disk->inodes);
    free(disk);
}

uint32_t disk_next(const struct disk *disk)
{
    return disk->count;
}

void disk_apply(struct disk *disk, const struct disk_effect *effect)
{
    if (effect->kind == DISK_CREATE || effect->kind == DISK_MKDIR) {
        if (effect->target != disk->count)
            abort(); /* the effects are those of another disk */
        add_inode(disk, effect->kind == DISK_MKDIR);
    }
    inode_apply(disk->inodes[effect->inode], effect);
}

bool disk_find(const struct disk *disk, uint32_t folder, const char *name, uint32_t *inode)
{
    const struct names *names = &disk->inodes[folder]->seen_names;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].name, name) == 0) {
            *inode = names->items[i].inode;
            return true;
        }
    }
    return false;
}

bool disk_is_folder(const struct disk *disk, uint32_t inode)
{
    return disk->inodes[inode]->is_folder;
}

struct view disk_content(const struct disk *disk, uint32_t file)
{
    return disk->inodes[file]->seen;
}

const char *disk_name(const struct disk *disk, uint32_t folder, size_t n)
{
    const struct names *names = &disk->inodes[folder]->seen_names;
    return n < names->count ? names->items[n].name : NULL;
}

static uint64_t hash_folder(const struct disk *disk, uint32_t folder, uint64_t seed);

static uint64_t hash_name(const struct disk *disk, const struct name *name, uint64_t seed)
{
    static const uint8_t nothing;
    const struct inode *inode = disk->inodes[name->inode];
    uint64_t hash = XXH3_64bits_withSeed(name->name, strlen(name->name), seed);
    if (inode->is_folder)
        return hash_folder(disk, name->inode, ~hash);
    struct slice bytes = view_bytes(inode->seen);
    return XXH3_64bits_withSeed(bytes.len > 0 ? bytes.data : &nothing, bytes.len, hash);
}

/* The order of names does not matter. */
static uint64_t hash_folder(const struct disk *disk, uint32_t folder, uint64_t seed)
{
    const struct names *names = &disk->inodes[folder]->seen_names;
    uint64_t sum = seed;
    for (size_t i = 0; i < names->count; i++)
        sum += hash_name(disk, &names->items[i], seed);
    return XXH3_64bits_withSeed(&sum, sizeof sum, seed);
}

uint64_t disk_hash(const struct disk *disk, uint64_t seed)
{
    return hash_folder(disk, DISK_ROOT, seed);
}

/* Crashes what the folder holds after its own crash; files without a name are ignored. */
static void crash_below(const struct disk *before, struct disk *after, uint32_t folder,
                        const struct inode_moods *moods, struct chooser *chooser)
{
    inode_crash_names(before->inodes[folder], after->inodes[folder], moods, chooser);
    const struct names *names = &after->inodes[folder]->seen_names;
    for (size_t i = 0; i < names->count; i++) {
        uint32_t inode = names->items[i].inode;
        if (before->inodes[inode]->is_folder)
            crash_below(before, after, inode, moods, chooser);
        else
            inode_crash_content(before->inodes[inode], after->inodes[inode], moods, chooser);
    }
}

struct disk *disk_crash(const struct disk *disk, struct chooser *chooser)
{
    struct disk *after = mem_alloc_zero(sizeof *after);
    for (uint32_t i = 0; i < disk->count; i++)
        add_inode(after, disk->inodes[i]->is_folder);
    struct inode_moods moods = inode_pick_moods(chooser);
    crash_below(disk, after, DISK_ROOT, &moods, chooser);
    return after;
}
