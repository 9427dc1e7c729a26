/*
 * Tests of grpc/metering.c: durations in buckets, and that calls of any kind are counted once when
 * they start and once when they end, however they end.
 */
#include "grpc/metering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc/echo_service.h"
#include "grpc/stream.h"
#include "store/seeded.h"

#define STREAM "/test.Stream/Echo"

/* Methods by their numbers. */
enum { NOW, LATER, BATCH, STREAMING, UNKNOWN, METHODS };

static const char *const paths[METHODS] = {ECHO_NOW, ECHO_LATER, ECHO_BATCH, STREAM, "/no/such"};

/* ---- durations ---- */

static void test_durations_are_counted_in_buckets(void **state)
{
    (void)state;
    struct meter *meter = meter_new(2);
    int64_t now_ns = meter_begin_turn(meter) - 1; /* else they would count as of this turn */
    uint64_t sum_ns = 0;
    meter_end_turn(meter);
    meter->turn_ns = now_ns;
    for (size_t i = 0; i <= METER_BOUNDS; i++) {
        uint64_t ns = i < METER_BOUNDS ? meter_bounds_us[i] * 1000 : 3600000000000;
        assert_true(i == 0 || ns > meter_bounds_us[i - 1] * 1000);
        for (size_t n = 0; n <= i; n++)
            meter_count_end(meter, &meter->rows[1], now_ns - (int64_t)ns, GRPC_OK);
        sum_ns += (i + 1) * ns;
        if (i == METER_BOUNDS)
            continue;
        meter_count_end(meter, &meter->rows[1], now_ns - (int64_t)ns - 1, GRPC_ABORTED);
        sum_ns += ns + 1;
    }
    struct meter_method sum = {0};
    meter_read(meter, 1, &sum);
    assert_int_equal(sum.buckets[0], 1);
    for (size_t i = 1; i < METER_BUCKETS; i++)
        assert_int_equal(sum.buckets[i], i + 2);
    assert_int_equal(sum.sum_ns, sum_ns);
    assert_int_equal(sum.max_ns, 3600000000000);
    assert_int_equal(sum.handled[GRPC_ABORTED], METER_BOUNDS);
    assert_int_equal(meter_bounds_us[0], 10);
    assert_int_equal(meter_bounds_us[METER_BOUNDS - 1], 5000000);
    free(meter);
}

/* Calls that started together and are answered together have one duration; others break the run. */
static void test_runs_of_calls(void **state)
{
    (void)state;
    struct meter *meter = meter_new(1);
    struct meter_row *row = &meter->rows[0];
    struct meter_method sum = {0};
    meter->slow_ns = 1000000000;
    int64_t now_ns = meter_begin_turn(meter);
    const struct {
        int64_t ago_ns;
        bool begins_run; /* else it is counted by itself */
    } cases[] = {{3000000, true}, {4000000, true}, {2000000000, false}, {5000000, true}};
    for (size_t i = 0; i < 4; i++) {
        int64_t start_ns = now_ns - cases[i].ago_ns;
        int64_t counted = meter_count_answer(meter, row, start_ns);
        assert_int_equal(counted, cases[i].begins_run ? -1 : cases[i].ago_ns);
        assert_int_equal(row->since_ns == start_ns, cases[i].begins_run);
        row->answered += cases[i].begins_run ? 9 : 0;
    }
    meter_read(meter, 0, &sum);
    assert_int_equal(sum.handled[GRPC_OK], 21); /* the last run is counted at the end */
    meter_end_turn(meter);
    sum = (struct meter_method){0};
    meter_read(meter, 0, &sum);
    assert_int_equal(sum.handled[GRPC_OK], 31);
    assert_int_equal(sum.received, 31);
    assert_int_equal(sum.sum_ns, 10 * (3000000 + 4000000 + 5000000) + 2000000000);
    assert_int_equal(sum.max_ns, 2000000000);
    assert_int_equal(sum.buckets[8], 30); /* 2 to 5 ms */
    assert_int_equal(row->since_ns, 0);
    free(meter);
}

