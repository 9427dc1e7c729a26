/*
 * What calls cost in heap allocations, from the bytes of requests to the bytes of answers: a call
 * that reads, or replaces a string by one of its size, makes none once its connection is warm.
 * malloc and its kin are replaced in this program to be counted; under a sanitizer, which replaces
 * them itself, the calls are made all the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/raw_calls.h"
#include "store/store.h"

#define KEY    "some key"
#define ROUNDS 1000
#define WARM   10
#define BATCH  100
#define WHOLE  ((size_t)16384) /* the largest frame */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS false
#else
#define COUNTS true
#endif

/* Allocations while `counting`. */
static size_t allocations;
static bool counting;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void count_allocation(void)
{
    if (counting)
        allocations++;
}

/* glibc's own, under names that are not replaced. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    count_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_allocation();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    count_allocation();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count_allocation();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    count_allocation();
    *memory = __libc_memalign(alignment, size);
    return *memory != NULL ? 0 : ENOMEM;
}

#endif

/* Allocations of one feed. */
static size_t count_feed(struct raw_link *link)
{
    allocations = 0;
    counting = true;
    raw_feed(link);
    counting = false;
    return allocations;
}

static void assert_allocations(size_t counted, size_t expected)
{
    if (COUNTS)
        assert_int_equal(counted, expected);
}

/* A server with one string of `size` bytes and a list of ten short elements. */
struct fixture {
    struct engine *engine;
    struct buf value;
    struct buf reply;
};

static void call_once(struct fixture *fixture, const char *path, const void *message)
{
    struct raw_link *link = raw_link_new(fixture->engine, path);
    uint32_t id = raw_put_call(link, message, WHOLE);
    raw_feed(link);
    assert_true(raw_reply(link, id, &fixture->reply));
    raw_link_free(link);
}

static Keystore__V1__KeyValue key_value(const struct fixture *fixture)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text(KEY);
    message.value = message_bytes(buf_slice(&fixture->value));
    return message;
}

static void fill(struct fixture *fixture, size_t size)
{
    fixture->value.len = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i * 7 + i / 256);
        frames_put_bytes(&fixture->value, slice_make(&byte, 1));
    }
    Keystore__V1__KeyValue message = key_value(fixture);
    call_once(fixture, "/keystore.v1.KeyStore/Set", &message);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData values[10];
    fixture->engine = embedded_new(&(struct store_options){.databases = 16}, 1);
    buf_init(&fixture->value, SIZE_MAX);
    buf_init(&fixture->reply, SIZE_MAX);
    fill(fixture, 32);
    for (size_t i = 0; i < 10; i++)
        values[i] = message_text("a short element");
    insert.key = message_text("list");
    insert.values = values;
    insert.n_values = 10;
    call_once(fixture, "/keystore.v1.KeyStore/LPush", &insert);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    embedded_free(fixture->engine);
    buf_deinit(&fixture->value);
    buf_deinit(&fixture->reply);
    free(fixture);
    return 0;
}

static void assert_got(struct fixture *fixture, struct raw_link *link, uint32_t id)
{
    assert_true(raw_reply(link, id, &fixture->reply));
    Keystore__V1__Value *value =
        keystore__v1__value__unpack(NULL, fixture->reply.len, fixture->reply.data);
    assert_non_null(value);
    assert_true(value->found);
    assert_true(slice_equal(message_slice(value->value), buf_slice(&fixture->value)));
    keystore__v1__value__free_unpacked(value, NULL);
}

/* Makes calls until the server is warm, then `rounds` batches more; the allocations of those. */
static size_t count_gets(struct fixture *fixture, size_t rounds, size_t batch)
{
    struct raw_link *link = raw_link_new(fixture->engine, "/keystore.v1.KeyStore/Get");
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    size_t sum = 0;
    key.key = message_text(KEY);
    for (size_t i = 0; i < WARM + rounds; i++) {
        uint32_t id = 0;
        for (size_t k = 0; k < batch; k++)
            id = raw_put_call(link, &key, WHOLE);
        size_t counted = count_feed(link);
        if (i >= WARM)
            sum += counted;
        assert_got(fixture, link, id);
    }
    raw_link_free(link);
    return sum;
}

