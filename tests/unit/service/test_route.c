/* Tests of service/route.c: the paths that are served, and that nothing near them is. */
#include "service/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct method expected[] = {
    {SLICE_LITERAL("Set"), OP_SET, decode_key_value, encode_status},
    {SLICE_LITERAL("Get"), OP_GET, decode_key, encode_value},
    {SLICE_LITERAL("Delete"), OP_DELETE, decode_key, encode_status},
    {SLICE_LITERAL("LPush"), OP_LPUSH, decode_list_insert, encode_status},
    {SLICE_LITERAL("LRange"), OP_LRANGE, decode_list_range, encode_list_values},
    {SLICE_LITERAL("LPop"), OP_LPOP, decode_key, encode_value},
};

#define COUNT (sizeof expected / sizeof expected[0])

static const char *const prefixes[] = {"/keystore.v1.KeyStore/", "/KeyStore/"};

struct path {
    char text[64];
};

static struct path make_path(size_t prefix, size_t method)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s%s", prefixes[prefix],
             (const char *)expected[method].name.data);
    return path;
}

static bool is_served(const char *path)
{
    return route_find(slice_from_string(path)) != NULL;
}

static void test_every_path_finds_its_method(void **state)
{
    (void)state;
    assert_int_equal(COUNT, OP_COUNT);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        const struct method *wanted = &expected[i / 2];
        struct path path = make_path(i % 2, i / 2);
        const struct method *found = route_find(slice_from_string(path.text));
        assert_non_null(found);
        assert_true(slice_equal(found->name, wanted->name));
        assert_int_equal(found->kind, wanted->kind);
        assert_ptr_equal(found->decode, wanted->decode);
        assert_ptr_equal(found->encode, wanted->encode);
    }
}

static void test_near_misses_find_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "/",
        "Set",
        "/Set",
        "KeyStore/Set",
        "//KeyStore/Set",
        "/KeyStore//Set",
        "/KeyStore/Set/",
        "/KeyStore/Set ",
        "/KeyStore/ Set",
        "/KeyStore/Set?",
        "/KeyStore/set",
        "/KeyStore/SET",
        "/keystore/Set",
        "/KeyStore",
        "/KeyStore/",
        "/KeyStore/Se",
        "/KeyStore/Sett",
        "/KeyStore/%53et",
        "/KeyStore/./Set",
        "/KeyStore/../KeyStore/Set",
        "/keystore.v1.KeyStore",
        "/keystore.v1.KeyStore/",
        "/keystore.v1.KeyStore/Sets",
        "/keystore.v2.KeyStore/Set",
        "/keystore.KeyStore/Set",
        "/v1.KeyStore/Set",
        "/x.keystore.v1.KeyStore/Set",
        "/keystore.v1.KeyStoreAdmin/Set",
        "/keystore.v1.KeyStore/KeyStore/Set",
        "/keystore.v1.KeyStore/MGet",
        "/keystore.v1.KeyStore/RPush",
        "/keystore.v1.KeyStore/Push",
        "/keystore.v1.KeyStoreAdmin/Info",
        "http://test/KeyStore/Set",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_false(is_served(paths[i]));
    assert_null(route_find(slice_make(NULL, 0)));
    assert_null(route_find(SLICE_LITERAL("/KeyStore/Set\0")));
    assert_null(route_find(SLICE_LITERAL("/KeyStore/\0Set")));
}

/* One character more, less, or other anywhere in a path, and it is no path. */
static void test_every_change_of_one_byte_finds_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT; i++) {
        struct path path = make_path(i % 2, i / 2);
        size_t len = strlen(path.text);
        for (size_t cut = 0; cut < len; cut++)
            assert_null(route_find(slice_make(path.text, cut)));
        for (size_t at = 0; at < len; at++) {
            char kept = path.text[at];
            for (int other = 1; other < 256; other++) {
                path.text[at] = (char)(kept ^ other);
                /* Get and Set differ in one byte. */
                bool neighbour =
                    slice_starts_with(slice_from_string(path.text + at), SLICE_LITERAL("Get")) ||
                    slice_starts_with(slice_from_string(path.text + at), SLICE_LITERAL("Set"));
                if (!neighbour)
                    assert_null(route_find(slice_make(path.text, len)));
            }
            path.text[at] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_path_finds_its_method),
        cmocka_unit_test(test_near_misses_find_nothing),
        cmocka_unit_test(test_every_change_of_one_byte_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
