/* Reads commands of a Redis log as operations: a table of names, and a function for each form of
 * arguments. Does not check them against the data. */
#include "journal/log/command.h"

#include "base/arena.h"
#include "base/decimal.h"
#include "journal/log/command_keys.h"

/* A command that is being read. */
struct reading {
    const struct slice *args; /* the command's name first */
    size_t count;
    struct arena *arena;
    struct op *op;
    enum command_verdict verdict; /* COMMAND_OP unless a function sets another */
    const char *why;
};

/* Reads the arguments that the row does not cover; false if they have another form. */
typedef bool read_function(struct reading *reading);

/* Arguments that are keys: none, the first, the first two, or those that the function takes. */
enum row_keys { NO_KEY, KEY, PAIR, OTHER_KEYS };

struct row {
    const char *name; /* in capitals */
    size_t least;     /* arguments, with the name */
    size_t most;      /* 0 = any number */
    enum op_kind kind;
    enum row_keys keys;
    read_function *read; /* NULL: there are none */
};

static const char bad_form[] =
    "it has too many or too few arguments, no number where one is expected, or a word that is not "
    "known there";
static const char bad_key[] =
    "its key is empty or longer than 64 KiB; KeyStore has keys of 1 to 65,536 bytes";
static const char relative[] = "its time to live is relative to a time that is not in the log; "
                               "Redis logs absolute deadlines";
static const char foreign[] = "it is for a type or a feature of Redis that KeyStore does not have";
static const char unknown[] =
    "it is no known command of Redis up to 8 or Valkey up to 9, so it may have changed any "
    "key; let that server save a snapshot, and load that instead";

/* ---- arguments ---- */

static bool command_read_unsupported(struct reading *reading, const char *why)
{
    reading->verdict = COMMAND_UNSUPPORTED;
    reading->why = why;
    return true;
}

static bool command_read_is_word(const struct reading *reading, size_t index, const char *word)
{
    return index < reading->count && resp_is_word(reading->args[index], word);
}

static bool command_read_is_number(const struct reading *reading, size_t index, int64_t *number)
{
    return index < reading->count && decimal_parse(reading->args[index], number);
}

static bool command_read_is_database(const struct reading *reading, size_t index, uint32_t *db)
{
    int64_t number;
    if (!command_read_is_number(reading, index, &number) || number < 0 || number > INT32_MAX)
        return false;
    *db = (uint32_t)number;
    return true;
}

static bool command_read_is_end(const struct reading *reading, size_t index, enum op_end *end)
{
    *end = command_read_is_word(reading, index, "LEFT") ? OP_HEAD : OP_TAIL;
    return *end == OP_HEAD || command_read_is_word(reading, index, "RIGHT");
}

/* A point in time in seconds or milliseconds. */
static bool command_read_is_time(const struct reading *reading, size_t index, int64_t factor,
                                 int64_t *at_ms)
{
    return command_read_is_number(reading, index, at_ms) &&
           !__builtin_mul_overflow(*at_ms, factor, at_ms);
}

static bool command_read_is_key(struct slice bytes)
{
    return bytes.len > 0 && bytes.len <= OP_MAX_KEY;
}

/* Takes the arguments after the name, up to `count`, as keys, without those that the store cannot
 * have. */
static void command_read_take_keys(struct reading *reading, size_t count)
{
    struct op *op = reading->op;
    op->keys = arena_alloc(reading->arena, count * sizeof *op->keys);
    op->key_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (command_read_is_key(reading->args[1 + i]))
            op->keys[op->key_count++] = (struct op_key){.bytes = reading->args[1 + i]};
    }
}

/* ---- strings ---- */

static bool command_read_value(struct reading *reading)
{
    reading->op->value = reading->args[2];
    return true;
}

