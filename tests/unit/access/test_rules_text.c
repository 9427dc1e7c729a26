/* Tests of access/rules_text.c: what it writes is what the users file has. */
#include "access/rules_text.h"

#include "access/users_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_rules_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"all", "all"},
        {"write,read", "read,write"},
        {"admin", "admin"},
        {"read keys=a", "read keys=a"},
        {"read,write  db=0-3,7 keys=app:*,b\\,c\\ d", "read,write keys=app:*,b\\,c\\ d db=0-3,7"},
        {"string,list,key,txn,stream,watch,pubsub db=1,2,3,5,1020-1023",
         "string,list,key,txn,stream,watch,pubsub db=1-3,5,1020-1023"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char file[200], why[USERS_FILE_WHY], *text = NULL;
        size_t size;
        snprintf(file, sizeof file, "[user a]\nallow = %s\nallow = %s\n", rows[i][0], rows[i][1]);
        struct access *access = users_file_parse(slice_from_string(file), why);
        assert_non_null(access);
        for (int rule = 0; rule < 2; rule++) {
            FILE *out = open_memstream(&text, &size);
            rules_text_write(&access->users[0].rules.rules[rule], out);
            fclose(out);
            assert_string_equal(text, rows[i][1]);
            free(text);
        }
        access_release(access);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
