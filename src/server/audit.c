/*
 * Events are put into a ring under a lock that nobody holds while a file is written; a thread takes
 * them out. The first event of its kind is a record at once; those that follow within a second are
 * counted in a window, which becomes a record when the second is over. The thread starts with the
 * first event.
 */
#include "server/audit.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "server/audit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Records that wait for the disk, some 700 bytes each. */
#define QUEUE 512
/* Kinds of events in a second; what is of others is lost, so that clients with many addresses
 * cannot fill the disk either: a second has at most twice as many records. */
#define WINDOWS   128
#define WINDOW_MS 1000

struct audit_window {
    struct audit_record record; /* of the kind, with the count of what followed the first */
    int64_t end_ms;             /* monotonic; 0: it is unused */
};

struct audit {
    struct audit_sink sink;
    char *path, *policy; /* path NULL: standard error */
    const char *prefix;  /* of each line */
    int descriptor;
    bool is_torn; /* the last line lacks its end */
    struct log_limit failures;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stops, reopens;
    struct audit_record queue[QUEUE];
    size_t first, count;
    struct audit_window windows[WINDOWS];
    uint64_t dropped; /* not yet in a record */
    atomic_uint_fast64_t records_so_far, dropped_so_far;
};

/* ---- the file ---- */

static int audit_open_file(const char *path)
{
    struct stat status;
    int descriptor =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return descriptor;
    close(descriptor);
    errno = EINVAL;
    return -1;
}

static const char *audit_reason(int error)
{
    return error == EINVAL ? "it is no regular file" : strerror(error);
}

/* The former file stays if there is no other. */
static void audit_open_again(struct audit *audit)
{
    int descriptor = audit->path != NULL ? audit_open_file(audit->path) : -1;
    if (audit->path == NULL)
        return;
    if (descriptor < 0) {
        log_error("SIGUSR1 received: the audit log %s cannot be opened, and the former file is "
                  "used on: %s",
                  audit->path, audit_reason(errno));
        return;
    }
    close(audit->descriptor);
    audit->descriptor = descriptor;
    audit->is_torn = false;
    log_info("SIGUSR1 received: the audit log %s was opened again", audit->path);
}

/* All of it; else false, with errno. */
static bool audit_write_all(struct audit *audit, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t written = write(audit->descriptor, text, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        audit->is_torn = (size_t)written < len;
        text += written;
        len -= (size_t)written;
    }
    return true;
}

static void audit_lose(struct audit *audit, uint64_t count)
{
    audit->dropped += count;
    atomic_fetch_add(&audit->dropped_so_far, count);
}

static void audit_report_failure(struct audit *audit, int error)
{
    uint64_t lost;
    if (log_limit_note(&audit->failures, 1, clock_monotonic_ms(), 1, &lost))
        log_error("%" PRIu64 " records of the audit log %s are lost: %s", lost,
                  audit->path != NULL ? audit->path : "on standard error", strerror(error));
}

/* Without the lock. False: it is lost. */
static bool audit_write(struct audit *audit, const struct audit_record *record, uint64_t dropped)
{
    char text[8 + AUDIT_RECORD_MAX];
    size_t len = strlen(audit->prefix);
    memcpy(text, audit->prefix, len);
    len += audit_record_print(record, audit->policy, dropped, text + len);
    bool is_written =
        (!audit->is_torn || audit_write_all(audit, "\n", 1)) && audit_write_all(audit, text, len);
    if (!is_written)
        audit_report_failure(audit, errno);
    return is_written;
}

/* ---- the queue, under the lock ---- */

static void audit_queue(struct audit *audit, const struct audit_record *record)
{
    if (audit->count == QUEUE) {
        audit_lose(audit, record->count);
        return;
    }
    audit->queue[(audit->first + audit->count) % QUEUE] = *record;
    audit->count++;
    pthread_cond_signal(&audit->wake);
}

