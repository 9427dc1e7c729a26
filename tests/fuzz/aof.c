/*
 * A log: scanned, and replayed into a store, as at a start. Any bytes end in a clean, torn or
 * damaged log with a reason; what was applied before is what a log could hold.
 *
 * With an even first byte the rest is the file. Else it is pieces behind their sizes: the payloads
 * of batches, each with the line and the checksums that belong to it, so that what they contain is
 * looked at.
 */
#include "common/target.h"
#include "journal/log/batch.h"
#include "journal/log/scan.h"
#include "journal/replay.h"
#include "store/receipts.h"
#include "store/store.h"

static uint8_t touched;

static void touch(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        touched ^= bytes.data[i];
}

/* The number of records is a byte before each payload. */
static void append_batches(struct buf *log, struct slice input)
{
    uint64_t seq = 1;
    while (input.len > 0) {
        uint8_t line[BATCH_MOST_LINE];
        struct batch batch = {.seq = seq, .ops = target_byte(&input) % 8, .synced = seq - 1};
        struct slice payload = target_piece(&input);
        struct iovec piece = {.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.len};
        size_t size = batch_format(&batch, log->len, &piece, payload.len > 0 ? 1 : 0, line);
        bool appended = buf_append(log, slice_make(line, size)) && buf_append(log, payload);
        CHECK(appended);
        seq += batch.ops;
    }
}

/* Returns how far the log is good. */
static size_t scan_all(struct slice log)
{
    struct scan scan;
    struct scan_record record;
    enum scan_verdict verdict;
    size_t end = 0;
    scan_init(&scan, log, 1);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD) {
        CHECK(record.offset >= end && record.size <= log.len - record.offset);
        end = record.offset + record.size;
        for (size_t i = 0; i < record.count; i++)
            for (size_t k = 0; k < record.commands[i].count; k++)
                touch(record.commands[i].args[k]);
        touch(record.notes);
    }
    CHECK(scan.offset <= log.len);
    CHECK(verdict == SCAN_CLEAN ? scan.offset == log.len : scan.why != NULL);
    size_t offset = scan.offset;
    scan_deinit(&scan);
    return offset;
}

static void replay(struct slice log)
{
    struct store *store = store_new(&(struct store_options){.databases = 4});
    struct receipts *receipts = receipts_new(
        &(struct receipts_options){.most_count = 10, .most_bytes = 10000, .age_ms = INT64_MAX});
    struct loading loading = {.store = store, .receipts = receipts};
    struct replay_end end;
    bool loaded = replay_log(&loading, log, 0, &end);
    if (loaded)
        CHECK(end.good <= log.len && (end.good == log.len) == (end.why == NULL));
    else
        CHECK(loading.verdict != LOADING_DONE && loading.why[0] != '\0' &&
              loading.offset <= log.len);
    if (loaded)
        CHECK(end.good == scan_all(log));
    loading_deinit(&loading);
    receipts_free(receipts);
    store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    struct buf log;
    buf_init(&log, SIZE_MAX);
    if (target_byte(&input) % 2 == 0) {
        bool appended = buf_append(&log, input);
        CHECK(appended);
    } else {
        append_batches(&log, input);
    }
    uint8_t *copy = target_copy(buf_slice(&log));
    scan_all(slice_make(copy, log.len));
    replay(slice_make(copy, log.len));
    free(copy);
    buf_deinit(&log);
    return 0;
}
