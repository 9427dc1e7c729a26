/* The one table that says which gRPC status and reason each error gets. */
#ifndef KEYSTORE_SERVICE_STATUS_H
#define KEYSTORE_SERVICE_STATUS_H

#include "base/err.h"
#include "grpc/status.h"

/* The status of an error (not ERR_NONE) with its sentence; `why` is borrowed. */
struct grpc_status status_of(enum err err, const char *why);

#endif
