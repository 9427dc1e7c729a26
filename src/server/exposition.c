/* The families of metrics, in the order in which they are served. A new one is one more call in its
 * group's function, and a row in docs/metrics.md. */
#include "server/exposition.h"

#include "base/account.h"
#include "base/mem.h"
#include "engine/embedded.h"
#include "journal/journal.h"
#include "metrics/text.h"
#include "net/admission.h"
#include "net/closings.h"
#include "server/audit.h"
#include "server/data.h"
#include "server/exposition_calls.h"
#include "server/options.h"
#include "server/report.h"
#include "server/worker.h"
#include "service/authenticator.h"
#include "service/offload.h"
#include "service/route.h"
#include "service/slowlog.h"
#include "service/status.h"
#include "store/census.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exposition {
    const struct report *report;
    struct store_census census[2]; /* the newest, and one to fill */
    bool has_census;
    struct meter_method *methods; /* to sum up calls in */
};

static void exposition_alloc_census(struct store_census *census, uint32_t databases)
{
    census->keys = mem_alloc_zero(databases * sizeof *census->keys);
    census->expiring = mem_alloc_zero(databases * sizeof *census->expiring);
}

struct exposition *exposition_new(const struct report *report)
{
    struct exposition *exposition = mem_alloc_zero(sizeof *exposition);
    exposition->report = report;
    for (size_t i = 0; i < 2; i++)
        exposition_alloc_census(&exposition->census[i], store_databases(report->store));
    exposition->methods = mem_alloc(route_method_count() * sizeof *exposition->methods);
    return exposition;
}

void exposition_free(struct exposition *exposition)
{
    if (exposition == NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        free(exposition->census[i].keys);
        free(exposition->census[i].expiring);
    }
    free(exposition->methods);
    free(exposition);
}

/* Families of one sample. */

static void exposition_gauge(struct metrics_text *text, const char *name, const char *help,
                             uint64_t value)
{
    metrics_text_family(text, name, METRICS_GAUGE, help);
    metrics_text_count(text, METRICS_NO_LABELS, value);
}

static void exposition_counter(struct metrics_text *text, const char *name, const char *help,
                               uint64_t value)
{
    metrics_text_family(text, name, METRICS_COUNTER, help);
    metrics_text_count(text, METRICS_NO_LABELS, value);
}

static void exposition_seconds(struct metrics_text *text, const char *name, const char *help,
                               double seconds)
{
    metrics_text_family(text, name, METRICS_GAUGE, help);
    metrics_text_real(text, METRICS_NO_LABELS, seconds);
}

/* ---- the server and its calls ---- */

static void exposition_write_build(const struct report *report, struct metrics_text *text)
{
    metrics_text_family(text, "keystore_build_info", METRICS_GAUGE,
                        "The version of the server; always 1.");
    metrics_text_count(text, METRICS_LABELS({"version", KEYSTORE_VERSION}), 1);
    exposition_gauge(text, "keystore_workers", "Worker threads.", report->config->threads);
}

static void exposition_write_busy(const struct report *report, struct metrics_text *text)
{
    if (report->workers == NULL)
        return;
    metrics_text_family(text, "keystore_worker_busy_seconds", METRICS_COUNTER,
                        "CPU time of each worker thread.");
    for (uint32_t i = 0; i < report->config->threads; i++) {
        char number[16];
        int64_t busy_us = worker_busy_us(report->workers[i]);
        if (busy_us < 0)
            continue;
        snprintf(number, sizeof number, "%" PRIu32, i);
        metrics_text_real(text, METRICS_LABELS({"worker", number}), (double)busy_us / 1e6);
    }
}

static void exposition_write_errors(struct metrics_text *text)
{
    const size_t prefix = sizeof "ERROR_REASON_" - 1;
    metrics_text_family(text, "keystore_errors", METRICS_COUNTER,
                        "Calls and operations that failed, by the reason of their error.");
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++)
        metrics_text_count(text, METRICS_LABELS({"reason", status_reason(err) + prefix}),
                           status_count(err));
}

