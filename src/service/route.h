/* Paths to methods: the operation table as RPCs. */
#ifndef KEYSTORE_SERVICE_ROUTE_H
#define KEYSTORE_SERVICE_ROUTE_H

#include "service/decode.h"
#include "service/encode.h"

struct method {
    struct slice name;
    enum op_kind kind;
    decode_function *decode;
    encode_function *encode;
};

/*
 * The method of "/keystore.v1.KeyStore/NAME" or "/KeyStore/NAME", compared byte for byte; NULL if
 * there is none. Static memory.
 */
const struct method *route_find(struct slice path);

#endif
