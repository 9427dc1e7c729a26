/*
 * The sections of Info. A field that Redis' INFO has, too, has the same name and form.
 * A new field is one more info_put() in its section's function.
 */
#include "server/report.h"

#include "base/account.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/embedded.h"
#include "net/admission.h"
#include "net/closings.h"
#include "server/audit.h"
#include "server/data.h"
#include "server/options.h"
#include "server/worker.h"
#include "service/authenticator.h"
#include "service/offload.h"
#include "service/slowlog.h"
#include "service/status.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct net_tls_counts report_count_tls(const struct report *report)
{
    return report->tls != NULL ? net_tls_counts(report->tls) : (struct net_tls_counts){0};
}

static void report_write_server(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    int64_t uptime_s = (clock_monotonic_ms() - report->started_ms) / 1000;
    info_put(writer, "keystore_version", "%s", KEYSTORE_VERSION);
    info_put(writer, "process_id", "%ld", (long)getpid());
    info_put(writer, "worker_threads", "%" PRIu32, report->config->threads);
    info_put(writer, "server_time_usec", "%" PRId64, clock_unix_ms() * 1000);
    info_put(writer, "uptime_in_seconds", "%" PRId64, uptime_s);
    info_put(writer, "uptime_in_days", "%" PRId64, uptime_s / 86400);
    info_put(writer, "tls_certificate_expires", "%" PRId64, report_count_tls(report).expires_s);
}

uint64_t report_count_blocked(const struct report *report)
{
    uint64_t blocked = 0;
    for (uint32_t i = 0; report->workers != NULL && i < report->config->threads; i++)
        blocked += worker_blocked(report->workers[i]);
    return blocked;
}

struct grpc_counts report_count_calls(const struct report *report)
{
    struct grpc_counts all = {0};
    for (uint32_t i = 0; report->workers != NULL && i < report->config->threads; i++) {
        struct grpc_counts counts = worker_counts(report->workers[i]);
        grpc_counts_add(&all, &counts);
    }
    return all;
}

struct channels_counts report_count_channels(const struct report *report)
{
    if (report->channels == NULL)
        return (struct channels_counts){0};
    return channels_count(report->channels);
}

struct stream_counts report_count_streams(const struct report *report)
{
    struct stream_counts all = {0};
    for (uint32_t i = 0; report->workers != NULL && i < report->config->threads; i++)
        worker_count_streams(report->workers[i], &all);
    return all;
}

static void report_write_clients(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    struct net_admission_counts counts = net_admission_counts(report->admission);
    info_put(writer, "connected_clients", "%" PRIu32, counts.open);
    info_put(writer, "blocked_clients", "%" PRIu64, report_count_blocked(report));
    info_put(writer, "maxclients", "%" PRIu32, counts.max_open);
    info_put(writer, "streams_open", "%" PRIu64, report_count_calls(report).streams_open);
    info_put(writer, "pubsub_clients", "%zu", report_count_channels(report).subscriptions);
}

/* Resident bytes of this process; 0 if the system does not say. */
static uint64_t report_resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct receipts_stats report_receipts(const struct report *report)
{
    struct receipts *receipts = report->data->engine->receipts;
    return receipts != NULL ? receipts_stats(receipts) : (struct receipts_stats){0};
}

static void report_write_memory(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    struct store_stats stats = store_stats(report->store);
    struct store_limit limit = store_limit(report->store);
    struct receipts_stats receipts = report_receipts(report);
    info_put(writer, "used_memory", "%zu", stats.used_memory);
    info_put(writer, "allocator_resident", "%zu",
             stats.resident_memory + account_used() + account_journal() + mem_held());
    info_put(writer, "mem_clients_normal", "%zu", account_used());
    info_put(writer, "mem_clients_unread_values", "%zu", account_queued());
    info_put(writer, "mem_clients_max", "%zu", account_limit());
    info_put(writer, "mem_aof_buffer", "%zu", account_journal());
    info_put(writer, "mem_watch_history", "%zu", embedded_history_bytes(report->data->engine));
    info_put(writer, "mem_request_ids", "%" PRIu64, receipts.bytes);
    info_put(writer, "mem_small_allocations", "%zu", mem_held());
    info_put(writer, "used_memory_rss", "%" PRIu64, report_resident_bytes());
    info_put(writer, "maxmemory", "%zu", limit.max_memory);
    info_put(writer, "maxmemory_policy", "%s", options_policy_name(limit.policy));
}

