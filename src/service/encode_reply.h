/* Reply messages, which others are made of. */
#ifndef KEYSTORE_SERVICE_ENCODE_REPLY_H
#define KEYSTORE_SERVICE_ENCODE_REPLY_H

#include "service/encode.h"

/* Bytes of the Reply with the operation's id and its result, or its error. */
size_t encode_reply_size(const struct op *op, const struct op_result *result);

/* Appends it as a field of that number, below 16: its tag, its length, and the Reply. */
void encode_reply_write(unsigned field, const struct op *op, const struct op_result *result,
                        struct chain *to);

#endif
