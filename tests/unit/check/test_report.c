/* Tests of check/report.c: the words for what was found. */
#include "check/report.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"

static char path[] = "appendonlydir/x";

static void describes_a_log(void **state)
{
    (void)state;
    struct data_output output;
    struct item item = {.role = ROLE_LOG,
                        .path = path,
                        .inspection = {.size = 900,
                                       .log = {.present = true,
                                               .batches = 1,
                                               .records = 2,
                                               .checked = 2,
                                               .commands = 3,
                                               .first = 4,
                                               .last = 5,
                                               .synced = 3}}};
    data_output_open(&output);
    report_item(output.stream, &item);
    fflush(output.stream);
    assert_string_equal(output.text, "log       appendonlydir/x: 900 bytes\n"
                                     "          2 records with 3 commands in 1 batch, checksums "
                                     "right\n"
                                     "          revisions 4 to 5, durable up to 3 at least\n");
    data_output_close(&output);
}

static void tells_what_has_no_checksum(void **state)
{
    (void)state;
    struct data_output output;
    struct item item = {.role = ROLE_LOG,
                        .path = path,
                        .inspection = {.log = {.present = true,
                                               .batches = 2,
                                               .records = 5,
                                               .checked = 2,
                                               .commands = 5,
                                               .first = 7,
                                               .last = 7}}};
    data_output_open(&output);
    report_item(output.stream, &item);
    assert_says(&output,
                "5 records with 5 commands in 2 batches, checksums right; 3 of the records "
                "not in batches, without checksum\n          revision 7\n");
    data_output_close(&output);
}

static void describes_what_is_wrong(void **state)
{
    (void)state;
    struct data_output output;
    struct item item = {.role = ROLE_LOG,
                        .path = path,
                        .inspection = {.state = STATE_DAMAGED,
                                       .size = 900,
                                       .good = 100,
                                       .why = "something",
                                       .bad_batches = 2,
                                       .bad_records = 1,
                                       .log = {.present = true, .records = 1, .commands = 1}}};
    data_output_open(&output);
    report_item(output.stream, &item);
    assert_says(&output, "1 record with 1 command, without checksums\n");
    assert_says(&output, "damaged at byte 100: something\n");
    assert_says(&output, "from there on: 800 bytes, with 1 record in 2 batches whose lines are "
                         "left\n");
    report_summary(output.stream, &item);
    assert_says(&output, "\ndamaged: 0 keys in the snapshot, 1 record in the log\n");
    data_output_close(&output);
}

static void describes_a_snapshot(void **state)
{
    (void)state;
    struct data_output output;
    struct item item = {.role = ROLE_BASE,
                        .path = path,
                        .inspection = {.size = 1,
                                       .rdb = {.present = true,
                                               .version = 9,
                                               .size = 1,
                                               .strings = 1,
                                               .lists = 2,
                                               .elements = 7,
                                               .expiring = 3}}};
    data_output_open(&output);
    report_item(output.stream, &item);
    assert_says(&output, "base      appendonlydir/x: 1 byte\n");
    assert_says(&output, "snapshot: RDB version 9, without checksum\n");
    assert_says(&output, "1 string, 2 lists with 7 elements; 3 with a deadline\n");
    data_output_close(&output);
}

static void describes_directories(void **state)
{
    (void)state;
    struct data_output output;
    struct item items[] = {
        {.role = ROLE_MANIFEST, .path = path},
        {.role = ROLE_BASE,
         .path = path,
         .inspection = {.next = 11, .rdb = {.present = true, .size = 1, .strings = 5}}},
        {.role = ROLE_LOG,
         .path = path,
         .inspection = {.next = 13, .log = {.present = true, .records = 2}}},
        {.role = ROLE_LEFTOVER, .path = path},
    };
    struct directory directory = {.items = items, .count = 4};
    data_output_open(&output);
    report_items(output.stream, &directory);
    assert_says(&output, "leftover  appendonlydir/x: 0 bytes; not used, the next start removes it");
    report_directory(output.stream, &directory);
    assert_says(&output,
                "\ngood: 5 keys in the snapshot, 2 records in the log, up to revision 12\n");
    unsupported_add(&directory.unsupported, SLICE_LITERAL("set"), SLICE_LITERAL("s"), NULL);
    report_items(output.stream, &directory);
    assert_says(&output, "\nnot for KeyStore: set (1: \"s\"); a server");
    directory.state = STATE_TORN;
    report_directory(output.stream, &directory);
    assert_says(&output, "; the next start cuts the torn end\n");
    directory.count = 0;
    report_directory(output.stream, &directory);
    assert_says(&output, "\ntorn: it is unknown which files make up the data\n");
    directory.state = STATE_GOOD;
    report_directory(output.stream, &directory);
    assert_says(&output, "\ngood: there are no data here");
    directory.state = STATE_DAMAGED;
    strcpy(directory.why, "the reason");
    report_directory(output.stream, &directory);
    assert_says(&output, "\ndamaged: the reason\n");
    data_output_close(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_a_log),         cmocka_unit_test(tells_what_has_no_checksum),
        cmocka_unit_test(describes_what_is_wrong), cmocka_unit_test(describes_a_snapshot),
        cmocka_unit_test(describes_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