static void report_write_persistence(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    data_write_info(report->data, writer);
}

uint64_t report_count_commands(const struct report *report)
{
    uint64_t commands = 0;
    for (uint32_t i = 0; report->workers != NULL && i < report->config->threads; i++)
        commands += worker_commands(report->workers[i]);
    return commands;
}

static void report_put_closings(struct net_closings *closings, struct info_writer *writer)
{
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++) {
        char name[64];
        snprintf(name, sizeof name, "connections_closed_%s", net_closings_name(kind));
        info_put(writer, name, "%" PRIu64, net_closings_count(closings, kind));
    }
}

static void report_put_tls(const struct report *report, struct info_writer *writer)
{
    struct net_tls_counts counts = report_count_tls(report);
    info_put(writer, "tls_handshakes", "%" PRIu64, counts.handshakes);
    info_put(writer, "tls_handshake_failures", "%" PRIu64, counts.failures);
}

static void report_put_refused(const struct report *report, struct info_writer *writer)
{
    struct grpc_counts counts = report_count_calls(report);
    info_put(writer, "slow_requests_ended", "%" PRIu64, counts.slow_requests);
    info_put(writer, "unread_streams_ended", "%" PRIu64, counts.unread_streams);
    info_put(writer, "idle_connections_ended", "%" PRIu64,
             net_closings_count(net_admission_closings(report->admission), CLOSING_MAX_IDLE));
    info_put(writer, "refused_streams", "%" PRIu64, counts.streams.refused);
    info_put(writer, "malformed_requests", "%" PRIu64, counts.streams.stream_errors);
    info_put(writer, "requests_not_grpc", "%" PRIu64, counts.not_grpc);
}

uint64_t report_count_limited(const struct report *report, enum quota_limit limit)
{
    return report->quota != NULL ? quota_hits(report->quota, limit) : 0;
}

static void report_put_limited(const struct report *report, struct info_writer *writer)
{
    info_put(writer, "limit_hits_max_calls", "%" PRIu64, report_count_limited(report, QUOTA_CALLS));
    info_put(writer, "limit_hits_max_calls_per_user", "%" PRIu64,
             report_count_limited(report, QUOTA_USER_CALLS));
    info_put(writer, "limit_hits_calls_per_second_per_user", "%" PRIu64,
             report_count_limited(report, QUOTA_USER_RATE));
}

/* Messages that came, or were sent, compressed; their bytes compressed and uncompressed. */
static void report_put_compressed(const struct report *report, struct info_writer *writer)
{
    struct grpc_counts counts = report_count_calls(report);
    info_put(writer, "compressed_requests", "%" PRIu64, counts.inflated.messages);
    info_put(writer, "compressed_request_bytes", "%" PRIu64, counts.inflated.compressed_bytes);
    info_put(writer, "uncompressed_request_bytes", "%" PRIu64, counts.inflated.plain_bytes);
    info_put(writer, "compressed_replies", "%" PRIu64, counts.compressed.messages);
    info_put(writer, "compressed_reply_bytes", "%" PRIu64, counts.compressed.compressed_bytes);
    info_put(writer, "uncompressed_reply_bytes", "%" PRIu64, counts.compressed.plain_bytes);
}

static void report_put_authentication(const struct report *report, struct info_writer *writer)
{
    struct authenticator_counts counts = authenticator_counts(report->authenticator);
    info_put(writer, "auth_accepted", "%" PRIu64, counts.accepted);
    info_put(writer, "auth_denied", "%" PRIu64, counts.denied);
    info_put(writer, "auth_throttled", "%" PRIu64, counts.throttled);
    info_put(writer, "auth_crowded", "%" PRIu64, counts.crowded);
    info_put(writer, "auth_dropped", "%" PRIu64, counts.dropped);
    info_put(writer, "auth_sessions", "%zu", authenticator_sessions(report->authenticator));
}

