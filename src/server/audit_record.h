/* A record of the audit log as a line of JSON. */
#ifndef KEYSTORE_SERVER_AUDIT_RECORD_H
#define KEYSTORE_SERVER_AUDIT_RECORD_H

#include "service/audited.h"

/* Bytes of the longest line, with its newline: that of an event whose texts are as long as they may
 * be and need an escape for each byte. */
#define AUDIT_RECORD_MAX ((size_t)8192)

struct audit_record {
    struct audit_event event;
    int64_t unix_ms;
    uint64_t count; /* of events that it stands for */
};

/* Writes the line to `out`, of AUDIT_RECORD_MAX bytes; returns its length. `dropped` records were
 * lost before it. */
size_t audit_record_print(const struct audit_record *record, const char *policy, uint64_t dropped,
                          char *out);

#endif
