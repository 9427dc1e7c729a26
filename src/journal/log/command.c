/* Writes changes of the store as commands in RESP. It runs within each write, under locks: so it
 * makes one pass, and reserves memory once. */
#include "journal/log/command.h"

#include "base/check.h"
#include "base/decimal.h"

/* Bytes of the longest line: '*' or '$', a number, "\r\n". */
#define LINE_BYTES (1 + DECIMAL_MAX + 2)
/* Bytes of an argument besides its own. */
#define ARGUMENT_BYTES (LINE_BYTES + 2)

/* The first line of a command and its name, whose length is `len`; both as text. */
#define HEAD(arguments, len, name) SLICE_LITERAL("*" arguments "\r\n$" len "\r\n" name "\r\n")

static uint8_t *command_put(uint8_t *out, struct slice bytes)
{
    if (bytes.len > 0)
        memcpy(out, bytes.data, bytes.len);
    return out + bytes.len;
}

static uint8_t *command_put_line_end(uint8_t *out)
{
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static uint8_t *command_put_line(uint8_t *out, char type, size_t number)
{
    uint8_t digits[DECIMAL_MAX];
    *out++ = (uint8_t)type;
    if (number < 10)
        *out++ = (uint8_t)('0' + number);
    else
        out = command_put(out, decimal_write((int64_t)number, digits));
    return command_put_line_end(out);
}

static uint8_t *command_put_arguments(uint8_t *out, const struct slice *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out = command_put_line(out, '$', arguments[i].len);
        out = command_put_line_end(command_put(out, arguments[i]));
    }
    return out;
}

static size_t command_size_of(const struct slice *arguments, size_t count)
{
    size_t size = count * ARGUMENT_BYTES;
    for (size_t i = 0; i < count; i++)
        size += arguments[i].len;
    return size;
}

/* Appends the head and as many arguments as it announces. */
static bool command_append_words(struct buf *out, struct slice head, const struct slice *arguments,
                                 size_t count)
{
    uint8_t *at = buf_reserve(out, head.len + command_size_of(arguments, count));
    if (at == NULL)
        return false;
    at = command_put_arguments(command_put(at, head), arguments, count);
    out->len = (size_t)(at - out->data);
    return true;
}

static bool command_append_key(struct buf *out, struct slice head, struct slice key)
{
    return command_append_words(out, head, &key, 1);
}

static bool command_append_two(struct buf *out, struct slice head, struct slice key,
                               struct slice second)
{
    return command_append_words(out, head, (struct slice[]){key, second}, 2);
}

static bool command_append_number(struct buf *out, struct slice head, struct slice key,
                                  int64_t number)
{
    uint8_t digits[DECIMAL_MAX];
    return command_append_two(out, head, key, decimal_write(number, digits));
}

static bool command_append_number_and_value(struct buf *out, struct slice head, struct slice key,
                                            int64_t number, struct slice value)
{
    uint8_t digits[DECIMAL_MAX];
    return command_append_words(out, head,
                                (struct slice[]){key, decimal_write(number, digits), value}, 3);
}

static bool command_append_set(struct buf *out, const struct op *set)
{
    uint8_t digits[DECIMAL_MAX];
    if (set->set.keep_ttl)
        return command_append_words(
            out, HEAD("4", "3", "SET"),
            (struct slice[]){set->key, set->value, SLICE_LITERAL("KEEPTTL")}, 3);
    if (set->expire_at_ms == 0)
        return command_append_two(out, HEAD("3", "3", "SET"), set->key, set->value);
    return command_append_words(out, HEAD("5", "3", "SET"),
                                (struct slice[]){set->key, set->value, SLICE_LITERAL("PXAT"),
                                                 decimal_write(set->expire_at_ms, digits)},
                                4);
}

static bool command_append_expire(struct buf *out, const struct op *expire)
{
    if (expire->expire.persist)
        return command_append_key(out, HEAD("2", "7", "PERSIST"), expire->key);
    return command_append_number(out, HEAD("3", "9", "PEXPIREAT"), expire->key,
                                 expire->expire_at_ms);
}

static bool command_append_copy(struct buf *out, const struct op *copy)
{
    uint8_t digits[DECIMAL_MAX];
    struct slice arguments[] = {copy->key, copy->target.bytes, SLICE_LITERAL("DB"),
                                decimal_write(copy->target_db, digits), SLICE_LITERAL("REPLACE")};
    return command_append_words(out, HEAD("6", "4", "COPY"), arguments, 5);
}

/* `name` is an argument. */
static bool command_append_push(struct buf *out, struct slice name, const struct op *push)
{
    size_t size = LINE_BYTES + name.len + command_size_of(&push->key, 1);
    uint8_t *at = buf_reserve(out, size + command_size_of(push->values, push->value_count));
    if (at == NULL)
        return false;
    at = command_put(command_put_line(at, '*', 2 + push->value_count), name);
    at = command_put_arguments(at, &push->key, 1);
    at = command_put_arguments(at, push->values, push->value_count);
    out->len = (size_t)(at - out->data);
    return true;
}