/* Of a peer HOST:PORT, the host: another connection is no other caller. */
static size_t audit_host_length(const char *peer)
{
    const char *port = strrchr(peer, ':');
    return port != NULL ? (size_t)(port - peer) : strlen(peer);
}

static bool audit_is_same(const struct audit_event *one, const struct audit_event *other)
{
    size_t host = audit_host_length(one->peer);
    return one->event == other->event && one->operation == other->operation &&
           one->status == other->status && one->authorized == other->authorized &&
           one->matched_line == other->matched_line && host == audit_host_length(other->peer) &&
           memcmp(one->peer, other->peer, host) == 0 &&
           strcmp(one->rpc_method, other->rpc_method) == 0 &&
           strcmp(one->principal, other->principal) == 0 &&
           strcmp(one->credential, other->credential) == 0 &&
           strcmp(one->reason, other->reason) == 0;
}

/* What was counted becomes a record. */
static void audit_end_window(struct audit *audit, struct audit_window *window)
{
    window->end_ms = 0;
    if (window->record.count > 0)
        audit_queue(audit, &window->record);
}

/* Ends those that are over at that time. Returns how long until the next one is; negative: there is
 * none. */
static int64_t audit_end_windows(struct audit *audit, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct audit_window *window = &audit->windows[i];
        if (window->end_ms != 0 && window->end_ms <= now_ms)
            audit_end_window(audit, window);
        else if (window->end_ms != 0 && window->end_ms < next_ms)
            next_ms = window->end_ms;
    }
    return next_ms == INT64_MAX ? -1 : next_ms - now_ms;
}

/* The window of events that say the same; else an unused one, or NULL: there are too many. */
static struct audit_window *audit_find_window(struct audit *audit, const struct audit_event *event)
{
    struct audit_window *unused = NULL;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct audit_window *window = &audit->windows[i];
        if (window->end_ms == 0)
            unused = window;
        else if (audit_is_same(&window->record.event, event))
            return window;
    }
    return unused;
}

static void *audit_run(void *user);

static void audit_note(void *user, const struct audit_event *event)
{
    struct audit *audit = user;
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&audit->lock);
    if (!audit->has_thread)
        audit->has_thread = pthread_create(&audit->thread, NULL, audit_run, audit) == 0;
    (void)audit_end_windows(audit, now_ms);
    struct audit_window *window = audit_find_window(audit, event);
    if (window == NULL) {
        audit_lose(audit, 1);
    } else if (window->end_ms != 0) {
        window->record.count++;
        window->record.unix_ms = clock_unix_ms();
    } else {
        window->end_ms = now_ms + WINDOW_MS;
        window->record =
            (struct audit_record){.event = *event, .unix_ms = clock_unix_ms(), .count = 1};
        audit_queue(audit, &window->record);
        window->record.count = 0;
    }
    pthread_mutex_unlock(&audit->lock);
}

/* ---- the thread ---- */

/* Writes the first record; the lock is not held meanwhile. */
static void audit_write_first(struct audit *audit)
{
    struct audit_record record = audit->queue[audit->first];
    uint64_t dropped = audit->dropped;
    audit->first = (audit->first + 1) % QUEUE;
    audit->count--;
    pthread_mutex_unlock(&audit->lock);
    bool is_written = audit_write(audit, &record, dropped);
    pthread_mutex_lock(&audit->lock);
    if (is_written) {
        audit->dropped -= dropped;
        atomic_fetch_add(&audit->records_so_far, 1);
    } else {
        audit_lose(audit, record.count);
    }
}

/* At the end: what was lost, and is in no record yet. */
static void audit_write_lost(struct audit *audit)
{
    const struct audit_record record = {
        .event = {.event = "lost"}, .unix_ms = clock_unix_ms(), .count = 1};
    if (audit->dropped > 0 && audit_write(audit, &record, audit->dropped))
        atomic_fetch_add(&audit->records_so_far, 1);
}

