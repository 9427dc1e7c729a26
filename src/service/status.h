/* The one table that says which gRPC status and reason each error gets. */
#ifndef KEYSTORE_SERVICE_STATUS_H
#define KEYSTORE_SERVICE_STATUS_H

#include "base/err.h"
#include "grpc/status.h"

/* The status of an error (not ERR_NONE) with its sentence; `why` is borrowed. Counts it as refused
 * to a client. */
struct grpc_status status_of(enum err err, const char *why);

/* How many calls of this process got a status for that error. Any thread may ask. */
uint64_t status_count(enum err err);

/* The code of an error. */
enum grpc_code status_code(enum err err);

/* "ERROR_REASON_WRONG_TYPE" and so on; static memory. */
const char *status_reason(enum err err);

#endif
