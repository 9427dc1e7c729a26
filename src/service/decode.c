/*
 * From bytes to protobuf-c's structs, and from those of requests about one key or about strings to
 * struct op. Knows the wire format of requests and nothing else.
 */
#include "service/decode.h"

#include "base/field_path.h"
#include "base/real.h"
#include "service/error_text.h"
#include "service/field.h"
#include "service/wire.h"

#include <math.h>

/* Says why the bytes are not a message of the type. */
static enum err decode_refuse(const ProtobufCMessageDescriptor *type, enum err err,
                              struct arena *arena, void **message, const char **why)
{
    *message = NULL;
    if (arena->refusal != ERR_NONE)
        return field_refuse_memory(arena, why);
    *why = err == ERR_TOO_LARGE
               ? error_text_format(arena,
                                   "the request holds more than %zu messages; send fewer at once",
                                   WIRE_MAX_MESSAGES)
               : error_text_format(arena,
                                   "the message does not decode as %s; see proto/mini_redis.proto",
                                   type->short_name);
    return err;
}

/* Inline for the sake of decode(), which every unary operation calls. */
static inline enum err decode_read(const ProtobufCMessageDescriptor *type, struct slice bytes,
                                   struct arena *arena, void **message, const char **why)
{
    enum err err = ERR_NONE;
    if (bytes.len >= RESERVE_LEASED && !arena_lease(arena, bytes.len)) /* the store copies them */
        err = arena->refusal;
    if (err == ERR_NONE)
        err = wire_decode(type, bytes, arena, message);
    return err == ERR_NONE ? ERR_NONE : decode_refuse(type, err, arena, message, why);
}

enum err decode_message(const ProtobufCMessageDescriptor *type, struct slice bytes,
                        struct arena *arena, void **message, const char **why)
{
    return decode_read(type, bytes, arena, message, why);
}

enum err decode(const struct decoder *decoder, struct slice bytes, struct arena *arena,
                struct op *op, const char **why)
{
    void *message;
    enum err err = decode_read(decoder->message, bytes, arena, &message, why);
    return err != ERR_NONE ? err : decoder->fill(message, arena, op, why);
}

enum err decode_key(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__Key *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    op->read.want_as_of = request->want_as_of;
    if (!request->want_as_of && request->condition == NULL)
        return ERR_NONE;
    enum err err = field_expect(op, request->want_as_of, OP_TAKES_AS_OF, "want_as_of", arena, why);
    if (err == ERR_NONE)
        err = field_expect(op, request->condition != NULL, OP_TAKES_CONDITION, "condition", arena,
                           why);
    return err != ERR_NONE ? err : field_condition(request->condition, &op->condition, why);
}

/* The deadline of a Set. */
static enum err decode_time(const Keystore__V1__KeyValue *request, struct op *op, const char **why)
{
    op->set.keep_ttl = request->keep_ttl;
    if (request->keep_ttl && (request->ttl_ms != 0 || request->expire_at_ms != 0))
        return field_refuse("keep_ttl: it is given with a new time to live; give one of them", why);
    return field_deadline(request->ttl_ms, request->expire_at_ms, op, why);
}

/* For operations such as Append, which use only key and value of a KeyValue. */
static enum err decode_refuse_options(const Keystore__V1__KeyValue *request, struct arena *arena,
                                      const struct op *op, const char **why)
{
    const struct {
        bool given;
        enum op_trait trait;
        const char *name;
    } options[] = {
        {request->ttl_ms != 0, OP_TAKES_TTL, "ttl_ms"},
        {request->expire_at_ms != 0, OP_TAKES_TTL, "expire_at_ms"},
        {request->keep_ttl, OP_TAKES_KEEP_TTL, "keep_ttl"},
        {request->return_previous, OP_TAKES_PREVIOUS, "return_previous"},
        {request->condition != NULL, OP_TAKES_CONDITION, "condition"},
    };
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof options / sizeof *options && err == ERR_NONE; i++)
        err = field_expect(op, options[i].given, options[i].trait, options[i].name, arena, why);
    return err;
}

