/* Results to reply messages. One function per reply message, named in operations.def. */
#ifndef KEYSTORE_SERVICE_ENCODE_H
#define KEYSTORE_SERVICE_ENCODE_H

#include "store/op.h"

struct grpc_call;

/* Replies to the call with a result that has no error; blobs are shared, the rest is copied. */
typedef void encode_function(const struct op_result *result, struct grpc_call *call);

encode_function encode_value;
encode_function encode_status;
encode_function encode_list_values;

#endif
