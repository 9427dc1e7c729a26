/* Writes metrics as text. Does not know what they mean. */
#include "metrics/text.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_CAPACITY ((size_t)64 * 1024)

void metrics_text_init(struct metrics_text *text, enum metrics_format format)
{
    *text = (struct metrics_text){.format = format};
}

void metrics_text_deinit(struct metrics_text *text)
{
    free(text->data);
    *text = (struct metrics_text){.format = text->format};
}

static void text_append(struct metrics_text *text, const char *bytes, size_t len)
{
    if (text->failed)
        return;
    if (len > text->cap - text->len) {
        size_t cap = text->cap > 0 ? text->cap : FIRST_CAPACITY;
        while (cap - text->len < len)
            cap *= 2;
        char *data = realloc(text->data, cap);
        text->failed = data == NULL;
        if (text->failed)
            return;
        text->data = data;
        text->cap = cap;
    }
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
}

static void text_put(struct metrics_text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

/* What would end a quoted label or a line is escaped. OpenMetrics wants quotes escaped in help
 * texts, too; format 0.0.4 does not know that. */
static void text_put_escaped(struct metrics_text *text, const char *string, bool quotes)
{
    for (; *string != 0; string++) {
        if (*string == '\n')
            text_put(text, "\\n");
        else if (*string == '\\')
            text_put(text, "\\\\");
        else if (*string == '"' && quotes)
            text_put(text, "\\\"");
        else
            text_append(text, string, 1);
    }
}

static void text_put_real(struct metrics_text *text, double value)
{
    char number[32];
    if (isinf(value))
        text_put(text, value > 0 ? "+Inf" : "-Inf");
    else if (isnan(value))
        text_put(text, "NaN");
    else
        text_append(text, number, (size_t)snprintf(number, sizeof number, "%.15g", value));
}

static void text_put_count(struct metrics_text *text, uint64_t value)
{
    char number[24];
    text_append(text, number, (size_t)snprintf(number, sizeof number, "%" PRIu64, value));
}

/* ---- families ---- */

static const char *const types[] = {
    [METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

static bool text_ends_in(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* A line `# KEYWORD NAME ` up to its last word. */
static void text_put_comment(struct metrics_text *text, const char *keyword)
{
    bool total = text->type == METRICS_COUNTER && text->format == METRICS_PROMETHEUS;
    text_put(text, "# ");
    text_put(text, keyword);
    text_put(text, " ");
    text_put(text, text->name);
    text_put(text, total ? "_total " : " ");
}

void metrics_text_family(struct metrics_text *text, const char *name, enum metrics_type type,
                         const char *help)
{
    bool open = text->format == METRICS_OPENMETRICS;
    DCHECK(!text_ends_in(name, "_total"));
    text->name = name;
    text->type = type;
    text_put_comment(text, "HELP");
    text_put_escaped(text, help, open);
    text_put(text, "\n");
    text_put_comment(text, "TYPE");
    text_put(text, types[type]);
    text_put(text, "\n");
    if (!open || (!text_ends_in(name, "_seconds") && !text_ends_in(name, "_bytes")))
        return;
    text_put_comment(text, "UNIT");
    text_put(text, strrchr(name, '_') + 1);
    text_put(text, "\n");
}

/* ---- samples ---- */

/* The name with its suffix and labels, of which `le` (NULL: none) is the last, and a space. */
static void text_put_series(struct metrics_text *text, const char *suffix,
                            struct metrics_labels labels, const char *le)
{
    const char *before = "{";
    text_put(text, text->name);
    text_put(text, suffix);
    for (size_t i = 0; i <= labels.count; i++) {
        bool is_le = i == labels.count;
        if (is_le && le == NULL)
            break;
        text_put(text, before);
        text_put(text, is_le ? "le" : labels.labels[i].name);
        text_put(text, "=\"");
        text_put_escaped(text, is_le ? le : labels.labels[i].value, true);
        text_put(text, "\"");
        before = ",";
    }
    text_put(text, before[0] == ',' ? "} " : " ");
}

static void text_put_plain(struct metrics_text *text, struct metrics_labels labels)
{
    DCHECK(text->type != METRICS_HISTOGRAM);
    text_put_series(text, text->type == METRICS_COUNTER ? "_total" : "", labels, NULL);
}

void metrics_text_count(struct metrics_text *text, struct metrics_labels labels, uint64_t value)
{
    text_put_plain(text, labels);
    text_put_count(text, value);
    text_put(text, "\n");
}

void metrics_text_real(struct metrics_text *text, struct metrics_labels labels, double value)
{
    text_put_plain(text, labels);
    text_put_real(text, value);
    text_put(text, "\n");
}

/* A bound as OpenMetrics wants it, a real number: 1e-05, 0.5, 1.0. */
static void text_format_bound(char *le, size_t size, uint64_t bound_us)
{
    snprintf(le, size, bound_us % 1000000 == 0 ? "%.1f" : "%g", (double)bound_us / 1e6);
}

void metrics_text_buckets(struct metrics_text *text, struct metrics_labels labels,
                          const struct metrics_buckets *buckets)
{
    uint64_t sum = 0;
    char le[32] = "+Inf";
    DCHECK(text->type == METRICS_HISTOGRAM);
    for (size_t i = 0; i <= buckets->bounds; i++) {
        sum += buckets->counts[i];
        if (i < buckets->bounds)
            text_format_bound(le, sizeof le, buckets->bounds_us[i]);
        text_put_series(text, "_bucket", labels, i < buckets->bounds ? le : "+Inf");
        text_put_count(text, sum);
        text_put(text, "\n");
    }
    text_put_series(text, "_sum", labels, NULL);
    text_put_real(text, buckets->sum);
    text_put(text, "\n");
    text_put_series(text, "_count", labels, NULL);
    text_put_count(text, sum);
    text_put(text, "\n");
}

bool metrics_text_finish(struct metrics_text *text)
{
    if (text->format == METRICS_OPENMETRICS)
        text_put(text, "# EOF\n");
    return !text->failed;
}

/* ---- negotiation ---- */

const char *metrics_text_type(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* The value of a parameter of a media range, up to `end`; NULL: it has none of that name. */
static const char *text_parameter(const char *range, const char *end, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = range; at < end && *at != 0; at++) {
        if (*at != ';')
            continue;
        at++;
        at += strspn(at, " \t");
        if (strncasecmp(at, name, len) == 0 && at[len] == '=')
            return at + len + 1;
        at--;
    }
    return NULL;
}

/* Its weight, 0 to 1. */
static double text_weight(const char *range, const char *end)
{
    const char *value = text_parameter(range, end, "q");
    if (value == NULL)
        return 1;
    double weight = strtod(value, NULL);
    return weight >= 0 && weight <= 1 ? weight : 0;
}

static bool text_is_range(const char *range, const char *media_type)
{
    size_t len = strlen(media_type);
    return strncasecmp(range, media_type, len) == 0 && strchr(" \t;,", range[len]) != NULL;
}

enum metrics_format metrics_text_negotiate(const char *accept)
{
    double open = 0, plain = 0;
    while (accept != NULL && *accept != 0) {
        const char *range = accept + strspn(accept, " \t,");
        const char *end = range + strcspn(range, ",");
        double weight = text_weight(range, end);
        if (text_is_range(range, "application/openmetrics-text")) {
            const char *version = text_parameter(range, end, "version");
            if ((version == NULL || strncmp(version, "1.0.0", 5) == 0) && weight > open)
                open = weight;
        } else if (text_is_range(range, "text/plain") && weight > plain) {
            plain = weight;
        }
        accept = end;
    }
    return open > 0 && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}
