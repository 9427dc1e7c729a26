/*
 * From struct op_result to messages on the wire, written directly into the output. Knows the field
 * numbers of the replies in proto/mini_redis.proto; large values are passed by reference. Each
 * message has a function for its size and one that writes exactly as many bytes.
 */
#include "service/encode.h"

#include "base/chain.h"
#include "base/check.h"
#include "service/wire.h"

enum {
    VALUE_VALUE = 1,
    VALUE_FOUND = 2,
    VALUE_VERSION = 3,
    VALUE_EXPIRE_AT_MS = 4,
    VALUE_AS_OF = 5
};
enum { STATUS_OK = 1, STATUS_COUNT = 2, STATUS_VERSION = 3, STATUS_PREVIOUS = 4 };
enum { LIST_VALUES = 1, LIST_FOUND = 2, LIST_LENGTH = 3, LIST_OFFSET = 4, LIST_VERSION = 5 };
enum { VALUES_VALUES = 1 };
enum { NUMBER_INTEGER = 1, NUMBER_REAL = 2, NUMBER_VERSION = 3, NUMBER_DECIMAL = 4 };
enum { POPPED_KEY = 1, POPPED_VALUES = 2, POPPED_FOUND = 3 };
enum { POSITIONS_INDEXES = 1 };
enum { BIT_FIELDS_ITEMS = 1, BIT_FIELDS_VERSION = 2 };
enum { ITEM_DONE = 1, ITEM_VALUE = 2 };
enum { LCS_LENGTH = 1, LCS_VALUE = 2, LCS_MATCHES = 3 };
enum { MATCH_START = 1, MATCH_OTHER_START = 2, MATCH_LENGTH = 3 };
enum { KEY_KEY = 1 };
enum {
    INFO_FOUND = 1,
    INFO_TYPE = 2,
    INFO_LENGTH = 3,
    INFO_EXPIRE_AT_MS = 4,
    INFO_VERSION = 5,
    INFO_MEMORY_BYTES = 6,
    INFO_AS_OF = 7
};
enum {
    REPLY_STATUS = 2,
    REPLY_VALUE = 3,
    REPLY_LIST = 4,
    REPLY_NUMBER = 5,
    REPLY_VALUES = 7,
    REPLY_INFO = 8,
    REPLY_POPPED = 9,
    REPLY_POSITIONS = 10,
    REPLY_BIT_FIELDS = 11,
    REPLY_LCS = 12
};

/* Parts. */

static size_t encode_bytes_size(struct slice bytes)
{
    return wire_head_size(bytes.len) + bytes.len;
}

/* A bytes field; `blob`, if not NULL, holds its bytes. */
static void encode_write_bytes(struct chain *to, unsigned field, struct slice bytes,
                               struct blob *blob)
{
    size_t head = wire_head_size(bytes.len);
    if (blob != NULL) {
        wire_write_head(chain_append(to, head), field, bytes.len);
        chain_append_blob(to, blob_retain(blob), bytes);
        return;
    }
    wire_write_bytes(chain_append(to, head + bytes.len), field, bytes);
}

static size_t encode_elements_size(const struct op_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->value_count; i++)
        size += encode_bytes_size(result->values[i]);
    return size;
}

static void encode_write_elements(const struct op_result *result, struct chain *to, unsigned field)
{
    if (result->blobs == NULL) { /* contiguous */
        uint8_t *out = chain_append(to, encode_elements_size(result));
        for (size_t i = 0; i < result->value_count; i++)
            out = wire_write_bytes(out, field, result->values[i]);
        return;
    }
    for (size_t i = 0; i < result->value_count; i++)
        encode_write_bytes(to, field, result->values[i], result->blobs[i]);
}

/* The numbers that follow a Value's bytes. */
static size_t encode_value_rest_size(const struct op_value *value)
{
    return wire_number_size(value->found) + wire_number_size(value->version) +
           wire_number_size((uint64_t)value->expire_at_ms);
}

