/* A file or folder: what is durable, what is visible, and what a crash makes of the difference. */
#include "crash/inode.h"

#include "base/mem.h"

#include <stdlib.h>

/* Number of writes whose order a crash may mix at a time. */
#define MOST_MIXED 64

static void clear_pending(struct pending *pending)
{
    for (size_t i = 0; i < pending->count; i++)
        blob_release(pending->items[i].bytes);
    pending->count = 0;
}

static void add_pending(struct pending *pending, const struct disk_effect *effect)
{
    if (pending->count == pending->capacity) {
        pending->capacity = pending->capacity > 0 ? pending->capacity * 2 : 4;
        pending->items = mem_realloc(pending->items, pending->capacity * sizeof *pending->items);
    }
    pending->items[pending->count++] = *effect;
    if (effect->bytes != NULL)
        blob_retain(effect->bytes);
}

void inode_free(struct inode *inode)
{
    clear_pending(&inode->pending);
    free(inode->pending.items);
    view_release(&inode->durable);
    view_release(&inode->seen);
    free(inode->durable_names.items);
    free(inode->seen_names.items);
    free(inode);
}

static void remove_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].name, name) == 0) {
            names->items[i] = names->items[--names->count];
            return;
        }
    }
}

static void set_name(struct names *names, const char *name, uint32_t inode)
{
    remove_name(names, name);
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : 4;
        names->items = mem_realloc(names->items, names->capacity * sizeof *names->items);
    }
    struct name *added = &names->items[names->count++];
    memcpy(added->name, name, DISK_NAME_SIZE);
    added->inode = inode;
}

static void copy_names(struct names *to, const struct names *from)
{
    if (to->capacity < from->count) {
        to->capacity = from->count;
        to->items = mem_realloc(to->items, to->capacity * sizeof *to->items);
    }
    to->count = from->count;
    if (from->count > 0)
        memcpy(to->items, from->items, from->count * sizeof *to->items);
}

static void change_names(struct names *names, const struct disk_effect *effect)
{
    switch (effect->kind) {
    case DISK_CREATE:
    case DISK_MKDIR:
        set_name(names, effect->name, effect->target);
        break;
    case DISK_RENAME: /* `target` is what the former name referred to */
        remove_name(names, effect->name);
        set_name(names, effect->to, effect->target);
        break;
    default:
        remove_name(names, effect->name);
        break;
    }
}

static void change_content(struct view *view, const struct disk_effect *effect)
{
    if (effect->kind == DISK_WRITE)
        view_write(view, effect->offset, blob_slice(effect->bytes));
    else
        view_cut(view, effect->offset);
}

/* Not simply what is visible: after a failed sync that is more than ever becomes durable. */
static void sync_content(struct inode *inode)
{
    for (size_t i = 0; i < inode->pending.count; i++)
        change_content(&inode->durable, &inode->pending.items[i]);
    clear_pending(&inode->pending);
}

/* The length is not in the file's pages, so it is still the visible one. */
static void forget_content(struct inode *inode)
{
    size_t len = inode->seen.len;
    view_release(&inode->seen);
    inode->seen = view_share(inode->durable);
    for (size_t i = 0; i < inode->pending.count; i++)
        change_content(&inode->seen, &inode->pending.items[i]);
    view_extend(&inode->seen, len);
}

static void sync_names(struct inode *inode)
{
    copy_names(&inode->durable_names, &inode->seen_names);
    clear_pending(&inode->pending);
}

void inode_apply(struct inode *inode, const struct disk_effect *effect)
{
    switch (effect->kind) {
    case DISK_SYNC:
        sync_content(inode);
        break;
    case DISK_SYNC_DIRECTORY:
        sync_names(inode);
        break;
    case DISK_LOSE:
        clear_pending(&inode->pending);
        break;
    case DISK_FORGET:
        forget_content(inode);
        break;
    case DISK_WRITE:
    case DISK_TRUNCATE:
        change_content(&inode->seen, effect);
        add_pending(&inode->pending, effect);
        break;
    default:
        change_names(&inode->seen_names, effect);
        add_pending(&inode->pending, effect);
        break;
    }
}

struct inode_moods inode_pick_moods(struct chooser *chooser)
{
    struct inode_moods moods;
    moods.names = (enum inode_mood)chooser_pick(chooser, INODE_MOODS);
    moods.contents = (enum inode_mood)chooser_pick(chooser, INODE_MOODS);
    return moods;
}

