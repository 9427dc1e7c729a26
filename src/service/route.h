/* Paths to methods: the operation table as RPCs, Info and Save. */
#ifndef KEYSTORE_SERVICE_ROUTE_H
#define KEYSTORE_SERVICE_ROUTE_H

#include "service/decode.h"
#include "service/encode.h"

enum method_type {
    METHOD_OP,     /* an operation */
    METHOD_INFO,   /* asks the server, not the data; it has no codec */
    METHOD_SAVE,   /* asks the engine; it has no decoder */
    METHOD_STREAM, /* messages come and go; it has no codec */
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
 * The method of "/keystore.v1.KeyStore/NAME" or "/KeyStore/NAME", and of the same with
 * KeyStoreAdmin if it is an administrator's, compared byte for byte; NULL if there is none. Static
 * memory.
 */
const struct method *route_find(struct slice path);

#endif