size_t encode_value_size(const struct op_value *value)
{
    return (value->bytes.len > 0 ? encode_bytes_size(value->bytes) : 0) +
           encode_value_rest_size(value);
}

void encode_write_value(const struct op_value *value, struct chain *to)
{
    size_t rest = encode_value_rest_size(value);
    uint8_t *out;
    if (value->blob == NULL && value->bytes.len > 0) { /* contiguous */
        out = chain_append(to, encode_bytes_size(value->bytes) + rest);
        out = wire_write_bytes(out, VALUE_VALUE, value->bytes);
    } else {
        if (value->bytes.len > 0)
            encode_write_bytes(to, VALUE_VALUE, value->bytes, value->blob);
        out = chain_append(to, rest);
    }
    out = wire_write_number(out, VALUE_FOUND, value->found);
    out = wire_write_number(out, VALUE_VERSION, value->version);
    wire_write_number(out, VALUE_EXPIRE_AT_MS, (uint64_t)value->expire_at_ms);
}

/* Value. */

static size_t encode_size_value(const struct op_result *result)
{
    return encode_value_size(&result->value) + wire_number_size(result->as_of);
}

static void encode_put_value(const struct op_result *result, struct chain *to)
{
    encode_write_value(&result->value, to);
    if (result->as_of != 0)
        wire_write_number(chain_append(to, wire_number_size(result->as_of)), VALUE_AS_OF,
                          result->as_of);
}

const struct encoder encode_value = {encode_size_value, encode_put_value, REPLY_VALUE};

/* Status. */

static size_t encode_status_numbers_size(const struct op_result *result)
{
    return wire_number_size(result->ok) + wire_number_size((uint64_t)result->count) +
           wire_number_size(result->version);
}

static size_t encode_size_status(const struct op_result *result)
{
    size_t size = encode_status_numbers_size(result);
    if (result->has_previous) {
        size_t previous = encode_value_size(&result->value);
        size += wire_head_size(previous) + previous;
    }
    return size;
}

static void encode_put_status(const struct op_result *result, struct chain *to)
{
    size_t previous = result->has_previous ? encode_value_size(&result->value) : 0;
    size_t head = result->has_previous ? wire_head_size(previous) : 0;
    uint8_t *out = chain_append(to, encode_status_numbers_size(result) + head);
    out = wire_write_number(out, STATUS_OK, result->ok);
    out = wire_write_number(out, STATUS_COUNT, (uint64_t)result->count);
    out = wire_write_number(out, STATUS_VERSION, result->version);
    if (result->has_previous) {
        wire_write_head(out, STATUS_PREVIOUS, previous);
        encode_write_value(&result->value, to);
    }
}

const struct encoder encode_status = {encode_size_status, encode_put_status, REPLY_STATUS};

/* Values. */

static size_t encode_size_values(const struct op_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->item_count; i++) {
        size_t item = encode_value_size(&result->items[i]);
        size += wire_head_size(item) + item;
    }
    return size;
}

static void encode_put_values(const struct op_result *result, struct chain *to)
{
    for (size_t i = 0; i < result->item_count; i++) {
        size_t item = encode_value_size(&result->items[i]);
        wire_write_head(chain_append(to, wire_head_size(item)), VALUES_VALUES, item);
        encode_write_value(&result->items[i], to);
    }
}

const struct encoder encode_values = {encode_size_values, encode_put_values, REPLY_VALUES};

/* Number. */

static uint64_t encode_bits_of(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static size_t encode_size_number(const struct op_result *result)
{
    return wire_number_size((uint64_t)result->integer) +
           wire_fixed64_size(encode_bits_of(result->real)) + wire_number_size(result->version) +
           encode_bytes_size(result->value.bytes);
}

static void encode_put_number(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, encode_size_number(result));
    out = wire_write_number(out, NUMBER_INTEGER, (uint64_t)result->integer);
    out = wire_write_fixed64(out, NUMBER_REAL, encode_bits_of(result->real));
    out = wire_write_number(out, NUMBER_VERSION, result->version);
    wire_write_bytes(out, NUMBER_DECIMAL, result->value.bytes);
}

