/* Tests of bench/op.c: names and methods. */
#include "bench/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

static void test_each_name_finds_its_row(void **state)
{
    (void)state;
    for (int i = 0; i < OP_COUNT; i++) {
        enum op op;
        assert_true(op_parse(op_row((enum op)i)->name, &op));
        assert_int_equal(op, i);
    }
}

static void test_other_names_change_nothing(void **state)
{
    (void)state;
    const char *const names[] = {"", "GET", "gets", "delete"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum op op = OP_L_POP;
        assert_false(op_parse(names[i], &op));
        assert_int_equal(op, OP_L_POP);
    }
}

/* The path is the service's name and the method's, which is the operation's in other letters. */
static void test_paths_are_those_of_the_service(void **state)
{
    (void)state;
    static const char service[] = "/keystore.v1.KeyStore/";
    for (int i = 0; i < OP_COUNT; i++) {
        if (i == OP_ETCD_PUT)
            continue;
        const struct op_row *row = op_row((enum op)i);
        assert_int_equal(strncmp(row->path, service, strlen(service)), 0);
        assert_int_equal(strcasecmp(row->path + strlen(service), row->name), 0);
    }
}

static void test_keys_are_filled_by_what_their_server_serves(void **state)
{
    (void)state;
    for (int i = 0; i < OP_COUNT; i++) {
        const struct op_row *row = op_row((enum op)i);
        const struct op_row *fill = op_row(row->fill);
        assert_true(fill->sends_value && !fill->reads);
        assert_int_equal(fill->is_list, row->is_list);
        size_t service_len = (size_t)(strrchr(row->path, '/') - row->path) + 1;
        assert_int_equal(strncmp(row->path, fill->path, service_len), 0);
    }
    assert_int_equal(op_row(OP_ETCD_PUT)->fill, OP_ETCD_PUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_name_finds_its_row),
        cmocka_unit_test(test_other_names_change_nothing),
        cmocka_unit_test(test_paths_are_those_of_the_service),
        cmocka_unit_test(test_keys_are_filled_by_what_their_server_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
