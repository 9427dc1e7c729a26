/* What a step names, and how it reads. Knows no server. */
#include "step.h"

#include "universe.h"

#include <mini_redis.pb-c.h>

#include <ctype.h>
#include <stddef.h>

/* ---- keys ---- */

/* Of the many, those that fit. */
struct named {
    struct step_key *keys;
    size_t most;
    size_t count;
};

static void add(struct named *named, uint32_t db, struct keystore_slice key,
                const struct keystore_condition *condition)
{
    if (named->count < named->most)
        named->keys[named->count] = (struct step_key){db, key, condition};
    named->count++;
}

static void add_all(struct named *named, const struct keystore_slice *keys, size_t count,
                    uint32_t db)
{
    for (size_t i = 0; i < count; i++)
        add(named, db, keys[i], NULL);
}

static void add_keys(struct named *named, const struct keystore_op *op)
{
    add_all(named, op->request.keys.keys, op->request.keys.count, op->request.keys.db);
}

static void add_entries(struct named *named, const struct keystore_op *op)
{
    const struct keystore_key_values *request = &op->request.key_values;
    for (size_t i = 0; i < request->count; i++)
        add(named, request->db, request->entries[i].key, request->entries[i].condition);
}

static void add_operands(struct named *named, const struct keystore_op *op)
{
    const struct keystore_bit_op_request *request = &op->request.bit_op_request;
    add_all(named, request->keys, request->key_count, request->db);
}

static void add_copy(struct named *named, const struct keystore_op *op)
{
    const struct keystore_copy_request *request = &op->request.copy;
    add(named, request->has_target_db ? request->target_db : request->db, request->target, NULL);
}

static void add_lists(struct named *named, const struct keystore_op *op)
{
    add_all(named, op->request.pop.keys, op->request.pop.key_count, op->request.pop.db);
}

static void add_target(struct named *named, const struct keystore_op *op)
{
    add(named, op->request.move.db, op->request.move.target, NULL);
}

static void add_other_key(struct named *named, const struct keystore_op *op)
{
    add(named, op->request.lcs_request.db, op->request.lcs_request.other_key, NULL);
}

/* ---- text ---- */

static void print_value(FILE *out, const char *name, struct keystore_slice value)
{
    const unsigned char *bytes = value.data;
    fprintf(out, " %s=\"", name);
    for (size_t i = 0; i < value.len && i < 24; i++) {
        if (isprint(bytes[i]) && bytes[i] != '"' && bytes[i] != '\\')
            fputc(bytes[i], out);
        else
            fprintf(out, "\\x%02x", bytes[i]);
    }
    fprintf(out, value.len > 24 ? "...\"(%zu)" : "\"", value.len);
}

static void print_condition(FILE *out, const struct keystore_condition *condition)
{
    static const char *const wishes[] = {"", " version=right", " version=stale", " version=wrong"};
    if (condition == NULL)
        return;
    fprintf(out, " if(%s%s",
            condition->existence == KEYSTORE_ABSENT    ? "absent"
            : condition->existence == KEYSTORE_PRESENT ? "present"
                                                       : "any",
            wishes[((const struct step_condition *)condition)->wish]);
    if (((const struct step_condition *)condition)->right_value)
        fputs(" value=right", out);
    else if (condition->match_value)
        print_value(out, "value", condition->value);
    fputc(')', out);
}

static void print_number(FILE *out, const char *name, int64_t number)
{
    if (number != 0)
        fprintf(out, " %s=%lld", name, (long long)number);
}

static void print_flag(FILE *out, const char *name, bool flag)
{
    if (flag)
        fprintf(out, " %s", name);
}

static void print_range(FILE *out, int64_t start, int64_t stop)
{
    fprintf(out, " start=%lld stop=%lld", (long long)start, (long long)stop);
}

static void print_entry(FILE *out, const struct keystore_key_value *entry)
{
    print_value(out, "value", entry->value);
    print_number(out, "ttl_ms", entry->ttl_ms);
    print_number(out, "expire_at_ms", entry->expire_at_ms);
    print_flag(out, "keep_ttl", entry->keep_ttl);
    print_flag(out, "return_previous", entry->return_previous);
}

static void print_key_value(FILE *out, const struct keystore_op *op)
{
    print_entry(out, &op->request.key_value);
}

static void print_key_values(FILE *out, const struct keystore_op *op)
{
    for (size_t i = 0; i < op->request.key_values.count; i++)
        print_entry(out, &op->request.key_values.entries[i]);
}