const struct encoder encode_number = {encode_size_number, encode_put_number, REPLY_NUMBER};

/* ListValues. */

static size_t encode_list_numbers_size(const struct op_result *result)
{
    return wire_number_size(result->ok) + wire_number_size((uint64_t)result->length) +
           wire_number_size((uint64_t)result->offset) + wire_number_size(result->version);
}

static size_t encode_size_list_values(const struct op_result *result)
{
    return encode_elements_size(result) + encode_list_numbers_size(result);
}

static void encode_put_list_values(const struct op_result *result, struct chain *to)
{
    encode_write_elements(result, to, LIST_VALUES);
    uint8_t *out = chain_append(to, encode_list_numbers_size(result));
    out = wire_write_number(out, LIST_FOUND, result->ok);
    out = wire_write_number(out, LIST_LENGTH, (uint64_t)result->length);
    out = wire_write_number(out, LIST_OFFSET, (uint64_t)result->offset);
    wire_write_number(out, LIST_VERSION, result->version);
}

const struct encoder encode_list_values = {encode_size_list_values, encode_put_list_values,
                                           REPLY_LIST};

/* Popped. */

static size_t encode_size_popped(const struct op_result *result)
{
    return (result->key.len > 0 ? encode_bytes_size(result->key) : 0) +
           encode_elements_size(result) + wire_number_size(result->ok);
}

static void encode_put_popped(const struct op_result *result, struct chain *to)
{
    if (result->key.len > 0)
        encode_write_bytes(to, POPPED_KEY, result->key, NULL);
    encode_write_elements(result, to, POPPED_VALUES);
    uint8_t *out = chain_append(to, wire_number_size(result->ok));
    wire_write_number(out, POPPED_FOUND, result->ok);
}

const struct encoder encode_popped = {encode_size_popped, encode_put_popped, REPLY_POPPED};

/* Positions: all of them in one packed field. */

static size_t encode_indexes_size(const struct op_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->index_count; i++)
        size += wire_varint_size((uint64_t)result->indexes[i]);
    return size;
}

static size_t encode_size_positions(const struct op_result *result)
{
    size_t indexes = encode_indexes_size(result);
    return indexes > 0 ? wire_head_size(indexes) + indexes : 0;
}

static void encode_put_positions(const struct op_result *result, struct chain *to)
{
    size_t indexes = encode_indexes_size(result);
    if (indexes == 0)
        return;
    uint8_t *out = chain_append(to, wire_head_size(indexes) + indexes);
    out = wire_write_head(out, POSITIONS_INDEXES, indexes);
    for (size_t i = 0; i < result->index_count; i++)
        out = wire_write_varint(out, (uint64_t)result->indexes[i]);
}

const struct encoder encode_positions = {encode_size_positions, encode_put_positions,
                                         REPLY_POSITIONS};

/* BitFields. */

/* The encoding of sint64: small numbers of either sign are short. */
static uint64_t encode_zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

static size_t encode_field_size(const struct op_field_value *field)
{
    return wire_number_size(field->done) + wire_number_size(encode_zigzag(field->value));
}

static size_t encode_size_bit_fields(const struct op_result *result)
{
    size_t size = wire_number_size(result->version);
    for (size_t i = 0; i < result->field_count; i++) {
        size_t item = encode_field_size(&result->fields[i]);
        size += wire_head_size(item) + item;
    }
    return size;
}

