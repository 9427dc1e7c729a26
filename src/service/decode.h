/*
 * Request messages to operations. One function per request message, named in operations.def. Each
 * refuses what has no meaning for the operation's kind, such as a field that is for other kinds
 * only; the rules for every operation are in check.c.
 */
#ifndef KEYSTORE_SERVICE_DECODE_H
#define KEYSTORE_SERVICE_DECODE_H

#include "base/arena.h"
#include "store/op.h"

#include <protobuf-c/protobuf-c.h>

/*
 * protobuf-c's struct of a message from its bytes, into which it then points: wire_decode() with an
 * error message. On error *message is NULL, and *why is that, static or in the arena.
 */
enum err decode_message(const ProtobufCMessageDescriptor *type, struct slice bytes,
                        struct arena *arena, void **message, const char **why);

/*
 * Fills `op` from protobuf-c's struct of the message. The caller has set its kind, now_ms,
 * max_answer and max_value, the rest is zero. Slices point where those of the message do, arrays
 * into the arena. On error *why is an error message, static or in the arena.
 */
typedef enum err decode_function(const void *message, struct arena *arena, struct op *op,
                                 const char **why);

/* How the requests of a method are decoded. */
struct decoder {
    const ProtobufCMessageDescriptor *message;
    decode_function *fill;
};

/* The same from the bytes of the message, into which slices of `op` then point. */
enum err decode(const struct decoder *decoder, struct slice bytes, struct arena *arena,
                struct op *op, const char **why);

decode_function decode_key;
decode_function decode_key_value;
decode_function decode_key_values;
decode_function decode_increment;
decode_function decode_byte_range;

decode_function decode_bit_request;
decode_function decode_bit_range;
decode_function decode_bit_op_request;
decode_function decode_bit_field_request;
decode_function decode_lcs_request;

decode_function decode_keys;
decode_function decode_expire_request;
decode_function decode_copy_request;
decode_function decode_db_request;
decode_function decode_swap_request;

decode_function decode_list_insert;
decode_function decode_list_range;
decode_function decode_list_item;
decode_function decode_list_find;
decode_function decode_pop_request;
decode_function decode_move_request;

decode_function decode_txn_request;

#endif
