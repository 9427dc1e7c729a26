/* Authenticate: a token for a password, which service/authenticator.h verifies. To its callers it
 * is unary. */
#ifndef KEYSTORE_SERVICE_STREAMS_AUTHENTICATE_H
#define KEYSTORE_SERVICE_STREAMS_AUTHENTICATE_H

#include "grpc/stream.h"

extern const struct grpc_stream_method authenticate_method;

#endif
