/*
 * Tests of service/streams/backup.c: real calls in memory, to an engine whose snapshot is written
 * when the test says so and is read from memory.
 */
#include "service/streams/backup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/offload_link.h"

#define PATH "/keystore.v1.KeyStoreAdmin/Backup"

/* An engine with one file. */
struct file_engine {
    struct engine engine; /* first */
    enum engine_answer save_answer;
    struct op_result save_result;
    struct engine_task *saving;
    uint8_t *bytes;
    size_t size;
    size_t readable; /* what is beyond cannot be read */
    size_t opens, closes, cancels, reads;
    bool cannot_open;
};

static enum engine_answer save(struct engine *engine, struct engine_task *task, bool wait)
{
    struct file_engine *file = (struct file_engine *)engine;
    assert_true(wait);
    task->result = file->save_result;
    if (file->save_answer == ENGINE_PENDING)
        file->saving = task;
    return file->save_answer;
}

static void cancel(struct engine *engine, struct engine_task *task)
{
    struct file_engine *file = (struct file_engine *)engine;
    assert_ptr_equal(file->saving, task);
    file->saving = NULL;
    file->cancels++;
}

static struct engine_snapshot *open_snapshot(struct engine *engine, uint64_t *size,
                                             const char **why)
{
    struct file_engine *file = (struct file_engine *)engine;
    *why = "it cannot be opened";
    if (file->cannot_open)
        return NULL;
    *why = NULL;
    *size = file->size;
    file->opens++;
    return (struct engine_snapshot *)file;
}

static ssize_t read_snapshot(struct engine_snapshot *snapshot, uint64_t offset, void *out,
                             size_t size, const char **why)
{
    struct file_engine *file = (struct file_engine *)snapshot;
    file->reads++;
    assert_true(offset + size <= file->size);
    if (offset + size > file->readable) {
        *why = "it cannot be read";
        return -1;
    }
    memcpy(out, file->bytes + offset, size);
    return (ssize_t)size;
}

static void close_snapshot(struct engine_snapshot *snapshot)
{
    ((struct file_engine *)snapshot)->closes++;
}

static int setup(void **state)
{
    struct file_engine *file = calloc(1, sizeof *file);
    file->engine = (struct engine){.save = save,
                                   .cancel = cancel,
                                   .open_snapshot = open_snapshot,
                                   .read_snapshot = read_snapshot,
                                   .close_snapshot = close_snapshot,
                                   .databases = 16};
    file->size = file->readable = 3 * BACKUP_PAGE + 100;
    file->bytes = malloc(file->size);
    for (size_t i = 0; i < file->size; i++)
        file->bytes[i] = (uint8_t)(i * 31 / 7);
    *state = link_new(&file->engine, &link_info);
    return 0;
}

static int setup_offload(void **state)
{
    offload_link_start();
    return setup(state);
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct file_engine *file = (struct file_engine *)link->engine;
    offload_link_free(link);
    assert_int_equal(file->opens, file->closes);
    free(file->bytes);
    free(file);
    return 0;
}

static struct file_engine *file_of(struct link *link)
{
    return (struct file_engine *)link->engine;
}

static struct ng_stream *begin(struct link *link)
{
    Keystore__V1__BackupRequest request = KEYSTORE__V1__BACKUP_REQUEST__INIT;
    return link_call(link, PATH, &request);
}

/* The pages are those of the file, in order. */
static void assert_complete(struct link *link, const struct ng_stream *call)
{
    const struct file_engine *file = file_of(link);
    struct slice message;
    uint64_t offset = 0;
    size_t at = 0;
    assert_int_equal(ng_call_status(call), GRPC_OK);
    while (ng_call_next(call, &at, &message)) {
        Keystore__V1__BackupPage *page =
            keystore__v1__backup_page__unpack(NULL, message.len, message.data);
        assert_non_null(page);
        assert_int_equal(page->offset, offset);
        assert_int_equal(page->size, file->size);
        assert_memory_equal(page->data.data, file->bytes + offset, page->data.len);
        offset += page->data.len;
        keystore__v1__backup_page__free_unpacked(page, NULL);
    }
    assert_int_equal(at, call->body.len);
    assert_int_equal(offset, file->size);
}

static void test_the_file_comes_in_pages(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = begin(link);
    assert_true(call->closed);
    assert_complete(link, call);
    assert_int_equal(file_of(link)->reads, 4);
}

static void test_it_waits_for_the_snapshot(void **state)
{
    struct link *link = *state;
    struct file_engine *file = file_of(link);
    file->save_answer = ENGINE_PENDING;
    const struct ng_stream *call = begin(link);
    assert_int_equal(file->opens, 0);
    file->saving->on_done(file->saving);
    link_exchange(link);
    assert_complete(link, call);
}

static void test_another_thread_reads(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = begin(link);
    while (!call->closed) {
        offload_link_wait();
        link_resume(link);
    }
    assert_complete(link, call);
}

static void test_what_fails(void **state)
{
    struct link *link = *state;
    struct file_engine *file = file_of(link);
    file->save_result = (struct op_result){.err = ERR_NOT_DURABLE, .why = "the disk is full"};
    ng_call_assert_failed(begin(link), GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE",
                          "the disk is full");
    file->save_result = (struct op_result){0};
    file->cannot_open = true;
    ng_call_assert_failed(begin(link), GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE",
                          "it cannot be opened");
    file->cannot_open = false;
    file->readable = 2 * BACKUP_PAGE;
    const struct ng_stream *call = begin(link); /* in the middle */
    assert_int_equal(ng_call_status(call), GRPC_UNAVAILABLE);
    assert_true(call->body.len > BACKUP_PAGE);
}

static void test_wrong_requests(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = ng_call(link->client, PATH, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_INTERNAL);
    call = ng_call_begin(link->client, PATH);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    file_of(link)->save_answer = ENGINE_PENDING;
    call = ng_call_begin(link->client, PATH);
    ng_call_send(link->client, call, SLICE_LITERAL(""), false);
    ng_call_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    assert_int_equal(file_of(link)->cancels, 1);
}

static void test_a_cancelled_call(void **state)
{
    struct link *link = *state;
    struct file_engine *file = file_of(link);
    file->save_answer = ENGINE_PENDING;
    const struct ng_stream *call = begin(link);
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_int_equal(file->cancels, 1);
    file->save_answer = ENGINE_DONE;
    call = begin(link); /* a page is being read */
    ng_client_reset(link->client, call);
    link_exchange(link);
    offload_link_wait();
    service_resume(link->service);
    assert_int_equal(file->closes, file->opens);
}

static void test_a_shutdown(void **state)
{
    struct link *link = *state;
    file_of(link)->save_answer = ENGINE_PENDING;
    const struct ng_stream *call = begin(link);
    grpc_connection_drain(link->server);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "not complete");
    assert_int_equal(file_of(link)->cancels, 1);
}

#define AT_ONCE(function)   cmocka_unit_test_setup_teardown(function, setup, teardown)
#define OFFLOADED(function) cmocka_unit_test_setup_teardown(function, setup_offload, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_ONCE(test_the_file_comes_in_pages),
        AT_ONCE(test_it_waits_for_the_snapshot),
        OFFLOADED(test_another_thread_reads),
        AT_ONCE(test_what_fails),
        AT_ONCE(test_wrong_requests),
        OFFLOADED(test_a_cancelled_call),
        AT_ONCE(test_a_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
