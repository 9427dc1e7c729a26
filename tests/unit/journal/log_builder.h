/*
 * Builds logs for tests and remembers what must come out of them. A record's text, by which it is
 * compared, is for each command its database, ':', and its arguments, each as <length>'<bytes>'.
 * Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_JOURNAL_LOG_BUILDER_H
#define KEYSTORE_TESTS_JOURNAL_LOG_BUILDER_H

#include "base/mem.h"
#include "journal/log/scan.h"
#include "store/seeded.h"
#include "support/resp_append.h"
#include "support/words.h"

#include <stdio.h>
#include <stdlib.h>

#define BUILDER_LIMIT ((size_t)64 * 1024 * 1024)
#define BUILDER_MOST  4096

struct built_record {
    uint64_t revision;
    size_t end; /* offset after it in the log */
    char *text;
};

/* A batch, or a plain record. */
struct built_frame {
    size_t start;
    size_t end;
    uint64_t seq;
    uint64_t synced;
    size_t records_before;
    bool plain;
};

struct builder {
    struct buf log;
    uint64_t first; /* revision */
    uint64_t next;
    uint64_t synced;
    uint32_t db;
    struct built_record records[BUILDER_MOST];
    size_t record_count;
    struct built_frame frames[BUILDER_MOST];
    size_t frame_count;
};

static inline struct builder *builder_new(uint64_t first)
{
    struct builder *builder = mem_alloc_zero(sizeof *builder);
    buf_init(&builder->log, BUILDER_LIMIT);
    builder->first = first;
    builder->next = first;
    return builder;
}

static inline void builder_free(struct builder *builder)
{
    for (size_t i = 0; i < builder->record_count; i++)
        free(builder->records[i].text);
    buf_deinit(&builder->log);
    free(builder);
}

static inline void builder_append(struct buf *out, struct slice bytes)
{
    assert_true(buf_append(out, bytes));
}

static inline void builder_append_text(struct buf *out, const char *text)
{
    builder_append(out, slice_from_string(text));
}

static inline void builder_describe(struct buf *text, uint32_t db, const struct slice *args,
                                    size_t count)
{
    char number[32];
    snprintf(number, sizeof number, "%u:", db);
    builder_append_text(text, number);
    for (size_t i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%zu'", args[i].len);
        builder_append_text(text, number);
        builder_append(text, args[i]);
        builder_append_text(text, "'");
    }
}

/* The text of a record that was read; the caller frees it. Zero bytes in it become 0x01. */
static inline char *builder_finish_text(struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        text->data[i] = text->data[i] == 0 ? 1 : text->data[i];
    builder_append(text, slice_make("", 1));
    return (char *)text->data;
}

static inline char *builder_record_text(const struct scan_record *record)
{
    struct buf text;
    buf_init(&text, BUILDER_LIMIT);
    for (size_t i = 0; i < record->count; i++)
        builder_describe(&text, record->commands[i].db, record->commands[i].args,
                         record->commands[i].count);
    return builder_finish_text(&text);
}

/* A random command, with a SELECT before it now and then. */
static inline void builder_command(struct builder *builder, struct buf *out, struct buf *text,
                                   uint64_t *random)
{
    uint8_t bytes[3][40];
    struct slice args[4] = {slice_from_string(seeded_below(random, 2) ? "SET" : "RPUSH")};
    size_t count = 2 + seeded_below(random, 3);
    for (size_t i = 1; i < count; i++) {
        size_t len = seeded_below(random, sizeof bytes[0]);
        seeded_fill(random, bytes[i - 1], len);
        args[i] = slice_make(bytes[i - 1], len);
    }
    if (seeded_below(random, 4) == 0) {
        char words[32];
        builder->db = seeded_below(random, 16);
        snprintf(words, sizeof words, "SELECT %u", builder->db);
        words_append(out, words);
    }
    assert_true(resp_append(out, args, count));
    builder_describe(text, builder->db, args, count);
}

