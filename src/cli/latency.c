/* Counts and histograms of methods as rows of a table, and which methods the words mean. */
#include "cli/latency.h"

#include "base/glob.h"
#include "cli/table.h"

#include <ctype.h>
#include <inttypes.h>

#define BAR_WIDTH 40

static const struct table_column count_columns[] = {
    {NULL, "method", false},       {"method", NULL, false},
    {"calls", "started", true},    {"in flight", NULL, true},
    {NULL, "ended", true},         {"failed", "failed", true},
    {"retried", "retried", true},  {NULL, "messages-received", true},
    {NULL, "messages-sent", true}, {"mean us", NULL, true},
    {NULL, "sum-us", true},        {"p50", "p50-us", true},
    {"p90", "p90-us", true},       {"p99", "p99-us", true},
    {"p99.9", "p999-us", true},    {"max", "max-us", true},
    {NULL, "codes", false},
};

static const struct table_column histogram_columns[] = {
    {NULL, "method", false},  {"method", NULL, false}, {"up to us", "up-to-us", true},
    {"calls", "calls", true}, {"%", NULL, true},       {NULL, "so-far", true},
    {"", NULL, false},
};

/* "service/Method", or the method alone if it has no service. */
static const char *latency_full_name(const struct keystore_method_latency *method,
                                     struct arena *arena)
{
    size_t size = strlen(method->service) + strlen(method->method) + 2;
    char *name = arena_alloc(arena, size);
    snprintf(name, size, "%s%s%s", method->service, method->service[0] != '\0' ? "/" : "",
             method->method);
    return name;
}

static void latency_put_names(struct table *table, const struct keystore_method_latency *method,
                              bool again)
{
    table_put_word(table, keystore_text(latency_full_name(method, table->arena)));
    table_put_word(table, keystore_text(again ? "" : method->method));
}

/* ---- counts ---- */

/* "0:17,5:2": the status codes that there were. */
static void latency_put_codes(struct table *table, const struct keystore_method_latency *method)
{
    char text[600] = "";
    size_t len = 0;
    for (size_t i = 0; i < method->code_count && len < sizeof text - 50; i++)
        if (method->codes[i] > 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%zu:%" PRIu64,
                                    len > 0 ? "," : "", i, method->codes[i]);
    table_put(table, "%s", text);
}

static void latency_add_counts(struct table *table, const struct keystore_method_latency *method)
{
    double ended = (double)method->ended;
    table_add_row(table);
    latency_put_names(table, method, false);
    table_put(table, "%" PRIu64, method->started);
    table_put(table, "%" PRId64, (int64_t)(method->started - method->ended));
    table_put(table, "%" PRIu64, method->ended);
    table_put(table, "%" PRIu64, method->failed);
    table_put(table, "%" PRIu64, method->retried);
    table_put(table, "%" PRIu64, method->messages_received);
    table_put(table, "%" PRIu64, method->messages_sent);
    table_put(table, "%.1f", ended > 0 ? (double)method->sum_us / ended : 0);
    table_put(table, "%" PRIu64, method->sum_us);
    table_put(table, "%.1f", method->p50_us);
    table_put(table, "%.1f", method->p90_us);
    table_put(table, "%.1f", method->p99_us);
    table_put(table, "%.1f", method->p999_us);
    table_put(table, "%" PRIu64, method->max_us);
    latency_put_codes(table, method);
}

/* ---- histograms ---- */

static uint64_t latency_sum(const uint64_t *numbers, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}

static void latency_put_bar(struct table *table, double share)
{
    static const char bar[BAR_WIDTH + 1] = "########################################";
    table_put(table, "%.*s", (int)(share * BAR_WIDTH + 0.5), bar);
}

