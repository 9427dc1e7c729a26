/* Counters of calls. The thread that writes them stores `handled` last, and readers load it first,
 * so that they never see more calls ended than started. */
#include "grpc/metering.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

const uint64_t meter_bounds_us[METER_BOUNDS] = {
    10,      20,      50,      100,      200,      500,      1 * MS, 2 * MS, 5 * MS,
    10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S,  2 * S,  5 * S};

struct meter *meter_new(size_t methods)
{
    struct meter *meter = mem_alloc_zero(sizeof *meter + methods * sizeof meter->rows[0]);
    meter->count = methods;
    return meter;
}

static size_t meter_bucket_of(uint64_t ns)
{
    size_t i = 0;
    while (i < METER_BOUNDS && ns > meter_bounds_us[i] * 1000)
        i++;
    return i;
}

/* That many calls have ended. */
static void meter_count_ends(struct meter_row *row, uint64_t count, uint64_t ns,
                             enum grpc_code code)
{
    meter_add(&row->buckets[meter_bucket_of(ns)], count);
    meter_add(&row->sum_ns, count * ns);
    if (ns > atomic_load_explicit(&row->max_ns, memory_order_relaxed))
        atomic_store_explicit(&row->max_ns, ns, memory_order_relaxed);
    meter_add(&row->handled[code], count);
}

int64_t meter_duration(const struct meter *meter, int64_t start_ns)
{
    bool is_of_turn = start_ns == meter->turn_ns;
    int64_t now_ns = is_of_turn || meter->turn_ns == 0 ? clock_monotonic_ns() : meter->turn_ns;
    return now_ns > start_ns ? now_ns - start_ns : 0;
}

int64_t meter_count_end(struct meter *meter, struct meter_row *row, int64_t start_ns,
                        enum grpc_code code)
{
    int64_t duration_ns = meter_duration(meter, start_ns);
    meter_count_ends(row, 1, (uint64_t)duration_ns, code);
    return duration_ns;
}

static void meter_count_run(struct meter_row *row, int64_t ns)
{
    if (row->since_ns == 0)
        return;
    meter_add(&row->received, row->answered);
    meter_add(&row->sent, row->answered);
    meter_count_ends(row, row->answered, (uint64_t)ns, GRPC_OK);
    row->since_ns = 0;
    row->answered = 0;
}

static void meter_begin_run(struct meter *meter, struct meter_row *row, int64_t start_ns)
{
    row->since_ns = start_ns;
    row->answered = 1;
    if (row->is_listed)
        return;
    row->is_listed = true;
    row->next = meter->listed;
    meter->listed = row;
}

int64_t meter_count_alone(struct meter *meter, struct meter_row *row, int64_t start_ns)
{
    meter_add(&row->received, 1);
    meter_add(&row->sent, 1);
    return meter_count_end(meter, row, start_ns, GRPC_OK);
}

int64_t meter_count_answer(struct meter *meter, struct meter_row *row, int64_t start_ns)
{
    bool has_run = meter->turn_ns != 0 && !meter->takes_each;
    int64_t known_ns = meter->turn_ns - start_ns; /* 0 for calls of this turn, which goes on */
    if (has_run && known_ns < meter->slow_ns) {
        DCHECK(row->since_ns != start_ns);
        if (row->since_ns != 0 && row->since_ns != meter->turn_ns)
            meter_count_run(row, meter->turn_ns - row->since_ns);
        if (row->since_ns == 0) {
            meter_begin_run(meter, row, start_ns);
            return -1;
        }
    }
    return meter_count_alone(meter, row, start_ns);
}

int64_t meter_begin_turn(struct meter *meter)
{
    DCHECK(meter->turn_ns == 0 && meter->listed == NULL);
    return meter->turn_ns = clock_monotonic_ns();
}

void meter_end_turn(struct meter *meter)
{
    int64_t turn_ns = meter->turn_ns, now_ns = turn_ns;
    meter->turn_ns = 0;
    for (struct meter_row *row = meter->listed; row != NULL; row = row->next) {
        if (row->since_ns == turn_ns && now_ns == turn_ns)
            now_ns = clock_monotonic_ns();
        meter_count_run(row, (row->since_ns == turn_ns ? now_ns : turn_ns) - row->since_ns);
        row->is_listed = false;
    }
    meter->listed = NULL;
}

static uint64_t meter_load(const atomic_uint_fast64_t *count)
{
    return atomic_load_explicit(count, memory_order_acquire);
}

void meter_read(const struct meter *meter, size_t method, struct meter_method *sum)
{
    CHECK(method < meter->count);
    const struct meter_row *row = &meter->rows[method];
    for (size_t i = 0; i < GRPC_CODES; i++)
        sum->handled[i] += meter_load(&row->handled[i]);
    for (size_t i = 0; i < METER_BUCKETS; i++)
        sum->buckets[i] += meter_load(&row->buckets[i]);
    uint64_t max_ns = meter_load(&row->max_ns);
    if (max_ns > sum->max_ns)
        sum->max_ns = max_ns;
    sum->sum_ns += meter_load(&row->sum_ns);
    sum->received += meter_load(&row->received);
    sum->sent += meter_load(&row->sent);
    sum->retried += meter_load(&row->retried);
    sum->started += meter_load(&row->started);
}