/* Reads the word at *index after a Set's value, and its argument. */
static bool command_read_take_set_word(struct reading *reading, size_t *index)
{
    struct op *op = reading->op;
    if (command_read_is_word(reading, *index, "KEEPTTL"))
        op->set.keep_ttl = true;
    else if (command_read_is_word(reading, *index, "NX"))
        op->condition.existence = EXISTENCE_ABSENT;
    else if (command_read_is_word(reading, *index, "XX"))
        op->condition.existence = EXISTENCE_PRESENT;
    else if (command_read_is_word(reading, *index, "PXAT"))
        return command_read_is_time(reading, ++*index, 1, &op->expire_at_ms) &&
               op->expire_at_ms > 0;
    else if (command_read_is_word(reading, *index, "EXAT"))
        return command_read_is_time(reading, ++*index, 1000, &op->expire_at_ms) &&
               op->expire_at_ms > 0;
    else
        return command_read_is_word(reading, *index, "GET"); /* the answer does not matter */
    return true;
}

static bool command_read_computed(struct reading *reading)
{
    reading->verdict = COMMAND_COMPUTED;
    return true;
}

/* Conditions on the value, of Valkey and Redis 8. */
static bool command_read_is_condition(const struct reading *reading, size_t index)
{
    return command_read_is_word(reading, index, "IFEQ") ||
           command_read_is_word(reading, index, "IFNE") ||
           command_read_is_word(reading, index, "IFDEQ") ||
           command_read_is_word(reading, index, "IFDNE");
}

static bool command_read_set(struct reading *reading)
{
    reading->op->value = reading->args[2];
    for (size_t i = 3; i < reading->count; i++) {
        if (command_read_is_word(reading, i, "EX") || command_read_is_word(reading, i, "PX"))
            return command_read_unsupported(reading, relative);
        if (command_read_is_condition(reading, i)) {
            if (++i == reading->count)
                return false;
            command_read_computed(reading);
        } else if (!command_read_take_set_word(reading, &i)) {
            return false;
        }
    }
    return true;
}

/* The operation is one of the Sets, without its key and value. Its condition does not matter: the
 * command is only logged if it took place. */
static bool command_read_msetex(struct reading *reading)
{
    int64_t pairs;
    if (!command_read_is_number(reading, 1, &pairs) || pairs < 1 ||
        (uint64_t)pairs > (reading->count - 2) / 2)
        return false;
    for (size_t i = 2; i < 2 + 2 * (size_t)pairs; i += 2) {
        if (!command_read_is_key(reading->args[i]))
            return command_read_unsupported(reading, bad_key);
    }
    for (size_t i = 2 + 2 * (size_t)pairs; i < reading->count; i++) {
        if (command_read_is_word(reading, i, "EX") || command_read_is_word(reading, i, "PX"))
            return command_read_unsupported(reading, relative);
        if (!command_read_take_set_word(reading, &i))
            return false;
    }
    reading->op->condition.existence = EXISTENCE_ANY;
    return command_read_computed(reading);
}

static bool command_read_setnx(struct reading *reading)
{
    reading->op->condition.existence = EXISTENCE_ABSENT;
    return command_read_value(reading);
}

/* MSETNX is only logged if it took place. */
static bool command_read_mset(struct reading *reading)
{
    size_t count = reading->count / 2;
    struct op *sets = arena_alloc(reading->arena, count * sizeof *sets);
    for (size_t i = 0; i < count; i++) {
        const struct slice *pair = &reading->args[1 + 2 * i];
        sets[i] =
            (struct op){.kind = OP_SET, .db = reading->op->db, .key = pair[0], .value = pair[1]};
        if (!command_read_is_key(pair[0]))
            return command_read_unsupported(reading, bad_key);
    }
    reading->op->ops = sets;
    reading->op->op_count = count;
    return reading->count % 2 == 1;
}

static bool command_read_setrange(struct reading *reading)
{
    reading->op->value = reading->args[3];
    return command_read_is_number(reading, 2, &reading->op->start) && reading->op->start >= 0;
}