/* A run of the turn that goes on is not counted before that ends. */
static void test_a_former_call_within_a_run(void **state)
{
    (void)state;
    struct meter *meter = meter_new(1);
    struct meter_method sum = {0};
    meter->slow_ns = INT64_MAX;
    int64_t now_ns = meter_begin_turn(meter);
    assert_int_equal(meter_count_answer(meter, &meter->rows[0], now_ns), -1);
    assert_int_equal(meter_count_answer(meter, &meter->rows[0], now_ns - 7000000), 7000000);
    meter_read(meter, 0, &sum);
    assert_int_equal(sum.handled[GRPC_OK], 1);
    meter_end_turn(meter);
    meter_read(meter, 0, &sum);
    assert_int_equal(sum.handled[GRPC_OK], 3); /* 1 and 2 */
    free(meter);
}

static void test_methods_are_added_up(void **state)
{
    (void)state;
    struct meter *meter = meter_new(3);
    struct meter_method sum = {0};
    for (size_t i = 0; i < 3; i++) {
        meter_add(&meter->rows[i].started, i + 1);
        meter_count_end(meter, &meter->rows[i], clock_monotonic_ns(), GRPC_OK);
        meter_read(meter, i, &sum);
    }
    assert_int_equal(sum.started, 6);
    assert_int_equal(sum.handled[GRPC_OK], 3);
    assert_true(sum.max_ns <= sum.sum_ns);
    free(meter);
}

/* ---- a service ---- */

/* Echoes messages; 'o' ends the call well, 'e' with an error. */
struct stream {
    struct grpc_call *call;
    unsigned owed;
    bool half_closed;
    struct stream *next, **link;
};

static struct stream *streams;

static void end(struct grpc_call *call, const struct grpc_status *status)
{
    struct stream *stream = grpc_call_user(call);
    *stream->link = stream->next;
    if (stream->next != NULL)
        stream->next->link = stream->link;
    free(stream);
    if (status != NULL)
        grpc_stream_end(call, status->code == GRPC_OK ? NULL : status);
}

static const struct grpc_status well = {.code = GRPC_OK};
static const struct grpc_status wrong = {
    .code = GRPC_ABORTED, .reason = "WRONG", .message = SLICE_LITERAL("it was wrong")};

static void on_open(void *user, struct grpc_call *call)
{
    (void)user;
    struct stream *stream = mem_alloc_zero(sizeof *stream);
    *stream = (struct stream){.call = call, .next = streams, .link = &streams};
    if (streams != NULL)
        streams->link = &stream->next;
    streams = stream;
    grpc_call_set_user(call, stream);
}

static void on_message(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    struct stream *stream = grpc_call_user(call);
    char what = message.len > 0 ? (char)message.data[0] : ' ';
    if (what == 'o' || what == 'e') {
        end(call, what == 'o' ? &well : &wrong);
        return;
    }
    stream->owed++;
    grpc_stream_ready(call);
}

static void on_half_close(void *user, struct grpc_call *call)
{
    (void)user;
    struct stream *stream = grpc_call_user(call);
    stream->half_closed = true;
    grpc_stream_ready(call);
}

static void on_room(void *user, struct grpc_call *call, size_t room)
{
    (void)user;
    (void)room;
    struct stream *stream = grpc_call_user(call);
    for (; stream->owed > 0; stream->owed--)
        chain_append(grpc_stream_write(call, 1), 1)[0] = 'x';
    if (stream->half_closed)
        end(call, &well);
}

static void on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    end(call, &wrong);
}

static void on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    end(call, NULL);
}

static const struct grpc_stream_method method = {on_open,  on_message, on_half_close, on_room,
                                                 on_drain, on_cancel,  NULL,          NULL};

static const void *find_method(void *user, struct slice path)
{
    return slice_equal(path, SLICE_LITERAL(STREAM)) ? STREAM : echo_find_method(user, path);
}

static const struct grpc_stream_method *stream_of(const void *found)
{
    return strcmp(found, STREAM) == 0 ? &method : NULL;
}

static size_t number_of(const void *found)
{
    size_t i = 0;
    while (i < UNKNOWN && (found == NULL || strcmp(found, paths[i]) != 0))
        i++;
    return i;
}