/* Whether counting works at all. */
static void test_an_allocation_is_counted(void **state)
{
    (void)state;
    allocations = 0;
    counting = true;
    void *volatile memory = malloc(10);
    memory = realloc(memory, 5000);
    counting = false;
    free(memory);
    assert_allocations(allocations, 2);
}

static void test_gets_allocate_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_allocations(count_gets(fixture, ROUNDS, 1), 0);
}

static void test_many_gets_at_once_allocate_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_allocations(count_gets(fixture, ROUNDS / BATCH, BATCH), 0);
}

/* A large value is shared, frame by frame. */
static void test_gets_of_large_values_allocate_nothing(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 200000);
    assert_allocations(count_gets(fixture, 100, 1), 0);
}

static void test_a_request_cut_in_two_reads_allocates_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct raw_link *link = raw_link_new(fixture->engine, "/keystore.v1.KeyStore/Get");
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    struct buf bytes;
    size_t sum = 0;
    buf_init(&bytes, SIZE_MAX);
    key.key = message_text(KEY);
    for (size_t i = 0; i < WARM + ROUNDS; i++) {
        uint32_t id = raw_put_call(link, &key, WHOLE);
        struct slice all = buf_slice(&link->in);
        size_t cut = i % all.len;
        bytes.len = 0;
        frames_put_bytes(&bytes, slice_skip(all, cut));
        link->in.len = cut;
        size_t counted = count_feed(link);
        frames_put_bytes(&link->in, buf_slice(&bytes));
        counted += count_feed(link);
        if (i >= WARM)
            sum += counted;
        assert_got(fixture, link, id);
    }
    raw_link_free(link);
    buf_deinit(&bytes);
    assert_allocations(sum, 0);
}

/* A value of the same size takes the place of the former one. */
static void test_sets_allocate_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct raw_link *link = raw_link_new(fixture->engine, "/keystore.v1.KeyStore/Set");
    Keystore__V1__KeyValue message = key_value(fixture);
    for (size_t i = 0; i < WARM + ROUNDS; i++) {
        fixture->value.data[0] = (uint8_t)i;
        uint32_t id = raw_put_call(link, &message, WHOLE);
        size_t counted = count_feed(link);
        if (i >= WARM)
            assert_allocations(counted, 0);
        assert_true(raw_reply(link, id, &fixture->reply));
        Keystore__V1__Status *status =
            keystore__v1__status__unpack(NULL, fixture->reply.len, fixture->reply.data);
        assert_non_null(status);
        assert_true(status->ok);
        keystore__v1__status__free_unpacked(status, NULL);
    }
    raw_link_free(link);
    count_gets(fixture, 1, 1);
}

static void test_ranges_of_short_elements_allocate_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct raw_link *link = raw_link_new(fixture->engine, "/keystore.v1.KeyStore/LRange");
    Keystore__V1__ListRange range = KEYSTORE__V1__LIST_RANGE__INIT;
    range.key = message_text("list");
    range.stop = -1;
    for (size_t i = 0; i < WARM + ROUNDS; i++) {
        uint32_t id = raw_put_call(link, &range, WHOLE);
        size_t counted = count_feed(link);
        if (i >= WARM)
            assert_allocations(counted, 0);
        assert_true(raw_reply(link, id, &fixture->reply));
        Keystore__V1__ListValues *values =
            keystore__v1__list_values__unpack(NULL, fixture->reply.len, fixture->reply.data);
        assert_non_null(values);
        assert_int_equal(values->n_values, 10);
        assert_bytes_are(values->values[9], "a short element");
        keystore__v1__list_values__free_unpacked(values, NULL);
    }
    raw_link_free(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_allocation_is_counted),
        cmocka_unit_test_setup_teardown(test_gets_allocate_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_gets_at_once_allocate_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gets_of_large_values_allocate_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_request_cut_in_two_reads_allocates_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sets_allocate_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges_of_short_elements_allocate_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