static bool command_read_is_bit(const struct reading *reading, size_t index, int64_t *offset)
{
    return command_read_is_number(reading, index, offset) && *offset >= 0 && *offset <= UINT32_MAX;
}

static bool command_read_setbit(struct reading *reading)
{
    struct op *op = reading->op;
    int64_t bit;
    if (!command_read_is_bit(reading, 2, &op->start) || !command_read_is_number(reading, 3, &bit) ||
        bit < 0 || bit > 1)
        return false;
    op->bits.bit = bit != 0;
    return true;
}

/* Reads type and offset at `index`, such as "i16" and "#3": the fourth of its width. */
static bool command_read_field(struct reading *reading, size_t index, struct op_field *field)
{
    int64_t bits, offset;
    if (index + 1 >= reading->count || reading->args[index].len == 0)
        return false;
    struct slice type = reading->args[index], at = reading->args[index + 1];
    bool scaled = at.len > 0 && at.data[0] == '#';
    field->is_signed = (type.data[0] | 0x20) == 'i';
    if (!(field->is_signed || (type.data[0] | 0x20) == 'u') ||
        !decimal_parse(slice_skip(type, 1), &bits) || bits < 1 ||
        bits > (field->is_signed ? 64 : 63) || !decimal_parse(slice_skip(at, scaled), &offset) ||
        offset < 0 || offset > UINT32_MAX)
        return false;
    field->bits = (uint8_t)bits;
    field->offset = (uint64_t)offset * (scaled ? (uint64_t)bits : 1);
    return field->offset + field->bits <= (uint64_t)UINT32_MAX + 1;
}

/* The word after OVERFLOW. */
static enum op_overflow command_read_overflow_at(const struct reading *reading, size_t index)
{
    if (command_read_is_word(reading, index, "SAT"))
        return OP_OVERFLOW_SATURATE;
    return command_read_is_word(reading, index, "FAIL") ? OP_OVERFLOW_FAIL : OP_OVERFLOW_WRAP;
}

static bool command_read_bitfield(struct reading *reading)
{
    struct op_field *fields = arena_alloc(reading->arena, reading->count * sizeof *fields);
    size_t count = 0;
    enum op_overflow overflow = OP_OVERFLOW_WRAP;
    for (size_t i = 2; i < reading->count;) {
        struct op_field *field = &fields[count];
        *field = (struct op_field){.overflow = overflow};
        if (command_read_is_word(reading, i, "OVERFLOW")) {
            overflow = command_read_overflow_at(reading, i + 1);
            i += 2;
            continue;
        }
        bool increments = command_read_is_word(reading, i, "INCRBY");
        bool writes = increments || command_read_is_word(reading, i, "SET");
        if ((!writes && !command_read_is_word(reading, i, "GET")) ||
            !command_read_field(reading, i + 1, field) ||
            (writes && !command_read_is_number(reading, i + 3, &field->value)))
            return false;
        field->action = increments ? OP_FIELD_INCREMENT : writes ? OP_FIELD_SET : OP_FIELD_GET;
        i += writes ? 4 : 3;
        count++;
    }
    reading->op->parts.fields = fields;
    reading->op->parts.field_count = count;
    if (count == 0)
        reading->verdict = COMMAND_NOTHING;
    return true;
}

static bool command_read_increment(struct reading *reading)
{
    int64_t *by = &reading->op->incr.by;
    *by = 1;
    if (reading->count > 2 && !command_read_is_number(reading, 2, by))
        return false;
    if (command_read_is_word(reading, 0, "DECR") || command_read_is_word(reading, 0, "DECRBY"))
        return !__builtin_sub_overflow(0, *by, by);
    return true;
}

/* ---- keys ---- */

static bool command_read_delete(struct reading *reading)
{
    struct op *op = reading->op;
    command_read_take_keys(reading, reading->count - 1);
    if (op->key_count == 0)
        reading->verdict = COMMAND_NOTHING;
    else if (reading->count > 2)
        op->kind = OP_DELETE_MANY;
    else
        op->key = op->keys[0].bytes;
    return true;
}

