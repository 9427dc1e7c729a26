/* Tests of service/streams/watch_past.c: what has left memory is read from elsewhere, here from a
 * test's array, with and without another thread. */
#include "service/streams/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/offload_link.h"
#include "service/streams/watch_link.h"

#define OLDEST 100 /* in memory; nothing comes after it */

/* Commits 1 to OLDEST, each a Set of "a". */
struct past {
    uint64_t after;
    enum engine_history answer; /* first of all; ENGINE_HISTORY_READ: as far as it goes */
};

static struct past past;
static size_t opened, closed;

static enum engine_answer watching_open(struct engine *engine, unsigned worker, enum err *err,
                                        const char **why)
{
    (void)engine, (void)worker, (void)why;
    *err = ERR_NONE;
    return ENGINE_DONE;
}

static void watching_close(struct engine *engine)
{
    (void)engine;
}

static uint64_t watching_newest(struct engine *engine)
{
    (void)engine;
    return OLDEST;
}

static bool watching_listen(struct engine *engine, unsigned worker, uint64_t seen)
{
    (void)engine, (void)worker, (void)seen;
    return true;
}

static enum engine_history watching_read(struct engine *engine, uint64_t after, uint64_t upto,
                                         const struct engine_reader *reader)
{
    (void)engine, (void)upto, (void)reader;
    return after < OLDEST ? ENGINE_HISTORY_LOST : ENGINE_HISTORY_READ;
}

static struct past *past_open_here(struct engine *engine, uint64_t after)
{
    (void)engine;
    past.after = after;
    opened++;
    return &past;
}

static enum engine_history past_read_here(struct engine *engine, struct past *self, uint64_t upto,
                                          const struct engine_reader *reader)
{
    struct op set = {.kind = OP_SET, .key = SLICE_LITERAL("a")};
    enum engine_history answer = self->answer;
    (void)engine;
    assert_int_equal(upto, OLDEST);
    self->answer = ENGINE_HISTORY_READ;
    if (answer != ENGINE_HISTORY_READ)
        return answer;
    while (self->after < upto) {
        reader->on_change(reader->user, ++self->after, &set);
        if (!reader->on_commit(reader->user, self->after) || self->after % 30 == 0)
            return ENGINE_HISTORY_MORE;
    }
    return ENGINE_HISTORY_READ;
}

static void past_close_here(struct past *self)
{
    assert_ptr_equal(self, &past);
    closed++;
}

static const struct engine_watching watching = {.open = watching_open,
                                                .close = watching_close,
                                                .newest = watching_newest,
                                                .oldest = watching_newest,
                                                .listen = watching_listen,
                                                .read = watching_read,
                                                .past_open = past_open_here,
                                                .past_read = past_read_here,
                                                .past_close = past_close_here};

static int setup(void **state)
{
    struct engine *engine = calloc(1, sizeof *engine);
    *engine = (struct engine){.watching = &watching, .databases = 16};
    past = (struct past){.answer = ENGINE_HISTORY_READ};
    opened = closed = 0;
    link_waker = (struct waker){.wake = watch_link_wake};
    *state = link_new(engine, &link_info);
    return 0;
}

static int setup_offload(void **state)
{
    offload_link_start();
    return setup(state);
}

/* Whatever was opened is closed with its watch, at the latest. */
static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    offload_link_free(link);
    free(engine);
    assert_int_equal(opened, closed);
    return 0;
}

static struct ng_stream *begin(struct link *link, uint64_t version)
{
    Keystore__V1__WatchRequest__Selector selector = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__INIT,
                                         *list[] = {&selector};
    Keystore__V1__WatchRequest request = KEYSTORE__V1__WATCH_REQUEST__INIT;
    selector.selector_case = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX;
    request.selectors = list;
    request.n_selectors = 1;
    request.start_version = version;
    return link_call(link, WATCH_PATH, &request);
}

static size_t count_events(struct ng_stream *call)
{
    size_t count = 0;
    for (const char *at = watch_taken(call); (at = strstr(at, "1a ")) != NULL; at++)
        count++;
    return count;
}

static void test_it_reads_until_memory_has_the_rest(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = begin(link, 5);
    assert_int_equal(count_events(call), 95);
    assert_int_equal(opened, 1);
    assert_int_equal(closed, 1);
    assert_false(call->closed);
}

static void test_another_thread_reads(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = begin(link, 5);
    size_t count = 0;
    while (closed == 0) {
        offload_link_wait();
        link_resume(link);
        count += count_events(call);
    }
    assert_int_equal(count, 95);
}

static void test_a_version_that_has_gone_is_lost(void **state)
{
    struct link *link = *state;
    past.answer = ENGINE_HISTORY_LOST;
    struct ng_stream *call = begin(link, 5);
    ng_call_assert_failed(call, GRPC_OUT_OF_RANGE, "ERROR_REASON_HISTORY_LOST", "too old");
    assert_true(slice_equal(ng_call_field(call, "keystore-oldest-version"), SLICE_LITERAL("100")));
}

static void test_it_waits_until_the_log_is_written(void **state)
{
    struct link *link = *state;
    past.answer = ENGINE_HISTORY_WAIT;
    struct ng_stream *call = begin(link, 5);
    assert_int_equal(count_events(call), 0);
    link_resume(link);
    assert_int_equal(count_events(call), 95);
}

static void test_it_is_cancelled_meanwhile(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = begin(link, 5);
    nghttp2_submit_rst_stream(link->client->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
    link_exchange(link);
    offload_link_wait();
    link_resume(link);
    assert_int_equal(closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_reads_until_memory_has_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_thread_reads, setup_offload, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_that_has_gone_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_waits_until_the_log_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_is_cancelled_meanwhile, setup_offload, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
