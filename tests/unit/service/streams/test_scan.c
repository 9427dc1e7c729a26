/* Tests of service/streams/scan.c: the messages of Scan, over a real engine. */
#include "service/streams/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/link.h"

#define PATH "/keystore.v1.KeyStore/Scan"

static void set(struct link *link, const char *key, struct slice value)
{
    assert_status(link_call_set(link, key, value), true, 1);
}

/* The only page of a request. */
static Keystore__V1__ScanPage *scan_once(struct link *link,
                                         const Keystore__V1__ScanRequest *request)
{
    struct ng_stream *call = link_call(link, PATH, request);
    link_resume_until_closed(link, call);
    struct slice reply = ng_call_reply(call);
    Keystore__V1__ScanPage *page = keystore__v1__scan_page__unpack(NULL, reply.len, reply.data);
    assert_non_null(page);
    return page;
}

static void test_entries(void **state)
{
    struct link *link = *state;
    static uint8_t bytes[1000];
    set(link, "short", SLICE_LITERAL("v"));
    set(link, "empty", SLICE_LITERAL(""));
    set(link, "long", slice_make(bytes, sizeof bytes));
    assert_int_equal(ng_call_status(link_call_push(link, "list", "element")), GRPC_OK);
    Keystore__V1__ScanRequest request = KEYSTORE__V1__SCAN_REQUEST__INIT;
    for (int with_values = 0; with_values < 2; with_values++) {
        request.with_values = with_values;
        Keystore__V1__ScanPage *page = scan_once(link, &request);
        assert_int_equal(page->n_entries, 4);
        assert_int_equal(page->cursor.len, 0);
        for (size_t i = 0; i < 4; i++) {
            const Keystore__V1__ScanPage__Entry *entry = page->entries[i];
            bool is_list = slice_equal(message_slice(entry->key), SLICE_LITERAL("list"));
            assert_int_equal(entry->type, is_list ? KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST
                                                  : KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING);
            assert_int_equal(entry->value != NULL, with_values && !is_list);
            if (entry->value == NULL)
                continue;
            assert_true(entry->value->found && entry->value->version > 0);
            assert_int_equal(entry->value->value.len, entry->key.data[0] == 's'   ? 1
                                                      : entry->key.data[0] == 'l' ? 1000
                                                                                  : 0);
        }
        keystore__v1__scan_page__free_unpacked(page, NULL);
    }
}

/* It ends after about that many keys, whether they match or not. */
static void test_max_visited(void **state)
{
    struct link *link = *state;
    size_t found = 0, calls = 0;
    char name[12];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%s:%u", i % 10 == 0 ? "user" : "other", i);
        set(link, name, SLICE_LITERAL("v"));
    }
    Keystore__V1__ScanRequest request = KEYSTORE__V1__SCAN_REQUEST__INIT;
    request.pattern = message_text("user:*");
    request.max_visited = 100;
    uint8_t cursor[64];
    do {
        Keystore__V1__ScanPage *page = scan_once(link, &request);
        found += page->n_entries;
        calls++;
        request.cursor = (ProtobufCBinaryData){.len = page->cursor.len, .data = cursor};
        assert_true(page->cursor.len <= sizeof cursor);
        slice_write(cursor, message_slice(page->cursor));
        keystore__v1__scan_page__free_unpacked(page, NULL);
    } while (request.cursor.len > 0);
    assert_int_equal(found, 100);
    assert_in_range(calls, 7, 11);
}

static void test_what_is_refused(void **state)
{
    struct link *link = *state;
    static uint8_t bytes[2000];
    Keystore__V1__ScanRequest requests[5];
    static const char *const words[] = {"there is no database 16", "type: there is no such value",
                                        "page_bytes: it is more than", "cursor: it is too long",
                                        "cursor: it is not one"};
    for (size_t i = 0; i < 5; i++)
        keystore__v1__scan_request__init(&requests[i]);
    requests[0].db = 16;
    requests[1].type = 3;
    requests[2].page_bytes = (1 << 20) + 1;
    requests[3].cursor = message_bytes(slice_make(bytes, sizeof bytes));
    requests[4].cursor = message_text("1");
    for (size_t i = 0; i < 5; i++) {
        const struct ng_stream *call = link_call(link, PATH, &requests[i]);
        ng_call_assert_failed(call, GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT", words[i]);
    }
    keystore__v1__scan_request__init(&requests[0]);
    requests[0].pattern = message_bytes(slice_make(bytes, 1025));
    ng_call_assert_failed(link_call(link, PATH, &requests[0]), GRPC_RESOURCE_EXHAUSTED,
                          "ERROR_REASON_TOO_LARGE", "pattern: it has 1025 bytes");
}

static void test_an_engine_that_cannot_scan(void **state)
{
    Keystore__V1__ScanRequest request = KEYSTORE__V1__SCAN_REQUEST__INIT;
    ng_call_assert_failed(link_call(*state, PATH, &request), GRPC_UNIMPLEMENTED,
                          "ERROR_REASON_NOT_SERVED", "cannot list its keys");
}

int main(void)
{
    link_waker = (struct waker){.wake = link_ignore_wake};
    const struct CMUnitTest tests[] = {
        EMBEDDED(test_entries),
        EMBEDDED(test_max_visited),
        EMBEDDED(test_what_is_refused),
        SLOW(test_an_engine_that_cannot_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