static void exposition_write_calls(const struct report *report, struct metrics_text *text)
{
    struct grpc_counts counts = report_count_calls(report);
    exposition_counter(text, "keystore_commands", "Requests received, as in Info.",
                       report_count_commands(report));
    exposition_counter(text, "keystore_offloaded_calls",
                       "Calls that were long and ran on another thread than their worker's.",
                       report->offload != NULL ? offload_count(report->offload) : 0);
    exposition_gauge(text, "keystore_blocked_pops", "Calls that wait for a list.",
                     report_count_blocked(report));
    exposition_counter(text, "keystore_malformed_requests",
                       "Requests that were reset because they violate HTTP/2.",
                       counts.streams.stream_errors);
    exposition_counter(text, "keystore_not_grpc_requests",
                       "Requests that were answered in plain HTTP because they are not gRPC.",
                       counts.not_grpc);
    exposition_counter(text, "keystore_slow_calls", "Calls that were slow (--slow-log-us).",
                       report->slowlog != NULL ? slowlog_total(report->slowlog) : 0);
    struct audit_counts audited = audit_counts(report->audit);
    exposition_counter(text, "keystore_audit_records",
                       "Records written to the audit log (--audit-log).", audited.records);
    exposition_counter(text, "keystore_audit_dropped",
                       "Records of the audit log that were lost: there were too many at once, or "
                       "they could not be written.",
                       audited.dropped);
}

static void exposition_write_authentication(const struct report *report, struct metrics_text *text)
{
    struct authenticator_counts counts = authenticator_counts(report->authenticator);
    metrics_text_family(text, "keystore_auth", METRICS_COUNTER,
                        "Attempts to authenticate with a password, by how they ended.");
    metrics_text_count(text, METRICS_LABELS({"result", "accepted"}), counts.accepted);
    metrics_text_count(text, METRICS_LABELS({"result", "denied"}), counts.denied);
    metrics_text_count(text, METRICS_LABELS({"result", "throttled"}), counts.throttled);
    metrics_text_count(text, METRICS_LABELS({"result", "crowded"}), counts.crowded);
    metrics_text_count(text, METRICS_LABELS({"result", "dropped"}), counts.dropped);
    exposition_gauge(text, "keystore_auth_sessions",
                     "Tokens of users who have authenticated, some of which may have expired.",
                     authenticator_sessions(report->authenticator));
}

static void exposition_write_request_ids(const struct report *report, struct metrics_text *text)
{
    struct receipts_stats receipts = report_receipts(report);
    exposition_gauge(text, "keystore_request_ids", "Request ids that are remembered.",
                     receipts.kept);
    exposition_gauge(text, "keystore_request_ids_memory_bytes",
                     "Memory of these and their replies.", receipts.bytes);
    exposition_counter(text, "keystore_request_ids_repeated",
                       "Calls that got the reply of an earlier one with the same request id.",
                       receipts.repeated);
    exposition_counter(text, "keystore_request_ids_dropped",
                       "Request ids that were forgotten before their time, for lack of room.",
                       receipts.dropped);
}

static void exposition_write_watchers(const struct report *report, struct metrics_text *text)
{
    static const char *const losses[WATCH_LOSSES] = {[WATCH_LOSS_BEHIND] = "behind",
                                                     [WATCH_LOSS_TRANSACTION] = "transaction",
                                                     [WATCH_LOSS_TOO_OLD] = "too_old",
                                                     [WATCH_LOSS_TOO_NEW] = "too_new"};
    struct stream_counts counts = report_count_streams(report);
    exposition_counter(text, "keystore_watch_events", "Events sent to watchers.",
                       counts.watch_events);
    metrics_text_family(text, "keystore_watch_dropped", METRICS_COUNTER,
                        "Watch calls that ended because changes are lost to them.");
    for (size_t i = 0; i < WATCH_LOSSES; i++)
        metrics_text_count(text, METRICS_LABELS({"reason", losses[i]}), counts.watch_losses[i]);
    exposition_gauge(text, "keystore_watch_lag_revisions",
                     "Revisions by which a watcher is behind the newest one, the most of all.",
                     counts.watch_lag);
    exposition_gauge(text, "keystore_watch_history_bytes",
                     "Memory of the recent changes that are kept for watchers.",
                     embedded_history_bytes(report->data->engine));
}

