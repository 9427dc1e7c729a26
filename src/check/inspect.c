/* Reads a file up to where it is good, and counts. Judges nothing. */
#include "check/inspect.h"

#include "base/decimal.h"
#include "journal/log/scan.h"
#include "journal/rdb/read.h"

struct reading {
    struct slice bytes;
    struct inspection *inspection;
    struct progress *progress;
};

/* ---- snapshots ---- */

/* Counts a string or list. Most names are in the file itself, so they show the progress of the
 * reading. */
static void inspect_count_key(struct reading *reading, const struct rdb_key *key)
{
    if (key->expire_at_ms != 0)
        reading->inspection->rdb.expiring++;
    uintptr_t begin = (uintptr_t)reading->bytes.data;
    uintptr_t at = (uintptr_t)key->name.data;
    if (at >= begin && at - begin < reading->bytes.len)
        progress_step(reading->progress, at - begin);
}

static bool inspect_on_aux(void *context, struct slice name, struct slice value)
{
    struct reading *reading = context;
    struct inspect_rdb *rdb = &reading->inspection->rdb;
    int64_t revision;
    if (slice_equal(name, SLICE_LITERAL(RDB_AUX_REVISION)) && decimal_parse(value, &revision)) {
        rdb->has_revision = true;
        rdb->revision = (uint64_t)revision;
    }
    rdb->receipts += slice_equal(name, SLICE_LITERAL(RDB_AUX_RECEIPT));
    return true;
}

static bool inspect_on_string(void *context, const struct rdb_key *key, struct slice value)
{
    struct reading *reading = context;
    (void)value;
    reading->inspection->rdb.strings++;
    inspect_count_key(reading, key);
    return true;
}

static bool inspect_on_list_begin(void *context, const struct rdb_key *key)
{
    struct reading *reading = context;
    reading->inspection->rdb.lists++;
    inspect_count_key(reading, key);
    return true;
}

static bool inspect_on_list_elements(void *context, const struct slice *elements, size_t count)
{
    struct reading *reading = context;
    (void)elements;
    reading->inspection->rdb.elements += count;
    return true;
}

/* A server accepts the rest, so these do not count. */
static bool inspect_on_unsupported(void *context, const struct rdb_key *key, const char *type)
{
    (void)context;
    (void)key;
    (void)type;
    return true;
}

/* Reads what is at fixed offsets of a snapshot that was read completely. */
static void inspect_note_format(struct slice bytes, struct inspect_rdb *rdb)
{
    size_t digits = bytes.data[0] == RDB_VALKEY_MAGIC[0] ? 6 : 5;
    for (size_t i = digits; i < RDB_MAGIC_SIZE; i++)
        rdb->version = rdb->version * 10 + (bytes.data[i] - (unsigned)'0');
    uint64_t checksum = 0;
    if (rdb->version >= RDB_VERSION_CRC)
        memcpy(&checksum, bytes.data + rdb->size - sizeof checksum, sizeof checksum);
    rdb->checksum = checksum != 0;
}

/* False if the snapshot is not complete. */
static bool inspect_snapshot(struct reading *reading)
{
    struct inspection *inspection = reading->inspection;
    const struct rdb_receiver receiver = {.on_aux = inspect_on_aux,
                                          .on_string = inspect_on_string,
                                          .on_list_begin = inspect_on_list_begin,
                                          .on_list_elements = inspect_on_list_elements,
                                          .on_unsupported = inspect_on_unsupported,
                                          .context = reading};
    struct rdb_error error;
    size_t size;
    inspection->rdb.present = true;
    if (!rdb_read(reading->bytes, &receiver, &size, &error))
        return false;
    inspection->rdb.size = size;
    inspect_note_format(reading->bytes, &inspection->rdb);
    /* A snapshot of Redis counts as one revision, as it does when it is loaded. */
    inspection->next = inspection->rdb.has_revision ? inspection->rdb.revision + 1 : 2;
    return true;
}

/* ---- logs ---- */

static void inspect_count_record(struct inspect_log *log, const struct scan_record *record)
{
    log->records++;
    log->commands += record->count;
    log->receipts += record->notes.len > 0;
    if (log->first == 0)
        log->first = record->revision;
    log->last = record->revision;
}

/* Counts the records before `good`, an offset of the log. */
static void inspect_count_records(struct reading *reading, struct scan *scan, uint64_t before,
                                  uint64_t good)
{
    struct inspection *inspection = reading->inspection;
    struct scan_record record;
    inspection->next = scan->next;
    while (scan_next(scan, &record) == SCAN_RECORD && record.offset < good) {
        inspect_count_record(&inspection->log, &record);
        inspection->next = scan->next;
        progress_step(reading->progress, before + scan->offset);
    }
}

/* Counts lines from `from` to `end`, and the records that they announce. */
static uint64_t inspect_count_batches(struct slice log, uint64_t from, uint64_t end,
                                      uint64_t *records)
{
    uint64_t count = 0;
    size_t at = (size_t)from;
    struct batch batch;
    *records = 0;
    while (at < end && batch_find(log, &at, &batch) && at < end) {
        count++;
        *records += batch.ops;
        at += batch.line_size;
        at += batch.len < log.len - at ? (size_t)batch.len : log.len - at;
    }
    return count;
}

/* A cut within a batch would leave half of it: returns the good end, or the start of its batch. */
static uint64_t inspect_place_of_cut(struct slice log, uint64_t good)
{
    size_t at = 0;
    struct batch batch;
    while (batch_find(log, &at, &batch) && at < good) {
        uint64_t end = at + batch.line_size + batch.len;
        if (good < end)
            return at;
        at = (size_t)end;
    }
    return good;
}

static void inspect_log(struct reading *reading, struct slice text, uint64_t before, uint64_t good)
{
    struct inspection *inspection = reading->inspection;
    struct scan scan;
    bool is_whole = good >= text.len;
    inspection->log.present = true;
    good = is_whole ? text.len : inspect_place_of_cut(text, good);
    scan_init(&scan, text, inspection->next);
    inspect_count_records(reading, &scan, before, good);
    inspection->log.synced = scan.synced;
    inspection->log.batches = inspect_count_batches(text, 0, good, &inspection->log.checked);
    inspection->good = before + good;
    if (!is_whole)
        inspection->bad_batches =
            inspect_count_batches(text, good, text.len, &inspection->bad_records);
    scan_deinit(&scan);
}

void inspect(struct slice bytes, uint64_t good, uint64_t next, struct progress *progress,
             struct inspection *inspection)
{
    struct reading reading = {.bytes = bytes, .inspection = inspection, .progress = progress};
    *inspection = (struct inspection){
        .size = bytes.len, .next = next, .good = good < bytes.len ? good : bytes.len};
    if (rdb_read_has_magic(bytes) && !inspect_snapshot(&reading))
        return;
    uint64_t before = inspection->rdb.size;
    if (before <= good && (before == 0 || before < bytes.len))
        inspect_log(&reading, slice_skip(bytes, before), before, good - before);
}
