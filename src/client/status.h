/* How a call went: status codes by name and by origin, and errors as sentences. */
#ifndef KEYSTORE_CLIENT_STATUS_H
#define KEYSTORE_CLIENT_STATUS_H

#include "base/slice.h"

#include "keystore/client.h"

/* Fills *error with a code and a printf-style sentence, without a reason. Longer texts are cut. */
void status_set(struct keystore_error *error, enum keystore_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for memory that the host program does not have; `consequence` ends the sentence. */
void status_out_of_memory(struct keystore_error *error, const char *consequence);

/* The code in a grpc-status trailer; KEYSTORE_UNKNOWN for anything but a number from 0 to 16. */
enum keystore_code status_parse(struct slice text);

/* What an answer without grpc-status means, from its HTTP status, as gRPC's table says. */
enum keystore_code status_from_http(int http_status);

/* What the reset of a stream means, from its HTTP/2 error code, as gRPC's table says. */
enum keystore_code status_from_http2(uint32_t error_code);

/*
 * Decodes a grpc-message ("%XX" is a byte; a '%' without two hex digits stays) into `size` bytes at
 * `out`, zero-terminated; what does not fit is cut.
 */
void status_decode_message(struct slice text, char *out, size_t size);

#endif
