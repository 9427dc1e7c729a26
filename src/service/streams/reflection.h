/*
 * Server reflection (proto/grpc/reflection/v1/reflection.proto; v1alpha is the same under another
 * name): each request gets a response, in order. A request for something unknown gets an error
 * response, and the stream continues. While REFLECTION_RESPONSES of them are not read, flow control
 * holds the caller back.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_REFLECTION_H
#define KEYSTORE_SERVICE_STREAMS_REFLECTION_H

#include "grpc/stream.h"

#define REFLECTION_RESPONSES 4

extern const struct grpc_stream_method reflection_method;

#endif
