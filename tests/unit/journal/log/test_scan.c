/*
 * Tests of journal/log/scan.c: what was built comes out, and of logs that were cut, flipped, zeroed
 * or made by hand never a record that was not built, with the right judgement of how they end.
 */
#include "journal/log/scan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/log_builder.h"

/* The frame that an offset lies in. */
static size_t frame_at(const struct builder *builder, size_t offset)
{
    size_t i = 0;
    while (builder->frames[i].end <= offset)
        i++;
    return i;
}

/* True if a line after frame `i` says that this was durable. */
static bool is_proven(const struct builder *builder, size_t i)
{
    for (size_t later = i + 1; later < builder->frame_count; later++) {
        if (!builder->frames[later].plain &&
            (builder->frames[i].plain || builder->frames[later].synced >= builder->frames[i].seq))
            return true;
    }
    return false;
}

static size_t records_before(const struct builder *builder, size_t i)
{
    return i < builder->frame_count ? builder->frames[i].records_before : builder->record_count;
}

static struct builder *random_batches(size_t most, uint64_t *random)
{
    struct builder *builder = builder_new(1 + seeded_below(random, 1000));
    builder->synced = builder->next - 1;
    builder_batches(builder, most, random);
    return builder;
}

static void assert_whole(const struct builder *builder)
{
    struct scan scan;
    size_t delivered;
    assert_int_equal(builder_scan(builder, buf_slice(&builder->log), &scan, &delivered),
                     SCAN_CLEAN);
    assert_int_equal(delivered, builder->record_count);
    assert_int_equal(scan.offset, builder->log.len);
    assert_int_equal(scan.next, builder->next);
    scan_deinit(&scan);
}

static void delivers_what_was_written(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 200; round++) {
        struct builder *builder = builder_new(1);
        while (seeded_below(&random, 4) != 0) {
            if (seeded_below(&random, 2) == 0)
                builder_plain(builder, &random);
            else
                builder_batches(builder, 5, &random);
        }
        assert_whole(builder);
        builder_free(builder);
    }
}

/* A file may end anywhere: what stood before is good, the rest is a torn tail. */
static void judges_every_cut(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 30; round++) {
        struct builder *builder = random_batches(6, &random);
        if (round % 3 == 1)
            builder_plain(builder, &random);
        for (size_t len = 0; len < builder->log.len; len++) {
            struct scan scan;
            size_t delivered;
            size_t at = frame_at(builder, len);
            enum scan_verdict verdict =
                builder_scan(builder, slice_make(builder->log.data, len), &scan, &delivered);
            assert_int_equal(delivered, records_before(builder, at));
            if (builder->frames[at].plain) { /* may start with a SELECT, which may end a file */
                assert_int_not_equal(verdict, SCAN_DAMAGED);
            } else {
                bool whole = len == builder->frames[at].start;
                assert_int_equal(verdict, whole ? SCAN_CLEAN : SCAN_TORN);
                assert_int_equal(scan.offset, builder->frames[at].start);
            }
            scan_deinit(&scan);
        }
        builder_free(builder);
    }
}

/* No flipped bit of a batch passes; it is damage if and only if a later line proves it. */
static void judges_every_flipped_bit(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t damaged = 0;
    for (int round = 0; round < 12; round++) {
        struct builder *builder = random_batches(5, &random);
        for (size_t bit = 0; bit < builder->log.len * 8; bit++) {
            struct scan scan;
            size_t delivered;
            size_t at = frame_at(builder, bit / 8);
            builder->log.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum scan_verdict verdict =
                builder_scan(builder, buf_slice(&builder->log), &scan, &delivered);
            assert_int_equal(delivered, records_before(builder, at));
            assert_int_equal(scan.offset, builder->frames[at].start);
            /* A file whose first mark is broken is taken for somebody else's, but for a zero. */
            bool unknown = bit / 8 < 5 && builder->log.data[bit / 8] != 0;
            assert_int_equal(verdict, is_proven(builder, at) || unknown ? SCAN_DAMAGED : SCAN_TORN);
            if (!unknown)
                assert_true((scan.proof > scan.offset) == is_proven(builder, at));
            damaged += verdict == SCAN_DAMAGED;
            builder->log.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            scan_deinit(&scan);
        }
        builder_free(builder);
    }
    assert_true(damaged > 0);
}

