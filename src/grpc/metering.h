/*
 * Writing a meter; private to grpc. A turn is the time in which a worker processes what has arrived
 * together. The clock is read once when it begins and once when it ends, not for each call: calls
 * that start and end within one all took about as long as the turn, which is also when their
 * answers leave. Those that started in a former turn end when this one began. So calls of a method
 * that started together and are answered together are one run, counted with one addition.
 */
#ifndef KEYSTORE_GRPC_METERING_H
#define KEYSTORE_GRPC_METERING_H

#include "grpc/meter.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Of one method. */
struct meter_row {
    atomic_uint_fast64_t started, received, sent;
    int64_t since_ns;       /* the current run: when its calls started; 0: there is none */
    uint64_t answered;      /* calls of it, all of them unary and successful */
    struct meter_row *next; /* of those with a run in this turn */
    bool is_listed;
    atomic_uint_fast64_t sum_ns, max_ns, retried;
    atomic_uint_fast64_t handled[GRPC_CODES];
    atomic_uint_fast64_t buckets[METER_BUCKETS];
};

struct meter {
    int64_t turn_ns;          /* monotonic: when the turn began; 0 outside of one */
    struct meter_row *listed; /* rows that had a run in this turn */
    int64_t slow_ns;          /* calls that take as long are counted each by itself */
    bool takes_each;          /* the clock is read for each call */
    size_t count;
    struct meter_row rows[];
};

/* For that many methods; free with free(). */
struct meter *meter_new(size_t methods);

/* Not within a turn. Returns its time, which is not 0. */
int64_t meter_begin_turn(struct meter *meter);
void meter_end_turn(struct meter *meter);

/* The time since then; within a turn, that of its beginning counts for calls of former ones. */
int64_t meter_duration(const struct meter *meter, int64_t start_ns);

/* A call that started then has ended with that code. Returns how long it took. */
int64_t meter_count_end(struct meter *meter, struct meter_row *row, int64_t start_ns,
                        enum grpc_code code);

/* The same of a unary call that has been answered successfully; -1 if it begins a run. */
int64_t meter_count_answer(struct meter *meter, struct meter_row *row, int64_t start_ns);

/* The same, but it never begins a run. */
int64_t meter_count_alone(struct meter *meter, struct meter_row *row, int64_t start_ns);

/* Only one thread writes it, so this need not be one atomic step. */
static inline void meter_add(atomic_uint_fast64_t *count, uint64_t more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
                          memory_order_release);
}

#endif
