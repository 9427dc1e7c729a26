/* Gives the good bytes of each file to the loaders of a start. Does not judge them again. */
#include "check/load.h"

#include "journal/load_rdb.h"
#include "journal/replay.h"
#include "store/restore.h"

#include <string.h>

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, LOAD_PROBLEM_SIZE, __VA_ARGS__), false)

/* What went before a log that is looked at alone, its first revision shows. */
static void begin_log(struct loading *loading, const struct inspection *inspection)
{
    if (inspection->log.first > 0 && !inspection->rdb.present)
        restore_revision(loading->store, inspection->log.first - 1);
}

static bool load_bytes(struct loading *loading, struct slice bytes)
{
    struct replay_end end;
    size_t start = 0;
    if (load_rdb_begins(bytes) && !load_rdb(loading, bytes, &start))
        return false;
    return start == bytes.len || replay_log(loading, bytes, start, &end);
}

static bool load_item(struct fs *fs, const struct item *item, struct loading *loading,
                      char problem[static LOAD_PROBLEM_SIZE])
{
    const struct inspection *inspection = &item->inspection;
    struct fs_file *file;
    struct slice bytes;
    int error = fs_open(fs, item->path, FS_READ, &file);
    if (error == 0) {
        error = fs_map(file, &bytes);
        fs_close(file);
    }
    if (error != 0)
        return refuse(problem, "%.200s: %s", item->path, strerror(-error));
    size_t good = inspection->state == STATE_GOOD ? bytes.len : (size_t)inspection->good;
    begin_log(loading, inspection);
    bool loaded = load_bytes(loading, slice_make(bytes.data, good));
    fs_unmap(fs, bytes);
    return loaded ||
           refuse(problem, "%.200s at byte %zu: %s", item->path, loading->offset, loading->why);
}

bool load_items(struct fs *fs, const struct item *items, size_t count, struct store *store,
                char problem[static LOAD_PROBLEM_SIZE])
{
    struct loading loading = {.store = store};
    bool loaded = true;
    for (size_t i = 0; i < count && loaded; i++) {
        if (!directory_holds_data(&items[i]))
            continue;
        const struct inspection *inspection = &items[i].inspection;
        bool usable = inspection->state == STATE_GOOD || inspection->log.present;
        loaded = !usable || load_item(fs, &items[i], &loading, problem);
        if (inspection->state != STATE_GOOD)
            break;
    }
    loading_deinit(&loading);
    return loaded;
}
