/* The gRPC status and reason of each error. */
#ifndef KEYSTORE_SERVICE_STATUS_H
#define KEYSTORE_SERVICE_STATUS_H

#include "base/err.h"
#include "grpc/status.h"

/* The status of an error (not ERR_NONE) with the error message `why`, which is borrowed. Counts a
 * refused call. */
struct grpc_status status_of(enum err err, const char *why);

/* Calls of this process that were refused with that error. Any thread may ask. */
uint64_t status_count(enum err err);

/* The code of an error. */
enum grpc_code status_code(enum err err);

/* "ERROR_REASON_WRONG_TYPE" and so on; static memory. */
const char *status_reason(enum err err);

/* The name of a code, such as "NOT_FOUND"; static memory. */
const char *status_code_name(enum grpc_code code);

#endif