static void encode_put_bit_fields(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, encode_size_bit_fields(result));
    for (size_t i = 0; i < result->field_count; i++) {
        const struct op_field_value *field = &result->fields[i];
        out = wire_write_head(out, BIT_FIELDS_ITEMS, encode_field_size(field));
        out = wire_write_number(out, ITEM_DONE, field->done);
        out = wire_write_number(out, ITEM_VALUE, encode_zigzag(field->value));
    }
    wire_write_number(out, BIT_FIELDS_VERSION, result->version);
}

const struct encoder encode_bit_fields = {encode_size_bit_fields, encode_put_bit_fields,
                                          REPLY_BIT_FIELDS};

/* LcsReply. */

static size_t encode_match_size(const struct op_match *match)
{
    return wire_number_size(match->one) + wire_number_size(match->other) +
           wire_number_size(match->length);
}

static size_t encode_matches_size(const struct op_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->match_count; i++) {
        size_t match = encode_match_size(&result->matches[i]);
        size += wire_head_size(match) + match;
    }
    return size;
}

static size_t encode_size_lcs_reply(const struct op_result *result)
{
    struct slice string = result->value.bytes;
    return wire_number_size((uint64_t)result->length) +
           (string.len > 0 ? encode_bytes_size(string) : 0) + encode_matches_size(result);
}

static void encode_put_lcs_reply(const struct op_result *result, struct chain *to)
{
    wire_write_number(chain_append(to, wire_number_size((uint64_t)result->length)), LCS_LENGTH,
                      (uint64_t)result->length);
    if (result->value.bytes.len > 0)
        encode_write_bytes(to, LCS_VALUE, result->value.bytes, result->value.blob);
    uint8_t *out = chain_append(to, encode_matches_size(result));
    for (size_t i = 0; i < result->match_count; i++) {
        const struct op_match *match = &result->matches[i];
        out = wire_write_head(out, LCS_MATCHES, encode_match_size(match));
        out = wire_write_number(out, MATCH_START, match->one);
        out = wire_write_number(out, MATCH_OTHER_START, match->other);
        out = wire_write_number(out, MATCH_LENGTH, match->length);
    }
}

const struct encoder encode_lcs_reply = {encode_size_lcs_reply, encode_put_lcs_reply, REPLY_LCS};

/* Key: only the reply of a method that is no operation of a Txn. */

static size_t encode_size_key(const struct op_result *result)
{
    return result->key.len > 0 ? encode_bytes_size(result->key) : 0;
}

static void encode_put_key(const struct op_result *result, struct chain *to)
{
    if (result->key.len > 0)
        encode_write_bytes(to, KEY_KEY, result->key, NULL);
}

const struct encoder encode_key = {encode_size_key, encode_put_key, 0};

/* KeyInfo; enum op_type has the numbers of enum ValueType. */

static size_t encode_size_key_info(const struct op_result *result)
{
    return wire_number_size(result->ok) + wire_number_size(result->type) +
           wire_number_size((uint64_t)result->length) +
           wire_number_size((uint64_t)result->value.expire_at_ms) +
           wire_number_size(result->version) + wire_number_size((uint64_t)result->memory_bytes) +
           wire_number_size(result->as_of);
}

static void encode_put_key_info(const struct op_result *result, struct chain *to)
{
    uint8_t *out = chain_append(to, encode_size_key_info(result));
    out = wire_write_number(out, INFO_FOUND, result->ok);
    out = wire_write_number(out, INFO_TYPE, result->type);
    out = wire_write_number(out, INFO_LENGTH, (uint64_t)result->length);
    out = wire_write_number(out, INFO_EXPIRE_AT_MS, (uint64_t)result->value.expire_at_ms);
    out = wire_write_number(out, INFO_VERSION, result->version);
    out = wire_write_number(out, INFO_MEMORY_BYTES, (uint64_t)result->memory_bytes);
    wire_write_number(out, INFO_AS_OF, result->as_of);
}

const struct encoder encode_key_info = {encode_size_key_info, encode_put_key_info, REPLY_INFO};
