/* Tests of service/streams/stream_list.c: pages of a list that is pinned, and released again. */
#include "service/streams/stream_list.h"

#include "store/list/pinned.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

#define PATH   "/keystore.v1.KeyStore/StreamList"
#define LENGTH 5000

/* Makes a list of "element 0", "element 1" and so on, of which there are a multiple of EACH. */
static void push(struct link *link, const char *key, size_t count)
{
    enum { EACH = 100 };
    char texts[EACH][40];
    ProtobufCBinaryData values[EACH];
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    message.key = message_text(key);
    message.values = values;
    message.n_values = EACH;
    for (size_t first = 0; first < count; first += EACH) {
        for (size_t i = 0; i < EACH; i++) {
            snprintf(texts[i], sizeof texts[i], "element %zu", first + i);
            values[i] = message_text(texts[i]);
        }
        assert_int_equal(ng_call_status(link_call(link, "/KeyStore/RPush", &message)), GRPC_OK);
    }
}

/* A client that has room for one byte until it opens its windows. */
static void restrict_client(struct link *link)
{
    link_disconnect(link);
    link_connect(link, &(struct ng_options){.stream_window = 1, .manual_windows = true});
}

static struct ng_stream *start(struct link *link, const char *key, int64_t start, int64_t stop,
                               uint32_t page_bytes)
{
    Keystore__V1__ListRange request = KEYSTORE__V1__LIST_RANGE__INIT;
    request.key = message_text(key);
    request.start = start;
    request.stop = stop;
    request.page_bytes = page_bytes;
    return link_call(link, PATH, &request);
}

static void open_windows(struct link *link, const struct ng_stream *call)
{
    ng_client_open_window(link->client, 0, 1 << 24);
    ng_client_open_window(link->client, call->id, 1 << 24);
    link_exchange(link);
}

/* The call has ended well, with the elements from `first` on; returns how many pages it had. */
static size_t assert_elements(const struct ng_stream *call, size_t first, size_t count,
                              int64_t length)
{
    size_t pages = 0, found = 0, at = 0;
    struct slice message;
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    for (; ng_call_next(call, &at, &message); pages++) {
        Keystore__V1__ListValues *page =
            keystore__v1__list_values__unpack(NULL, message.len, message.data);
        assert_non_null(page);
        assert_true(page->found);
        assert_int_equal(page->length, length);
        assert_int_equal(page->offset, first + found);
        for (size_t i = 0; i < page->n_values; i++) {
            char text[40];
            snprintf(text, sizeof text, "element %zu", first + found++);
            assert_bytes_are(page->values[i], text);
        }
        keystore__v1__list_values__free_unpacked(page, NULL);
    }
    assert_int_equal(at, call->body.len);
    assert_int_equal(found, count);
    return pages;
}

static void test_pages(void **state)
{
    struct link *link = *state;
    push(link, "list", LENGTH);
    assert_int_equal(assert_elements(start(link, "list", 0, 9, 0), 0, 10, LENGTH), 1);
    assert_int_equal(assert_elements(start(link, "list", 10, 19, 1), 10, 10, LENGTH), 10);
    assert_in_range(assert_elements(start(link, "list", 0, -1, 1000), 0, LENGTH, LENGTH), 60, 80);
    assert_int_equal(pinned_count(), 0);
}

static void test_what_happens_to_the_list_is_not_shown(void **state)
{
    struct link *link = *state;
    push(link, "list", LENGTH);
    restrict_client(link);
    const struct ng_stream *call = start(link, "list", 0, -1, 100);
    assert_false(call->closed);
    assert_int_equal(pinned_count(), 1);
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    key.key = message_text("list");
    link_call(link, "/KeyStore/Delete", &key);
    open_windows(link, call);
    link_resume_until_closed(link, call);
    assert_elements(call, 0, LENGTH, LENGTH);
    assert_int_equal(pinned_count(), 0);
}

static void test_endings_release_the_list(void **state)
{
    struct link *link = *state;
    push(link, "list", LENGTH);
    restrict_client(link);
    const struct ng_stream *call = start(link, "list", 0, -1, 100);
    assert_int_equal(pinned_count(), 1);
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_int_equal(pinned_count(), 0);
    start(link, "list", 0, -1, 100);
    assert_int_equal(pinned_count(), 1);
    grpc_connection_drain(link->server);
    assert_int_equal(pinned_count(), 0);
    restrict_client(link);
    start(link, "list", 0, -1, 100);
    assert_int_equal(pinned_count(), 1);
    restrict_client(link);
    assert_int_equal(pinned_count(), 0);
}

/* However fast the caller reads. */
static void test_others_have_their_turn(void **state)
{
    struct link *link = *state;
    push(link, "list", 40000);
    const struct ng_stream *call = start(link, "list", 0, -1, 0);
    assert_false(call->closed);
    size_t turns = 1;
    for (; !call->closed; turns++) {
        assert_true(call->body.len < 700 * 1024 * turns);
        assert_value(link_call_key(link, "/KeyStore/Get", "other"), NULL);
        link_resume(link);
    }
    assert_true(turns > 1);
    assert_elements(call, 0, 40000, 40000);
}

static void test_no_list(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = start(link, "none", 0, -1, 0);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    assert_int_equal(call->body.len, 5); /* one page, which is empty */
    link_call_set(link, "text", SLICE_LITERAL("v"));
    call = start(link, "text", 0, -1, 0);
    assert_int_equal(ng_call_status(call), GRPC_FAILED_PRECONDITION);
    ng_assert_slice(ng_call_field(call, "keystore-reason"), "ERROR_REASON_WRONG_TYPE");
    assert_int_equal(pinned_count(), 0);
}

int main(void)
{
    link_waker = (struct waker){.wake = link_ignore_wake};
    const struct CMUnitTest tests[] = {
        EMBEDDED(test_pages),
        EMBEDDED(test_what_happens_to_the_list_is_not_shown),
        EMBEDDED(test_endings_release_the_list),
        EMBEDDED(test_others_have_their_turn),
        EMBEDDED(test_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