static void print_list_insert(FILE *out, const struct keystore_op *op)
{
    const struct keystore_list_insert *insert = &op->request.list_insert;
    fprintf(out, " values=%zu", insert->count);
    for (size_t i = 0; i < insert->count && i < 4; i++)
        print_value(out, "", insert->values[i]);
    print_number(out, "max_length", (int64_t)insert->max_length);
    print_number(out, "ttl_ms", insert->ttl_ms);
}

static void print_list_range(FILE *out, const struct keystore_op *op)
{
    print_range(out, op->request.list_range.start, op->request.list_range.stop);
}

static void print_list_item(FILE *out, const struct keystore_op *op)
{
    const struct keystore_list_item *item = &op->request.list_item;
    print_number(out, "index", item->index);
    print_value(out, item->after ? "after" : "before", item->pivot);
    print_value(out, "value", item->value);
}

static void print_list_find(FILE *out, const struct keystore_op *op)
{
    const struct keystore_list_find *find = &op->request.list_find;
    print_value(out, "value", find->value);
    print_number(out, "count", find->count);
    print_number(out, "rank", find->rank);
    print_number(out, "max_scan", (int64_t)find->max_scan);
}

static void print_pop_request(FILE *out, const struct keystore_op *op)
{
    fprintf(out, " end=%d count=%u", op->request.pop.end, op->request.pop.count);
}

static void print_move_request(FILE *out, const struct keystore_op *op)
{
    fprintf(out, " ends=%d,%d", op->request.move.source_end, op->request.move.target_end);
}

static void print_expire_request(FILE *out, const struct keystore_op *op)
{
    const struct keystore_expire_request *expire = &op->request.expire;
    print_number(out, "ttl_ms", expire->ttl_ms);
    print_number(out, "expire_at_ms", expire->expire_at_ms);
    print_flag(out, "persist", expire->persist);
    print_number(out, "when", expire->when);
}

static void print_copy_request(FILE *out, const struct keystore_op *op)
{
    print_flag(out, "replace", op->request.copy.replace);
    print_flag(out, "absent_only", op->request.copy.absent_only);
}

static void print_increment(FILE *out, const struct keystore_op *op)
{
    const struct keystore_increment *increment = &op->request.increment;
    if (increment->delta == KEYSTORE_BY)
        fprintf(out, " by=%lld", (long long)increment->by);
    if (increment->delta == KEYSTORE_BY_FLOAT)
        fprintf(out, " by_float=%.17g", increment->by_float);
    if (increment->delta == KEYSTORE_BY_DECIMAL)
        fprintf(out, " by_decimal=\"%s\"", increment->by_decimal);
    print_number(out, "ttl_ms", increment->ttl_ms);
}

static void print_byte_range(FILE *out, const struct keystore_op *op)
{
    print_range(out, op->request.byte_range.start, op->request.byte_range.stop);
    print_value(out, "value", op->request.byte_range.value);
}

static void print_bit_request(FILE *out, const struct keystore_op *op)
{
    fprintf(out, " offset=%llu", (unsigned long long)op->request.bit_request.offset);
    print_flag(out, "bit", op->request.bit_request.bit);
}

static void print_bit_range(FILE *out, const struct keystore_op *op)
{
    const struct keystore_bit_range *range = &op->request.bit_range;
    print_range(out, range->start, range->stop);
    print_flag(out, "has_stop", range->has_stop);
    print_flag(out, "in_bits", range->in_bits);
    print_flag(out, "bit", range->bit);
}

static void print_bit_op_request(FILE *out, const struct keystore_op *op)
{
    fprintf(out, " operation=%d", op->request.bit_op_request.operation);
}

static void print_field(FILE *out, const struct keystore_bit_field *field)
{
    fprintf(out, " (action=%d %c%u at=%llu", field->action, field->is_signed ? 'i' : 'u',
            field->bits, (unsigned long long)field->offset);
    print_number(out, "value", field->value);
    print_number(out, "overflow", field->overflow);
    fputc(')', out);
}

static void print_bit_field_request(FILE *out, const struct keystore_op *op)
{
    for (size_t i = 0; i < op->request.bit_field_request.count; i++)
        print_field(out, &op->request.bit_field_request.parts[i]);
}

static void print_lcs_request(FILE *out, const struct keystore_op *op)
{
    print_flag(out, "want_string", op->request.lcs_request.want_string);
    print_flag(out, "want_matches", op->request.lcs_request.want_matches);
    print_number(out, "min_match_length", (int64_t)op->request.lcs_request.min_match_length);
}

/* ---- operations ---- */

/* A request message: where it has what the model asks of every operation. The places are bytes from
 * the start of struct keystore_op, 0 = it has no such field. */