static struct echo *open_echo(const struct ng_options *options)
{
    struct grpc_limits limits = echo_limits();
    limits.request_timeout_ms = 1000;
    limits.min_progress = 10;
    limits.write_timeout_ms = 1000;
    struct echo *echo = echo_new(&limits, options);
    echo_free_connection(echo);
    grpc_server_free(echo->server);
    ng_client_free(echo->client);
    echo->service.find_method = find_method;
    echo->service.stream_of = stream_of;
    echo->service.number_of = number_of;
    echo->service.counted = METHODS;
    echo->server = grpc_server_new(&limits, &echo->service);
    echo->connection = grpc_connection_new(echo->server, echo_on_output, echo, echo->now_ms);
    echo->client = ng_client_new(options);
    assert_true(echo_exchange(echo));
    return echo;
}

static struct meter_method read_method(const struct echo *echo, size_t number)
{
    struct meter_method sum = {0};
    meter_read(grpc_server_meter(echo->server), number, &sum);
    return sum;
}

static uint64_t add_up(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

/* The method has had that many calls, of which this many are in flight. */
static void assert_calls(const struct echo *echo, size_t number, uint64_t started,
                         uint64_t in_flight)
{
    struct meter_method sum = read_method(echo, number);
    uint64_t handled = add_up(sum.handled, GRPC_CODES);
    assert_int_equal(sum.started, started);
    assert_int_equal(sum.started - handled, in_flight);
    assert_int_equal(add_up(sum.buckets, METER_BUCKETS), handled);
}

static struct ng_stream *call_and_send(struct echo *echo, size_t number, const char *text,
                                       bool last)
{
    struct ng_stream *stream = echo_call(echo, paths[number]);
    struct buf framed = echo_framed(slice_from_string(text));
    echo_send(echo, stream, buf_slice(&framed), last);
    buf_deinit(&framed);
    assert_true(echo_exchange(echo));
    return stream;
}

/* ---- how calls end ---- */

static void test_answers_in_their_turn_and_later(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    for (unsigned i = 0; i < 3; i++) {
        call_and_send(echo, NOW, "a", true);
        call_and_send(echo, BATCH, "a", true);
        call_and_send(echo, LATER, "a", true);
    }
    assert_calls(echo, NOW, 3, 0);
    assert_calls(echo, BATCH, 3, 0);
    assert_calls(echo, LATER, 3, 3);
    grpc_server_begin_turn(echo->server);
    for (size_t i = 0; i < echo->pending_count; i++)
        if (echo->pending[i].call != NULL)
            echo_answer(&echo->pending[i]);
    grpc_server_end_turn(echo->server);
    assert_true(echo_exchange(echo));
    assert_calls(echo, LATER, 3, 0);
    for (size_t i = NOW; i <= BATCH; i++) {
        struct meter_method sum = read_method(echo, i);
        assert_int_equal(sum.handled[GRPC_OK], 3);
        assert_int_equal(sum.received, 3);
        assert_int_equal(sum.sent, 3);
        assert_true(sum.max_ns > 0 && sum.sum_ns >= sum.max_ns);
    }
    echo_free(echo);
}

static void test_refused_calls_are_counted(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    call_and_send(echo, UNKNOWN, "a", true);
    assert_int_equal(read_method(echo, UNKNOWN).handled[GRPC_UNIMPLEMENTED], 1);
    echo_call_with(echo, ECHO_NOW, "grpc-timeout", "soon");
    echo_call_with(echo, STREAM, "grpc-timeout", "0m");
    assert_true(echo_exchange(echo));
    assert_int_equal(read_method(echo, NOW).handled[GRPC_INVALID_ARGUMENT], 1);
    assert_int_equal(read_method(echo, STREAMING).handled[GRPC_DEADLINE_EXCEEDED], 1);
    echo_send(echo, echo_call(echo, ECHO_NOW), SLICE_LITERAL("\0\0"), true);
    assert_true(echo_exchange(echo));
    assert_int_equal(read_method(echo, NOW).handled[GRPC_INTERNAL], 1);
    assert_int_equal(read_method(echo, NOW).received, 0);
    assert_calls(echo, NOW, 2, 0);
    assert_calls(echo, STREAMING, 1, 0);
    echo_free(echo);
}

static void test_retried_calls_are_counted(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    static const char *const attempts[] = {"1", "0", "4", "many"};
    for (size_t i = 0; i < 4; i++)
        echo_call_with(echo, ECHO_NOW, "grpc-previous-rpc-attempts", attempts[i]);
    assert_true(echo_exchange(echo));
    assert_int_equal(read_method(echo, NOW).started, 4);
    assert_int_equal(read_method(echo, NOW).retried, 2);
    echo_free(echo);
}

/* A request that is not gRPC is no call. */
static void test_plain_http_is_not_counted(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("GET")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = SLICE_LITERAL(ECHO_NOW)},
        {.name = SLICE_LITERAL(":authority"), .value = SLICE_LITERAL("host")},
    };
    ng_client_request(echo->client, fields, 4, true);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < METHODS; i++)
        assert_calls(echo, i, 0, 0);
    echo_free(echo);
}

