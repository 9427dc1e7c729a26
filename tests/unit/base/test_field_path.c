/* Tests of base/field_path.c: what is a path and what is not, and paths within paths. */
#include "base/field_path.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_slice(struct slice slice, const char *text)
{
    if (!slice_equal(slice, slice_from_string(text)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, (const char *)slice.data, text);
}

static void assert_split(const char *message, const char *path, const char *text)
{
    assert_slice(field_path_of(slice_from_string(message)), path);
    assert_slice(field_path_text(slice_from_string(message)), text);
}

static void test_paths(void **state)
{
    (void)state;
    assert_split("key: it is empty", "key", "it is empty");
    assert_split("ttl_ms: ", "ttl_ms", "");
    assert_split("k2: : x", "k2", ": x");
    assert_split("keys[17]: key: no", "keys[17]", "key: no");
    assert_split("success[3].set.key: the key is empty", "success[3].set.key", "the key is empty");
    assert_split("a[0].b[12].c: x", "a[0].b[12].c", "x");
}

static void test_what_is_no_path(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "",           "key",          "key:",          "key:x",  "key it: is", ": x",
        "Key: x",     "2k: x",        "_k: x",         "k-y: x", "keys[]: x",  "keys[1: x",
        "keys[a]: x", "keys[1]]: x",  "keys[1][2]: x", "[1]: x", "a.: x",      ".a: x",
        "a..b: x",    "a. b: x",      "a.b",           "a[",     "a[1",        "a[1]",
        "a[1].",      "k\xc3\xbc: x",
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_split(messages[i], "", messages[i]);
}

static void test_within(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const char *why = field_path_within(&arena, "it has no operation", "%s[%d]", "success", 3);
    assert_string_equal(why, "success[3]: it has no operation");
    why = field_path_within(&arena, "keys[2]: it is empty", "%s", "m_get");
    assert_string_equal(why, "m_get.keys[2]: it is empty");
    why = field_path_within(&arena, why, "%s[%zu]", "failure", (size_t)12);
    assert_string_equal(why, "failure[12].m_get.keys[2]: it is empty");
    assert_split(why, "failure[12].m_get.keys[2]", "it is empty");
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_what_is_no_path),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
