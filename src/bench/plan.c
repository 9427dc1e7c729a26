/* Turns options into phases. Does not know how they are executed. */
#include "bench/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bench/now.h"

#include <stdlib.h>

/* The same time for all keys; 0 = never. */
static int64_t plan_expire_at_ms(const struct options *options)
{
    if (options->ttl_ns == 0)
        return 0;
    return clock_unix_ms() + (int64_t)(options->ttl_ns / (NS_PER_S / 1000));
}

static void plan_init(struct plan *plan, const struct options *options, const struct target *target)
{
    plan->options = options;
    plan->target = target;
    payload_init(&plan->payload, options->key_size, options->value_size, options->keyspace);
    if (options->numbers)
        payload_use_numbers(&plan->payload);
    const struct template_settings settings = {
        .authority = slice_from_string(target->authority),
        .authorization = slice_from_string(options->authorization),
        .ops = plan->ops,
        .count = plan->op_count,
        .payload = &plan->payload,
        .range_start = options->range_start,
        .range_stop = options->range_stop,
        .push_values = options->push_values,
        .expire_at_ms = plan_expire_at_ms(options),
        .batch = plan->batch,
        .keyspace = options->keyspace,
        .feed = plan->feed,
        .in_flight = options->in_flight,
    };
    templates_init(&plan->templates, &settings);
}

void plan_init_fill(struct plan *plan, const struct options *options, const struct target *target)
{
    enum op op = op_row(options->ops[0])->fill;
    bool lists = op_row(op)->is_list;
    *plan = (struct plan){
        .ops = {op},
        .weights = {1},
        .op_count = 1,
        .in_turn = true,
        .calls = options->keyspace * (lists ? options->elements / options->push_values : 1),
    };
    plan_init(plan, options, target);
}

/* Each watcher receives each event; an element is received by one consumer. */
static void plan_open_ledger(struct plan *plan, const struct options *options)
{
    uint32_t receipts =
        plan->feed == FEED_WATCH ? options->receivers : (uint32_t)options->push_values;
    plan->ledger = mem_alloc(sizeof *plan->ledger);
    ledger_init(plan->ledger, options->keyspace, receipts, options->threads);
}

void plan_init_measure(struct plan *plan, const struct options *options,
                       const struct target *target)
{
    *plan = (struct plan){
        .op_count = options->op_count,
        .calls = options->requests,
        .duration_ns = options->duration_ns,
        .warmup_ns = options->warmup_ns,
        .rate = options->rate,
        .verify = options->verify,
        .take_turns = options->take_turns,
        .batch = options->batch,
        .feed = options->feed,
        .feeds = options->feed != FEED_NONE ? options->receivers : 0,
    };
    if (plan->feed != FEED_NONE)
        plan_open_ledger(plan, options);
    for (size_t i = 0; i < options->op_count; i++) {
        plan->ops[i] = options->ops[i];
        plan->weights[i] = options->weights[i];
    }
    plan_init(plan, options, target);
}

void plan_deinit(struct plan *plan)
{
    templates_deinit(&plan->templates);
    payload_deinit(&plan->payload);
    if (plan->ledger != NULL)
        ledger_deinit(plan->ledger);
    free(plan->ledger);
    plan->ledger = NULL;
}

uint64_t plan_share(uint64_t number, uint32_t thread, uint32_t threads)
{
    if (number == UINT64_MAX)
        return number;
    return number / threads + (thread < number % threads ? 1 : 0);
}
