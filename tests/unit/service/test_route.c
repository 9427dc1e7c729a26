/* Tests of service/route.c: the paths that are served, and that nothing near them is. */
#include "service/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <mini_redis.pb-c.h>

/* What operations.def says, in words of its own, and the methods beside it. */
static const struct {
    const char *name;
    enum op_kind kind;
    decode_function *decode;
    const struct encoder *encoder;
    bool admin;
} expected[] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    {#method, OP_##kind, decode_##request, &encode_##reply,                                        \
     OP_CATEGORY_##category == OP_CATEGORY_ADMIN},
#include "store/operations.def"
#undef OPERATION
    {"Info", OP_COUNT, NULL, NULL, true},
    {"Latency", OP_COUNT, NULL, NULL, true},
    {"SlowLog", OP_COUNT, NULL, NULL, true},
    {"Save", OP_COUNT, NULL, &encode_status, true},
    {"Backup", OP_COUNT, NULL, NULL, true},
    {"Clients", OP_COUNT, NULL, NULL, true},
    {"KillClients", OP_COUNT, NULL, NULL, true},
    {"Config", OP_COUNT, NULL, NULL, true},
    {"SetConfig", OP_COUNT, NULL, NULL, true},
    {"Pipeline", OP_COUNT, NULL, NULL, false},
    {"Scan", OP_COUNT, NULL, NULL, false},
    {"StreamList", OP_COUNT, NULL, NULL, false},
    {"Watch", OP_COUNT, NULL, NULL, false},
    {"Consume", OP_COUNT, NULL, NULL, false},
    {"Publish", OP_COUNT, NULL, &encode_status, false},
    {"Subscribe", OP_COUNT, NULL, NULL, false},
};

#define COUNT (sizeof expected / sizeof expected[0])

static const char *const prefixes[] = {"/keystore.v1.KeyStore/", "/KeyStore/",
                                       "/keystore.v1.KeyStoreAdmin/", "/KeyStoreAdmin/"};

struct path {
    char text[64];
};

static struct path make_path(size_t prefix, size_t method)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s%s", prefixes[prefix], expected[method].name);
    return path;
}

static bool is_served(const char *path)
{
    return route_find(slice_from_string(path)) != NULL;
}

static void test_every_path_finds_its_method(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * COUNT; i++) {
        size_t at = i / 4;
        struct path path = make_path(i % 4, at);
        const struct method *found = route_find(slice_from_string(path.text));
        if (expected[at].admin != (i % 4 > 1)) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_true(slice_equal(found->name, slice_from_string(expected[at].name)));
        assert_int_equal(found->kind, expected[at].kind);
        assert_ptr_equal(found->decoder.fill, expected[at].decode);
        assert_ptr_equal(found->encoder, expected[at].encoder);
        assert_int_equal(found->stream != NULL, found->type == METHOD_STREAM);
    }
}

/* Each method has a number of its own, by which its name, service and type are found. */
static void test_methods_are_numbered(void **state)
{
    (void)state;
    static const char *const streaming[][2] = {
        {"Pipeline", "bidi_stream"},
        {"Consume", "bidi_stream"},
        {"ServerReflectionInfo", "bidi_stream"},
        {"Scan", "server_stream"},
        {"StreamList", "server_stream"},
        {"Watch", "server_stream"},
        {"Backup", "server_stream"},
        {"Subscribe", "server_stream"},
        {"Clients", "server_stream"},
    };
    /* Unary to their callers, but answered as streams are. */
    static const char *const answered_later[] = {"KillClients", "Config", "SetConfig",
                                                 "Authenticate", "WhoAmI"};
    size_t unknown = route_method_number(NULL), found = 0;
    assert_int_equal(route_method_count(), unknown + 1);
    assert_string_equal(route_method_name(unknown), "unknown");
    assert_string_equal(route_method_service(unknown), "");
    assert_string_equal(route_method_type(unknown), "unary");
    for (size_t i = 0; i < unknown; i++) {
        char path[120];
        const char *type = "unary";
        bool is_stream = false;
        snprintf(path, sizeof path, "/%s/%s", route_method_service(i), route_method_name(i));
        const struct method *method = route_find(slice_from_string(path));
        assert_non_null(method);
        assert_int_equal(route_method_number(method), i);
        for (size_t s = 0; s < sizeof streaming / sizeof streaming[0]; s++)
            if (strcmp(streaming[s][0], route_method_name(i)) == 0)
                type = streaming[s][1];
        assert_string_equal(route_method_type(i), type);
        for (size_t s = 0; s < sizeof answered_later / sizeof answered_later[0]; s++)
            is_stream |= strcmp(answered_later[s], route_method_name(i)) == 0;
        assert_int_equal(method->stream != NULL, is_stream || strcmp(type, "unary") != 0);
    }
    for (size_t i = 0; i < 4 * COUNT; i++) {
        const struct method *method = route_find(slice_from_string(make_path(i % 4, i / 4).text));
        found += method != NULL && route_method_number(method) < unknown;
    }
    assert_int_equal(found, 2 * COUNT);
}

