/* The requests about lists: from protobuf-c's structs to struct op. */
#include "service/decode.h"
#include "service/field.h"

/* Keys that a call may wait for. */
#define MOST_WAITED 1000

enum err decode_list_insert(const void *message, struct arena *arena, struct op *op,
                            const char **why)
{
    const Keystore__V1__ListInsert *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    op->push.max_length = request->max_length;
    if (request->n_values == 0)
        return field_refuse("values: it is empty; give at least one value to push", why);
    if (request->condition != NULL && request->condition->match_value)
        return field_refuse("condition.match_value: it compares strings; a list has none", why);
    op->values = field_slices(request->values, request->n_values, arena);
    if (op->values == NULL)
        return field_refuse_memory(arena, why);
    op->value_count = request->n_values;
    enum err err = field_deadline(request->ttl_ms, 0, op, why);
    return err != ERR_NONE ? err : field_condition(request->condition, &op->condition, why);
}

enum err decode_list_range(const void *message, struct arena *arena, struct op *op,
                           const char **why)
{
    (void)arena;
    const Keystore__V1__ListRange *request = message;
    op->key = field_slice(request->key);
    op->start = request->start;
    op->stop = request->stop;
    op->db = request->db;
    if (request->page_bytes != 0)
        return field_refuse("page_bytes: it is for StreamList; leave it unset in this call", why);
    return ERR_NONE;
}

/* LIndex reads at an index, LSet writes there, LInsert has a pivot instead. */
enum err decode_list_item(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__ListItem *request = message;
    op->key = field_slice(request->key);
    op->value = field_slice(request->value);
    op->insert.pivot = field_slice(request->pivot);
    op->index = request->index;
    op->insert.after = request->after;
    op->db = request->db;
    enum err err = field_expect(op, op->index != 0, OP_TAKES_INDEX, "index", arena, why);
    if (err == ERR_NONE)
        err = field_expect(op, op->insert.pivot.len > 0, OP_TAKES_PIVOT, "pivot", arena, why);
    if (err == ERR_NONE)
        err = field_expect(op, op->insert.after, OP_TAKES_AFTER, "after", arena, why);
    if (err == ERR_NONE)
        err = field_expect(op, op->value.len > 0, OP_TAKES_VALUE, "value", arena, why);
    return err;
}

static enum err decode_lists_check_pos(const struct op *op, const char **why)
{
    if (op->count < 0)
        return field_refuse("count: it is negative; it is how many matches are wanted, 0 = all",
                            why);
    if (op->pos.rank == INT64_MIN)
        return field_refuse("rank: it is out of range; it is -(2^63 - 1) at least", why);
    return ERR_NONE;
}

enum err decode_list_find(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__ListFind *request = message;
    op->key = field_slice(request->key);
    op->value = field_slice(request->value);
    op->count = request->count;
    op->pos.rank = request->rank;
    op->pos.max_scan = request->max_scan;
    op->db = request->db;
    if (op->kind == OP_L_POS)
        return decode_lists_check_pos(op, why);
    if (op->count == INT64_MIN)
        return field_refuse("count: it is out of range; it is -(2^63 - 1) at least", why);
    enum err err = field_expect(op, op->pos.rank != 0, OP_TAKES_RANK, "rank", arena, why);
    return err != ERR_NONE
               ? err
               : field_expect(op, op->pos.max_scan != 0, OP_TAKES_MAX_SCAN, "max_scan", arena, why);
}

static enum err decode_lists_end(Keystore__V1__ListEnd message, const char *refusal,
                                 enum op_end *end, const char **why)
{
    switch ((int)message) {
    case KEYSTORE__V1__LIST_END__LIST_END_UNSPECIFIED:
    case KEYSTORE__V1__LIST_END__LIST_END_HEAD:
        *end = OP_HEAD;
        return ERR_NONE;
    case KEYSTORE__V1__LIST_END__LIST_END_TAIL:
        *end = OP_TAIL;
        return ERR_NONE;
    default:
        return field_refuse(refusal, why);
    }
}

static enum err decode_lists_wait(int64_t wait_ms, struct arena *arena, struct op *op,
                                  const char **why)
{
    if (wait_ms < -1)
        return field_refuse(
            "wait_ms: it is negative; it is how many milliseconds to wait for a list, 0 "
            "= not at all, or -1 = until the call's deadline",
            why);
    if (wait_ms != 0) {
        op->move.take = arena_alloc(arena, sizeof *op->move.take);
        *op->move.take = (struct op_take){.wait_ms = wait_ms};
    }
    return ERR_NONE;
}

/* What a call keeps while it waits is limited. */
static enum err decode_lists_check_wait(const struct op *op, const char **why)
{
    size_t bytes = 0;
    for (size_t i = 0; i < op->key_count; i++)
        bytes += op->keys[i].bytes.len;
    if (!op_waits(op) || (op->key_count <= MOST_WAITED && bytes <= OP_MAX_KEY))
        return ERR_NONE;
    return field_refuse(
        "keys: there are too many; a call that waits may name 1000, of 64 KiB in all", why);
}

enum err decode_pop_request(const void *message, struct arena *arena, struct op *op,
                            const char **why)
{
    const Keystore__V1__PopRequest *request = message;
    op->db = request->db;
    op->count = request->count;
    enum err err = decode_lists_end(request->end,
                                    "end: there is no such value; it is 0 or 1 (head), or 2 (tail)",
                                    &op->move.end, why);
    if (err == ERR_NONE)
        err = decode_lists_wait(request->wait_ms, arena, op, why);
    if (err == ERR_NONE)
        err = field_keys(request->keys, request->n_keys, arena, op, why);
    return err != ERR_NONE ? err : decode_lists_check_wait(op, why);
}

enum err decode_move_request(const void *message, struct arena *arena, struct op *op,
                             const char **why)
{
    const Keystore__V1__MoveRequest *request = message;
    op->key = field_slice(request->source);
    op->target.bytes = field_slice(request->target);
    op->db = op->target_db = request->db;
    enum err err = decode_lists_end(
        request->source_end, "source_end: there is no such value; it is 0 or 1 (head), or 2 (tail)",
        &op->move.end, why);
    if (err == ERR_NONE)
        err =
            decode_lists_end(request->target_end,
                             "target_end: there is no such value; it is 0 or 1 (head), or 2 (tail)",
                             &op->move.target_end, why);
    return err != ERR_NONE ? err : decode_lists_wait(request->wait_ms, arena, op, why);
}
