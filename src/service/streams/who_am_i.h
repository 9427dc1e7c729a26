/* WhoAmI: who makes the call. To its callers it is unary. */
#ifndef KEYSTORE_SERVICE_STREAMS_WHO_AM_I_H
#define KEYSTORE_SERVICE_STREAMS_WHO_AM_I_H

#include "grpc/stream.h"

extern const struct grpc_stream_method who_am_i_method;

#endif