enum err decode_key_value(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__KeyValue *request = message;
    op->key = field_slice(request->key);
    op->value = field_slice(request->value);
    op->db = request->db;
    if (op->kind != OP_SET) { /* a Set takes them all */
        enum err err = decode_refuse_options(request, arena, op, why);
        if (err != ERR_NONE)
            return err;
    }
    op->set.return_previous = request->return_previous;
    if (request->keep_ttl || request->ttl_ms != 0 || request->expire_at_ms != 0) {
        enum err err = decode_time(request, op, why);
        if (err != ERR_NONE)
            return err;
    }
    return field_condition(request->condition, &op->condition, why);
}

/* One entry of an MSet becomes a Set. */
static enum err decode_entry(const Keystore__V1__KeyValue *entry, struct arena *arena,
                             const struct op *m_set, struct op *op, const char **why)
{
    *op = (struct op){.kind = OP_SET, .now_ms = m_set->now_ms, .max_value = m_set->max_value};
    if (entry->return_previous)
        return field_refuse(
            "return_previous: it means nothing for an entry of MSet; leave it unset", why);
    if (entry->db != 0 && entry->db != m_set->db)
        return field_refuse("db: it differs from that of the message; MSet sets keys of "
                            "one database",
                            why);
    enum err err = decode_key_value(entry, arena, op, why);
    op->db = m_set->db;
    return err;
}

enum err decode_key_values(const void *message, struct arena *arena, struct op *op,
                           const char **why)
{
    const Keystore__V1__KeyValues *request = message;
    if (request->n_entries == 0)
        return field_refuse("entries: it is empty; give at least one key with its value", why);
    op->db = request->db;
    op->op_count = request->n_entries;
    op->ops = arena_unfold(arena, op->op_count * sizeof *op->ops);
    if (op->ops == NULL)
        return field_refuse_memory(arena, why);
    for (size_t i = 0; i < op->op_count; i++) {
        enum err err = decode_entry(request->entries[i], arena, op, &op->ops[i], why);
        if (err != ERR_NONE) {
            *why = field_path_within(arena, *why, "entries[%zu]", i);
            return err;
        }
    }
    return ERR_NONE;
}

/* The increment of a real number. */
static enum err decode_real(const Keystore__V1__Increment *request, struct arena *arena,
                            struct op *op, const char **why)
{
    long double *by = arena_alloc(arena, sizeof *by);
    op->incr.is_real = true;
    op->incr.by_real = by;
    if (request->delta_case == KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT) {
        *by = real_from_double(request->by_float);
        if (!isfinite(*by))
            return field_refuse("by_float: it is not a finite number; give one that is", why);
    } else {
        struct slice text = slice_from_string(request->by_decimal);
        if (!real_parse(text, by) || !isfinite(*by))
            return field_refuse(
                "by_decimal: it is not the text of a finite number; give one such as "
                "\"0.1\", \"-25\" or \"5.0e3\", without blanks",
                why);
    }
    return ERR_NONE;
}

enum err decode_increment(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__Increment *request = message;
    enum err err = ERR_NONE;
    op->key = field_slice(request->key);
    op->db = request->db;
    switch (request->delta_case) {
    case KEYSTORE__V1__INCREMENT__DELTA_BY:
        op->incr.by = request->by;
        break;
    case KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT:
    case KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL:
        err = decode_real(request, arena, op, why);
        break;
    default:
        op->incr.by = 1;
    }
    return err != ERR_NONE ? err : field_deadline(request->ttl_ms, 0, op, why);
}

enum err decode_byte_range(const void *message, struct arena *arena, struct op *op,
                           const char **why)
{
    const Keystore__V1__ByteRange *request = message;
    op->key = field_slice(request->key);
    op->value = field_slice(request->value);
    op->start = request->start;
    op->stop = request->stop;
    op->db = request->db;
    enum err err = field_expect(op, op->value.len > 0, OP_TAKES_VALUE, "value", arena, why);
    return err != ERR_NONE ? err
                           : field_expect(op, op->stop != 0, OP_TAKES_STOP, "stop", arena, why);
}
