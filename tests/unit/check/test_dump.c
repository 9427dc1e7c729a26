/* Tests of check/dump.c: order, deadlines, long lists. */
#include "check/dump.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"
#include "store/list/list.h"
#include "store/restore.h"
#include "store/store.h"

static struct restore_key key(const char *name, uint32_t db, int64_t expire_at_ms)
{
    return (struct restore_key){
        .name = slice_from_string(name), .db = db, .expire_at_ms = expire_at_ms, .version = 1};
}

static void prints_all_in_order(void **state)
{
    (void)state;
    struct data_output output;
    struct store *store = store_new(&(struct store_options){.databases = 4});
    struct restore_key keys[] = {key("b", 0, 0),       key("a b", 0, 0),    key("b", 2, 0),
                                 key("late", 0, 5000), key("old", 0, 1000), key("ba", 0, 0)};
    restore_revision(store, 1);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(restore_string(store, &keys[i], SLICE_LITERAL("v")));
    struct list *list = list_new();
    list_push(list, LIST_TAIL, SLICE_LITERAL("1"));
    list_push(list, LIST_TAIL, SLICE_LITERAL(""));
    struct restore_key list_key = key("list", 2, 6000);
    assert_true(restore_list(store, &list_key, list));
    data_output_open(&output);
    assert_int_equal(dump_store(output.stream, store, 1000), 6);
    fflush(output.stream);
    assert_string_equal(output.text, "SELECT 0\n"
                                     "SET \"a b\" v\n"
                                     "SET b v\n"
                                     "SET ba v\n"
                                     "SET late v PXAT 5000\n"
                                     "SELECT 2\n"
                                     "SET b v\n"
                                     "DEL list\n"
                                     "RPUSH list 1 \"\"\n"
                                     "PEXPIREAT list 6000\n");
    data_output_close(&output);
    store_free(store);
}

static void long_lists_take_several_commands(void **state)
{
    (void)state;
    enum { ELEMENTS = 1000 };
    struct data_output output;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct list *list = list_new();
    for (int i = 0; i < ELEMENTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "e%d", i);
        list_push(list, LIST_TAIL, slice_from_string(text));
    }
    struct restore_key list_key = key("l", 0, 0);
    restore_revision(store, 1);
    assert_true(restore_list(store, &list_key, list));
    data_output_open(&output);
    assert_int_equal(dump_store(output.stream, store, 0), 1);
    fflush(output.stream);
    size_t lines = 0;
    int next = 0;
    char *rest;
    for (char *line = strtok_r(output.text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        char *words;
        assert_true(strlen(line) < 1000);
        char *word = strtok_r(line, " ", &words);
        assert_string_equal(word, lines == 0 ? "SELECT" : lines == 1 ? "DEL" : "RPUSH");
        strtok_r(NULL, " ", &words);
        while (lines > 0 && (word = strtok_r(NULL, " ", &words)) != NULL) {
            char text[16];
            snprintf(text, sizeof text, "e%d", next++);
            assert_string_equal(word, text);
        }
    }
    assert_int_equal(next, ELEMENTS);
    assert_true(lines > 10);
    data_output_close(&output);
    store_free(store);
}

static void an_empty_store_prints_nothing(void **state)
{
    (void)state;
    struct data_output output;
    struct store *store = store_new(&(struct store_options){.databases = 1024});
    data_output_open(&output);
    assert_int_equal(dump_store(output.stream, store, 0), 0);
    fflush(output.stream);
    assert_int_equal(output.size, 0);
    data_output_close(&output);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_all_in_order),
        cmocka_unit_test(long_lists_take_several_commands),
        cmocka_unit_test(an_empty_store_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
