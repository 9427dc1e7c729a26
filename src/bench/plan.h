/* A phase of a run: the fill, or the measurement. Shared by its threads. */
#ifndef KEYSTORE_BENCH_PLAN_H
#define KEYSTORE_BENCH_PLAN_H

#include "bench/options.h"
#include "bench/target.h"
#include "bench/template.h"

struct plan {
    const struct options *options;
    const struct target *target;
    struct payload payload;
    struct templates templates;
    enum op ops[OPTIONS_MAX_OPS];
    uint32_t weights[OPTIONS_MAX_OPS];
    size_t op_count;
    bool in_turn;         /* keys in sequence, not at random */
    bool take_turns;      /* alternate between the operations instead of choosing by weight */
    uint64_t calls;       /* UINT64_MAX: no limit */
    uint64_t duration_ns; /* 0: no limit */
    uint64_t warmup_ns;
    uint64_t rate; /* 0: closed loop */
    bool verify;
    size_t batch; /* operations in each call of Pipeline; 0 = the operations' own calls */
    enum feed_kind feed;
    uint32_t feeds;        /* streams of that kind */
    struct ledger *ledger; /* of what they receive; NULL: FEED_NONE */
};

/* Options and target are borrowed for the plan's life, and a plan does not move. */
void plan_init_fill(struct plan *plan, const struct options *options, const struct target *target);
void plan_init_measure(struct plan *plan, const struct options *options,
                       const struct target *target);

void plan_deinit(struct plan *plan);

/* The share of thread `thread` in a number that is divided among the threads. */
uint64_t plan_share(uint64_t number, uint32_t thread, uint32_t threads);

#endif