static void test_callers_who_leave(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    const size_t numbers[] = {LATER, STREAMING};
    for (size_t i = 0; i < 2; i++) {
        size_t number = numbers[i];
        const struct ng_stream *left = call_and_send(echo, number, "a", number == LATER);
        const struct ng_stream *unfinished = call_and_send(echo, number, "a", false);
        struct ng_stream *late = echo_call_with(echo, paths[number], "grpc-timeout", "10m");
        assert_true(echo_exchange(echo));
        assert_calls(echo, number, 3, 3);
        ng_client_reset(echo->client, left);
        ng_client_reset(echo->client, unfinished);
        assert_true(echo_exchange(echo));
        assert_int_equal(read_method(echo, number).handled[GRPC_CANCELLED], 2);
        echo->now_ms += 10;
        ng_client_reset(echo->client, late);
        assert_true(echo_exchange(echo));
        assert_int_equal(read_method(echo, number).handled[GRPC_DEADLINE_EXCEEDED], 1);
        assert_calls(echo, number, 3, 0);
    }
    assert_int_equal(read_method(echo, LATER).received, 1);
    assert_int_equal(read_method(echo, LATER).sent, 0);
    echo_free(echo);
}

static void test_streams_end_in_all_ways(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){0});
    call_and_send(echo, STREAMING, "a", true);
    call_and_send(echo, STREAMING, "o", false);
    call_and_send(echo, STREAMING, "e", false);
    struct ng_stream *broken = call_and_send(echo, STREAMING, "a", false);
    echo_send(echo, broken, SLICE_LITERAL("\0\0"), true);
    assert_true(echo_exchange(echo));
    struct meter_method sum = read_method(echo, STREAMING);
    assert_int_equal(sum.handled[GRPC_OK], 2);
    assert_int_equal(sum.handled[GRPC_ABORTED], 1);
    assert_int_equal(sum.handled[GRPC_INTERNAL], 1);
    assert_int_equal(sum.received, 4);
    assert_int_equal(sum.sent, 2);
    call_and_send(echo, STREAMING, "a", false);
    assert_calls(echo, STREAMING, 5, 1);
    echo_free_connection(echo);
    assert_calls(echo, STREAMING, 5, 0);
    assert_int_equal(read_method(echo, STREAMING).handled[GRPC_CANCELLED], 1);
    echo_free(echo);
}

/* A stream whose replies are not read has not ended well, whatever its method says. */
static void test_a_stream_that_is_not_read(void **state)
{
    (void)state;
    struct echo *echo = open_echo(&(struct ng_options){.stream_window = 3, .manual_windows = true});
    call_and_send(echo, STREAMING, "a", true);
    assert_null(streams);
    assert_calls(echo, STREAMING, 1, 1);
    for (int i = 0; i < 2; i++) {
        grpc_connection_check(echo->connection, echo->now_ms);
        echo->now_ms += 2000;
    }
    assert_true(echo_exchange(echo));
    assert_calls(echo, STREAMING, 1, 0);
    assert_int_equal(read_method(echo, STREAMING).handled[GRPC_RESOURCE_EXHAUSTED], 1);
    echo_free(echo);
}

/* ---- what the service is told ---- */

static struct grpc_outcome outcomes[10];
static void *users[10]; /* of the calls */
static size_t told;

static void on_outcome(void *user, struct grpc_call *call, const struct grpc_outcome *outcome)
{
    (void)user;
    assert_true(told < 10);
    assert_true(outcome->duration_ns >= 0);
    users[told] = grpc_call_user(call);
    outcomes[told++] = *outcome;
}