/* Zeros up to the end, as a crash leaves them, are a torn tail; zeros before proof are damage. */
static void judges_zeros(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 15; round++) {
        struct builder *builder = random_batches(6, &random);
        for (size_t from = 0; from < builder->log.len; from++) {
            struct scan scan;
            size_t delivered;
            size_t to = from + 1 + seeded_below(&random, (uint32_t)(builder->log.len - from));
            size_t at = frame_at(builder, from);
            uint8_t *copy = mem_alloc(builder->log.len);
            memcpy(copy, builder->log.data, builder->log.len);
            memset(copy + from, 0, to - from);
            if (memcmp(copy, builder->log.data, builder->log.len) == 0) {
                free(copy); /* it was zero before */
                continue;
            }
            while (copy[from] == builder->log.data[from])
                from++;
            at = frame_at(builder, from);
            enum scan_verdict verdict =
                builder_scan(builder, slice_make(copy, builder->log.len), &scan, &delivered);
            assert_int_equal(delivered, records_before(builder, at));
            assert_int_equal(scan.offset, builder->frames[at].start);
            if (to == builder->log.len)
                assert_int_equal(verdict, SCAN_TORN);
            if (verdict == SCAN_DAMAGED)
                assert_true(is_proven(builder, at));
            free(copy);
            scan_deinit(&scan);
        }
        builder_free(builder);
    }
}

/* Plain commands have no checksum, so only truncation can be judged: as Redis does, after the last
 * record. */
static void plain_files_are_cut_as_redis_cuts(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 30; round++) {
        struct builder *builder = builder_new(1);
        for (size_t i = 1 + seeded_below(&random, 6); i > 0; i--) {
            if (seeded_below(&random, 3) == 0)
                builder_append_text(&builder->log, "#TS:1666000000\r\n");
            builder_plain(builder, &random);
        }
        assert_whole(builder);
        for (size_t len = 0; len < builder->log.len; len++) {
            struct scan scan;
            size_t delivered;
            size_t at = frame_at(builder, len);
            size_t good = at > 0 ? builder->frames[at - 1].end : 0;
            enum scan_verdict verdict =
                builder_scan(builder, slice_make(builder->log.data, len), &scan, &delivered);
            assert_true(verdict == SCAN_CLEAN || verdict == SCAN_TORN);
            assert_int_equal(delivered, records_before(builder, at));
            assert_true(scan.offset >= good && scan.offset <= len);
            scan_deinit(&scan);
        }
        builder_free(builder);
    }
}

/* Reads a handmade text; its records' texts are joined by ';' in `records`. */
static enum scan_verdict read_text(struct slice log, uint64_t next, char *records, size_t size,
                                   struct scan *scan)
{
    struct scan_record record;
    enum scan_verdict verdict;
    size_t used = 0;
    records[0] = 0;
    scan_init(scan, log, next);
    while ((verdict = scan_next(scan, &record)) == SCAN_RECORD) {
        char *text = builder_record_text(&record);
        used += (size_t)snprintf(records + used, size - used, "%s;", text);
        assert_true(used < size);
        free(text);
    }
    scan_deinit(scan);
    return verdict;
}

/* Plain commands, '|' between them, words by spaces; lines that start with '#' as they are. */
static void append_script(struct buf *out, const char *script)
{
    char word[200];
    while (*script != 0) {
        size_t len = strcspn(script, "|");
        snprintf(word, sizeof word, "%.*s", (int)len, script);
        if (word[0] == '#') {
            builder_append_text(out, word);
            builder_append_text(out, "\n");
        } else {
            words_append(out, word);
        }
        script += len + (script[len] == '|');
    }
}

