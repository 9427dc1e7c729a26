/* The requests about bits of strings: from protobuf-c's structs to struct op. */
#include "base/field_path.h"
#include "service/decode.h"
#include "service/field.h"

enum err decode_bit_request(const void *message, struct arena *arena, struct op *op,
                            const char **why)
{
    const Keystore__V1__BitRequest *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    op->bits.bit = request->bit;
    if (request->offset > INT64_MAX)
        return field_refuse("offset: it is 2^63 or more; a string has no such bit", why);
    op->start = (int64_t)request->offset;
    return field_expect(op, request->bit, OP_TAKES_BIT, "bit", arena, why);
}

enum err decode_bit_range(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__BitRange *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    op->start = request->start;
    op->bits.has_stop = request->last_case == KEYSTORE__V1__BIT_RANGE__LAST_STOP;
    if (op->bits.has_stop)
        op->stop = request->stop;
    op->bits.in_bits = request->in_bits;
    op->bits.bit = request->bit;
    return field_expect(op, request->bit, OP_TAKES_BIT, "bit", arena, why);
}

enum err decode_bit_op_request(const void *message, struct arena *arena, struct op *op,
                               const char **why)
{
    const Keystore__V1__BitOpRequest *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    if ((int)request->operation < KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_AND ||
        (int)request->operation > KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_NOT)
        return field_refuse(
            "operation: there is no such value; it is 1 (AND), 2 (OR), 3 (XOR) or 4 (NOT)", why);
    op->bits.bitwise = (enum op_bitwise)(request->operation -
                                         KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_AND);
    if (op->bits.bitwise == OP_BITS_NOT && request->n_keys > 1)
        return field_refuse("keys: there are several; NOT is of one string", why);
    return field_keys(request->keys, request->n_keys, arena, op, why);
}

/* The enums of a part. Their numbers are those of op.h plus 1; 0 = not given. */
static enum err decode_bits_enums(const Keystore__V1__BitFieldRequest__Part *part,
                                  struct op_field *field, const char **why)
{
    if ((int)part->action < 0 || (int)part->action > OP_FIELD_INCREMENT + 1)
        return field_refuse(
            "action: there is no such value; it is 0 to 3, see BitFieldRequest.Action", why);
    if ((int)part->overflow < 0 || (int)part->overflow > OP_OVERFLOW_FAIL + 1)
        return field_refuse("overflow: there is no such value; it is 0 to 3, see "
                            "BitFieldRequest.Overflow",
                            why);
    if (part->action != 0)
        field->action = (enum op_field_action)(part->action - 1);
    if (part->overflow != 0)
        field->overflow = (enum op_overflow)(part->overflow - 1);
    if (field->action == OP_FIELD_GET && (part->overflow != 0 || part->value != 0))
        return field_refuse(part->value != 0
                                ? "value: it is given to a part that reads; leave it unset"
                                : "overflow: it is given to a part that reads; leave it unset",
                            why);
    return ERR_NONE;
}

static enum err decode_bits_part(const Keystore__V1__BitFieldRequest__Part *part,
                                 struct op_field *field, const char **why)
{
    *field = (struct op_field){.is_signed = part->is_signed,
                               .bits = (uint8_t)part->bits,
                               .offset = part->offset,
                               .value = part->value};
    if (part->bits < 1 || part->bits > (part->is_signed ? 64 : 63))
        return field_refuse("bits: it is out of range; it is 1 to 64, or 63 without a sign", why);
    if (part->offset > INT64_MAX)
        return field_refuse("offset: it is 2^63 or more; a string has no such bit", why);
    return decode_bits_enums(part, field, why);
}

enum err decode_bit_field_request(const void *message, struct arena *arena, struct op *op,
                                  const char **why)
{
    const Keystore__V1__BitFieldRequest *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    if (request->n_parts == 0)
        return field_refuse("parts: it is empty; give at least one", why);
    struct op_field *fields = arena_alloc(arena, request->n_parts * sizeof *fields);
    for (size_t i = 0; i < request->n_parts; i++) {
        enum err err = decode_bits_part(request->parts[i], &fields[i], why);
        if (err != ERR_NONE) {
            *why = field_path_within(arena, *why, "parts[%zu]", i);
            return err;
        }
    }
    op->parts.fields = fields;
    op->parts.field_count = request->n_parts;
    return ERR_NONE;
}
