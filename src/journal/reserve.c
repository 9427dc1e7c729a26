/* The file that says which revisions may have been given. Does not know what a commit is. */
#include "journal/reserve.h"

#include "base/check.h"
#include "base/log.h"
#include "journal/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#define TEMPORARY "temp-" LAYOUT_VERSIONS
#define MOST_LINE 80
/* Time between the attempts of a writer that has to wait. */
#define RETRY_NS 100000000L

static const char refusal[] =
    "the file " LAYOUT_VERSIONS " in the data directory cannot be written, so that versions could "
    "be given twice after a crash: writes are refused until it can; the server's log says why";

/* ---- the file ---- */

static size_t reserve_format_line(char line[MOST_LINE], uint64_t revision)
{
    int len = snprintf(line, MOST_LINE, "versions %" PRIu64, revision);
    return (size_t)len + (size_t)snprintf(line + len, MOST_LINE - (size_t)len,
                                          " xxh3 %016" PRIx64 "\n", XXH3_64bits(line, (size_t)len));
}

/* True if the bytes are exactly the line of a revision. */
static bool reserve_parse_line(struct slice bytes, uint64_t *revision)
{
    char line[MOST_LINE], text[MOST_LINE + 1] = {0};
    if (bytes.len > MOST_LINE)
        return false;
    memcpy(text, bytes.data, bytes.len);
    return sscanf(text, "versions %" SCNu64, revision) == 1 &&
           slice_equal(bytes, slice_make(line, reserve_format_line(line, *revision)));
}

int reserve_read(struct fs *fs, uint64_t *revision)
{
    uint8_t bytes[MOST_LINE + 1];
    struct fs_file *file;
    *revision = 0;
    int error = fs_open(fs, LAYOUT_VERSIONS, FS_READ, &file);
    if (error != 0)
        return error == -ENOENT ? 0 : error;
    ssize_t size = fs_read(file, 0, bytes, sizeof bytes);
    fs_close(file);
    if (size < 0)
        return (int)size;
    if (reserve_parse_line(slice_make(bytes, (size_t)size), revision))
        return 0;
    *revision = 0;
    return -EINVAL;
}

static int reserve_write_temporary(struct fs *fs, uint64_t revision)
{
    char line[MOST_LINE];
    struct fs_file *file;
    int error = fs_unlink(fs, TEMPORARY); /* left by a process that died */
    if (error != 0 && error != -ENOENT)
        return error;
    error = fs_open(fs, TEMPORARY, FS_CREATE, &file);
    if (error != 0)
        return error;
    error = fs_write_slice(file, slice_make(line, reserve_format_line(line, revision)));
    if (error == 0)
        error = fs_sync(file);
    int closed = fs_close(file);
    return error != 0 ? error : closed;
}

static int reserve_write_file(struct fs *fs, uint64_t revision)
{
    int error = reserve_write_temporary(fs, revision);
    if (error == 0)
        error = fs_rename(fs, TEMPORARY, LAYOUT_VERSIONS);
    if (error != 0) {
        fs_unlink(fs, TEMPORARY);
        return error;
    }
    return fs_sync_directory(fs, ".");
}

/* ---- reserving; the lock is held ---- */

/* Revisions left below which writes are refused: more than the commits in flight take. */
static uint64_t reserve_low_mark(const struct reserve *reserve)
{
    return reserve->step / 8;
}

static void reserve_note_failure(struct reserve *reserve, uint64_t newest, int error)
{
    const char *none = NULL;
    if (!reserve->failing)
        log_error("%s cannot be written: %s", LAYOUT_VERSIONS, strerror(-error));
    reserve->failing = true;
    if (newest + reserve_low_mark(reserve) < reserve->limit)
        return;
    atomic_compare_exchange_strong(&reserve->durable->read_only_reason, &none, refusal);
}

static void reserve_note_success(struct reserve *reserve)
{
    const char *ours = refusal;
    if (!reserve->failing)
        return;
    log_info("%s can be written again: writes are accepted", LAYOUT_VERSIONS);
    reserve->failing = false;
    atomic_compare_exchange_strong(&reserve->durable->read_only_reason, &ours, NULL);
}

/* Reserves a step from the revision on. */
static bool reserve_extend(struct reserve *reserve, uint64_t revision)
{
    uint64_t limit = revision + reserve->step;
    int error = reserve_write_file(reserve->fs, limit);
    if (error != 0) {
        reserve_note_failure(reserve, revision, error);
        return false;
    }
    reserve_note_success(reserve);
    reserve->limit = limit;
    if (reserve->step < RESERVE_LONGEST_STEP)
        reserve->step *= 2;
    restore_set_reserve(reserve->store, &reserve->hook, limit);
    return true;
}

/* ---- from outside ---- */

/* The writer extends it itself, as the journal's thread may wait for locks that the writer holds.
 */
static void reserve_wait_for(struct restore_reserve *hook, uint64_t revision)
{
    struct reserve *reserve = (struct reserve *)hook;
    static const struct timespec pause = {.tv_nsec = RETRY_NS};
    pthread_mutex_lock(&reserve->lock);
    while (reserve->limit < revision && !reserve_extend(reserve, revision)) {
        pthread_mutex_unlock(&reserve->lock);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&reserve->lock);
    }
    pthread_mutex_unlock(&reserve->lock);
}

void reserve_start(struct reserve *reserve, struct fs *fs, struct store *store,
                   struct durable *durable, uint64_t step)
{
    CHECK(!reserve->started);
    uint64_t newest = restore_newest(store);
    *reserve = (struct reserve){.hook = {.wait = reserve_wait_for},
                                .fs = fs,
                                .store = store,
                                .durable = durable,
                                .started = true,
                                .limit = newest,
                                .step = step != 0 ? step : RESERVE_FIRST_STEP};
    pthread_mutex_init(&reserve->lock, NULL);
    restore_set_reserve(store, &reserve->hook, newest);
    pthread_mutex_lock(&reserve->lock);
    reserve_extend(reserve, newest);
    pthread_mutex_unlock(&reserve->lock);
}

void reserve_keep(struct reserve *reserve)
{
    if (!reserve->started)
        return;
    uint64_t newest = restore_newest(reserve->store);
    pthread_mutex_lock(&reserve->lock);
    uint64_t left = reserve->limit > newest ? reserve->limit - newest : 0;
    if (reserve->failing || left < reserve->step / 4) /* half of the last one */
        reserve_extend(reserve, newest);
    pthread_mutex_unlock(&reserve->lock);
}

void reserve_stop(struct reserve *reserve)
{
    if (!reserve->started)
        return;
    int error = reserve_write_file(reserve->fs, restore_newest(reserve->store));
    if (error != 0)
        log_warning("%s cannot be written: %s; the next start skips some versions", LAYOUT_VERSIONS,
                    strerror(-error));
    restore_set_reserve(reserve->store, NULL, 0);
    pthread_mutex_destroy(&reserve->lock);
    *reserve = (struct reserve){0};
}
