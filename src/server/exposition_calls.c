/* Sums up the workers' meters. The calls that were started and the messages are written for every
 * method, so that the first call of one is an increase; what has many series, only for those that
 * were called. */
#include "server/exposition_calls.h"

#include "metrics/text.h"
#include "server/report.h"
#include "server/worker.h"
#include "service/route.h"

#include <stdio.h>
#include <string.h>

/* As in Go. */
static const char *const codes[] = {
    [GRPC_OK] = "OK",
    [GRPC_CANCELLED] = "Canceled",
    [GRPC_UNKNOWN] = "Unknown",
    [GRPC_INVALID_ARGUMENT] = "InvalidArgument",
    [GRPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
    [GRPC_NOT_FOUND] = "NotFound",
    [GRPC_ALREADY_EXISTS] = "AlreadyExists",
    [GRPC_PERMISSION_DENIED] = "PermissionDenied",
    [GRPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
    [GRPC_FAILED_PRECONDITION] = "FailedPrecondition",
    [GRPC_ABORTED] = "Aborted",
    [GRPC_OUT_OF_RANGE] = "OutOfRange",
    [GRPC_UNIMPLEMENTED] = "Unimplemented",
    [GRPC_INTERNAL] = "Internal",
    [GRPC_UNAVAILABLE] = "Unavailable",
    [GRPC_DATA_LOSS] = "DataLoss",
    [GRPC_UNAUTHENTICATED] = "Unauthenticated",
};
_Static_assert(sizeof codes / sizeof codes[0] == GRPC_CODES, "each code has a name");

static void calls_sum(const struct report *report, struct meter_method *methods)
{
    memset(methods, 0, route_method_count() * sizeof *methods);
    for (uint32_t i = 0; report->workers != NULL && i < report->config->threads; i++)
        for (size_t method = 0; method < route_method_count(); method++)
            meter_read(worker_meter(report->workers[i]), method, &methods[method]);
}

/* The labels of a method, and room for another one. */
struct calls_labels {
    struct metrics_label labels[4];
};

static struct calls_labels calls_labels(size_t method)
{
    return (struct calls_labels){{{"grpc_type", route_method_type(method)},
                                  {"grpc_service", route_method_service(method)},
                                  {"grpc_method", route_method_name(method)}}};
}

/* A counter of each method, at `offset` in struct meter_method. */
static void calls_write_counter(struct metrics_text *text, const struct meter_method *methods,
                                const char *name, const char *help, size_t offset)
{
    metrics_text_family(text, name, METRICS_COUNTER, help);
    for (size_t i = 0; i < route_method_count(); i++) {
        struct calls_labels labels = calls_labels(i);
        const uint64_t *count = (const void *)((const char *)&methods[i] + offset);
        metrics_text_count(text, (struct metrics_labels){labels.labels, 3}, *count);
    }
}

static void calls_write_handled(struct metrics_text *text, const struct meter_method *methods)
{
    metrics_text_family(text, "grpc_server_handled", METRICS_COUNTER,
                        "Calls that have ended, by their status; without those that there were "
                        "none of.");
    for (size_t i = 0; i < route_method_count(); i++) {
        struct calls_labels labels = calls_labels(i);
        for (size_t code = 0; code < GRPC_CODES; code++) {
            if (methods[i].handled[code] == 0)
                continue;
            labels.labels[3] = (struct metrics_label){"grpc_code", codes[code]};
            metrics_text_count(text, (struct metrics_labels){labels.labels, 4},
                               methods[i].handled[code]);
        }
    }
}

static void calls_write_durations(struct metrics_text *text, const struct meter_method *methods)
{
    metrics_text_family(text, "grpc_server_handling_seconds", METRICS_HISTOGRAM,
                        "How long calls took, of the methods that were called.");
    for (size_t i = 0; i < route_method_count(); i++) {
        struct calls_labels labels = calls_labels(i);
        struct metrics_buckets buckets = {.bounds_us = meter_bounds_us,
                                          .counts = methods[i].buckets,
                                          .bounds = METER_BOUNDS,
                                          .sum = (double)methods[i].sum_ns / 1e9};
        if (methods[i].started > 0)
            metrics_text_buckets(text, (struct metrics_labels){labels.labels, 3}, &buckets);
    }
}

static void calls_write_retried(struct metrics_text *text, const struct meter_method *methods)
{
    uint64_t retried = 0;
    for (size_t i = 0; i < route_method_count(); i++)
        retried += methods[i].retried;
    metrics_text_family(text, "keystore_retried_calls", METRICS_COUNTER,
                        "Calls that repeat an earlier attempt, as their clients say.");
    metrics_text_count(text, METRICS_NO_LABELS, retried);
}

/* What a stream is in the label `kind`: its method, with the short name of its service if that is
 * not ours. */
static const char *calls_kind(size_t method, char *out, size_t size)
{
    const char *service = route_method_service(method), *name = route_method_name(method);
    const char *dot = strrchr(service, '.');
    if (dot == NULL || strncmp(service, "keystore.", sizeof "keystore." - 1) == 0)
        return name;
    snprintf(out, size, "%s/%s", dot + 1, name);
    return out;
}

/* Started and not ended. */
static uint64_t calls_open(const struct meter_method *method)
{
    uint64_t handled = 0;
    for (size_t code = 0; code < GRPC_CODES; code++)
        handled += method->handled[code];
    return method->started - handled;
}

static void calls_write_streams(struct metrics_text *text, const struct meter_method *methods)
{
    metrics_text_family(text, "keystore_streams", METRICS_GAUGE,
                        "Streaming calls that are open, by their method.");
    for (size_t i = 0; i < route_method_count(); i++) {
        char name[100];
        if (strcmp(route_method_type(i), "unary") != 0)
            metrics_text_count(text, METRICS_LABELS({"kind", calls_kind(i, name, sizeof name)}),
                               calls_open(&methods[i]));
    }
}

void exposition_calls_write(const struct report *report, struct meter_method *methods,
                            struct metrics_text *text)
{
    calls_sum(report, methods);
    calls_write_counter(text, methods, "grpc_server_started", "Calls that have started.",
                        offsetof(struct meter_method, started));
    calls_write_handled(text, methods);
    calls_write_durations(text, methods);
    calls_write_counter(text, methods, "grpc_server_msg_received", "Messages received in calls.",
                        offsetof(struct meter_method, received));
    calls_write_counter(text, methods, "grpc_server_msg_sent", "Messages sent in calls.",
                        offsetof(struct meter_method, sent));
    calls_write_retried(text, methods);
    calls_write_streams(text, methods);
}