static bool command_append_list_pop(struct buf *out, const struct op *pop)
{
    return command_append_number(
        out, pop->move.end == OP_HEAD ? HEAD("3", "4", "LPOP") : HEAD("3", "4", "RPOP"),
        pop->keys[0].bytes, pop->count);
}

static struct slice command_name_of(enum op_end end)
{
    return end == OP_HEAD ? SLICE_LITERAL("LEFT") : SLICE_LITERAL("RIGHT");
}

static bool command_append_l_move(struct buf *out, const struct op *move)
{
    struct slice arguments[] = {move->key, move->target.bytes, command_name_of(move->move.end),
                                command_name_of(move->move.target_end)};
    return command_append_words(out, HEAD("5", "5", "LMOVE"), arguments, 4);
}

static bool command_append_l_insert(struct buf *out, const struct op *insert)
{
    struct slice where = insert->insert.after ? SLICE_LITERAL("AFTER") : SLICE_LITERAL("BEFORE");
    struct slice arguments[] = {insert->key, where, insert->insert.pivot, insert->value};
    return command_append_words(out, HEAD("5", "7", "LINSERT"), arguments, 4);
}

static bool command_append_l_rem(struct buf *out, const struct op *remove)
{
    /* Redis refuses the one count that cannot be negated. */
    int64_t count = remove->count == INT64_MIN ? -INT64_MAX : remove->count;
    return command_append_number_and_value(out, HEAD("4", "4", "LREM"), remove->key, count,
                                           remove->value);
}

static bool command_append_l_trim(struct buf *out, const struct op *trim)
{
    uint8_t digits[DECIMAL_MAX];
    return command_append_number_and_value(out, HEAD("4", "5", "LTRIM"), trim->key, trim->start,
                                           decimal_write(trim->stop, digits));
}

static bool command_append_delete(struct buf *out, const struct op *delete)
{
    return command_append_key(out, HEAD("2", "3", "DEL"), delete->key);
}

static bool command_append_incr(struct buf *out, const struct op *incr)
{
    return command_append_number(out, HEAD("3", "6", "INCRBY"), incr->key, incr->incr.by);
}

static bool command_append_append(struct buf *out, const struct op *change)
{
    return command_append_two(out, HEAD("3", "6", "APPEND"), change->key, change->value);
}

static bool command_append_set_range(struct buf *out, const struct op *set)
{
    return command_append_number_and_value(out, HEAD("4", "8", "SETRANGE"), set->key, set->start,
                                           set->value);
}

static bool command_append_rename(struct buf *out, const struct op *rename)
{
    return command_append_two(out, HEAD("3", "6", "RENAME"), rename->key, rename->target.bytes);
}

static bool command_append_l_push(struct buf *out, const struct op *push)
{
    return command_append_push(out, SLICE_LITERAL("$5\r\nLPUSH\r\n"), push);
}

static bool command_append_r_push(struct buf *out, const struct op *push)
{
    return command_append_push(out, SLICE_LITERAL("$5\r\nRPUSH\r\n"), push);
}

static bool command_append_l_set(struct buf *out, const struct op *set)
{
    return command_append_number_and_value(out, HEAD("4", "4", "LSET"), set->key, set->index,
                                           set->value);
}

static bool command_append_flush_db(struct buf *out, const struct op *flush)
{
    (void)flush;
    return command_append_words(out, HEAD("1", "7", "FLUSHDB"), NULL, 0);
}

static bool command_append_swap_db(struct buf *out, const struct op *swap)
{
    uint8_t one[DECIMAL_MAX], other[DECIMAL_MAX];
    return command_append_two(out, HEAD("3", "6", "SWAPDB"), decimal_write(swap->db, one),
                              decimal_write(swap->target_db, other));
}

/* For kinds that the change stream does not have: their row of the table is wrong. */
static bool command_append_none(struct buf *out, const struct op *change)
{
    (void)out;
    (void)change;
    CHECK_NEVER("a change is of a kind that writes, and of none that becomes another one");
}

bool command_append(struct buf *out, const struct op *change)
{
    static bool (*const functions[OP_COUNT])(struct buf *, const struct op *) = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, log, ...)     \
    [OP_##kind] = command_append_##log,
#include "store/operations.def"
#undef OPERATION
    };
    return functions[change->kind](out, change);
}

bool command_append_select(struct buf *out, uint32_t db)
{
    uint8_t digits[DECIMAL_MAX];
    return command_append_key(out, HEAD("2", "6", "SELECT"), decimal_write(db, digits));
}