struct shape {
    size_t db;  /* of the one key, */
    size_t key; /* if it has one */
    size_t condition;
    size_t ttl_ms;
    size_t expire_at_ms;
    void (*add_others)(struct named *named, const struct keystore_op *op); /* other keys, or NULL */
    void (*print)(FILE *out, const struct keystore_op *op); /* all but keys; NULL = no more */
};

#define PLACE(type, member, field)                                                                 \
    (offsetof(struct keystore_op, request.member.field) +                                          \
     0 * sizeof(char[__builtin_types_compatible_p(                                                 \
                         type, __typeof__(((struct keystore_op *)0)->request.member.field))        \
                         ? 1                                                                       \
                         : -1]))
#define TIME(member, field) PLACE(int64_t, member, field)
#define CONDITION(member)   PLACE(const struct keystore_condition *, member, condition)
#define KEY(member, field)                                                                         \
    .db = PLACE(uint32_t, member, db), .key = PLACE(struct keystore_slice, member, field)

/* shape_MESSAGE, by the name that the operation table has for the message. An operation with a
 * message that has none here does not compile. */
static const struct shape shape_key = {KEY(key, key), .condition = CONDITION(key)};
static const struct shape shape_key_value = {
    KEY(key_value, key), .condition = CONDITION(key_value), .ttl_ms = TIME(key_value, ttl_ms),
    .expire_at_ms = TIME(key_value, expire_at_ms), .print = print_key_value};
static const struct shape shape_keys = {.add_others = add_keys};
static const struct shape shape_key_values = {.add_others = add_entries, .print = print_key_values};
static const struct shape shape_increment = {KEY(increment, key), .ttl_ms = TIME(increment, ttl_ms),
                                             .print = print_increment};
static const struct shape shape_byte_range = {KEY(byte_range, key), .print = print_byte_range};
static const struct shape shape_bit_request = {KEY(bit_request, key), .print = print_bit_request};
static const struct shape shape_bit_range = {KEY(bit_range, key), .print = print_bit_range};
static const struct shape shape_bit_op_request = {
    KEY(bit_op_request, key), .add_others = add_operands, .print = print_bit_op_request};
static const struct shape shape_bit_field_request = {KEY(bit_field_request, key),
                                                     .print = print_bit_field_request};
static const struct shape shape_lcs_request = {KEY(lcs_request, key), .add_others = add_other_key,
                                               .print = print_lcs_request};
static const struct shape shape_expire_request = {KEY(expire, key), .ttl_ms = TIME(expire, ttl_ms),
                                                  .expire_at_ms = TIME(expire, expire_at_ms),
                                                  .print = print_expire_request};
static const struct shape shape_copy_request = {KEY(copy, source), .add_others = add_copy,
                                                .print = print_copy_request};
static const struct shape shape_list_insert = {
    KEY(list_insert, key), .condition = CONDITION(list_insert), .ttl_ms = TIME(list_insert, ttl_ms),
    .print = print_list_insert};
static const struct shape shape_list_range = {KEY(list_range, key), .print = print_list_range};
static const struct shape shape_list_item = {KEY(list_item, key), .print = print_list_item};
static const struct shape shape_list_find = {KEY(list_find, key), .print = print_list_find};
static const struct shape shape_pop_request = {.add_others = add_lists, .print = print_pop_request};
static const struct shape shape_move_request = {KEY(move, source), .add_others = add_target,
                                                .print = print_move_request};

