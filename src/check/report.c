/* Prints findings as text. Judges nothing. */
#include "check/report.h"

#include "base/quote.h"

#include <inttypes.h>

#define WIDTH 10 /* of the first column */
#define TEXT  1000

const char *report_state(enum state state)
{
    static const char *const names[] = {"good", "torn", "damaged", "not readable", "refused"};
    return names[state];
}

static const char *report_role_name(enum role role)
{
    static const char *const names[] = {
        [ROLE_MANIFEST] = "manifest", [ROLE_BASE] = "base",         [ROLE_LOG] = "log",
        [ROLE_HISTORY] = "history",   [ROLE_LEFTOVER] = "leftover", [ROLE_DUMP] = "dump",
        [ROLE_IGNORED] = "ignored",   [ROLE_LOCK] = "lock",         [ROLE_COPY] = "copy",
        [ROLE_VERSIONS] = "versions", [ROLE_UNKNOWN] = "unknown",
    };
    return names[role];
}

static const char *report_role_remark(enum role role)
{
    switch (role) {
    case ROLE_HISTORY:
    case ROLE_LEFTOVER:
        return "; not used, the next start removes it";
    case ROLE_IGNORED:
        return "; not used, since there is a manifest";
    case ROLE_COPY:
        return "; kept by a repair";
    default:
        return "";
    }
}

/* "1 key", "2 keys" */
static void report_count(FILE *out, uint64_t number, const char *thing, const char *things)
{
    fprintf(out, "%" PRIu64 " %s", number, number == 1 ? thing : things);
}

static void report_indent(FILE *out)
{
    fprintf(out, "%*s", WIDTH, "");
}

static void report_receipts(FILE *out, uint64_t receipts)
{
    if (receipts == 0)
        return;
    report_indent(out);
    fputs("replies to ", out);
    report_count(out, receipts, "request id", "request ids");
    fputc('\n', out);
}

static void report_rdb(FILE *out, const struct inspect_rdb *rdb)
{
    report_indent(out);
    fprintf(out, "snapshot: RDB version %u, ", rdb->version);
    fputs(rdb->checksum ? "checksum right" : "without checksum", out);
    if (rdb->has_revision)
        fprintf(out, ", revision %" PRIu64, rdb->revision);
    fputc('\n', out);
    report_indent(out);
    report_count(out, rdb->strings, "string", "strings");
    fputs(", ", out);
    report_count(out, rdb->lists, "list", "lists");
    if (rdb->lists > 0) {
        fputs(" with ", out);
        report_count(out, rdb->elements, "element", "elements");
    }
    fprintf(out, "; %" PRIu64 " with a deadline\n", rdb->expiring);
    report_receipts(out, rdb->receipts);
}

static void report_revisions(FILE *out, const struct inspect_log *log)
{
    report_indent(out);
    if (log->first == log->last)
        fprintf(out, "revision %" PRIu64, log->first);
    else
        fprintf(out, "revisions %" PRIu64 " to %" PRIu64, log->first, log->last);
    if (log->synced > 0)
        fprintf(out, ", durable up to %" PRIu64 " at least", log->synced);
    fputc('\n', out);
}

/* What Redis writes has no checksums. */
static void report_log(FILE *out, const struct inspect_log *log)
{
    uint64_t plain = log->records - (log->checked < log->records ? log->checked : log->records);
    report_indent(out);
    report_count(out, log->records, "record", "records");
    fputs(" with ", out);
    report_count(out, log->commands, "command", "commands");
    if (log->batches > 0) {
        fputs(" in ", out);
        report_count(out, log->batches, "batch", "batches");
        fputs(", checksums right", out);
    }
    if (plain > 0 && log->batches > 0)
        fprintf(out, "; %" PRIu64 " of the records not in batches, without checksum", plain);
    else if (plain > 0)
        fputs(", without checksums", out);
    fputc('\n', out);
    report_receipts(out, log->receipts);
    if (log->first > 0)
        report_revisions(out, log);
}

void report_loss(FILE *out, const struct inspection *inspection)
{
    report_count(out, inspection->size - inspection->good, "byte", "bytes");
    if (inspection->bad_batches == 0)
        return;
    fputs(", with ", out);
    report_count(out, inspection->bad_records, "record", "records");
    fputs(" in ", out);
    report_count(out, inspection->bad_batches, "batch", "batches");
    fputs(inspection->bad_batches == 1 ? " whose line is left" : " whose lines are left", out);
}

