/* Paths to methods: the operation table as RPCs, and those that are no operations. */
#ifndef KEYSTORE_SERVICE_ROUTE_H
#define KEYSTORE_SERVICE_ROUTE_H

#include "service/decode.h"
#include "service/encode.h"

enum method_type {
    METHOD_OP,           /* an operation */
    METHOD_INFO,         /* about the server, not its data; has no codec */
    METHOD_SAVE,         /* a snapshot by the engine; has no decoder */
    METHOD_PUBLISH,      /* a message, which is not stored; has no decoder */
    METHOD_HEALTH_CHECK, /* of grpc.health.v1, as the next; have no codec */
    METHOD_HEALTH_LIST,
    METHOD_STREAM, /* a call with streams of messages; has no codec */
};

struct method {
    struct slice name;
    enum method_type type;
    enum op_kind kind; /* OP_COUNT unless it is an operation */
    struct decoder decoder;
    const struct encoder *encoder;
    const struct grpc_stream_method *stream; /* of METHOD_STREAM, else NULL */
};

/*
 * The method of the path "/keystore.v1.KeyStore/NAME" or "/KeyStore/NAME", with KeyStoreAdmin if it
 * is for administrators, or of a standard service of gRPC, compared byte for byte; NULL if there is
 * none. Static memory.
 */
const struct method *route_find(struct slice path);

/* The same, but only of grpc.health.v1. */
const struct method *route_find_health(struct slice path);

#endif