static bool command_read_delex(struct reading *reading)
{
    if (reading->count == 2)
        return true;
    return command_read_is_condition(reading, 2) && command_read_computed(reading);
}

static bool command_read_swap(struct reading *reading)
{
    return command_read_is_database(reading, 1, &reading->op->db) &&
           command_read_is_database(reading, 2, &reading->op->target_db);
}

/* The word after a deadline, which Redis logs although its condition held. */
static bool command_read_take_when(struct reading *reading)
{
    static const struct {
        const char *word;
        enum op_when when;
    } words[] = {{"NX", OP_NO_EXPIRY}, {"XX", OP_HAS_EXPIRY}, {"GT", OP_LATER}, {"LT", OP_SOONER}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (command_read_is_word(reading, 3, words[i].word)) {
            reading->op->expire.when = words[i].when;
            return true;
        }
    }
    return reading->count == 3;
}

static bool command_read_expire(struct reading *reading)
{
    int64_t factor = command_read_is_word(reading, 0, "EXPIREAT") ? 1000 : 1;
    return command_read_is_time(reading, 2, factor, &reading->op->expire_at_ms) &&
           command_read_take_when(reading);
}

static bool command_read_persist(struct reading *reading)
{
    reading->op->expire.persist = true;
    return true;
}

static bool command_read_renamenx(struct reading *reading)
{
    reading->op->copy.absent_only = true;
    return true;
}

/* To the same key of another database. */
static bool command_read_move(struct reading *reading)
{
    reading->op->copy.absent_only = true;
    reading->op->target.bytes = reading->op->key;
    return command_read_is_database(reading, 2, &reading->op->target_db);
}

static bool command_read_copy(struct reading *reading)
{
    for (size_t i = 3; i < reading->count; i++) {
        if (command_read_is_word(reading, i, "REPLACE"))
            reading->op->copy.replace = true;
        else if (!command_read_is_word(reading, i, "DB") ||
                 !command_read_is_database(reading, ++i, &reading->op->target_db))
            return false;
    }
    return true;
}

/* How it frees memory does not matter. */
static bool command_read_flush(struct reading *reading)
{
    if (command_read_is_word(reading, 0, "FLUSHALL"))
        reading->verdict = COMMAND_FLUSH_ALL;
    return reading->count == 1 || command_read_is_word(reading, 1, "ASYNC") ||
           command_read_is_word(reading, 1, "SYNC");
}

/* ---- lists ---- */

static bool command_read_push(struct reading *reading)
{
    reading->op->values = reading->args + 2;
    reading->op->value_count = reading->count - 2;
    return true;
}

static bool command_read_pushx(struct reading *reading)
{
    reading->op->condition.existence = EXISTENCE_PRESENT;
    return command_read_push(reading);
}

/* With a count, or for one element. */
static bool command_read_pop(struct reading *reading)
{
    struct op *op = reading->op;
    if (reading->count == 2)
        return true;
    op->move.end = op->kind == OP_L_POP ? OP_HEAD : OP_TAIL;
    op->kind = OP_LIST_POP;
    if (!command_read_is_number(reading, 2, &op->count) || op->count < 0)
        return false;
    if (op->count == 0)
        reading->verdict = COMMAND_NOTHING;
    command_read_take_keys(reading, 1);
    return true;
}

static bool command_read_rpoplpush(struct reading *reading)
{
    reading->op->move.end = OP_TAIL;
    reading->op->move.target_end = OP_HEAD;
    return true;
}

static bool command_read_lmove(struct reading *reading)
{
    return command_read_is_end(reading, 3, &reading->op->move.end) &&
           command_read_is_end(reading, 4, &reading->op->move.target_end);
}

static bool command_read_lset(struct reading *reading)
{
    reading->op->value = reading->args[3];
    return command_read_is_number(reading, 2, &reading->op->index);
}

