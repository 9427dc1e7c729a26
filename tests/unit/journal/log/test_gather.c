/* Tests of journal/log/gather.c: what records look like, one by one and after aborted ones. */
#include "journal/log/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/log/note.h"
#include "journal/log/scan.h"
#include "store/seeded.h"

#define S(text) SLICE_LITERAL(text)

static void change(struct gather *gather, uint32_t db, const char *key)
{
    struct op op = {.kind = OP_DELETE, .db = db, .key = slice_from_string(key)};
    gather_change(gather, &op);
}

static void record(struct gather *gather, uint32_t db, const char *key)
{
    gather_begin(gather);
    change(gather, db, key);
    gather_end(gather);
}

/* The words of all commands, a line each. */
static void assert_holds(const struct gather *gather, const char *expected)
{
    struct slice rest = buf_slice(&gather->bytes);
    struct resp_args args = {0};
    char text[1000] = "";
    while (rest.len > 0) {
        size_t used, len;
        args.count = 0;
        assert_int_equal(resp_parse(rest, &args, &used), RESP_COMMAND);
        for (size_t i = 0; i < args.count; i++) {
            len = strlen(text);
            snprintf(text + len, sizeof text - len, "%.*s%s", (int)args.items[i].len,
                     (const char *)args.items[i].data, i + 1 < args.count ? " " : ";");
        }
        rest = slice_skip(rest, used);
    }
    assert_string_equal(text, expected);
    resp_args_deinit(&args);
}

static void a_record_is_a_command_or_a_transaction(void **state)
{
    (void)state;
    struct gather gather;
    gather_init(&gather);
    record(&gather, 0, "a");
    gather_begin(&gather);
    change(&gather, 0, "b");
    change(&gather, 0, "c");
    change(&gather, 0, "d");
    gather_end(&gather);
    record(&gather, 0, "e");
    assert_holds(&gather, "SELECT 0;DEL a;MULTI;DEL b;DEL c;DEL d;EXEC;DEL e;");
    assert_int_equal(gather.count, 3);
    gather_deinit(&gather);
}

static void databases_are_selected_when_they_change(void **state)
{
    (void)state;
    struct gather gather;
    gather_init(&gather);
    record(&gather, 3, "a");
    record(&gather, 3, "b");
    gather_begin(&gather);
    change(&gather, 4, "c");
    change(&gather, 12, "d");
    gather_end(&gather);
    record(&gather, 12, "e");
    assert_holds(&gather, "SELECT 3;DEL a;DEL b;MULTI;SELECT 4;DEL c;SELECT 12;DEL d;EXEC;DEL e;");
    gather_deinit(&gather);
}

static void an_aborted_record_leaves_nothing(void **state)
{
    (void)state;
    struct gather gather;
    gather_init(&gather);
    gather_begin(&gather);
    change(&gather, 2, "a");
    gather_abort(&gather);
    assert_int_equal(gather.bytes.len, 0);
    record(&gather, 0, "b");
    gather_begin(&gather);
    change(&gather, 1, "c");
    change(&gather, 2, "d");
    gather_abort(&gather);
    record(&gather, 0, "e");
    record(&gather, 2, "f");
    assert_holds(&gather, "SELECT 0;DEL b;DEL e;SELECT 2;DEL f;");
    assert_int_equal(gather.count, 3);
    gather_deinit(&gather);
}

static void a_record_without_changes_is_an_empty_transaction(void **state)
{
    (void)state;
    struct gather gather;
    gather_init(&gather);
    gather_begin(&gather);
    gather_end(&gather);
    assert_holds(&gather, "MULTI;EXEC;");
    assert_int_equal(gather.count, 1);
    gather_deinit(&gather);
}

