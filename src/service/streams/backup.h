/*
 * Backup: has a snapshot written, then reads its file and sends it, a page at a time: the next page
 * is read when the caller has taken the former one. Disk and file are another thread's work.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_BACKUP_H
#define KEYSTORE_SERVICE_STREAMS_BACKUP_H

#include "grpc/stream.h"

/* Bytes of a page, of which one is in memory. */
#define BACKUP_PAGE ((size_t)256 * 1024)

extern const struct grpc_stream_method backup_method;

#endif