static void understands_select_and_transactions(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *records;
        enum scan_verdict verdict;
    } cases[] = {
        {"", "", SCAN_CLEAN},
        {"SET a b", "0:3'SET'1'a'1'b';", SCAN_CLEAN},
        {"SELECT 3|DEL a|DEL b", "3:3'DEL'1'a';3:3'DEL'1'b';", SCAN_CLEAN},
        {"SELECT 3|DEL a|select 0|DEL b", "3:3'DEL'1'a';0:3'DEL'1'b';", SCAN_CLEAN},
        {"MULTI|DEL a|SELECT 2|DEL b|EXEC|DEL c", "0:3'DEL'1'a'2:3'DEL'1'b';2:3'DEL'1'c';",
         SCAN_CLEAN},
        {"multi|exec|DEL c", ";0:3'DEL'1'c';", SCAN_CLEAN},
        {"#TS:1|DEL a|#TS:2|#TS:2|DEL b|#TS:3", "0:3'DEL'1'a';0:3'DEL'1'b';", SCAN_CLEAN},
        {"MULTI|#TS:1|DEL a|#TS:2|EXEC", "0:3'DEL'1'a';", SCAN_CLEAN},
        {"DEL a|SELECT 2", "0:3'DEL'1'a';", SCAN_CLEAN},
        {"DEL a|MULTI|DEL b", "0:3'DEL'1'a';", SCAN_TORN},
        {"DEL a|MULTI", "0:3'DEL'1'a';", SCAN_TORN},
        {"DEL a|MULTI|MULTI|EXEC", "0:3'DEL'1'a';", SCAN_DAMAGED},
        {"DEL a|EXEC", "0:3'DEL'1'a';", SCAN_DAMAGED},
        {"SELECT x|DEL a", "", SCAN_DAMAGED},
        {"SELECT -1|DEL a", "", SCAN_DAMAGED},
        {"SELECT|DEL a", "", SCAN_DAMAGED},
        {"SELECT 1234567890|DEL a", "", SCAN_DAMAGED},
        {"# one|DEL a|#other|# more|DEL b|#", "0:3'DEL'1'a';0:3'DEL'1'b';", SCAN_CLEAN},
        {"MULTI|# in|DEL a|# it|EXEC", "0:3'DEL'1'a';", SCAN_CLEAN},
        {"DEL a|#KS2 seq=2 xxh3=0|DEL b", "0:3'DEL'1'a';", SCAN_DAMAGED},
        {"DEL a|#KS1 seq=2|DEL b", "0:3'DEL'1'a';", SCAN_TORN},
        {"SELECT 1|#other|DEL b", "1:3'DEL'1'b';", SCAN_CLEAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf log;
        struct scan scan;
        char records[500];
        buf_init(&log, BUILDER_LIMIT);
        append_script(&log, cases[i].script);
        print_message("%s\n", cases[i].script);
        assert_int_equal(read_text(buf_slice(&log), 0, records, sizeof records, &scan),
                         cases[i].verdict);
        assert_string_equal(records, cases[i].records);
        buf_deinit(&log);
    }
}

static enum scan_verdict read_built(struct buf *log, uint64_t next, const char **why)
{
    struct scan scan;
    enum scan_verdict verdict;
    struct scan_record record;
    scan_init(&scan, buf_slice(log), next);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD)
        ;
    *why = scan.why;
    scan_deinit(&scan);
    buf_clear(log, SIZE_MAX);
    return verdict;
}

static void append_batch(struct buf *log, uint64_t seq, uint64_t ops, uint64_t synced,
                         const char *script)
{
    struct buf payload;
    buf_init(&payload, BUILDER_LIMIT);
    append_script(&payload, script);
    builder_raw_batch(log, (struct batch){.seq = seq, .ops = ops, .synced = synced},
                      buf_slice(&payload));
    buf_deinit(&payload);
}

static void holds_batches_to_their_word(void **state)
{
    (void)state;
    static const struct {
        uint64_t ops;
        const char *script;
        enum scan_verdict verdict;
    } cases[] = {
        {1, "DEL a", SCAN_CLEAN},
        {2, "SELECT 1|DEL a|MULTI|DEL b|DEL c|EXEC", SCAN_CLEAN},
        {0, "", SCAN_CLEAN},
        {1, "DEL a|DEL b", SCAN_DAMAGED},
        {3, "DEL a|DEL b", SCAN_DAMAGED},
        {1, "MULTI|DEL b", SCAN_DAMAGED},
        {1, "EXEC", SCAN_DAMAGED},
        {2, "DEL a|#KS1 |DEL b", SCAN_DAMAGED},
        {1, "SELECT 1", SCAN_DAMAGED},
    };
    struct buf log;
    const char *why;
    buf_init(&log, BUILDER_LIMIT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        append_batch(&log, 7, cases[i].ops, 0, cases[i].script);
        assert_int_equal(read_built(&log, 7, &why), cases[i].verdict);
        assert_true((why != NULL) == (cases[i].verdict == SCAN_DAMAGED));
    }
    buf_deinit(&log);
}

/* Revisions may be left out, unless a line says that they were durable; they never go back. */
static void judges_revisions(void **state)
{
    (void)state;
    static const struct {
        uint64_t next;
        uint64_t seq;
        uint64_t synced;
        enum scan_verdict verdict;
    } cases[] = {
        {10, 10, 9, SCAN_CLEAN},    {0, 10, 9, SCAN_CLEAN},     {10, 20, 9, SCAN_CLEAN},
        {10, 20, 10, SCAN_DAMAGED}, {10, 20, 19, SCAN_DAMAGED}, {10, 9, 8, SCAN_TORN},
    };
    struct buf log;
    const char *why;
    buf_init(&log, BUILDER_LIMIT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        append_batch(&log, cases[i].seq, 1, cases[i].synced, "DEL a");
        assert_int_equal(read_built(&log, cases[i].next, &why), cases[i].verdict);
    }
    append_batch(&log, 5, 2, 4, "DEL a|DEL b");
    append_batch(&log, 6, 1, 4, "DEL c"); /* repeats 6 */
    append_batch(&log, 8, 1, 4, "DEL c");
    assert_int_equal(read_built(&log, 5, &why), SCAN_TORN);
    append_batch(&log, 5, 2, 4, "DEL a|DEL b");
    append_batch(&log, 6, 1, 4, "DEL c");
    append_batch(&log, 8, 1, 7, "DEL c"); /* and 7 was durable */
    assert_int_equal(read_built(&log, 5, &why), SCAN_DAMAGED);
    buf_deinit(&log);
}

