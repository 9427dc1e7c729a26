/* Turns options into phases. Refuses to know how they are carried out. */
#include "bench/plan.h"

static void init(struct plan *plan, const struct options *options, const struct target *target)
{
    plan->options = options;
    plan->target = target;
    payload_init(&plan->payload, options->key_size, options->value_size, options->keyspace);
    const struct template_settings settings = {
        .authority = slice_from_string(target->authority),
        .ops = plan->ops,
        .count = plan->op_count,
        .payload = &plan->payload,
        .range_start = options->range_start,
        .range_stop = options->range_stop,
    };
    templates_init(&plan->templates, &settings);
}

void plan_init_fill(struct plan *plan, const struct options *options, const struct target *target)
{
    bool lists = op_row(options->ops[0])->is_list;
    *plan = (struct plan){
        .ops = {lists ? OP_LPUSH : OP_SET},
        .weights = {1},
        .op_count = 1,
        .in_turn = true,
        .calls = options->keyspace * (lists ? options->elements : 1),
    };
    init(plan, options, target);
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
    };
    for (size_t i = 0; i < options->op_count; i++) {
        plan->ops[i] = options->ops[i];
        plan->weights[i] = options->weights[i];
    }
    init(plan, options, target);
}

void plan_deinit(struct plan *plan)
{
    templates_deinit(&plan->templates);
    payload_deinit(&plan->payload);
}

uint64_t plan_share(uint64_t number, uint32_t thread, uint32_t threads)
{
    if (number == UINT64_MAX)
        return number;
    return number / threads + (thread < number % threads ? 1 : 0);
}