static void report_fault(FILE *out, const struct item *item)
{
    const struct inspection *inspection = &item->inspection;
    report_indent(out);
    if (!inspection->rdb.present && !inspection->log.present) {
        fprintf(out, "%s: %s\n", report_state(inspection->state), inspection->why);
        return;
    }
    fprintf(out, "%s at byte %" PRIu64 ": %s\n", report_state(inspection->state), inspection->good,
            inspection->why);
    if (!inspection->log.present)
        return;
    report_indent(out);
    fputs("from there on: ", out);
    report_loss(out, inspection);
    fputc('\n', out);
}

void report_item(FILE *out, const struct item *item)
{
    const struct inspection *inspection = &item->inspection;
    fprintf(out, "%-*s", WIDTH, report_role_name(item->role));
    quote_word(out, slice_from_string(item->path));
    bool known = !item->missing && item->inspection.state != STATE_UNREADABLE;
    if (known && item->role != ROLE_UNKNOWN) {
        fputs(": ", out);
        report_count(out, inspection->size, "byte", "bytes");
    }
    fprintf(out, "%s\n", report_role_remark(item->role));
    if (item->reserved > 0) {
        report_indent(out);
        fprintf(out, "revisions up to %" PRIu64 " may have been given\n", item->reserved);
    }
    if (inspection->rdb.size > 0)
        report_rdb(out, &inspection->rdb);
    if (inspection->log.present)
        report_log(out, &inspection->log);
    if (inspection->state != STATE_GOOD)
        report_fault(out, item);
}

/* ---- summaries ---- */

static void report_sum(struct inspection *sum, const struct inspection *one)
{
    sum->rdb.strings += one->rdb.strings;
    sum->rdb.lists += one->rdb.lists;
    sum->log.records += one->log.records;
    sum->next = one->next > sum->next ? one->next : sum->next;
}

static void report_summarise(FILE *out, enum state state, const struct inspection *sum,
                             const char *why)
{
    fprintf(out, "%s: ", report_state(state));
    report_count(out, sum->rdb.strings + sum->rdb.lists, "key", "keys");
    fputs(" in the snapshot, ", out);
    report_count(out, sum->log.records, "record", "records");
    fputs(" in the log", out);
    if (sum->next > 1)
        fprintf(out, ", up to revision %" PRIu64, sum->next - 1);
    fputs(why, out);
    fputc('\n', out);
}

/* What a state means for the server. */
static const char *report_meaning(enum state state)
{
    switch (state) {
    case STATE_TORN:
        return "; the next start cuts the torn end";
    case STATE_DAMAGED:
        return "; a server refuses to start on it";
    default:
        return "";
    }
}

void report_items(FILE *out, const struct directory *directory)
{
    char text[TEXT];
    for (size_t i = 0; i < directory->count; i++)
        report_item(out, &directory->items[i]);
    if (directory->unsupported.count == 0)
        return;
    unsupported_print(&directory->unsupported, text, sizeof text);
    fprintf(out, "not for KeyStore: %s; a server takes the rest with --import-skip-unsupported\n",
            text);
}

void report_directory(FILE *out, const struct directory *directory)
{
    struct inspection sum = {.state = STATE_GOOD};
    size_t files = 0;
    for (size_t i = 0; i < directory->count; i++) {
        if (!directory_holds_data(&directory->items[i]))
            continue;
        files++;
        report_sum(&sum, &directory->items[i].inspection);
    }
    if (directory->why[0] != 0)
        fprintf(out, "%s: %s\n", report_state(directory->state), directory->why);
    else if (files > 0)
        report_summarise(out, directory->state, &sum, report_meaning(directory->state));
    else if (directory->state == STATE_GOOD)
        fputs("good: there are no data here; a server would start empty\n", out);
    else
        fprintf(out, "%s: it is unknown which files make up the data\n",
                report_state(directory->state));
}

void report_summary(FILE *out, const struct item *item)
{
    if (directory_holds_data(item))
        report_summarise(out, item->inspection.state, &item->inspection, "");
    else
        fprintf(out, "%s: %s\n", report_state(item->inspection.state), item->inspection.why);
}
