/* Tests of service/info.c: sections to fields, which protobuf-c reads back. */
#include "service/info.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/account.h"
#include "service/fake_call.h"

static int asked; /* sections, by the newest request */

static void write_first(void *user, struct info_writer *writer)
{
    asked++;
    info_put(writer, "a", "%s", (const char *)user);
    info_put(writer, "b", "%d", 5);
}

static void write_none(void *user, struct info_writer *writer)
{
    (void)user;
    (void)writer;
    asked++;
}

static void write_long(void *user, struct info_writer *writer)
{
    (void)user;
    asked++;
    info_put(writer, "long", "%0500d", 0);
}

static const struct info_section sections[] = {
    {"first", write_first}, {"none", write_none}, {"long", write_long}};
static const struct info_source source = {.sections = sections, .count = 3, .user = "the user"};

/* What a request for up to two sections is answered; to be freed. */
static Keystore__V1__InfoReply *ask(const char *one, const char *other)
{
    Keystore__V1__InfoRequest message = KEYSTORE__V1__INFO_REQUEST__INIT;
    char *names[] = {(char *)one, (char *)other};
    struct chain reply = {0};
    struct arena arena;
    const char *why;
    arena_init(&arena);
    message.sections = names;
    message.n_sections = other != NULL ? 2 : one != NULL;
    struct slice packed = message_pack(&message);
    asked = 0;
    assert_int_equal(info_answer(&source, packed, &arena, &reply, &why), ERR_NONE);
    message_free_packed(packed);
    arena_deinit(&arena);
    struct slice bytes = slice_skip(buf_slice(&reply.bytes), 5); /* the prefix */
    Keystore__V1__InfoReply *read = keystore__v1__info_reply__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(read);
    chain_deinit(&reply);
    return read;
}

static void test_all_sections(void **state)
{
    (void)state;
    Keystore__V1__InfoReply *reply = ask(NULL, NULL);
    assert_int_equal(asked, 3);
    assert_int_equal(reply->n_fields, 3);
    assert_string_equal(reply->fields[0]->key, "a");
    assert_string_equal(reply->fields[0]->value, "the user");
    assert_string_equal(reply->fields[1]->key, "b");
    assert_string_equal(reply->fields[1]->value, "5");
    assert_string_equal(reply->fields[2]->key, "long");
    keystore__v1__info_reply__free_unpacked(reply, NULL);
}

static void test_some_sections_each_once(void **state)
{
    (void)state;
    Keystore__V1__InfoReply *reply = ask("first", "first");
    assert_int_equal(asked, 1);
    assert_int_equal(reply->n_fields, 2);
    keystore__v1__info_reply__free_unpacked(reply, NULL);
    reply = ask("none", NULL);
    assert_int_equal(asked, 1);
    assert_int_equal(reply->n_fields, 0);
    keystore__v1__info_reply__free_unpacked(reply, NULL);
    reply = ask("long", "none");
    assert_int_equal(asked, 2);
    assert_int_equal(reply->n_fields, 1);
    keystore__v1__info_reply__free_unpacked(reply, NULL);
}

static void test_values_that_are_too_long_are_cut(void **state)
{
    (void)state;
    Keystore__V1__InfoReply *reply = ask("long", NULL);
    assert_int_equal(strlen(reply->fields[0]->value), INFO_MAX_VALUE - 1);
    keystore__v1__info_reply__free_unpacked(reply, NULL);
}

static void assert_refused(struct slice message, enum err err, const char *words)
{
    struct chain reply = {0};
    struct arena arena;
    const char *why = NULL;
    arena_init(&arena);
    assert_int_equal(info_answer(&source, message, &arena, &reply, &why), err);
    assert_non_null(strstr(why, words));
    assert_int_equal(chain_length(&reply), 0);
    arena_deinit(&arena);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_refused(SLICE_LITERAL("\x0a\5first\x0a\5other"), ERR_BAD_ARGUMENT,
                   "sections[1]: there is no \"other\"; there are: first, none, long");
    assert_refused(SLICE_LITERAL("\x0a\0"), ERR_BAD_ARGUMENT, "sections[0]: there is no \"");
    assert_refused(SLICE_LITERAL("\x0a\5FIRST"), ERR_BAD_ARGUMENT, "sections[0]: there is no \"");
    assert_refused(SLICE_LITERAL("\x0a\5ab\xc3z!"), ERR_BAD_ARGUMENT, "there is no \"ab\";");
    assert_refused(SLICE_LITERAL("\x0a\6first"), ERR_BAD_MESSAGE, "does not decode");
}

static void test_a_request_that_unfolds_too_far_is_refused(void **state)
{
    (void)state;
    size_t len = (size_t)512 * 1024; /* empty names, two bytes each */
    uint8_t *bytes = malloc(len);
    for (size_t i = 0; i < len; i += 2)
        memcpy(bytes + i, "\x0a", 2);
    account_set_limit((size_t)1024 * 1024);
    assert_refused(slice_make(bytes, len), ERR_TOO_LARGE, "more than half of --max-client-memory");
    account_set_limit(SIZE_MAX);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sections),
        cmocka_unit_test(test_some_sections_each_once),
        cmocka_unit_test(test_values_that_are_too_long_are_cut),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_request_that_unfolds_too_far_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
