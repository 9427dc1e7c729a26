/*
 * The audit log: one JSON object per line for each call that was denied or administrates the
 * server, with the fields of gRFC A59, by a thread of its own, so that no event loop waits for a
 * disk. docs/audit.md has its format.
 *
 * What clients do over and over cannot fill the disk: events that say the same, from one address,
 * within a second are one record, followed by one with their count; and what does not fit the queue
 * is lost, but counted in the next record. Nor does a full disk stop the server: what cannot be
 * written is lost and counted, too.
 */
#ifndef KEYSTORE_SERVER_AUDIT_H
#define KEYSTORE_SERVER_AUDIT_H

#include "service/audited.h"

#include <stdint.h>

struct audit;

/* The target is "stderr", "journal" (the same, with the priority notice of sd-daemon(3)), or the
 * path of a regular file, which is appended to, or made with mode 0600. Each record says that it is
 * by the rules of `policy`. NULL, after an error message on standard error, if the file cannot be
 * opened. */
struct audit *audit_open(const char *target, const char *policy);

/* Writes what is left, and frees the log. NULL is allowed, here and below. */
void audit_close(struct audit *audit);

/* For services; NULL: there is no log. Valid until audit_close(). */
const struct audit_sink *audit_sink(struct audit *audit);

/* The file's name may stand for another file now. Returns at once. */
void audit_reopen(struct audit *audit);

/* The users file was read again, or refused for that reason. */
void audit_note_users(struct audit *audit, bool is_good, const char *why);

struct audit_counts {
    uint64_t records; /* written */
    uint64_t dropped; /* lost */
};
struct audit_counts audit_counts(struct audit *audit);

#endif
