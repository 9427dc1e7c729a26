/* The newest slow calls of the process, for the RPC SlowLog. Thread-safe; its lock is taken only
 * for a slow call and for that RPC. */
#ifndef KEYSTORE_SERVICE_SLOWLOG_H
#define KEYSTORE_SERVICE_SLOWLOG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log_limit.h"
#include "base/slice.h"
#include "grpc/metadata.h"
#include "grpc/status.h"
#include "service/request.h"

struct chain;
struct slowlog;

struct slow_call {
    uint64_t id; /* given by slowlog_add() */
    int64_t unix_ms;
    int64_t duration_us;
    size_t method; /* its number (route.h) */
    enum grpc_code code;
    bool waited_for_lock;
    struct request_note note; /* zero if nothing is known */
    struct grpc_metadata metadata;
    char peer[SERVICE_PEER_TEXT];
};

/* Keeps the newest `max_len` calls, perhaps 0. Free with slowlog_free(). */
struct slowlog *slowlog_new(size_t max_len);
void slowlog_free(struct slowlog *log); /* NULL is allowed */

void slowlog_add(struct slowlog *log, struct slow_call *call);

/* How many were added. */
uint64_t slowlog_total(struct slowlog *log);

/* What it waited for, more than for anything else: "disk", "lock" or "thread"; NULL: nothing. */
const char *slow_call_waited_for(const struct slow_call *call);

/* For lines about slow and failed calls; of the process. */
struct log_limit *slowlog_slow_lines(struct slowlog *log);
struct log_limit *slowlog_failed_lines(struct slowlog *log);

/* Copies the newest `limit` calls, newest first, to memory in the arena. Returns how many; *total
 * is how many were added ever, *kept how many there are. With `reset` all are forgotten. */
size_t slowlog_read(struct slowlog *log, size_t limit, bool reset, struct arena *arena,
                    struct slow_call **calls, uint64_t *total, size_t *kept);

/* Answers a SlowLogRequest, as info_answer() an InfoRequest. */
enum err slowlog_report(const struct service_options *options, struct slice message,
                        struct arena *arena, struct chain *reply, const char **why);

#endif
