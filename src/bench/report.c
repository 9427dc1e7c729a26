/* Prints results. Does not know how they were measured. */
#include "bench/report.h"

#include "bench/now.h"

#include <inttypes.h>

/* Above this, the generator may limit the speed. */
#define BUSY_LIMIT 0.9

/* Of latencies in the CSV. */
static const double report_percents[] = {50, 95, 99, 99.9};

/* "1,234,567"; `text` is large enough for any number. */
static const char *report_grouped(uint64_t number, char text[static 32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    int at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static double report_in_seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static uint64_t report_ok_calls(const struct run_result *result)
{
    return result->tally.ends[TALLY_OK];
}

static uint64_t report_all_calls(const struct run_result *result)
{
    return tally_calls(&result->tally);
}

static double report_rate_of(uint64_t calls, uint64_t ns)
{
    return ns > 0 ? (double)calls / report_in_seconds(ns) : 0;
}

/* CPU time in microseconds per call, whether it succeeded or not. */
static double report_us_per_call(uint64_t ns, const struct run_result *result)
{
    uint64_t calls = report_all_calls(result);
    return calls > 0 ? (double)ns / 1000 / (double)calls : 0;
}

static double report_percentile_ms(const struct run_result *result, double percent)
{
    return (double)histogram_percentile(&result->tally.latency_ns, percent) / 1e6;
}

static double report_receipt_ms(const struct run_result *result, double percent)
{
    return (double)histogram_percentile(&result->tally.receipt_ns, percent) / 1e6;
}

static double report_late_ms(const struct run_result *result, double percent)
{
    return (double)histogram_percentile(&result->tally.late_ns, percent) / 1e6;
}

static const char *report_name_of(const struct options *options, char text[static 64])
{
    if (options->feed != FEED_NONE)
        snprintf(text, 64, "%s", feed_row(options->feed)->name);
    else if (options->op_count == 1)
        snprintf(text, 64, "%s", op_row(options->ops[0])->name);
    else
        snprintf(text, 64, "%s:%s %" PRIu32 ":%" PRIu32, op_row(options->ops[0])->name,
                 op_row(options->ops[1])->name, options->weights[0], options->weights[1]);
    return text;
}

bool report_is_filled(const struct run_result *result)
{
    return report_ok_calls(result) >= result->planned;
}

void report_fill(FILE *out, const struct options *options, const struct run_result *result)
{
    char ok[32], planned[32], rate[32];
    if (report_is_filled(result))
        fprintf(out, "fill: %s keys", report_grouped(options->keyspace, planned));
    else
        fprintf(out, "fill: only %s of %s calls succeeded,",
                report_grouped(report_ok_calls(result), ok),
                report_grouped(result->planned, planned));
    fprintf(
        out, " in %.3f s, %s calls/s%s\n", report_in_seconds(result->elapsed_ns),
        report_grouped((uint64_t)report_rate_of(report_ok_calls(result), result->elapsed_ns), rate),
        tally_errors(&result->tally) > 0 ? ", with errors:" : "");
}

/* The operations of a call. */
static uint64_t report_ops_per_call(const struct options *options)
{
    return options->batch > 0 ? options->batch : 1;
}

/* Of a run through Pipeline: the same per operation. */
static void report_print_ops(FILE *out, const struct options *options,
                             const struct run_result *result)
{
    char count[32], rate[32];
    uint64_t ops = report_ok_calls(result) * options->batch;
    fprintf(out, "operations   %s in batches of %" PRIu32 ", %s operations/s",
            report_grouped(ops, count), options->batch,
            report_grouped((uint64_t)report_rate_of(ops, result->elapsed_ns), rate));
    if (options->server_pid != 0)
        fprintf(out, ", server CPU per operation %.4f us",
                report_us_per_call(cpu_sum_ns(result->server), result) / options->batch);
    fputc('\n', out);
}

static const char *report_received(const struct options *options)
{
    return options->feed == FEED_WATCH ? "events" : "acknowledged";
}

/* What the streams have received: events, or elements that are all acknowledged, or else counted
 * among the errors. */
static void report_print_receipts(FILE *out, const struct options *options,
                                  const struct run_result *result)
{
    char count[32], rate[32];
    uint64_t received = result->tally.receipt_ns.count;
    fprintf(out, "%-12s %s in %.3f s, %s/s\n", report_received(options),
            report_grouped(received, count), report_in_seconds(result->received_ns),
            report_grouped((uint64_t)report_rate_of(received, result->received_ns), rate));
    fprintf(out, "receipt ms   p50 %.3f   p95 %.3f   p99 %.3f   p99.9 %.3f   max %.3f\n",
            report_receipt_ms(result, 50), report_receipt_ms(result, 95),
            report_receipt_ms(result, 99), report_receipt_ms(result, 99.9),
            (double)result->tally.receipt_ns.max / 1e6);
}

static void report_print_settings(FILE *out, const struct options *options)
{
    char name[64];
    char keys[32];
    char rate[32];
    fprintf(out,
            "%s: %" PRIu32 " connections x %" PRIu32 " calls in flight, %" PRIu32
            " thread%s, %zu B values, %s keys of %zu B",
            report_name_of(options, name), options->connections, options->streams, options->threads,
            options->threads == 1 ? "" : "s", options->value_size,
            report_grouped(options->keyspace, keys), options->key_size);
    if (options->feed != FEED_NONE)
        fprintf(out, ", %" PRIu32 " %s", options->receivers, feed_row(options->feed)->receivers);
    if (options->feed == FEED_CONSUME)
        fprintf(out, " x %" PRIu32 " elements in flight", options->in_flight);
    if (options->rate > 0)
        fprintf(out, ", %s calls/s wanted", report_grouped(options->rate, rate));
    fputc('\n', out);
}

static void report_print_cpu(FILE *out, const struct options *options,
                             const struct run_result *result)
{
    char rate[32];
    fprintf(out, "generator    %.0f %% busy, CPU per call %.3f us user + %.3f us system\n",
            result->busy * 100, report_us_per_call(result->generator.user_ns, result),
            report_us_per_call(result->generator.system_ns, result));
    if (options->server_pid == 0)
        return;
    uint64_t server_ns = cpu_sum_ns(result->server);
    fprintf(out, "server       CPU per call %.3f us (%.3f user + %.3f system), ",
            report_us_per_call(server_ns, result),
            report_us_per_call(result->server.user_ns, result),
            report_us_per_call(result->server.system_ns, result));
    fprintf(out, "%s calls per CPU second\n",
            report_grouped((uint64_t)report_rate_of(report_all_calls(result), server_ns), rate));
}

void report_errors(FILE *out, const struct run_result *result)
{
    for (int i = TALLY_OK + 1; i < TALLY_ENDS; i++) {
        char count[32];
        if (result->tally.ends[i] > 0)
            fprintf(out, "errors       %s %s\n", report_grouped(result->tally.ends[i], count),
                    tally_end_name((enum tally_end)i));
    }
}

void report_table(FILE *out, const struct options *options, const struct run_result *result)
{
    char text[32];
    report_print_settings(out, options);
    fprintf(out, "calls        %s in %.3f s\n", report_grouped(report_all_calls(result), text),
            report_in_seconds(result->elapsed_ns));
    fprintf(out, "throughput   %s calls/s\n",
            report_grouped((uint64_t)report_rate_of(report_ok_calls(result), result->elapsed_ns),
                           text));
    fprintf(out, "latency ms   p50 %.3f   p95 %.3f   p99 %.3f   p99.9 %.3f   max %.3f\n",
            report_percentile_ms(result, 50), report_percentile_ms(result, 95),
            report_percentile_ms(result, 99), report_percentile_ms(result, 99.9),
            (double)result->tally.latency_ns.max / 1e6);
    if (options->rate > 0)
        fprintf(out, "of that late p50 %.3f   p95 %.3f   p99 %.3f   p99.9 %.3f   max %.3f\n",
                report_late_ms(result, 50), report_late_ms(result, 95), report_late_ms(result, 99),
                report_late_ms(result, 99.9), (double)result->tally.late_ns.max / 1e6);
    if (options->feed != FEED_NONE)
        report_print_receipts(out, options, result);
    if (result->tally.misses > 0)
        fprintf(out, "misses       %s\n", report_grouped(result->tally.misses, text));
    if (tally_errors(&result->tally) == 0)
        fputs("errors       none\n", out);
    report_errors(out, result);
    report_print_cpu(out, options, result);
    if (options->batch > 0)
        report_print_ops(out, options, result);
}

void report_line(FILE *out, const struct options *options, const struct run_result *result)
{
    char name[64];
    fprintf(out, "%s: %.2f calls/s, p50=%.3f ms, p99=%.3f ms", report_name_of(options, name),
            report_rate_of(report_ok_calls(result), result->elapsed_ns),
            report_percentile_ms(result, 50), report_percentile_ms(result, 99));
    if (options->feed != FEED_NONE)
        fprintf(out, ", %s %.2f/s, p50=%.3f ms, p99=%.3f ms", report_received(options),
                report_rate_of(result->tally.receipt_ns.count, result->received_ns),
                report_receipt_ms(result, 50), report_receipt_ms(result, 99));
    if (options->server_pid != 0)
        fprintf(out, ", server %.3f us CPU per call",
                report_us_per_call(cpu_sum_ns(result->server), result));
    if (options->batch > 0)
        fprintf(out, ", %.0f operations/s",
                report_rate_of(report_ok_calls(result) * options->batch, result->elapsed_ns));
    if (tally_errors(&result->tally) > 0)
        fprintf(out, ", %" PRIu64 " errors", tally_errors(&result->tally));
    fputc('\n', out);
}

/* The columns of streams, empty without any. */
static void report_csv_receipts(FILE *out, const struct options *options,
                                const struct run_result *result)
{
    if (options->feed == FEED_NONE) {
        fputs(",,,,,,,,,", out);
        return;
    }
    uint64_t received = result->tally.receipt_ns.count;
    fprintf(out, ",%" PRIu32 ",", options->receivers);
    if (options->feed == FEED_CONSUME)
        fprintf(out, "%" PRIu32, options->in_flight);
    fprintf(out, ",%" PRIu64 ",%.1f", received, report_rate_of(received, result->received_ns));
    for (size_t i = 0; i < sizeof report_percents / sizeof report_percents[0]; i++)
        fprintf(out, ",%.3f", report_receipt_ms(result, report_percents[i]) * 1000);
    fprintf(out, ",%.3f", (double)result->tally.receipt_ns.max / 1000);
}

void report_csv(FILE *out, const struct options *options, const struct run_result *result)
{
    char name[64];
    fputs(
        "op,connections,streams,threads,value_bytes,key_bytes,keyspace,rate,seconds,calls,errors,"
        "misses,unsent,calls_per_s,p50_us,p95_us,p99_us,p999_us,max_us,late_p99_us,generator_busy,"
        "generator_user_us_per_call,generator_system_us_per_call,server_us_per_call,"
        "server_calls_per_cpu_s,ops_per_call,receivers,in_flight,received,received_per_s,"
        "receipt_p50_us,receipt_p95_us,receipt_p99_us,receipt_p999_us,receipt_max_us\n",
        out);
    fprintf(out, "%s,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%zu,%zu,%" PRIu64 ",",
            report_name_of(options, name), options->connections, options->streams, options->threads,
            options->value_size, options->key_size, options->keyspace);
    if (options->rate > 0)
        fprintf(out, "%" PRIu64, options->rate);
    fprintf(out, ",%.6f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f",
            report_in_seconds(result->elapsed_ns), report_all_calls(result),
            tally_errors(&result->tally), result->tally.misses, result->unsent,
            report_rate_of(report_ok_calls(result), result->elapsed_ns));
    for (size_t i = 0; i < sizeof report_percents / sizeof report_percents[0]; i++)
        fprintf(out, ",%.3f", report_percentile_ms(result, report_percents[i]) * 1000);
    fprintf(out, ",%.3f,", (double)result->tally.latency_ns.max / 1000);
    if (options->rate > 0)
        fprintf(out, "%.3f", report_late_ms(result, 99) * 1000);
    fprintf(out, ",%.3f,%.4f,%.4f", result->busy,
            report_us_per_call(result->generator.user_ns, result),
            report_us_per_call(result->generator.system_ns, result));
    uint64_t server_ns = cpu_sum_ns(result->server);
    if (options->server_pid != 0)
        fprintf(out, ",%.4f,%.0f", report_us_per_call(server_ns, result),
                report_rate_of(report_all_calls(result), server_ns));
    else
        fputs(",,", out);
    fprintf(out, ",%" PRIu64, report_ops_per_call(options));
    report_csv_receipts(out, options, result);
    fputc('\n', out);
}

void report_warnings(FILE *out, const struct options *options, const struct run_result *result)
{
    char text[32];
    /* On a schedule, the generator is busy waiting for the next time, which is not a limit. */
    if (result->busy > BUSY_LIMIT && options->rate == 0)
        fprintf(out,
                "keystore-bench: warning: the generator was %.0f %% busy and may be the "
                "bottleneck, so only the server's CPU time per call is meaningful; use more "
                "--threads\n",
                result->busy * 100);
    if (result->tally.stream_limit < options->streams)
        fprintf(out,
                "keystore-bench: warning: the server allows only %" PRIu32
                " calls in flight on a connection, not %" PRIu32 "\n",
                result->tally.stream_limit, options->streams);
    if (result->unsent > 0)
        fprintf(out,
                "keystore-bench: warning: %s scheduled calls were not made in time: the server is "
                "slower than --rate, and latency would have grown further\n",
                report_grouped(result->unsent, text));
    if (result->reconnects > 0)
        fprintf(out, "keystore-bench: warning: %s connections were reopened\n",
                report_grouped(result->reconnects, text));
    if (result->tally.misses > 0)
        fprintf(out, "keystore-bench: warning: %s calls were misses; --fill stores the keys\n",
                report_grouped(result->tally.misses, text));
}