static bool command_read_linsert(struct reading *reading)
{
    reading->op->insert.pivot = reading->args[3];
    reading->op->value = reading->args[4];
    reading->op->insert.after = command_read_is_word(reading, 2, "AFTER");
    return reading->op->insert.after || command_read_is_word(reading, 2, "BEFORE");
}

static bool command_read_lrem(struct reading *reading)
{
    reading->op->value = reading->args[3];
    return command_read_is_number(reading, 2, &reading->op->count);
}

static bool command_read_ltrim(struct reading *reading)
{
    return command_read_is_number(reading, 2, &reading->op->start) &&
           command_read_is_number(reading, 3, &reading->op->stop);
}

/* ---- the others ---- */

static bool command_read_nothing(struct reading *reading)
{
    reading->verdict = COMMAND_NOTHING;
    return true;
}

static bool command_read_relative(struct reading *reading)
{
    return command_read_unsupported(reading, relative);
}

/* Commands that store a result: Redis does not bound the length of their destination keys. */
static bool command_read_stored(struct reading *reading)
{
    struct scan_command command = {.args = reading->args, .count = reading->count};
    struct slice *keys;
    size_t count;
    if (!command_keys(&command, reading->arena, &keys, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!command_read_is_key(keys[i]))
            return command_read_unsupported(reading, bad_key);
    }
    return command_read_computed(reading);
}

/* The most frequent ones first. */
static const struct row rows[] = {
    {"SET", 3, 0, OP_SET, KEY, command_read_set},
    {"LPUSH", 3, 0, OP_L_PUSH, KEY, command_read_push},
    {"RPUSH", 3, 0, OP_R_PUSH, KEY, command_read_push},
    {"LPOP", 2, 3, OP_L_POP, KEY, command_read_pop},
    {"RPOP", 2, 3, OP_R_POP, KEY, command_read_pop},
    {"DEL", 2, 0, OP_DELETE, OTHER_KEYS, command_read_delete},
    {"INCRBY", 3, 3, OP_INCR, KEY, command_read_increment},
    {"PEXPIREAT", 3, 4, OP_EXPIRE, KEY, command_read_expire},
    {"INCR", 2, 2, OP_INCR, KEY, command_read_increment},
    {"DECR", 2, 2, OP_INCR, KEY, command_read_increment},
    {"DECRBY", 3, 3, OP_INCR, KEY, command_read_increment},
    {"APPEND", 3, 3, OP_APPEND, KEY, command_read_value},
    {"SETRANGE", 4, 4, OP_SET_RANGE, KEY, command_read_setrange},
    {"MSET", 3, 0, OP_M_SET, OTHER_KEYS, command_read_mset},
    {"MSETNX", 3, 0, OP_M_SET, OTHER_KEYS, command_read_mset},
    {"SETNX", 3, 3, OP_SET, KEY, command_read_setnx},
    {"GETSET", 3, 3, OP_SET, KEY, command_read_value},
    {"UNLINK", 2, 0, OP_DELETE, OTHER_KEYS, command_read_delete},
    {"EXPIREAT", 3, 4, OP_EXPIRE, KEY, command_read_expire},
    {"PERSIST", 2, 2, OP_EXPIRE, KEY, command_read_persist},
    {"RENAME", 3, 3, OP_RENAME, PAIR, NULL},
    {"RENAMENX", 3, 3, OP_RENAME, PAIR, command_read_renamenx},
    {"MOVE", 3, 3, OP_RENAME, KEY, command_read_move},
    {"COPY", 3, 0, OP_COPY, PAIR, command_read_copy},
    {"LPUSHX", 3, 0, OP_L_PUSH, KEY, command_read_pushx},
    {"RPUSHX", 3, 0, OP_R_PUSH, KEY, command_read_pushx},
    {"RPOPLPUSH", 3, 3, OP_L_MOVE, PAIR, command_read_rpoplpush},
    {"LMOVE", 5, 5, OP_L_MOVE, PAIR, command_read_lmove},
    {"LSET", 4, 4, OP_L_SET, KEY, command_read_lset},
    {"LINSERT", 5, 5, OP_L_INSERT, KEY, command_read_linsert},
    {"LREM", 4, 4, OP_L_REM, KEY, command_read_lrem},
    {"LTRIM", 4, 4, OP_L_TRIM, KEY, command_read_ltrim},
    {"FLUSHDB", 1, 2, OP_FLUSH_DB, NO_KEY, command_read_flush},
    {"FLUSHALL", 1, 2, OP_FLUSH_DB, NO_KEY, command_read_flush},
    {"SETBIT", 4, 4, OP_SET_BIT, KEY, command_read_setbit},
    {"BITFIELD", 2, 0, OP_BIT_FIELD, KEY, command_read_bitfield},
    {"BITOP", 4, 0, OP_COUNT, OTHER_KEYS, command_read_stored},
    {"SORT", 2, 0, OP_COUNT, OTHER_KEYS, command_read_stored},
    {"RESTORE", 4, 0, OP_COUNT, KEY, command_read_computed},
    {"RESTORE-ASKING", 4, 0, OP_COUNT, KEY, command_read_computed},
    {"SWAPDB", 3, 3, OP_SWAP_DB, NO_KEY, command_read_swap},
    {"GETDEL", 2, 2, OP_DELETE, KEY, NULL},
    {"DELIFEQ", 3, 3, OP_DELETE, KEY, command_read_computed},
    {"DELEX", 2, 4, OP_DELETE, KEY, command_read_delex},
    {"MSETEX", 4, 0, OP_SET, OTHER_KEYS, command_read_msetex},
    {"SCRIPT", 2, 0, OP_COUNT, NO_KEY, command_read_nothing},
    {"PING", 1, 2, OP_COUNT, NO_KEY, command_read_nothing},
    {"PUBLISH", 3, 3, OP_COUNT, NO_KEY, command_read_nothing},
    {"SPUBLISH", 3, 3, OP_COUNT, NO_KEY, command_read_nothing},
    {"SETEX", 4, 4, OP_COUNT, NO_KEY, command_read_relative},
    {"PSETEX", 4, 4, OP_COUNT, NO_KEY, command_read_relative},
    {"EXPIRE", 3, 4, OP_COUNT, NO_KEY, command_read_relative},
    {"PEXPIRE", 3, 4, OP_COUNT, NO_KEY, command_read_relative},
};

