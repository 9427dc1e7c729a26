/* Results to reply messages. One function per reply message, named in operations.def. */
#ifndef KEYSTORE_SERVICE_ENCODE_H
#define KEYSTORE_SERVICE_ENCODE_H

#include "base/arena.h"
#include "store/op.h"

struct grpc_call;

/* Replies to the call with a result that has no error. `arena` is for temporary memory. */
typedef void encode_function(const struct op_result *result, struct arena *arena,
                             struct grpc_call *call);

encode_function encode_value;
encode_function encode_status;
encode_function encode_list_values;

#endif
