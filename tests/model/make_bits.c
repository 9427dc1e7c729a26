/* Makes the operations on bits of strings. */
#include "make_bits.h"

#include "draw.h"

/* A range of bits or bytes whose ends often lie within strings. */
void make_bit_range(struct generator *generator, struct keystore_op *op)
{
    struct keystore_bit_range *range = &op->request.bit_range;
    range->db = draw_db(generator);
    range->key = draw_key(generator, LIKELY_STRING);
    range->bit = op->kind == KEYSTORE_OP_BITPOS && once_in(generator, 2);
    range->has_stop = once_in(generator, 2);
    if (range->has_stop || op->kind == KEYSTORE_OP_BITPOS)
        range->start = once_in(generator, 3) ? 0 : draw_index(generator);
    if (!range->has_stop)
        return;
    range->stop = draw_index(generator);
    range->in_bits = once_in(generator, 2);
}

/* What just fits would make strings of 64 MiB, which is for a test that has the time. */
void make_bit(struct generator *generator, struct keystore_op *op)
{
    struct keystore_bit_request *request = &op->request.bit_request;
    request->db = draw_db(generator);
    request->key = draw_key(generator, LIKELY_STRING);
    request->offset = once_in(generator, 2) ? below(generator, 200) : below(generator, 30000);
    if (once_in(generator, 30))
        request->offset = below(generator, 600000);
    if (op->kind != KEYSTORE_OP_SETBIT)
        return;
    request->bit = once_in(generator, 2);
    if (once_in(generator, 30)) /* which Redis refuses to read, too */
        request->offset = UINT32_MAX;
}

void make_bit_op(struct generator *generator, struct keystore_op *op)
{
    struct keystore_bit_op_request *request = &op->request.bit_op_request;
    request->db = draw_db(generator);
    request->operation = 1 + below(generator, 4);
    request->key = draw_key(generator, LIKELY_STRING);
    request->key_count = request->operation == KEYSTORE_BITS_NOT ? 1 : 1 + below(generator, 4);
    struct keystore_slice *keys = arena_alloc(generator->arena, request->key_count * sizeof *keys);
    for (size_t i = 0; i < request->key_count; i++)
        keys[i] = once_in(generator, 5) ? request->key : draw_key(generator, LIKELY_STRING);
    request->keys = keys;
}

/* Small and wide numbers, and those at the ends of the field's range. */
static int64_t draw_field_value(struct generator *generator, unsigned bits)
{
    static const int64_t edges[] = {INT64_MAX, INT64_MIN, -1, 0, 1};
    unsigned way = below(generator, 4);
    if (way == 0)
        return edges[below(generator, sizeof edges / sizeof *edges)];
    if (way == 1)
        return (int64_t)(((uint64_t)1 << (bits - 1)) - below(generator, 3));
    return (int64_t)below(generator, 2000) - 1000;
}

void make_bit_field(struct generator *generator, struct keystore_op *op)
{
    struct keystore_bit_field_request *request = &op->request.bit_field_request;
    request->db = draw_db(generator);
    request->key = draw_key(generator, LIKELY_STRING);
    request->count = 1 + below(generator, 4);
    bool reads = once_in(generator, 4);
    struct keystore_bit_field *parts =
        arena_alloc(generator->arena, request->count * sizeof *parts);
    for (size_t i = 0; i < request->count; i++) {
        struct keystore_bit_field part = {.is_signed = once_in(generator, 2)};
        part.action = reads ? KEYSTORE_FIELD_GET : KEYSTORE_FIELD_GET + below(generator, 3);
        part.bits = 1 + below(generator, part.is_signed ? 64 : 63);
        part.offset = once_in(generator, 2) ? below(generator, 100) : below(generator, 5000);
        if (part.action != KEYSTORE_FIELD_GET) {
            part.overflow = below(generator, 4);
            part.value = draw_field_value(generator, part.bits);
        }
        parts[i] = part;
    }
    request->parts = parts;
}
