/* Adds up the meters of the workers, and estimates percentiles from their histograms. */
#include "service/latency.h"

#include "service/decode.h"
#include "service/error_text.h"
#include "service/packed.h"
#include "service/route.h"
#include "service/service_options.h"

#include <mini_redis.pb-c.h>

struct meter_method latency_sum(const struct service_meters *meters, size_t method)
{
    struct meter_method sum = {0};
    for (size_t i = 0; meters != NULL && i < meters->count; i++)
        meter_read(meters->meters[i], method, &sum);
    return sum;
}

static uint64_t latency_count(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

double latency_percentile(const struct meter_method *sum, double share)
{
    double wanted = share * (double)latency_count(sum->buckets, METER_BUCKETS);
    double max_us = (double)sum->max_ns / 1000, before = 0;
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        double low = i > 0 ? (double)meter_bounds_us[i - 1] : 0;
        double high = i < METER_BOUNDS ? (double)meter_bounds_us[i] : max_us;
        double count = (double)sum->buckets[i];
        if (count > 0 && before + count >= wanted) {
            if (high > max_us)
                high = max_us;
            return low + (high - low) * (wanted - before) / count;
        }
        before += count;
    }
    return 0;
}

/* True if that is how the method is called: by its name, perhaps after that of its service. */
static bool latency_is_named(const char *text, size_t method)
{
    const char *service = route_method_service(method), *name = route_method_name(method);
    size_t len = strlen(service);
    if (strcmp(text, name) == 0)
        return true;
    return strncmp(text, service, len) == 0 && text[len] == '/' &&
           strcmp(text + len + 1, name) == 0;
}

static bool latency_is_wanted(const Keystore__V1__LatencyRequest *request, size_t method,
                              const struct meter_method *sum)
{
    for (size_t i = 0; i < request->n_methods; i++) {
        if (latency_is_named(request->methods[i], method))
            return true;
    }
    return request->n_methods == 0 && sum->started > 0;
}

static enum err latency_check(const Keystore__V1__LatencyRequest *request, struct arena *arena,
                              const char **why)
{
    for (size_t i = 0; i < request->n_methods; i++) {
        size_t method = 0;
        while (method < route_method_count() && !latency_is_named(request->methods[i], method))
            method++;
        if (method == route_method_count()) {
            *why = error_text_format(arena,
                                     "methods[%zu]: it is not a method; that is a name such as Get "
                                     "or keystore.v1.KeyStore/Get, or unknown",
                                     i);
            return ERR_BAD_ARGUMENT;
        }
    }
    return ERR_NONE;
}

static Keystore__V1__LatencyReply__Method *
latency_make(size_t method, const struct meter_method *sum, struct arena *arena)
{
    Keystore__V1__LatencyReply__Method *made = arena_alloc(arena, sizeof *made);
    struct meter_method *copy = arena_alloc(arena, sizeof *copy);
    *copy = *sum;
    keystore__v1__latency_reply__method__init(made);
    made->service = (char *)route_method_service(method);
    made->method = (char *)route_method_name(method);
    made->started = sum->started;
    made->count = latency_count(sum->handled, GRPC_CODES);
    made->failed = made->count - sum->handled[GRPC_OK];
    made->retried = sum->retried;
    made->messages_received = sum->received;
    made->messages_sent = sum->sent;
    made->sum_us = sum->sum_ns / 1000;
    made->max_us = sum->max_ns / 1000;
    made->p50_us = latency_percentile(sum, 0.5);
    made->p90_us = latency_percentile(sum, 0.9);
    made->p99_us = latency_percentile(sum, 0.99);
    made->p999_us = latency_percentile(sum, 0.999);
    made->n_buckets = METER_BUCKETS;
    made->buckets = copy->buckets;
    made->n_codes = GRPC_CODES;
    made->codes = copy->handled;
    return made;
}

enum err latency_report(const struct service_options *options, struct slice message,
                        struct arena *arena, struct chain *reply, const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__latency_request__descriptor, message, arena, &decoded, why);
    if (err == ERR_NONE)
        err = latency_check(decoded, arena, why);
    if (err != ERR_NONE)
        return err;
    Keystore__V1__LatencyReply answer = KEYSTORE__V1__LATENCY_REPLY__INIT;
    answer.methods = arena_alloc(arena, route_method_count() * sizeof *answer.methods);
    for (size_t i = 0; i < route_method_count(); i++) {
        struct meter_method sum = latency_sum(options->meters, i);
        if (latency_is_wanted(decoded, i, &sum))
            answer.methods[answer.n_methods++] = latency_make(i, &sum, arena);
    }
    answer.n_bounds_us = METER_BOUNDS;
    answer.bounds_us = (uint64_t *)meter_bounds_us;
    packed_reply(&answer.base, reply);
    return ERR_NONE;
}
