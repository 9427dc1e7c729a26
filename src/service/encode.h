/* Results to reply messages. One encoder per reply message, named in operations.def. */
#ifndef KEYSTORE_SERVICE_ENCODE_H
#define KEYSTORE_SERVICE_ENCODE_H

#include "store/op.h"

struct chain;

/* Encodes results without an error; blobs are shared, the rest is copied. */
struct encoder {
    size_t (*size)(const struct op_result *result); /* bytes of the message */
    /* Appends exactly as many. */
    void (*write)(const struct op_result *result, struct chain *to);
    unsigned reply_field; /* number of the message's field in Reply; 0 = none */
};

/* A Value within another message: its bytes, and as many appended. */
size_t encode_value_size(const struct op_value *value);
void encode_write_value(const struct op_value *value, struct chain *to);

extern const struct encoder encode_status;
extern const struct encoder encode_value;
extern const struct encoder encode_values;
extern const struct encoder encode_number;
extern const struct encoder encode_list_values;
extern const struct encoder encode_popped;
extern const struct encoder encode_positions;
extern const struct encoder encode_bit_fields;
extern const struct encoder encode_lcs_reply;
extern const struct encoder encode_key;
extern const struct encoder encode_key_info;
extern const struct encoder encode_txn_reply; /* in encode_txn.c */

#endif