/* Appends a random record to `out`, which will be at offset `base` of the log. */
static inline void builder_record(struct builder *builder, struct buf *out, uint64_t *random)
{
    struct buf text;
    buf_init(&text, BUILDER_LIMIT);
    if (seeded_below(random, 4) == 0) {
        words_append(out, "MULTI");
        for (size_t i = seeded_below(random, 4); i > 0; i--)
            builder_command(builder, out, &text, random);
        words_append(out, "EXEC");
    } else {
        builder_command(builder, out, &text, random);
    }
    assert_true(builder->record_count < BUILDER_MOST);
    builder->records[builder->record_count++] = (struct built_record){
        .revision = builder->next++, .end = out->len, .text = builder_finish_text(&text)};
}

static inline struct built_frame *builder_frame(struct builder *builder)
{
    assert_true(builder->frame_count < BUILDER_MOST);
    struct built_frame *frame = &builder->frames[builder->frame_count++];
    *frame = (struct built_frame){.start = builder->log.len,
                                  .seq = builder->next,
                                  .synced = builder->synced,
                                  .records_before = builder->record_count};
    return frame;
}

/* A plain record. */
static inline void builder_plain(struct builder *builder, uint64_t *random)
{
    struct built_frame *frame = builder_frame(builder);
    builder_record(builder, &builder->log, random);
    frame->plain = true;
    frame->end = builder->log.len;
}

/* A line and its payload, as given. */
static inline void builder_raw_batch(struct buf *log, struct batch batch, struct slice payload)
{
    uint8_t line[BATCH_MOST_LINE];
    struct iovec piece = {.iov_base = (void *)payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, log->len, &piece, payload.len > 0, line);
    builder_append(log, slice_make(line, size));
    builder_append(log, payload);
}

/* Appends a batch of so many random records. */
static inline void builder_batch(struct builder *builder, size_t ops, uint64_t *random)
{
    struct built_frame *frame = builder_frame(builder);
    struct batch batch = {.seq = builder->next, .ops = ops, .synced = builder->synced};
    struct buf payload;
    buf_init(&payload, BUILDER_LIMIT);
    for (size_t i = 0; i < ops; i++)
        builder_record(builder, &payload, random);
    builder_raw_batch(&builder->log, batch, buf_slice(&payload));
    size_t start = builder->log.len - payload.len;
    for (size_t i = frame->records_before; i < builder->record_count; i++)
        builder->records[i].end += start;
    frame->end = builder->log.len;
    buf_deinit(&payload);
}

/* Up to `most` batches; how far the log is durable advances now and then. */
static inline void builder_batches(struct builder *builder, size_t most, uint64_t *random)
{
    for (size_t i = 1 + seeded_below(random, (uint32_t)most); i > 0; i--) {
        if (builder->next > 1 && seeded_below(random, 2) == 0)
            builder->synced += seeded_below(random, (uint32_t)(builder->next - builder->synced));
        builder_batch(builder, seeded_below(random, 4), random);
    }
}

/*
 * Reads a log that may have been tampered with, and asserts that each record delivered is the one
 * that was built, in order. Returns how it ended; *delivered is how many records came.
 */
static inline enum scan_verdict builder_scan(const struct builder *builder, struct slice log,
                                             struct scan *scan, size_t *delivered)
{
    struct scan_record record;
    enum scan_verdict verdict;
    scan_init(scan, log, builder->first);
    *delivered = 0;
    while ((verdict = scan_next(scan, &record)) == SCAN_RECORD) {
        const struct built_record *built = &builder->records[*delivered];
        assert_true(*delivered < builder->record_count);
        assert_int_equal(record.revision, built->revision);
        assert_int_equal(record.offset + record.size, built->end);
        char *text = builder_record_text(&record);
        assert_string_equal(text, built->text);
        free(text);
        ++*delivered;
    }
    assert_int_equal(scan_next(scan, &record), verdict);
    assert_true((verdict == SCAN_CLEAN) == (scan->why == NULL));
    return verdict;
}

#endif