/* From the first duration that a call had to the last. */
static void latency_add_histogram(struct table *table, const struct keystore_latency_reply *latency,
                                  const struct keystore_method_latency *method)
{
    uint64_t all = latency_sum(method->buckets, method->bucket_count), so_far = 0;
    for (size_t i = 0; i < method->bucket_count && so_far < all; i++) {
        uint64_t calls = method->buckets[i];
        if (so_far == 0 && calls == 0)
            continue;
        table_add_row(table);
        latency_put_names(table, method, so_far > 0);
        if (i < latency->bound_count)
            table_put(table, "%" PRIu64, latency->bounds_us[i]);
        else
            table_put(table, "inf");
        table_put(table, "%" PRIu64, calls);
        table_put(table, "%.1f", (double)calls * 100 / (double)all);
        so_far += calls;
        table_put(table, "%" PRIu64, so_far);
        latency_put_bar(table, (double)calls / (double)all);
    }
}

static void latency_add(struct table *table, const struct request *request,
                        const struct keystore_latency_reply *latency, size_t number)
{
    if (request->histogram)
        latency_add_histogram(table, latency, &latency->methods[number]);
    else
        latency_add_counts(table, &latency->methods[number]);
}

/* ---- which methods ---- */

static struct slice latency_lower(const char *text, size_t len, struct arena *arena)
{
    uint8_t *lower = arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++)
        lower[i] = (uint8_t)tolower((unsigned char)text[i]);
    return slice_make(lower, len);
}

/* Whether the word is a pattern of the name, or of the name with its service, ignoring case. */
static bool latency_is_meant(struct keystore_slice word,
                             const struct keystore_method_latency *method, struct arena *arena)
{
    struct slice pattern = latency_lower(word.data, word.len, arena);
    const char *full = latency_full_name(method, arena);
    return glob_match(pattern, latency_lower(method->method, strlen(method->method), arena)) ||
           glob_match(pattern, latency_lower(full, strlen(full), arena));
}

/* Marks the words that mean the method; true if one does, or if there are none. */
static bool latency_mark(const struct request *request,
                         const struct keystore_method_latency *method, bool *matched,
                         struct arena *arena)
{
    bool any = request->count == 0;
    for (size_t i = 0; i < request->count; i++) {
        if (!latency_is_meant(request->words[i], method, arena))
            continue;
        matched[i] = true;
        any = true;
    }
    return any;
}

/* A name that no method has that was called: the server knows whether there is one. */
static enum keystore_code latency_ask(struct keystore_client *client, const struct request *request,
                                      struct keystore_slice word, struct table *table)
{
    struct keystore_latency_reply latency;
    char *name = arena_alloc(table->arena, word.len + 1);
    memcpy(name, word.data, word.len);
    name[word.len] = '\0';
    const char *const names[] = {name};
    enum keystore_code code = keystore_latency(
        client, &(struct keystore_latency_request){.methods = names, .count = 1}, &latency);
    for (size_t i = 0; i < latency.count; i++)
        latency_add(table, request, &latency, i);
    return code;
}

static bool latency_is_pattern(struct keystore_slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (strchr("*?[\\", ((const char *)word.data)[i]) != NULL)
            return true;
    return false;
}

enum keystore_code latency_send(struct keystore_client *client, const struct request *request,
                                struct arena *arena, struct reply *reply)
{
    struct keystore_latency_reply latency;
    struct table table;
    bool *matched = arena_alloc(arena, request->count + 1);
    memset(matched, 0, request->count + 1);
    if (request->histogram)
        table_init(&table, histogram_columns, sizeof histogram_columns / sizeof *histogram_columns,
                   arena);
    else
        table_init(&table, count_columns, sizeof count_columns / sizeof *count_columns, arena);
    enum keystore_code code =
        keystore_latency(client, &(struct keystore_latency_request){0}, &latency);
    for (size_t i = 0; i < latency.count; i++)
        if (latency_mark(request, &latency.methods[i], matched, arena))
            latency_add(&table, request, &latency, i);
    for (size_t i = 0; code == KEYSTORE_OK && i < request->count; i++)
        if (!matched[i] && !latency_is_pattern(request->words[i]))
            code = latency_ask(client, request, request->words[i], &table);
    *reply = table_reply(&table);
    return code;
}
