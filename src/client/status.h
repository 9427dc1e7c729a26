/* Results of calls: status codes by name and by origin, and error messages. */
#ifndef KEYSTORE_CLIENT_STATUS_H
#define KEYSTORE_CLIENT_STATUS_H

#include "base/slice.h"

#include "keystore/client.h"

/* Sets *error to a code and a printf-style message, without a reason. Truncates longer messages. */
void status_set(struct keystore_error *error, enum keystore_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same if the program is out of memory; `consequence` ends the message. */
void status_out_of_memory(struct keystore_error *error, const char *consequence);

/* The code in a grpc-status trailer; KEYSTORE_UNKNOWN for anything but a number from 0 to 16. */
enum keystore_code status_parse(struct slice text);

/* The code of an answer without grpc-status, from its HTTP status, by gRPC's table. */
enum keystore_code status_from_http(int http_status);

/* The code of a stream that was reset, from its HTTP/2 error code, by gRPC's table. */
enum keystore_code status_from_http2(uint32_t error_code);

/*
 * Decodes a grpc-message ("%XX" is a byte; a '%' without two hex digits is kept) into `size` bytes
 * at `out`, zero-terminated and truncated if it does not fit.
 */
void status_decode_message(struct slice text, char *out, size_t size);

#endif