/* What is cut away gives no revision: the next start would leave those before it out, and call them
 * durable. */
static void torn_batches_give_no_revision(void **state)
{
    (void)state;
    struct buf log;
    struct scan scan;
    struct scan_record record;
    size_t whole;
    buf_init(&log, BUILDER_LIMIT);
    append_batch(&log, 5, 1, 4, "DEL a");
    whole = log.len;
    append_batch(&log, 1000, 1, 5, "DEL b");
    for (size_t len = whole + 1; len < log.len; len++) {
        scan_init(&scan, slice_make(log.data, len), 5);
        assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
        assert_int_equal(scan_next(&scan, &record), SCAN_TORN);
        assert_int_equal(scan.offset, whole);
        assert_int_equal(scan.next, 6);
        scan_deinit(&scan);
    }
    log.data[log.len - 1] ^= 1;
    scan_init(&scan, buf_slice(&log), 5);
    assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
    assert_int_equal(scan_next(&scan, &record), SCAN_TORN);
    assert_int_equal(scan.next, 6);
    scan_deinit(&scan);
    buf_deinit(&log);
}

/* A client may store a log as a value; a torn batch that holds it must not look like damage. */
static void values_that_are_logs_prove_nothing(void **state)
{
    (void)state;
    struct buf inner;
    struct buf log;
    struct buf payload;
    const char *why;
    buf_init(&inner, BUILDER_LIMIT);
    buf_init(&log, BUILDER_LIMIT);
    buf_init(&payload, BUILDER_LIMIT);
    append_batch(&inner, 100, 1, 99, "DEL a");
    struct slice args[] = {SLICE_LITERAL("SET"), SLICE_LITERAL("k"), buf_slice(&inner)};
    assert_true(resp_append(&payload, args, 3));
    /* At a wrong place, in a batch whose line is broken. */
    builder_raw_batch(&log, (struct batch){.seq = 1, .ops = 1}, buf_slice(&payload));
    log.data[10] ^= 1;
    assert_int_equal(read_built(&log, 1, &why), SCAN_TORN);
    /* Made for its very place, in a batch whose line is good and whose end is torn. */
    builder_raw_batch(&log, (struct batch){.seq = 1, .ops = 1}, buf_slice(&payload));
    size_t at = log.len - 2 - inner.len;
    struct buf placed;
    buf_init(&placed, BUILDER_LIMIT);
    assert_non_null(buf_reserve(&placed, at));
    placed.len = at;
    append_batch(&placed, 100, 1, 99, "DEL a");
    memcpy(payload.data + payload.len - 2 - inner.len, placed.data + at, inner.len);
    buf_clear(&log, SIZE_MAX);
    builder_raw_batch(&log, (struct batch){.seq = 1, .ops = 1}, buf_slice(&payload));
    size_t found = 1;
    struct batch batch;
    assert_true(batch_find(buf_slice(&log), &found, &batch));
    assert_int_equal(found, at);
    log.data[log.len - 1] ^= 1;
    assert_int_equal(read_built(&log, 1, &why), SCAN_TORN);
    buf_deinit(&placed);
    buf_deinit(&payload);
    buf_deinit(&log);
    buf_deinit(&inner);
}