/* How many of the oldest changes are always kept. */
static size_t pick_kept(const struct pending *pending, enum inode_mood mood,
                        struct chooser *chooser)
{
    if (mood == INODE_KEEP)
        return pending->count;
    if (mood == INODE_PART && pending->count > 0)
        return chooser_pick(chooser, (uint32_t)pending->count + 1);
    return 0;
}

void inode_crash_names(const struct inode *before, struct inode *after,
                       const struct inode_moods *moods, struct chooser *chooser)
{
    const struct pending *pending = &before->pending;
    struct names *names = &after->durable_names;
    copy_names(names, &before->durable_names);
    size_t kept = pick_kept(pending, moods->names, chooser);
    for (size_t i = 0; i < pending->count; i++) {
        if (i < kept || (moods->names == INODE_FREE && chooser_pick(chooser, 2) == 0))
            change_names(names, &pending->items[i]);
    }
    copy_names(&after->seen_names, names);
}

/* Keeps only the bytes of a write before some point. */
static void tear_at_byte(struct view *view, const struct disk_effect *write,
                         struct chooser *chooser)
{
    size_t len = chooser_pick(chooser, (uint32_t)write->bytes->len + 1);
    view_write(view, write->offset, slice_make(write->bytes->data, len));
}

/* Keeps some of the sectors that a write touches, and its length. */
static void tear_at_sectors(struct view *view, const struct disk_effect *write,
                            struct chooser *chooser)
{
    size_t end = write->offset + write->bytes->len;
    view_extend(view, end);
    for (size_t at = write->offset; at < end;) {
        size_t stop = (at / DISK_SECTOR + 1) * DISK_SECTOR;
        if (stop > end)
            stop = end;
        if (chooser_pick(chooser, 2) == 0)
            view_write(view, at, slice_make(write->bytes->data + (at - write->offset), stop - at));
        at = stop;
    }
}

/* Decides on one change. */
static void change_freely(struct view *view, const struct disk_effect *effect,
                          struct chooser *chooser)
{
    uint32_t fates = effect->kind == DISK_WRITE ? 5 : 2;
    switch (chooser_pick(chooser, fates)) {
    case 0:
        change_content(view, effect);
        break;
    case 1:
        break;
    case 2:
        tear_at_byte(view, effect, chooser);
        break;
    case 3:
        tear_at_sectors(view, effect, chooser);
        break;
    default:
        view_extend(view, effect->offset + effect->bytes->len);
        break;
    }
}

/* Any order of the changes if the chooser wants, else their own. */
static void pick_order(size_t count, size_t order[MOST_MIXED], struct chooser *chooser)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    if (count < 2 || chooser_pick(chooser, 4) != 3)
        return;
    for (size_t i = count - 1; i > 0; i--) {
        size_t with = chooser_pick(chooser, (uint32_t)i + 1);
        size_t moved = order[i];
        order[i] = order[with];
        order[with] = moved;
    }
}

static void change_all_freely(struct view *view, const struct pending *pending,
                              struct chooser *chooser)
{
    for (size_t first = 0; first < pending->count; first += MOST_MIXED) {
        size_t order[MOST_MIXED];
        size_t count = pending->count - first;
        if (count > MOST_MIXED)
            count = MOST_MIXED;
        pick_order(count, order, chooser);
        for (size_t i = 0; i < count; i++)
            change_freely(view, &pending->items[first + order[i]], chooser);
    }
}

/* Applies what a crash leaves of the changes; the content starts as that of the durable file. */
static void crash_changes(struct view *view, const struct pending *pending, enum inode_mood mood,
                          struct chooser *chooser)
{
    size_t kept = pick_kept(pending, mood, chooser);
    for (size_t i = 0; i < kept; i++)
        change_content(view, &pending->items[i]);
    if (mood == INODE_PART && kept < pending->count && pending->items[kept].kind == DISK_WRITE)
        tear_at_byte(view, &pending->items[kept], chooser);
    if (mood == INODE_FREE)
        change_all_freely(view, pending, chooser);
}

void inode_crash_content(const struct inode *before, struct inode *after,
                         const struct inode_moods *moods, struct chooser *chooser)
{
    view_release(&after->durable); /* a file with two names is crashed twice, and the last one
                                      counts */
    view_release(&after->seen);
    after->durable = view_share(before->durable);
    crash_changes(&after->durable, &before->pending, moods->contents, chooser);
    after->seen = view_share(after->durable);
}