static void report_write_stats(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    struct net_admission_counts counts = net_admission_counts(report->admission);
    struct store_stats stats = store_stats(report->store);
    info_put(writer, "total_connections_received", "%" PRIu64, counts.admitted);
    info_put(writer, "rejected_connections", "%" PRIu64, counts.refused);
    report_put_closings(net_admission_closings(report->admission), writer);
    info_put(writer, "rejected_connections_of_address", "%" PRIu64, counts.refused_per_address);
    report_put_refused(report, writer);
    report_put_limited(report, writer);
    report_put_tls(report, writer);
    info_put(writer, "offloaded_calls", "%" PRIu64,
             report->offload != NULL ? offload_count(report->offload) : 0);
    info_put(writer, "accepting_pauses", "%" PRIu64, counts.pauses);
    info_put(writer, "total_commands_processed", "%" PRIu64, report_count_commands(report));
    info_put(writer, "slow_calls", "%" PRIu64,
             report->slowlog != NULL ? slowlog_total(report->slowlog) : 0);
    struct audit_counts audited = audit_counts(report->audit);
    info_put(writer, "audit_records", "%" PRIu64, audited.records);
    info_put(writer, "audit_dropped", "%" PRIu64, audited.dropped);
    info_put(writer, "expired_keys", "%" PRIu64, stats.expired_keys);
    info_put(writer, "evicted_keys", "%" PRIu64, stats.evicted_keys);
    struct channels_counts channels = report_count_channels(report);
    struct receipts_stats receipts = report_receipts(report);
    info_put(writer, "request_ids", "%" PRIu64, receipts.kept);
    info_put(writer, "request_ids_repeated", "%" PRIu64, receipts.repeated);
    info_put(writer, "request_ids_dropped", "%" PRIu64, receipts.dropped);
    info_put(writer, "pubsub_channels", "%zu", channels.channels);
    info_put(writer, "pubsub_patterns", "%zu", channels.patterns);
    report_put_compressed(report, writer);
    report_put_authentication(report, writer);
}

/* As in Redis, except that errors with a count of 0 are listed, too. */
static void report_write_errors(void *user, struct info_writer *writer)
{
    const size_t prefix = sizeof "ERROR_REASON_" - 1;
    (void)user;
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++) {
        char name[64];
        snprintf(name, sizeof name, "errorstat_%s", status_reason(err) + prefix);
        info_put(writer, name, "%" PRIu64, status_count(err));
    }
}

static void report_put_time(struct info_writer *writer, const char *name, struct timeval time)
{
    info_put(writer, name, "%ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
}

static void report_write_cpu(void *user, struct info_writer *writer)
{
    (void)user;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    report_put_time(writer, "used_cpu_sys", usage.ru_stime);
    report_put_time(writer, "used_cpu_user", usage.ru_utime);
}

/* As in Redis, databases without keys are left out. */
static void report_write_keyspace(void *user, struct info_writer *writer)
{
    const struct report *report = user;
    for (uint32_t db = 0; db < store_databases(report->store); db++) {
        char name[16];
        size_t keys = store_count(report->store, db);
        if (keys == 0)
            continue;
        snprintf(name, sizeof name, "db%" PRIu32, db);
        info_put(writer, name, "keys=%zu,expires=%zu", keys, store_expiring(report->store, db));
    }
}

static const struct info_section sections[] = {
    {"server", report_write_server},     {"clients", report_write_clients},
    {"memory", report_write_memory},     {"persistence", report_write_persistence},
    {"stats", report_write_stats},       {"cpu", report_write_cpu},
    {"errorstats", report_write_errors}, {"keyspace", report_write_keyspace},
};

void report_init(struct report *report)
{
    *report = (struct report){.started_ms = clock_monotonic_ms()};
    report->info = (struct info_source){
        .sections = sections, .count = sizeof sections / sizeof sections[0], .user = report};
}
