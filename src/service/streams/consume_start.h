/* What a Consume is asked for in its first message. */
#ifndef KEYSTORE_SERVICE_STREAMS_CONSUME_START_H
#define KEYSTORE_SERVICE_STREAMS_CONSUME_START_H

#include "service/check.h"

#include <mini_redis.pb-c.h>

#define CONSUME_MAX_IN_FLIGHT 10000

/* One block of memory; freed with free(). */
struct consume_start {
    uint32_t db;
    enum op_end end;
    size_t max_in_flight;
    int64_t lease_ms; /* 0 = no end */
    bool auto_ack;
    struct slice pending; /* empty with auto_ack */
    size_t key_count;
    struct slice keys[];
};

/* Checks the message and copies it to *start. Else *why is an error message, static or in the
 * arena. */
enum err consume_start_read(const Keystore__V1__ConsumeRequest__Start *message,
                            const struct check_limits *limits, struct arena *arena,
                            struct consume_start **start, const char **why)
    __attribute__((warn_unused_result));

#endif
