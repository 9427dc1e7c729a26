/* Which call a request becomes, and how its answer reads; the client library is played here. */
#include "cli/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What the calls below answer, and what they were asked. */
static enum keystore_code code;
static struct keystore_status status;
static struct keystore_value value;
static struct keystore_list list;
static const char *called;
static struct keystore_key key;
static struct keystore_key_value key_value;
static struct keystore_list_insert insert;
static struct keystore_list_range range;
static struct keystore_condition condition;

enum keystore_code keystore_set(struct keystore_client *client,
                                const struct keystore_key_value *request,
                                struct keystore_status *answer)
{
    (void)client;
    called = "set";
    key_value = *request;
    if (request->condition != NULL)
        condition = *request->condition;
    *answer = status;
    return code;
}

enum keystore_code keystore_get(struct keystore_client *client, const struct keystore_key *request,
                                struct keystore_value *answer)
{
    (void)client;
    called = "get";
    key = *request;
    *answer = value;
    return code;
}

enum keystore_code keystore_lpop(struct keystore_client *client, const struct keystore_key *request,
                                 struct keystore_value *answer)
{
    (void)client;
    called = "lpop";
    key = *request;
    *answer = value;
    return code;
}

enum keystore_code keystore_delete(struct keystore_client *client,
                                   const struct keystore_key *request,
                                   struct keystore_status *answer)
{
    (void)client;
    called = "delete";
    key = *request;
    *answer = status;
    return code;
}

enum keystore_code keystore_lpush(struct keystore_client *client,
                                  const struct keystore_list_insert *request,
                                  struct keystore_status *answer)
{
    (void)client;
    called = "lpush";
    insert = *request;
    if (request->condition != NULL)
        condition = *request->condition;
    *answer = status;
    return code;
}

enum keystore_code keystore_lrange(struct keystore_client *client,
                                   const struct keystore_list_range *request,
                                   struct keystore_list *answer)
{
    (void)client;
    called = "lrange";
    range = *request;
    *answer = list;
    return code;
}

static int set_up(void **state)
{
    (void)state;
    code = KEYSTORE_OK;
    status = (struct keystore_status){0};
    value = (struct keystore_value){0};
    list = (struct keystore_list){0};
    condition = (struct keystore_condition){0};
    called = "nothing";
    return 0;
}

static struct reply send(struct request request)
{
    struct reply reply = {.type = REPLY_NOTHING};
    request.key = keystore_text("k");
    assert_int_equal(request_send(NULL, &request, 3, &reply), code);
    return reply;
}

static void set_answers_ok_or_nil(void **state)
{
    (void)state;
    struct request request = {.type = REQUEST_SET, .value = keystore_text("v")};
    status.ok = true;
    assert_int_equal(send(request).type, REPLY_OK);
    assert_string_equal(called, "set");
    assert_int_equal(key_value.db, 3);
    assert_null(key_value.condition);
    assert_false(key_value.return_previous);
    status.ok = false;
    request.existence = KEYSTORE_PRESENT;
    assert_int_equal(send(request).type, REPLY_NIL);
    assert_int_equal(condition.existence, KEYSTORE_PRESENT);
}

static void set_get_answers_what_was_there(void **state)
{
    (void)state;
    struct request request = {.type = REQUEST_SET, .return_previous = true};
    status.ok = true;
    assert_int_equal(send(request).type, REPLY_NIL);
    assert_true(key_value.return_previous);
    status.has_previous = true;
    status.previous = (struct keystore_value){.found = true, .value = keystore_text("old")};
    struct reply reply = send(request);
    assert_int_equal(reply.type, REPLY_BYTES);
    assert_memory_equal(reply.bytes.data, "old", 3);
}

static void get_and_lpop_answer_values(void **state)
{
    (void)state;
    assert_int_equal(send((struct request){.type = REQUEST_GET}).type, REPLY_NIL);
    assert_string_equal(called, "get");
    value = (struct keystore_value){.found = true}; /* the empty value is a value */
    assert_int_equal(send((struct request){.type = REQUEST_GET}).type, REPLY_BYTES);
    assert_int_equal(key.db, 3);
    assert_int_equal(send((struct request){.type = REQUEST_LPOP}).type, REPLY_BYTES);
    assert_string_equal(called, "lpop");
}

static void delete_and_lpush_answer_numbers(void **state)
{
    (void)state;
    status.count = 5;
    struct reply reply = send((struct request){.type = REQUEST_DELETE});
    assert_string_equal(called, "delete");
    assert_int_equal(reply.type, REPLY_INTEGER);
    assert_int_equal(reply.integer, 5);
    struct keystore_slice values[] = {keystore_text("a"), keystore_text("b")};
    struct request push = {.type = REQUEST_LPUSH, .values = values, .count = 2};
    assert_int_equal(send(push).integer, 5);
    assert_int_equal(insert.count, 2);
    assert_int_equal(insert.db, 3);
    assert_null(insert.condition);
    push.existence = KEYSTORE_PRESENT;
    (void)send(push);
    assert_int_equal(condition.existence, KEYSTORE_PRESENT);
}

static void lrange_answers_a_list(void **state)
{
    (void)state;
    struct keystore_slice values[] = {keystore_text("a"), keystore_text("b")};
    list = (struct keystore_list){.values = values, .count = 2};
    struct reply reply = send((struct request){.type = REQUEST_LRANGE, .start = -2, .stop = -1});
    assert_int_equal(reply.type, REPLY_LIST);
    assert_int_equal(reply.count, 2);
    assert_ptr_equal(reply.items, values);
    assert_int_equal(range.start, -2);
    assert_int_equal(range.stop, -1);
    assert_int_equal(range.db, 3);
}

static void failures_are_passed_on(void **state)
{
    (void)state;
    static const enum request_type types[] = {REQUEST_SET,   REQUEST_GET,    REQUEST_DELETE,
                                              REQUEST_LPUSH, REQUEST_LRANGE, REQUEST_LPOP};
    code = KEYSTORE_FAILED_PRECONDITION;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        (void)send((struct request){.type = types[i]});
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_answers_ok_or_nil),      TEST(set_get_answers_what_was_there),
        TEST(get_and_lpop_answer_values), TEST(delete_and_lpush_answer_numbers),
        TEST(lrange_answers_a_list),      TEST(failures_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