/* By the number of the field in message Op, which enum keystore_op_kind has, too. */
static const struct {
    const char *name; /* NULL: there is no operation of that number */
    const struct shape *shape;
} operations[] = {
#define OPERATION(kind, method, request, ...)                                                      \
    [KEYSTORE__V1__OP__OP_##kind] = {#method, &shape_##request},
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
};

_Static_assert(sizeof operations / sizeof *operations <= STEP_OP_KINDS, "a kind beyond its count");

const char *step_name(enum keystore_op_kind kind)
{
    return kind < sizeof operations / sizeof *operations ? operations[kind].name : NULL;
}

/* The field at that place; NULL if there is none. */
static const void *field_at(const struct keystore_op *op, size_t place)
{
    return place != 0 ? (const char *)op + place : NULL;
}

static int64_t number_at(const struct keystore_op *op, size_t place)
{
    const int64_t *number = field_at(op, place);
    return number != NULL ? *number : 0;
}

int64_t step_ttl_ms(const struct keystore_op *op)
{
    return number_at(op, operations[op->kind].shape->ttl_ms);
}

int64_t step_expire_at_ms(const struct keystore_op *op)
{
    return number_at(op, operations[op->kind].shape->expire_at_ms);
}

size_t step_keys(const struct keystore_op *op, struct step_key *keys, size_t most)
{
    const struct shape *shape = operations[op->kind].shape;
    const uint32_t *db = field_at(op, shape->db);
    const struct keystore_slice *key = field_at(op, shape->key);
    const struct keystore_condition *const *condition = field_at(op, shape->condition);
    struct named named = {keys, most, 0};
    if (key != NULL)
        add(&named, *db, *key, condition != NULL ? *condition : NULL);
    if (shape->add_others != NULL)
        shape->add_others(&named, op);
    return named.count;
}

/* ---- what a step touches ---- */

/* Bit sets of the keys, a word per database. */
struct key_set {
    uint32_t keys[ALL_DBS];
};

static void add_op(struct key_set *set, const struct keystore_op *op)
{
    struct step_key keys[64];
    size_t count = step_keys(op, keys, 64);
    for (size_t i = 0; i < count && i < 64; i++)
        set->keys[keys[i].db] |= 1u << universe_number(keys[i].key);
}

static struct key_set set_of(const struct step *step)
{
    struct key_set set = {0};
    if (step->kind == STEP_OP || step->kind == STEP_REFUSED || step->kind == STEP_LAPSE)
        add_op(&set, &step->op);
    if (step->kind == STEP_FLUSH || step->kind == STEP_RANDOM_KEY)
        set.keys[step->db] = UINT32_MAX;
    if (step->kind == STEP_SWAP)
        set.keys[step->db] = set.keys[step->other_db] = UINT32_MAX;
    for (size_t i = 0; i < step->txn.compare_count; i++)
        set.keys[step->txn.compares[i].db] |= 1u << universe_number(step->txn.compares[i].key);
    for (size_t i = 0; i < step->txn.success_count; i++)
        add_op(&set, &step->txn.success[i]);
    for (size_t i = 0; i < step->txn.failure_count; i++)
        add_op(&set, &step->txn.failure[i]);
    return set;
}

bool step_meets(const struct step *step, const struct step *other)
{
    struct key_set keys = set_of(step), others = set_of(other);
    for (size_t i = 0; i < ALL_DBS; i++)
        if ((keys.keys[i] & others.keys[i]) != 0)
            return true;
    return false;
}

/* ---- steps as text ---- */

static void print_key(FILE *out, const struct step_key *key, uint32_t first_db)
{
    fprintf(out, " %u/#%zu", key->db - first_db, universe_number(key->key));
    if (key->key.len <= 8)
        print_value(out, "", key->key);
    print_condition(out, key->condition);
}

static void print_op(FILE *out, const struct keystore_op *op, uint32_t first_db)
{
    struct step_key keys[32];
    size_t count = step_keys(op, keys, 32);
    fputs(step_name(op->kind), out);
    for (size_t i = 0; i < count && i < 32; i++)
        print_key(out, &keys[i], first_db);
    if (operations[op->kind].shape->print != NULL)
        operations[op->kind].shape->print(out, op);
}

static void print_branch(FILE *out, const char *name, const struct keystore_op *ops, size_t count,
                         uint32_t first_db)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "\n        %s ", name);
        print_op(out, &ops[i], first_db);
    }
}

void step_print(FILE *out, const struct step *step, uint32_t first_db)
{
    const struct keystore_txn_request *txn = &step->txn;
    switch (step->kind) {
    case STEP_OP:
        print_op(out, &step->op, first_db);
        break;
    case STEP_REFUSED:
        fputs("refused ", out);
        print_op(out, &step->op, first_db);
        break;
    case STEP_LAPSE:
        fputs("lapse of ", out);
        print_op(out, &step->op, first_db);
        break;
    case STEP_FLUSH:
        fprintf(out, "FlushDb %u", step->db - first_db);
        break;
    case STEP_SWAP:
        fprintf(out, "SwapDb %u %u", step->db - first_db, step->other_db - first_db);
        break;
    case STEP_RANDOM_KEY:
        fprintf(out, "RandomKey %u", step->db - first_db);
        break;
    case STEP_TXN:
    case STEP_WATCH:
        fputs(step->kind == STEP_TXN ? "Txn" : "Watch", out);
        for (size_t i = 0; i < txn->compare_count; i++) {
            const struct keystore_compare *compare = &txn->compares[i];
            struct step_key key = {compare->db, compare->key, compare->condition};
            fputs("\n        compare", out);
            print_key(out, &key, first_db);
        }
        print_branch(out, "success", txn->success, txn->success_count, first_db);
        print_branch(out, "failure", txn->failure, txn->failure_count, first_db);
        break;
    }
    fputc('\n', out);
}
