/* The gRPC status and reason of each error. */
#ifndef KEYSTORE_SERVICE_STATUS_H
#define KEYSTORE_SERVICE_STATUS_H

#include "base/err.h"
#include "grpc/status.h"
#include "store/op.h"

/*
 * The status of an error (not ERR_NONE) with the error message `why`, which is borrowed. Counts a
 * refused call. The details come from the message: the path of a field, and the option or metadata
 * whose limit was hit; how long to wait is of the error.
 */
struct grpc_status status_of(enum err err, const char *why);

/* The same for a result that is an error, with the key that it is about. */
struct grpc_status status_of_result(const struct op_result *result);

/* The call may be executed twice, since it has no effect or is known again: so none of its errors
 * says that it must not be. */
void status_allow_retry(struct grpc_status *status);

/* Calls of this process that were refused with that error, below ERR_COUNT, or one like it that
 * passes. Any thread may ask. */
uint64_t status_count(enum err err);

/* The code of an error. */
enum grpc_code status_code(enum err err);

/* "ERROR_REASON_WRONG_TYPE" and so on; static memory. */
const char *status_reason(enum err err);

#endif