/* A server that tells of calls that take as long. */
static struct echo *open_telling(int64_t slow_ns)
{
    struct echo *echo = open_echo(&(struct ng_options){0});
    struct grpc_limits limits = echo_limits();
    limits.slow_ns = slow_ns;
    echo_free_connection(echo);
    grpc_server_free(echo->server);
    ng_client_free(echo->client);
    told = 0;
    echo->service.on_outcome = on_outcome;
    echo->server = grpc_server_new(&limits, &echo->service);
    echo->connection = grpc_connection_new(echo->server, echo_on_output, echo, echo->now_ms);
    echo->client = ng_client_new(&(struct ng_options){0});
    assert_true(echo_exchange(echo));
    return echo;
}

static void test_every_call_may_be_slow(void **state)
{
    (void)state;
    struct echo *echo = open_telling(0);
    call_and_send(echo, NOW, "a", true);
    call_and_send(echo, NOW, "a", true);
    assert_int_equal(told, 2);
    assert_true(outcomes[1].is_slow && outcomes[1].reason == NULL);
    assert_string_equal(outcomes[1].method, ECHO_NOW);
    ng_client_reset(echo->client, call_and_send(echo, LATER, "a", true));
    ng_client_reset(echo->client, call_and_send(echo, LATER, "a", false)); /* nothing to do yet */
    assert_true(echo_exchange(echo));
    assert_int_equal(told, 3);
    assert_int_equal(outcomes[2].code, GRPC_CANCELLED);
    assert_ptr_equal(users[2], &echo->pending[0]);
    call_and_send(echo, STREAMING, "o", false);
    assert_int_equal(told, 3);
    assert_calls(echo, NOW, 2, 0);
    echo_free(echo);
}

static void test_waiting_is_not_slow(void **state)
{
    (void)state;
    struct echo *echo = open_telling(0);
    for (int leaves = 0; leaves < 2; leaves++) {
        struct ng_stream *stream = call_and_send(echo, LATER, "a", true);
        struct echo_pending *pending = &echo->pending[leaves];
        assert_null(grpc_call_wait(pending->call));
        if (leaves) {
            ng_client_reset(echo->client, stream);
        } else {
            grpc_call_go_on(pending->call);
            echo_answer(pending);
        }
        assert_true(echo_exchange(echo));
    }
    assert_int_equal(told, 1); /* the one who was answered, after hardly any time */
    struct meter_method sum = read_method(echo, LATER);
    assert_true((uint64_t)outcomes[0].duration_ns < sum.sum_ns);
    echo_free(echo);
}

static void test_failed_calls_are_told(void **state)
{
    (void)state;
    struct echo *echo = open_telling(GRPC_NEVER_SLOW);
    call_and_send(echo, NOW, "a", true);
    assert_int_equal(told, 0);
    call_and_send(echo, UNKNOWN, "a", true);
    assert_int_equal(told, 1);
    assert_int_equal(outcomes[0].code, GRPC_UNIMPLEMENTED);
    assert_string_equal(outcomes[0].reason, "NOT_SERVED");
    assert_null(outcomes[0].method);
    assert_null(users[0]);
    call_and_send(echo, STREAMING, "e", false);
    assert_int_equal(told, 2);
    assert_int_equal(outcomes[1].code, GRPC_ABORTED);
    assert_false(outcomes[1].is_slow);
    echo_free(echo);
}

/* ---- at random ---- */

#define STEPS 2000

struct calls {
    struct ng_stream *open[METHODS][STEPS]; /* whose requests have not ended */
    size_t count[METHODS];
    uint64_t started[METHODS];
};

static void start_one(struct echo *echo, struct calls *calls, uint64_t *random)
{
    size_t number = seeded_below(random, METHODS);
    bool last = seeded_below(random, 2) == 0;
    bool timed = seeded_below(random, 4) == 0;
    struct ng_stream *stream = timed ? echo_call_with(echo, paths[number], "grpc-timeout", "5m")
                                     : echo_call(echo, paths[number]);
    if (last || seeded_below(random, 2) == 0) {
        struct buf framed = echo_framed(SLICE_LITERAL("a"));
        echo_send(echo, stream, buf_slice(&framed), last);
        buf_deinit(&framed);
    }
    calls->started[number]++;
    if (!last)
        calls->open[number][calls->count[number]++] = stream;
}