static void what_is_taken_is_gone_and_a_new_file_selects_anew(void **state)
{
    (void)state;
    struct gather gather;
    struct buf bytes;
    uint64_t count;
    gather_init(&gather);
    buf_init(&bytes, 0);
    record(&gather, 7, "a");
    gather_take(&gather, &bytes, &count, false);
    assert_int_equal(count, 1);
    assert_true(slice_equal(buf_slice(&bytes), S("*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"
                                                 "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n")));
    record(&gather, 7, "b");
    assert_holds(&gather, "DEL b;");
    gather_take(&gather, &bytes, &count, true);
    assert_int_equal(count, 1);
    record(&gather, 7, "c");
    record(&gather, 7, "d");
    assert_holds(&gather, "SELECT 7;DEL c;DEL d;");
    gather_take(&gather, &bytes, &count, false);
    assert_int_equal(count, 2);
    assert_int_equal(gather.bytes.len, 0);
    buf_deinit(&bytes);
    gather_deinit(&gather);
}

/* As many records as were counted, each with its changes in their databases, after any history. */
static void a_scan_finds_the_records(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct { /* per record */
        size_t changes;
        uint32_t dbs[4];
    } records[500] = {0};
    struct gather gather;
    struct scan scan;
    struct scan_record found;
    gather_init(&gather);
    while (gather.count < 500) {
        size_t number = gather.count;
        records[number].changes = 1 + seeded_below(&random, 4) * seeded_below(&random, 2) % 4;
        gather_begin(&gather);
        for (size_t i = 0; i < records[number].changes; i++)
            change(&gather, records[number].dbs[i] = seeded_below(&random, 3), "key");
        if (seeded_below(&random, 4) == 0)
            gather_abort(&gather);
        else
            gather_end(&gather);
    }
    scan_init(&scan, buf_slice(&gather.bytes), 1);
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(scan_next(&scan, &found), SCAN_RECORD);
        assert_int_equal(found.count, records[i].changes);
        for (size_t j = 0; j < found.count; j++)
            assert_int_equal(found.commands[j].db, records[i].dbs[j]);
    }
    assert_int_equal(scan_next(&scan, &found), SCAN_CLEAN);
    scan_deinit(&scan);
    gather_deinit(&gather);
}

/* Notes follow the commands of their record, whatever those are, and come back with it. */
static void notes_belong_to_their_record(void **state)
{
    (void)state;
    static const size_t changes[] = {1, 0, 3, 1, 1};
    static const char *const notes[] = {"one", "two", NULL, "four", NULL};
    struct gather gather;
    struct scan scan;
    struct scan_record found;
    struct buf note;
    gather_init(&gather);
    buf_init(&note, SIZE_MAX);
    for (size_t i = 0; i < 5; i++) {
        gather_begin(&gather);
        for (size_t j = 0; j < changes[i]; j++)
            change(&gather, 0, "key");
        if (notes[i] != NULL)
            gather_note(&gather, slice_from_string(notes[i]));
        gather_end(&gather);
        gather_begin(&gather);
        change(&gather, 1, "key");
        gather_note(&gather, S("lost"));
        gather_abort(&gather);
    }
    assert_int_equal(gather.count, 5);
    scan_init(&scan, buf_slice(&gather.bytes), 1);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(scan_next(&scan, &found), SCAN_RECORD);
        assert_int_equal(found.revision, i + 1);
        assert_int_equal(found.count, changes[i]);
        assert_int_equal(found.notes.len > 0, notes[i] != NULL);
        if (notes[i] == NULL)
            continue;
        assert_true(note_read(&found.notes, &note));
        assert_true(slice_equal(buf_slice(&note), slice_from_string(notes[i])));
        assert_int_equal(found.notes.len, 0);
    }
    assert_int_equal(scan_next(&scan, &found), SCAN_CLEAN);
    scan_deinit(&scan);
    buf_deinit(&note);
    gather_deinit(&gather);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_a_command_or_a_transaction),
        cmocka_unit_test(databases_are_selected_when_they_change),
        cmocka_unit_test(an_aborted_record_leaves_nothing),
        cmocka_unit_test(a_record_without_changes_is_an_empty_transaction),
        cmocka_unit_test(what_is_taken_is_gone_and_a_new_file_selects_anew),
        cmocka_unit_test(a_scan_finds_the_records),
        cmocka_unit_test(notes_belong_to_their_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
