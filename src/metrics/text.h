/*
 * Metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0. They differ in the names of
 * counters (the family of `x_total` is `x` in OpenMetrics), in the lines about units and in the
 * last line.
 *
 *     metrics_text_init(); a family, its samples, the next family ...; metrics_text_finish()
 *
 * Does not abort for lack of memory: then metrics_text_finish() fails.
 */
#ifndef KEYSTORE_METRICS_TEXT_H
#define KEYSTORE_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_text {
    char *data; /* not terminated */
    size_t len, cap;
    enum metrics_format format;
    enum metrics_type type; /* of the family... */
    const char *name;       /* ...and its name, without _total */
    bool failed;            /* there was no memory */
};

struct metrics_label {
    const char *name, *value; /* the value is any UTF-8 text */
};

/* Labels are written in the order in which they are given. */
struct metrics_labels {
    const struct metrics_label *labels;
    size_t count;
};

/* metrics_labels({"db", "0"}, {"result", "hit"}); valid within the full expression. */
#define METRICS_LABELS(...)                                                                        \
    ((struct metrics_labels){(const struct metrics_label[]){__VA_ARGS__},                          \
                             sizeof((const struct metrics_label[]){__VA_ARGS__}) /                 \
                                 sizeof(struct metrics_label)})
#define METRICS_NO_LABELS ((struct metrics_labels){NULL, 0})

void metrics_text_init(struct metrics_text *text, enum metrics_format format);
void metrics_text_deinit(struct metrics_text *text);

/* Starts a family. The name, which must last until the next one, has no _total, and ends in its
 * unit, if it has one: _seconds or _bytes. `help` is the text of its HELP line. */
void metrics_text_family(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help);

/* Samples of a counter or a gauge. */
void metrics_text_count(struct metrics_text *text, struct metrics_labels labels, uint64_t value);
void metrics_text_real(struct metrics_text *text, struct metrics_labels labels, double value);

/* A histogram of seconds. */
struct metrics_buckets {
    const uint64_t *bounds_us; /* upper bounds, ascending */
    const uint64_t *counts;    /* one per bound, of values up to it but above the one before; and
                                  one more, of values beyond the last */
    size_t bounds;
    double sum; /* seconds */
};
void metrics_text_buckets(struct metrics_text *text, struct metrics_labels labels,
                          const struct metrics_buckets *buckets);

/* Ends the text; false if there was no memory for it. */
bool metrics_text_finish(struct metrics_text *text) __attribute__((warn_unused_result));

/* Content-Type of a format; static memory. */
const char *metrics_text_type(enum metrics_format format);

/* The format that a client prefers by its Accept header (NULL: it sent none): OpenMetrics only if
 * it asks for version 1.0.0 or any, and does not prefer plain text. */
enum metrics_format metrics_text_negotiate(const char *accept);

#endif