static void exposition_write_missed(const struct report *report, struct metrics_text *text)
{
    struct stream_counts counts = report_count_streams(report);
    metrics_text_family(text, "keystore_missed_messages", METRICS_COUNTER,
                        "Published messages that subscribers missed.");
    metrics_text_count(text, METRICS_LABELS({"reason", "unread"}),
                       counts.subscribe_losses[SUBSCRIBE_LOSS_UNREAD]);
    metrics_text_count(text, METRICS_LABELS({"reason", "busy"}),
                       counts.subscribe_losses[SUBSCRIBE_LOSS_BUSY]);
}

static void exposition_write_channels(const struct report *report, struct metrics_text *text)
{
    struct channels_counts counts = report_count_channels(report);
    exposition_gauge(text, "keystore_subscriptions", "Subscribe calls that are open.",
                     counts.subscriptions);
    exposition_gauge(text, "keystore_subscribed_channels",
                     "Channels that have at least one subscription.", counts.channels);
    exposition_gauge(text, "keystore_subscribed_patterns",
                     "Patterns that have at least one subscription.", counts.patterns);
    exposition_write_missed(report, text);
}

/* ---- connections and limits ---- */

static void exposition_write_closings(const struct report *report, struct metrics_text *text)
{
    struct net_closings *closings = net_admission_closings(report->admission);
    metrics_text_family(text, "keystore_connections_closed", METRICS_COUNTER,
                        "Connections that the server closed before their clients did.");
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++)
        metrics_text_count(text, METRICS_LABELS({"cause", net_closings_name(kind)}),
                           net_closings_count(closings, kind));
}

static void exposition_write_limits(const struct report *report, struct metrics_text *text,
                                    const struct net_admission_counts *admission)
{
    struct grpc_counts counts = report_count_calls(report);
    const struct {
        const char *limit;
        uint64_t hits;
    } limits[] = {{"max_connections", admission->refused - admission->refused_per_address},
                  {"max_connections_per_address", admission->refused_per_address},
                  {"max_streams", counts.streams.refused},
                  {"max_calls", report_count_limited(report, QUOTA_CALLS)},
                  {"max_calls_per_user", report_count_limited(report, QUOTA_USER_CALLS)},
                  {"calls_per_second_per_user", report_count_limited(report, QUOTA_USER_RATE)},
                  {"request_timeout", counts.slow_requests},
                  {"write_timeout", counts.unread_streams},
                  {"idle_timeout", net_closings_count(net_admission_closings(report->admission),
                                                      CLOSING_MAX_IDLE)}};
    metrics_text_family(text, "keystore_limit_hits", METRICS_COUNTER,
                        "Connections, calls and streams that were refused or ended by a limit.");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        metrics_text_count(text, METRICS_LABELS({"limit", limits[i].limit}), limits[i].hits);
}

static void exposition_write_tls(const struct report *report, struct metrics_text *text)
{
    struct net_tls_counts counts = report_count_tls(report);
    metrics_text_family(text, "keystore_tls_handshakes", METRICS_COUNTER,
                        "TLS handshakes, by their result.");
    metrics_text_count(text, METRICS_LABELS({"result", "completed"}), counts.handshakes);
    metrics_text_count(text, METRICS_LABELS({"result", "failed"}), counts.failures);
    exposition_seconds(text, "keystore_tls_certificate_expiry_timestamp_seconds",
                       "Unix time at which the server's certificate expires; 0: without TLS.",
                       (double)counts.expires_s);
}

static void exposition_write_connections(const struct report *report, struct metrics_text *text)
{
    struct net_admission_counts counts = net_admission_counts(report->admission);
    exposition_gauge(text, "keystore_connections", "Connections that are open.", counts.open);
    exposition_gauge(text, "keystore_connections_limit", "The most connections that may be open.",
                     counts.max_open);
    exposition_counter(text, "keystore_connections_accepted", "Connections so far.",
                       counts.admitted);
    exposition_write_closings(report, text);
    exposition_write_limits(report, text, &counts);
    exposition_counter(text, "keystore_accepting_pauses",
                       "How often accepting paused for lack of descriptors or memory.",
                       counts.pauses);
    exposition_write_tls(report, text);
}