/* Until something is to be done, or a window ends. */
static void audit_wait(struct audit *audit, int64_t wait_ms)
{
    if (wait_ms < 0) {
        pthread_cond_wait(&audit->wake, &audit->lock);
        return;
    }
    int64_t at_ms = clock_monotonic_ms() + wait_ms;
    struct timespec at = {.tv_sec = at_ms / 1000, .tv_nsec = (long)(at_ms % 1000) * 1000000};
    pthread_cond_timedwait(&audit->wake, &audit->lock, &at);
}

static void *audit_run(void *user)
{
    struct audit *audit = user;
    pthread_mutex_lock(&audit->lock);
    for (;;) {
        int64_t wait_ms = audit_end_windows(audit, audit->stops ? INT64_MAX : clock_monotonic_ms());
        if (audit->reopens) {
            audit->reopens = false;
            pthread_mutex_unlock(&audit->lock);
            audit_open_again(audit);
            pthread_mutex_lock(&audit->lock);
        } else if (audit->count > 0) {
            audit_write_first(audit);
        } else if (audit->stops) {
            audit_write_lost(audit);
            break;
        } else {
            audit_wait(audit, wait_ms);
        }
    }
    pthread_mutex_unlock(&audit->lock);
    return NULL;
}

/* ---- */

/* Where records go; false, after an error message, if that cannot be opened. */
static bool audit_choose(struct audit *audit, const char *target)
{
    audit->descriptor = STDERR_FILENO;
    audit->prefix = strcmp(target, "journal") == 0 ? "<5>" : ""; /* sd-daemon(3): notice */
    if (strcmp(target, "stderr") == 0 || audit->prefix[0] != '\0')
        return true;
    audit->path = mem_copy_text(target);
    audit->descriptor = audit_open_file(target);
    if (audit->descriptor >= 0)
        return true;
    log_fatal("keystore-server", "cannot open the audit log %s (--audit-log): %s", target,
              audit_reason(errno));
    return false;
}

static void audit_free(struct audit *audit)
{
    if (audit->path != NULL && audit->descriptor >= 0)
        close(audit->descriptor);
    pthread_cond_destroy(&audit->wake);
    pthread_mutex_destroy(&audit->lock);
    free(audit->path);
    free(audit->policy);
    free(audit);
}

struct audit *audit_open(const char *target, const char *policy)
{
    struct audit *audit = mem_alloc_zero(sizeof *audit);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&audit->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&audit->lock, NULL);
    audit->policy = mem_copy_text(policy);
    audit->sink = (struct audit_sink){.note = audit_note, .user = audit};
    if (audit_choose(audit, target))
        return audit;
    audit_free(audit);
    return NULL;
}

void audit_close(struct audit *audit)
{
    if (audit == NULL)
        return;
    pthread_mutex_lock(&audit->lock);
    audit->stops = true;
    bool has_thread = audit->has_thread;
    pthread_cond_signal(&audit->wake);
    pthread_mutex_unlock(&audit->lock);
    if (has_thread)
        pthread_join(audit->thread, NULL);
    audit_free(audit);
}

const struct audit_sink *audit_sink(struct audit *audit)
{
    return audit != NULL ? &audit->sink : NULL;
}

void audit_reopen(struct audit *audit)
{
    if (audit == NULL)
        return;
    pthread_mutex_lock(&audit->lock);
    audit->reopens = true;
    if (!audit->has_thread)
        audit->has_thread = pthread_create(&audit->thread, NULL, audit_run, audit) == 0;
    pthread_cond_signal(&audit->wake);
    pthread_mutex_unlock(&audit->lock);
}

void audit_note_users(struct audit *audit, bool is_good, const char *why)
{
    struct audit_event event = {.event = "users_file", .authorized = is_good};
    if (audit == NULL)
        return;
    snprintf(event.reason, sizeof event.reason, "%s", why);
    audit_note(audit, &event);
}

struct audit_counts audit_counts(struct audit *audit)
{
    if (audit == NULL)
        return (struct audit_counts){0};
    return (struct audit_counts){.records = atomic_load(&audit->records_so_far),
                                 .dropped = atomic_load(&audit->dropped_so_far)};
}
