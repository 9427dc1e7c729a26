/* Scan: the keys of a database in pages. */
#ifndef KEYSTORE_SERVICE_STREAMS_SCAN_H
#define KEYSTORE_SERVICE_STREAMS_SCAN_H

struct grpc_stream_method;

extern const struct grpc_stream_method scan_method;

#endif