static const struct row *command_read_find_row(struct slice name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (resp_is_word(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static bool command_read_row(struct reading *reading, const struct row *row)
{
    if (reading->count < row->least || (row->most > 0 && reading->count > row->most))
        return false;
    reading->op->kind = row->kind;
    if (row->keys == KEY || row->keys == PAIR) {
        reading->op->key = reading->args[1];
        if (!command_read_is_key(reading->op->key))
            return command_read_unsupported(reading, bad_key);
    }
    if (row->keys == PAIR) {
        reading->op->target.bytes = reading->args[2];
        if (!command_read_is_key(reading->op->target.bytes))
            return command_read_unsupported(reading, bad_key);
    }
    return row->read == NULL || row->read(reading);
}

enum command_verdict command_read(const struct scan_command *command, struct arena *arena,
                                  struct op *op, const char **why)
{
    struct reading reading = {
        .args = command->args, .count = command->count, .arena = arena, .op = op};
    const struct row *row = command_read_find_row(command->args[0]);
    *op = (struct op){.db = command->db, .target_db = command->db};
    if (row == NULL) {
        struct slice *keys;
        size_t count;
        bool known = command_keys(command, arena, &keys, &count);
        command_read_unsupported(&reading, known ? foreign : unknown);
        if (!known)
            reading.verdict = COMMAND_UNKNOWN;
    } else if (!command_read_row(&reading, row)) {
        reading.verdict = COMMAND_BAD;
        reading.why = bad_form;
    }
    *why = reading.why;
    return reading.verdict;
}