/* ---- the store ---- */

static void exposition_take_census(struct exposition *exposition)
{
    struct store_census fresh = exposition->census[1];
    if (!store_take_census(exposition->report->store, &fresh))
        return;
    exposition->census[1] = exposition->census[0];
    exposition->census[0] = fresh;
    exposition->has_census = true;
}

static void exposition_write_databases(struct metrics_text *text, const char *name,
                                       const char *help, const size_t *counts, uint32_t databases)
{
    metrics_text_family(text, name, METRICS_GAUGE, help);
    for (uint32_t db = 0; db < databases; db++) {
        char number[16];
        snprintf(number, sizeof number, "%" PRIu32, db);
        metrics_text_count(text, METRICS_LABELS({"db", number}), counts[db]);
    }
}

static void exposition_write_keys(struct exposition *exposition, struct metrics_text *text)
{
    const struct store_census *census = &exposition->census[0];
    const struct report *report = exposition->report;
    uint32_t databases = store_databases(report->store);
    exposition_write_databases(text, "keystore_keys", "Keys in each database.", census->keys,
                               databases);
    exposition_write_databases(text, "keystore_keys_with_deadline",
                               "Of these, keys that expire at some time.", census->expiring,
                               databases);
    metrics_text_family(text, "keystore_lookups", METRICS_COUNTER,
                        "Keys that reads looked for, and whether they were there.");
    metrics_text_count(text, METRICS_LABELS({"result", "hit"}), census->stats.hits);
    metrics_text_count(text, METRICS_LABELS({"result", "miss"}), census->stats.misses);
    exposition_counter(text, "keystore_expired_keys", "Keys removed because they had expired.",
                       census->stats.expired_keys);
    metrics_text_family(text, "keystore_evicted_keys", METRICS_COUNTER,
                        "Keys evicted at the memory limit, by the policy that chose them.");
    for (enum store_policy policy = STORE_NOEVICTION + 1; policy < STORE_POLICIES; policy++)
        metrics_text_count(text, METRICS_LABELS({"policy", options_policy_name(policy)}),
                           census->stats.evicted_by[policy]);
    exposition_gauge(text, "keystore_memory_used_bytes",
                     "Memory in use by data, to which the memory limit applies.",
                     census->stats.used_memory);
    exposition_gauge(text, "keystore_memory_held_bytes",
                     "Memory taken from the system for data, clients and the log.",
                     census->stats.resident_memory + account_used() + account_journal() +
                         mem_held());
}

static void exposition_write_memory(struct exposition *exposition, struct metrics_text *text)
{
    exposition_take_census(exposition);
    if (exposition->has_census)
        exposition_write_keys(exposition, text);
    exposition_gauge(text, "keystore_memory_limit_bytes", "The limit, --max-memory; 0: none.",
                     store_limit(exposition->report->store).max_memory);
    exposition_gauge(text, "keystore_client_memory_bytes",
                     "Memory of requests and of answers that clients have not read.",
                     account_used());
    exposition_gauge(text, "keystore_client_memory_limit_bytes",
                     "The limit of that, --max-client-memory.", account_limit());
    exposition_gauge(text, "keystore_client_unread_bytes",
                     "Values that only answers still hold that clients have not read.",
                     account_queued());
}

/* ---- the data directory ---- */

static void exposition_write_loading(struct data *data, struct metrics_text *text)
{
    bool serving = atomic_load(&data->serving);
    exposition_gauge(text, "keystore_loading", "1 while the data are loaded, else 0.", !serving);
    exposition_gauge(text, "keystore_loading_read_bytes", "Bytes loaded at the start.",
                     atomic_load(&data->loaded_bytes));
    exposition_gauge(text, "keystore_loading_size_bytes", "Bytes to load at the start.",
                     atomic_load(&data->total_bytes));
}