static void judges_plain_files(void **state)
{
    (void)state;
    struct buf log;
    const char *why;
    buf_init(&log, BUILDER_LIMIT);
    /* Zeros after plain commands: a crash; and the same within one. */
    append_script(&log, "DEL a");
    builder_append(&log, slice_make((uint8_t[700]){0}, 700));
    assert_int_equal(read_built(&log, 0, &why), SCAN_TORN);
    append_script(&log, "DEL a");
    builder_append(&log, SLICE_LITERAL("*2\r\n$3\r\nDEL\r\n\0\0\0\0\0\0"));
    assert_int_equal(read_built(&log, 0, &why), SCAN_TORN);
    /* Something else is no crash. */
    append_script(&log, "DEL a");
    builder_append_text(&log, "garbage");
    assert_int_equal(read_built(&log, 0, &why), SCAN_DAMAGED);
    builder_append_text(&log, "garbage");
    assert_int_equal(read_built(&log, 0, &why), SCAN_DAMAGED);
    append_script(&log, "DEL a");
    builder_append(&log, SLICE_LITERAL("\0\0\0\0*1\r\n$1\r\na\r\n"));
    assert_int_equal(read_built(&log, 0, &why), SCAN_DAMAGED);
    /* A plain command cut short is damage once a batch follows. */
    append_script(&log, "DEL a");
    builder_append_text(&log, "*2\r\n$3\r\nDEL\r\n");
    append_batch(&log, 1, 1, 0, "DEL a");
    assert_int_equal(read_built(&log, 0, &why), SCAN_DAMAGED);
    /* An annotation that never ends. */
    builder_append_text(&log, "#TS:");
    for (int i = 0; i < 1100; i++)
        builder_append_text(&log, "1");
    assert_int_equal(read_built(&log, 0, &why), SCAN_DAMAGED);
    buf_deinit(&log);
}

/* Redis reads 1,023 bytes of a line at most: a longer comment is no comment for it, either. */
static void comments_have_a_longest_length(void **state)
{
    (void)state;
    struct buf log;
    const char *why;
    buf_init(&log, BUILDER_LIMIT);
    for (size_t len = 1; len <= 1100; len++) { /* of the line, with its end */
        bool whole = len >= 2 && len <= 1023;
        append_script(&log, "DEL a");
        for (size_t i = 1; i < len; i++)
            builder_append_text(&log, i == 1 ? "#" : "x");
        builder_append_text(&log, "\n");
        append_script(&log, "DEL b");
        assert_int_equal(read_built(&log, 0, &why), whole ? SCAN_CLEAN : SCAN_DAMAGED);
    }
    for (size_t len = 1; len <= 1100; len++) { /* the file ends within it */
        append_script(&log, "DEL a");
        for (size_t i = 0; i < len; i++)
            builder_append_text(&log, i == 0 ? "#" : "x");
        assert_int_equal(read_built(&log, 0, &why), len < 1023 ? SCAN_TORN : SCAN_DAMAGED);
    }
    buf_deinit(&log);
}

/* Random bytes and spliced logs: whatever is said of them, it ends and stays within them. */
static void survives_garbage(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static const char *const parts[] = {
        "*1\r\n", "$4\r\nEXEC\r\n",         "*1\r\n$5\r\nMULTI\r\n", "#KS1 ", "#TS:1\n",
        "\r\n",   "*2\r\n$6\r\nSELECT\r\n", "$1\r\n1\r\n",           "#",     "\n"};
    for (int round = 0; round < 5000; round++) {
        struct buf log;
        buf_init(&log, BUILDER_LIMIT);
        for (size_t i = seeded_below(&random, 12); i > 0; i--) {
            uint8_t some[4];
            seeded_fill(&random, some, sizeof some);
            if (seeded_below(&random, 8) == 0)
                builder_append(&log, slice_make(some, sizeof some));
            else
                builder_append_text(&log, parts[seeded_below(&random, 10)]);
        }
        struct slice exact = buf_slice(&log);
        uint8_t *copy = memcpy(mem_alloc(exact.len), exact.len > 0 ? exact.data : (void *)"",
                               exact.len); /* so that a sanitizer sees its end */
        struct scan scan;
        struct scan_record record;
        scan_init(&scan, slice_make(copy, exact.len), 1);
        enum scan_verdict verdict;
        while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD)
            assert_true(record.offset + record.size <= exact.len && record.size > 0);
        assert_true((verdict == SCAN_CLEAN) == (scan.offset == exact.len));
        scan_deinit(&scan);
        free(copy);
        buf_deinit(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_what_was_written),
        cmocka_unit_test(judges_every_cut),
        cmocka_unit_test(judges_every_flipped_bit),
        cmocka_unit_test(judges_zeros),
        cmocka_unit_test(plain_files_are_cut_as_redis_cuts),
        cmocka_unit_test(understands_select_and_transactions),
        cmocka_unit_test(holds_batches_to_their_word),
        cmocka_unit_test(judges_revisions),
        cmocka_unit_test(torn_batches_give_no_revision),
        cmocka_unit_test(values_that_are_logs_prove_nothing),
        cmocka_unit_test(judges_plain_files),
        cmocka_unit_test(comments_have_a_longest_length),
        cmocka_unit_test(survives_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
