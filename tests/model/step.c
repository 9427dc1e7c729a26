/* What a step names, and how it reads. Knows no server. */
#include "step.h"

#include "universe.h"

#include <mini_redis.pb-c.h>

#include <ctype.h>

/* The request messages that operations have; what follows goes by them. */
enum shape {
    SHAPE_none,
    SHAPE_key,
    SHAPE_key_value,
    SHAPE_list_insert,
    SHAPE_list_range,
    SHAPE_keys,
    SHAPE_key_values,
    SHAPE_increment,
    SHAPE_byte_range,
    SHAPE_bit_request,
    SHAPE_bit_range,
    SHAPE_bit_op_request,
    SHAPE_bit_field_request,
    SHAPE_lcs_request,
    SHAPE_expire_request,
    SHAPE_copy_request,
    SHAPE_pop_request,
    SHAPE_move_request,
    SHAPE_list_item,
    SHAPE_list_find,
};

/* By the number of the field in message Op, which enum keystore_op_kind has, too. */
static const struct {
    const char *name;
    enum shape shape;
} operations[] = {
#define OPERATION(kind, method, request, ...)                                                      \
    [KEYSTORE__V1__OP__OP_##kind] = {#method, SHAPE_##request},
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
};

_Static_assert(sizeof operations / sizeof *operations <= STEP_OP_KINDS, "a kind beyond its count");

const char *step_name(enum keystore_op_kind kind)
{
    return kind < sizeof operations / sizeof *operations ? operations[kind].name : NULL;
}

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

static void add_entries(struct named *named, const struct keystore_key_values *request)
{
    for (size_t i = 0; i < request->count; i++)
        add(named, request->db, request->entries[i].key, request->entries[i].condition);
}

static void add_pair(struct named *named, const struct keystore_copy_request *request)
{
    add(named, request->db, request->source, NULL);
    add(named, request->has_target_db ? request->target_db : request->db, request->target, NULL);
}

static void add_keys(struct named *named, const struct keystore_op *op)
{
    switch (operations[op->kind].shape) {
    case SHAPE_none:
        return;
    case SHAPE_key_value:
        add(named, op->request.key_value.db, op->request.key_value.key,
            op->request.key_value.condition);
        return;
    case SHAPE_key:
        add(named, op->request.key.db, op->request.key.key, op->request.key.condition);
        return;
    case SHAPE_list_insert:
        add(named, op->request.list_insert.db, op->request.list_insert.key,
            op->request.list_insert.condition);
        return;
    case SHAPE_list_range:
        add(named, op->request.list_range.db, op->request.list_range.key, NULL);
        return;
    case SHAPE_increment:
        add(named, op->request.increment.db, op->request.increment.key, NULL);
        return;
    case SHAPE_expire_request:
        add(named, op->request.expire.db, op->request.expire.key, NULL);
        return;
    case SHAPE_keys:
        add_all(named, op->request.keys.keys, op->request.keys.count, op->request.keys.db);
        return;
    case SHAPE_key_values:
        add_entries(named, &op->request.key_values);
        return;
    case SHAPE_byte_range:
        add(named, op->request.byte_range.db, op->request.byte_range.key, NULL);
        return;
    case SHAPE_bit_request:
        add(named, op->request.bit_request.db, op->request.bit_request.key, NULL);
        return;
    case SHAPE_bit_range:
        add(named, op->request.bit_range.db, op->request.bit_range.key, NULL);
        return;
    case SHAPE_bit_op_request:
        add(named, op->request.bit_op_request.db, op->request.bit_op_request.key, NULL);
        add_all(named, op->request.bit_op_request.keys, op->request.bit_op_request.key_count,
                op->request.bit_op_request.db);
        return;
    case SHAPE_bit_field_request:
        add(named, op->request.bit_field_request.db, op->request.bit_field_request.key, NULL);
        return;
    case SHAPE_lcs_request:
        add(named, op->request.lcs_request.db, op->request.lcs_request.key, NULL);
        add(named, op->request.lcs_request.db, op->request.lcs_request.other_key, NULL);
        return;
    case SHAPE_copy_request:
        add_pair(named, &op->request.copy);
        return;
    case SHAPE_pop_request:
        add_all(named, op->request.pop.keys, op->request.pop.key_count, op->request.pop.db);
        return;
    case SHAPE_move_request:
        add(named, op->request.move.db, op->request.move.source, NULL);
        add(named, op->request.move.db, op->request.move.target, NULL);
        return;
    case SHAPE_list_item:
        add(named, op->request.list_item.db, op->request.list_item.key, NULL);
        return;
    case SHAPE_list_find:
        add(named, op->request.list_find.db, op->request.list_find.key, NULL);
        return;
    }
}

size_t step_keys(const struct keystore_op *op, struct step_key *keys, size_t most)
{
    struct named named = {keys, most, 0};
    add_keys(&named, op);
    return named.count;
}

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

/* ---- deadlines ---- */

int64_t step_ttl_ms(const struct keystore_op *op)
{
    switch (operations[op->kind].shape) {
    case SHAPE_key_value:
        return op->request.key_value.ttl_ms;
    case SHAPE_list_insert:
        return op->request.list_insert.ttl_ms;
    case SHAPE_increment:
        return op->request.increment.ttl_ms;
    case SHAPE_expire_request:
        return op->request.expire.ttl_ms;
    case SHAPE_none:
    case SHAPE_key:
    case SHAPE_list_range:
    case SHAPE_keys:
    case SHAPE_key_values:
    case SHAPE_byte_range:
    case SHAPE_bit_request:
    case SHAPE_bit_range:
    case SHAPE_bit_op_request:
    case SHAPE_bit_field_request:
    case SHAPE_lcs_request:
    case SHAPE_copy_request:
    case SHAPE_pop_request:
    case SHAPE_move_request:
    case SHAPE_list_item:
    case SHAPE_list_find:
        break;
    }
    return 0;
}

int64_t step_expire_at_ms(const struct keystore_op *op)
{
    switch (operations[op->kind].shape) {
    case SHAPE_key_value:
        return op->request.key_value.expire_at_ms;
    case SHAPE_expire_request:
        return op->request.expire.expire_at_ms;
    case SHAPE_list_insert:
    case SHAPE_increment:
    case SHAPE_none:
    case SHAPE_key:
    case SHAPE_list_range:
    case SHAPE_keys:
    case SHAPE_key_values:
    case SHAPE_byte_range:
    case SHAPE_bit_request:
    case SHAPE_bit_range:
    case SHAPE_bit_op_request:
    case SHAPE_bit_field_request:
    case SHAPE_lcs_request:
    case SHAPE_copy_request:
    case SHAPE_pop_request:
    case SHAPE_move_request:
    case SHAPE_list_item:
    case SHAPE_list_find:
        break;
    }
    return 0;
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

static void print_entry(FILE *out, const struct keystore_key_value *entry)
{
    print_value(out, "value", entry->value);
    print_number(out, "ttl_ms", entry->ttl_ms);
    print_number(out, "expire_at_ms", entry->expire_at_ms);
    print_flag(out, "keep_ttl", entry->keep_ttl);
    print_flag(out, "return_previous", entry->return_previous);
}

static void print_insert(FILE *out, const struct keystore_list_insert *insert)
{
    fprintf(out, " values=%zu", insert->count);
    for (size_t i = 0; i < insert->count && i < 4; i++)
        print_value(out, "", insert->values[i]);
    print_number(out, "max_length", (int64_t)insert->max_length);
    print_number(out, "ttl_ms", insert->ttl_ms);
}

static void print_expire(FILE *out, const struct keystore_expire_request *expire)
{
    print_number(out, "ttl_ms", expire->ttl_ms);
    print_number(out, "expire_at_ms", expire->expire_at_ms);
    print_flag(out, "persist", expire->persist);
    print_number(out, "when", expire->when);
}

static void print_increment(FILE *out, const struct keystore_increment *increment)
{
    if (increment->delta == KEYSTORE_BY)
        fprintf(out, " by=%lld", (long long)increment->by);
    if (increment->delta == KEYSTORE_BY_FLOAT)
        fprintf(out, " by_float=%.17g", increment->by_float);
    if (increment->delta == KEYSTORE_BY_DECIMAL)
        fprintf(out, " by_decimal=\"%s\"", increment->by_decimal);
    print_number(out, "ttl_ms", increment->ttl_ms);
}

static void print_item(FILE *out, const struct keystore_list_item *item)
{
    print_number(out, "index", item->index);
    print_value(out, item->after ? "after" : "before", item->pivot);
    print_value(out, "value", item->value);
}

static void print_find(FILE *out, const struct keystore_list_find *find)
{
    print_value(out, "value", find->value);
    print_number(out, "count", find->count);
    print_number(out, "rank", find->rank);
    print_number(out, "max_scan", (int64_t)find->max_scan);
}

static void print_range(FILE *out, int64_t start, int64_t stop)
{
    fprintf(out, " start=%lld stop=%lld", (long long)start, (long long)stop);
}

static void print_field(FILE *out, const struct keystore_bit_field *field)
{
    fprintf(out, " (action=%d %c%u at=%llu", field->action, field->is_signed ? 'i' : 'u',
            field->bits, (unsigned long long)field->offset);
    print_number(out, "value", field->value);
    print_number(out, "overflow", field->overflow);
    fputc(')', out);
}

static void print_arguments(FILE *out, const struct keystore_op *op)
{
    switch (operations[op->kind].shape) {
    case SHAPE_key_value:
        print_entry(out, &op->request.key_value);
        return;
    case SHAPE_key_values:
        for (size_t i = 0; i < op->request.key_values.count; i++)
            print_entry(out, &op->request.key_values.entries[i]);
        return;
    case SHAPE_list_insert:
        print_insert(out, &op->request.list_insert);
        return;
    case SHAPE_increment:
        print_increment(out, &op->request.increment);
        return;
    case SHAPE_expire_request:
        print_expire(out, &op->request.expire);
        return;
    case SHAPE_byte_range:
        print_range(out, op->request.byte_range.start, op->request.byte_range.stop);
        print_value(out, "value", op->request.byte_range.value);
        return;
    case SHAPE_bit_request:
        fprintf(out, " offset=%llu", (unsigned long long)op->request.bit_request.offset);
        print_flag(out, "bit", op->request.bit_request.bit);
        return;
    case SHAPE_bit_range:
        print_range(out, op->request.bit_range.start, op->request.bit_range.stop);
        print_flag(out, "has_stop", op->request.bit_range.has_stop);
        print_flag(out, "in_bits", op->request.bit_range.in_bits);
        print_flag(out, "bit", op->request.bit_range.bit);
        return;
    case SHAPE_bit_op_request:
        fprintf(out, " operation=%d", op->request.bit_op_request.operation);
        return;
    case SHAPE_bit_field_request:
        for (size_t i = 0; i < op->request.bit_field_request.count; i++)
            print_field(out, &op->request.bit_field_request.parts[i]);
        return;
    case SHAPE_lcs_request:
        print_flag(out, "want_string", op->request.lcs_request.want_string);
        print_flag(out, "want_matches", op->request.lcs_request.want_matches);
        print_number(out, "min_match_length", (int64_t)op->request.lcs_request.min_match_length);
        return;
    case SHAPE_copy_request:
        print_flag(out, "replace", op->request.copy.replace);
        print_flag(out, "absent_only", op->request.copy.absent_only);
        return;
    case SHAPE_list_range:
        print_range(out, op->request.list_range.start, op->request.list_range.stop);
        return;
    case SHAPE_pop_request:
        fprintf(out, " end=%d count=%u", op->request.pop.end, op->request.pop.count);
        return;
    case SHAPE_move_request:
        fprintf(out, " ends=%d,%d", op->request.move.source_end, op->request.move.target_end);
        return;
    case SHAPE_list_item:
        print_item(out, &op->request.list_item);
        return;
    case SHAPE_list_find:
        print_find(out, &op->request.list_find);
        return;
    case SHAPE_none:
    case SHAPE_key:
    case SHAPE_keys:
        return;
    }
}

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
    print_arguments(out, op);
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