/* Ends the request of one that has not, or the call. */
static void end_one(struct echo *echo, struct calls *calls, uint64_t *random)
{
    static const char *const texts[] = {"a", "o", "e", ""};
    size_t number = seeded_below(random, METHODS);
    if (calls->count[number] == 0)
        return;
    struct ng_stream *stream =
        calls->open[number][seeded_below(random, (uint32_t)calls->count[number])];
    if (stream->closed)
        return;
    if (seeded_below(random, 3) == 0) {
        assert_true(echo_exchange(echo)); /* else the client might never send it */
        ng_client_reset(echo->client, stream);
        return;
    }
    struct buf framed = echo_framed(slice_from_string(texts[seeded_below(random, 4)]));
    if (!stream->out_ends)
        echo_send(echo, stream, buf_slice(&framed), seeded_below(random, 2) == 0);
    buf_deinit(&framed);
}

static void answer_one(struct echo *echo, uint64_t *random)
{
    size_t at = echo->pending_count > 0 ? seeded_below(random, (uint32_t)echo->pending_count) : 0;
    if (at < echo->pending_count && echo->pending[at].call != NULL)
        echo_answer(&echo->pending[at]);
}

/* Forgets what has been answered, so that there is room for more. */
static void forget_answered(struct echo *echo)
{
    size_t count = 0;
    for (size_t i = 0; i < echo->pending_count; i++) {
        if (echo->pending[i].call == NULL) {
            buf_deinit(&echo->pending[i].message);
            continue;
        }
        echo->pending[count] = echo->pending[i];
        grpc_call_set_user(echo->pending[count].call, &echo->pending[count]);
        count++;
    }
    echo->pending_count = count;
}

static void test_random_calls_add_up(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct echo *echo = open_echo(&(struct ng_options){0});
    struct calls *calls = mem_alloc_zero(sizeof *calls);
    for (unsigned step = 0; step < STEPS; step++) {
        switch (seeded_below(&random, 6)) {
        case 0:
        case 1:
            start_one(echo, calls, &random);
            break;
        case 2:
        case 3:
            end_one(echo, calls, &random);
            break;
        case 4:
            answer_one(echo, &random);
            break;
        default:
            echo->now_ms++;
            grpc_connection_check(echo->connection, echo->now_ms);
            break;
        }
        if (seeded_below(&random, 3) != 0)
            assert_true(echo_exchange(echo));
        forget_answered(echo);
    }
    assert_true(echo_exchange(echo));
    uint64_t open = 0, in_flight = 0;
    for (size_t i = 0; i < echo->client->count; i++)
        open += !echo->client->streams[i]->closed;
    for (size_t i = 0; i < METHODS; i++) {
        struct meter_method sum = read_method(echo, i);
        assert_int_equal(sum.started, calls->started[i]);
        in_flight += sum.started - add_up(sum.handled, GRPC_CODES);
    }
    assert_true(in_flight <= open); /* an answered call's request may be unfinished */
    echo_free_connection(echo);
    assert_null(streams);
    for (size_t i = 0; i < METHODS; i++)
        assert_calls(echo, i, calls->started[i], 0);
    free(calls);
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_counted_in_buckets),
        cmocka_unit_test(test_runs_of_calls),
        cmocka_unit_test(test_a_former_call_within_a_run),
        cmocka_unit_test(test_methods_are_added_up),
        cmocka_unit_test(test_answers_in_their_turn_and_later),
        cmocka_unit_test(test_refused_calls_are_counted),
        cmocka_unit_test(test_retried_calls_are_counted),
        cmocka_unit_test(test_plain_http_is_not_counted),
        cmocka_unit_test(test_callers_who_leave),
        cmocka_unit_test(test_streams_end_in_all_ways),
        cmocka_unit_test(test_a_stream_that_is_not_read),
        cmocka_unit_test(test_every_call_may_be_slow),
        cmocka_unit_test(test_waiting_is_not_slow),
        cmocka_unit_test(test_failed_calls_are_told),
        cmocka_unit_test(test_random_calls_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