/* The service beside those of the data. */
static void test_who_callers_are(void **state)
{
    (void)state;
    const ProtobufCServiceDescriptor *service = &keystore__v1__key_store_auth__descriptor;
    for (unsigned m = 0; m < service->n_methods; m++) {
        struct path path;
        snprintf(path.text, sizeof path.text, "/%s/%s", service->name, service->methods[m].name);
        const struct method *method = route_find(slice_from_string(path.text));
        assert_non_null(method);
        snprintf(path.text, sizeof path.text, "/KeyStoreAuth/%s", service->methods[m].name);
        assert_ptr_equal(route_find(slice_from_string(path.text)), method);
        snprintf(path.text, sizeof path.text, "/KeyStore/%s", service->methods[m].name);
        assert_false(is_served(path.text));
    }
    assert_int_equal(route_find(SLICE_LITERAL("/KeyStoreAuth/Authenticate"))->needs,
                     METHOD_NEEDS_NOTHING);
    assert_int_equal(route_find(SLICE_LITERAL("/KeyStoreAuth/WhoAmI"))->needs, METHOD_NEEDS_USER);
    assert_false(is_served("/KeyStoreAuth/Get"));
    assert_false(is_served("/KeyStoreAuth/"));
}

/* The proto's methods, and their messages. */
static void test_the_methods_are_the_protos(void **state)
{
    (void)state;
    const ProtobufCServiceDescriptor *services[] = {&keystore__v1__key_store__descriptor,
                                                    &keystore__v1__key_store_admin__descriptor};
    size_t found = 0;
    for (size_t i = 0; i < 2; i++) {
        for (unsigned m = 0; m < services[i]->n_methods; m++) {
            const ProtobufCMethodDescriptor *method = &services[i]->methods[m];
            struct path path;
            snprintf(path.text, sizeof path.text, "/%s/%s", services[i]->name, method->name);
            const struct method *served = route_find(slice_from_string(path.text));
            assert_non_null(served);
            if (served->kind != OP_COUNT)
                assert_ptr_equal(served->decoder.message, method->input);
            found++;
        }
    }
    assert_int_equal(found, COUNT);
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
        "/keystore.v1.KeyStore/Push",
        "/keystore.v1.KeyStore/Scans",
        "/keystore.v1.KeyStore/Info",
        "/keystore.v1.KeyStore/FlushDb",
        "/keystore.v1.KeyStore/Save",
        "/keystore.v1.KeyStoreAdmin/Get",
        "/keystore.v1.KeyStoreAdmin/",
        "/KeyStoreAdmin",
        "http://test/KeyStore/Set",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_false(is_served(paths[i]));
    assert_null(route_find(slice_make(NULL, 0)));
    assert_null(route_find(SLICE_LITERAL("/KeyStore/Set\0")));
    assert_null(route_find(SLICE_LITERAL("/KeyStore/\0Set")));
}

/* True if the path, of that length, is that of a method. */
static bool is_a_path(const char *text, size_t len)
{
    for (size_t i = 0; i < 4 * COUNT; i++) {
        struct path path = make_path(i % 4, i / 4);
        if (expected[i / 4].admin == (i % 4 > 1) &&
            slice_equal(slice_make(text, len), slice_from_string(path.text)))
            return true;
    }
    return false;
}

/* One character less or other anywhere in a path, and it is no path, or another one's. */
static void test_every_change_of_one_byte_finds_nothing(void **state)
{
    (void)state;
    size_t neighbours = 0;
    for (size_t i = 0; i < 4 * COUNT; i++) {
        struct path path = make_path(i % 4, i / 4);
        size_t len = strlen(path.text);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(route_find(slice_make(path.text, cut)) != NULL,
                             is_a_path(path.text, cut));
        for (size_t at = 0; at < len; at++) {
            char kept = path.text[at];
            for (int other = 1; other < 256; other++) {
                path.text[at] = (char)(kept ^ other);
                if (route_find(slice_make(path.text, len)) == NULL)
                    continue;
                assert_true(is_a_path(path.text, len));
                neighbours++;
            }
            path.text[at] = kept;
        }
    }
    assert_true(neighbours > 0); /* Get and Set */
}

/* Of a standard service, whose paths have no short forms. */
static void test_health_checks(void **state)
{
    (void)state;
    static const char *const names[] = {"Check", "List", "Watch"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct path path;
        snprintf(path.text, sizeof path.text, "/grpc.health.v1.Health/%s", names[i]);
        const struct method *found = route_find(slice_from_string(path.text));
        assert_non_null(found);
        assert_true(slice_equal(found->name, slice_from_string(names[i])));
        assert_int_equal(found->stream != NULL, i == 2);
        assert_ptr_equal(route_find_health(slice_from_string(path.text)), found);
    }
    assert_false(is_served("/grpc.health.v1.Health/Get"));
    assert_false(is_served("/grpc.health.v1.Health/"));
    assert_false(is_served("/Health/Check"));
    assert_true(is_served("/KeyStore/Get"));
    assert_null(route_find_health(SLICE_LITERAL("/KeyStore/Get")));
    assert_null(route_find_health(SLICE_LITERAL("/keystore.v1.KeyStore/Watch")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health_checks),
        cmocka_unit_test(test_every_path_finds_its_method),
        cmocka_unit_test(test_methods_are_numbered),
        cmocka_unit_test(test_who_callers_are),
        cmocka_unit_test(test_the_methods_are_the_protos),
        cmocka_unit_test(test_near_misses_find_nothing),
        cmocka_unit_test(test_every_change_of_one_byte_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