static void exposition_write_log(const struct journal_stats *stats, struct metrics_text *text)
{
    struct metrics_buckets syncs = {.bounds_us = wal_sync_bounds_us,
                                    .counts = stats->sync_times,
                                    .bounds = WAL_SYNC_BOUNDS,
                                    .sum = (double)stats->sync_sum_us / 1e6};
    exposition_gauge(text, "keystore_revision", "Revision of the newest commit.", stats->revision);
    if (stats->durability == JOURNAL_NONE)
        return;
    exposition_gauge(text, "keystore_durable_revision",
                     "Revision of the newest commit that no crash undoes.",
                     stats->durable_revision);
    metrics_text_family(text, "keystore_log_sync_seconds", METRICS_HISTOGRAM,
                        "How long syncs of the log took.");
    metrics_text_buckets(text, METRICS_NO_LABELS, &syncs);
    exposition_counter(text, "keystore_log_slow_waits",
                       "Writes and syncs of the log that took a second or longer.",
                       stats->slow_waits);
    exposition_counter(text, "keystore_log_written_bytes", "Bytes written to the log.",
                       stats->log_written);
    exposition_gauge(text, "keystore_log_size_bytes", "Size of the log since the last snapshot.",
                     stats->log_bytes);
    exposition_gauge(text, "keystore_log_pending_bytes",
                     "Log records that wait to be written, without those being written.",
                     stats->log_pending);
}

static void exposition_write_snapshots(const struct journal_stats *stats, struct metrics_text *text)
{
    exposition_gauge(text, "keystore_snapshot_in_progress",
                     "1 while a snapshot is written, else 0.", stats->saving);
    exposition_gauge(text, "keystore_snapshot_written_keys",
                     "Keys that the snapshot in progress has written; 0 without one.",
                     stats->saving_keys);
    exposition_gauge(text, "keystore_snapshot_expected_keys",
                     "Keys that it is going to write; 0 without one.", stats->saving_total);
    exposition_gauge(text, "keystore_snapshot_failed", "1 if the last snapshot failed, else 0.",
                     stats->last_save == JOURNAL_FAILED);
    exposition_seconds(text, "keystore_snapshot_timestamp_seconds",
                       "Unix time at which the last snapshot of this process ended; 0: none has.",
                       (double)stats->last_save_at_ms / 1e3);
    exposition_seconds(text, "keystore_snapshot_duration_seconds", "How long that took.",
                       (double)stats->last_save_ms / 1e3);
    exposition_gauge(text, "keystore_snapshot_size_bytes", "Size of the newest snapshot; 0: none.",
                     stats->base_bytes);
    exposition_gauge(text, "keystore_snapshot_changes", "Commits since the last snapshot.",
                     stats->changes);
}

static void exposition_write_read_only(const struct journal_stats *stats, struct metrics_text *text)
{
    bool refused = stats->read_only_reason != NULL;
    metrics_text_family(text, "keystore_read_only", METRICS_GAUGE,
                        "1 while writes are refused for that cause, else 0.");
    metrics_text_count(text, METRICS_LABELS({"cause", "disk_full"}),
                       refused && stats->disk_is_full);
    metrics_text_count(text, METRICS_LABELS({"cause", "disk_failed"}),
                       refused && !stats->disk_is_full);
}

static void exposition_write_data(struct data *data, struct metrics_text *text)
{
    exposition_write_loading(data, text);
    if (!atomic_load(&data->serving))
        return;
    struct journal_stats stats = journal_stats(data->journal);
    exposition_write_log(&stats, text);
    exposition_write_snapshots(&stats, text);
    exposition_write_read_only(&stats, text);
}

void exposition_write(struct exposition *exposition, struct metrics_text *text)
{
    const struct report *report = exposition->report;
    exposition_write_build(report, text);
    exposition_calls_write(report, exposition->methods, text);
    exposition_write_busy(report, text);
    exposition_write_errors(text);
    exposition_write_calls(report, text);
    exposition_write_request_ids(report, text);
    exposition_write_authentication(report, text);
    exposition_write_channels(report, text);
    exposition_write_watchers(report, text);
    exposition_write_connections(report, text);
    exposition_write_memory(exposition, text);
    exposition_write_data(report->data, text);
}
