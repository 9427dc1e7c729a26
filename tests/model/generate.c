/* Makes steps from dice. Knows what requests may look like, and no answer. */
#include "generate.h"

#include "draw.h"
#include "make_bits.h"
#include "universe.h"

#include <string.h>

/* ---- draws ---- */

/* Few ones, so that they meet; most are so far that no test sees them come. */
static int64_t draw_deadline(struct generator *generator)
{
    switch (below(generator, 16)) {
    case 0:
        return 1;
    case 1:
        return generator->base_ms - 1000;
    case 2:
        return ((int64_t)1 << 48) - 2 + below(generator, 4);
    case 3:
        return INT64_MAX;
    default:
        return generator->base_ms + 3600000 + (int64_t)below(generator, 4) * 1000;
    }
}

static int64_t draw_ttl(struct generator *generator)
{
    return 3600000 + (int64_t)below(generator, 3000);
}

/* The step after this one sees whether the key has got that time to live. */
static void watch_ttl(struct generator *generator, struct keystore_slice key, uint32_t db)
{
    generator->favourite = (int)universe_number(key);
    generator->favourite_db = db;
    generator->after_ttl = true;
}

static const struct keystore_condition *draw_condition(struct generator *generator, bool of_value)
{
    struct step_condition *drawn = arena_alloc(generator->arena, sizeof *drawn);
    memset(drawn, 0, sizeof *drawn);
    struct keystore_condition *condition = &drawn->condition;
    uint32_t kind = below(generator, 8);
    if (kind < 3)
        condition->existence = kind < 2 ? KEYSTORE_ABSENT : KEYSTORE_PRESENT;
    else if (once_in(generator, 4))
        condition->existence = KEYSTORE_PRESENT;
    if (kind >= 3 && kind < 6)
        drawn->wish = VERSION_RIGHT + below(generator, 3);
    if ((kind == 5 || kind >= 6) && of_value) {
        condition->match_value = true;
        drawn->right_value = once_in(generator, 2);
        condition->value = draw_string(generator);
    } else if (kind >= 6)
        drawn->wish = VERSION_RIGHT;
    return condition;
}

static const struct keystore_condition *maybe_condition(struct generator *generator, bool of_value)
{
    return once_in(generator, 3) ? draw_condition(generator, of_value) : NULL;
}

/* ---- strings ---- */

static void draw_time(struct generator *generator, struct keystore_key_value *entry)
{
    switch (below(generator, 8)) {
    case 0:
        entry->keep_ttl = true;
        break;
    case 1:
    case 2:
        entry->expire_at_ms = draw_deadline(generator);
        break;
    default:
        break;
    }
}

static void make_set(struct generator *generator, struct keystore_op *op)
{
    struct keystore_key_value *set = &op->request.key_value;
    set->db = draw_db(generator);
    set->key = draw_key(generator, LIKELY_STRING);
    set->value = draw_string(generator);
    set->return_previous = once_in(generator, 4);
    set->condition = maybe_condition(generator, true);
    draw_time(generator, set);
    if (set->expire_at_ms == 0 && !set->keep_ttl && once_in(generator, 16)) {
        set->ttl_ms = draw_ttl(generator);
        watch_ttl(generator, set->key, set->db);
    }
}

static void make_key(struct generator *generator, struct keystore_op *op, enum likely type)
{
    op->request.key.db = draw_db(generator);
    op->request.key.key = draw_key(generator, type);
}

static void make_string_key(struct generator *generator, struct keystore_op *op)
{
    make_key(generator, op, LIKELY_STRING);
}

static void make_list_key(struct generator *generator, struct keystore_op *op)
{
    make_key(generator, op, LIKELY_LIST);
}

static void make_any_key(struct generator *generator, struct keystore_op *op)
{
    make_key(generator, op, once_in(generator, 2) ? LIKELY_STRING : LIKELY_LIST);
}

static void make_delete(struct generator *generator, struct keystore_op *op)
{
    make_any_key(generator, op);
    op->request.key.condition = maybe_condition(generator, true);
}

static void make_get_del(struct generator *generator, struct keystore_op *op)
{
    make_string_key(generator, op);
    op->request.key.condition = maybe_condition(generator, true);
}

static void make_keys(struct generator *generator, struct keystore_op *op)
{
    struct keystore_keys *keys = &op->request.keys;
    keys->db = draw_db(generator);
    keys->keys =
        draw_keys(generator, once_in(generator, 3) ? LIKELY_LIST : LIKELY_STRING, &keys->count);
}

static void make_few_keys(struct generator *generator, struct keystore_op *op)
{
    make_keys(generator, op);
    if (op->request.keys.count > 2)
        op->request.keys.count = 2;
}

/* Options in a half of them only: the other half is what MSET and MSETNX do. */
static void make_m_set(struct generator *generator, struct keystore_op *op)
{
    struct keystore_key_values *request = &op->request.key_values;
    request->db = draw_db(generator);
    request->count = 1 + below(generator, MOST_KEYS);
    struct keystore_key_value *entries =
        arena_alloc(generator->arena, request->count * sizeof *entries);
    memset(entries, 0, request->count * sizeof *entries);
    request->entries = entries;
    uint32_t kind = below(generator, 4);
    for (size_t i = 0; i < request->count; i++) {
        /* A condition on the value of a list fails, and seldom would one be met. */
        bool of_list = kind == 1 && once_in(generator, 4);
        entries[i].key = draw_key(generator, of_list ? LIKELY_LIST : LIKELY_STRING);
        entries[i].value = draw_string(generator);
        if (kind == 0) {
            struct step_condition *absent = arena_alloc(generator->arena, sizeof *absent);
            *absent = (struct step_condition){.condition = {.existence = KEYSTORE_ABSENT}};
            entries[i].condition = &absent->condition;
        } else if (kind == 1) {
            draw_time(generator, &entries[i]);
            entries[i].condition = maybe_condition(generator, true);
        }
    }
}

static void draw_delta(struct generator *generator, struct keystore_increment *increment)
{
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1};
    static const double reals[] = {0.1,
                                   -0.1,
                                   1,
                                   1e17,
                                   1e-17,
                                   3.0e10,
                                   1e300,
                                   -1e308,
                                   1.7e308,
                                   5e-324,
                                   0.0,
                                   -0.0,
                                   123456789.123456789,
                                   1.0 / 3};
    increment->delta =
        (enum keystore_delta[]){KEYSTORE_BY_ONE, KEYSTORE_BY, KEYSTORE_BY, KEYSTORE_BY_FLOAT,
                                KEYSTORE_BY_DECIMAL}[below(generator, 5)];
    if (increment->delta == KEYSTORE_BY_DECIMAL)
        increment->by_decimal = universe_real_text(&generator->dice);
    if (increment->delta == KEYSTORE_BY)
        increment->by =
            once_in(generator, 6) ? far[below(generator, 4)] : (int64_t)below(generator, 200) - 100;
    if (increment->delta == KEYSTORE_BY_FLOAT)
        increment->by_float = once_in(generator, 2)
                                  ? reals[below(generator, sizeof reals / sizeof reals[0])]
                                  : (below(generator, 20000) - 10000.0) / 16;
}

static void make_incr(struct generator *generator, struct keystore_op *op)
{
    struct keystore_increment *increment = &op->request.increment;
    increment->db = draw_db(generator);
    increment->key = draw_key(generator, LIKELY_STRING);
    draw_delta(generator, increment);
    if (once_in(generator, 8)) {
        increment->ttl_ms = draw_ttl(generator);
        watch_ttl(generator, increment->key, increment->db);
    }
}

static void make_append(struct generator *generator, struct keystore_op *op)
{
    op->request.key_value.db = draw_db(generator);
    op->request.key_value.key = draw_key(generator, LIKELY_STRING);
    op->request.key_value.value = draw_string(generator);
}

static void make_get_range(struct generator *generator, struct keystore_op *op)
{
    struct keystore_byte_range *range = &op->request.byte_range;
    range->db = draw_db(generator);
    range->key = draw_key(generator, LIKELY_STRING);
    range->start = draw_index(generator);
    range->stop = draw_index(generator);
}

/* Offsets around the ends of what there may be, and beyond what a string may be. */
static int64_t draw_offset(struct generator *generator)
{
    static const int64_t edges[] = {0, 63, 64, 255, 256, 16383, 16384, 65535, 65536};
    static const int64_t limits[] = {((int64_t)64 << 20) - 1,
                                     ((int64_t)64 << 20) + 1,
                                     INT64_MAX,
                                     INT64_MAX - 5,
                                     INT32_MAX,
                                     -1,
                                     INT64_MIN};
    if (once_in(generator, 12))
        return limits[below(generator, 7)];
    if (once_in(generator, 4))
        return edges[below(generator, once_in(generator, 8) ? 9 : 5)];
    return below(generator, 40);
}

static void make_set_range(struct generator *generator, struct keystore_op *op)
{
    struct keystore_byte_range *range = &op->request.byte_range;
    range->db = draw_db(generator);
    range->key = draw_key(generator, LIKELY_STRING);
    range->value = once_in(generator, 2) ? universe_word(&generator->dice)
                                         : universe_value(&generator->dice, generator->big);
    range->start = draw_offset(generator);
    /* What just fits would make strings of 64 MiB, which is for a test that has the time. */
    int64_t limit = (int64_t)64 << 20;
    if (range->start > limit / 2 && range->start < limit && range->value.len < 2)
        range->start = limit + 1;
}

static void draw_new_deadline(struct generator *generator, struct keystore_expire_request *request)
{
    if (once_in(generator, 8)) {
        request->ttl_ms = draw_ttl(generator);
        watch_ttl(generator, request->key, request->db);
    } else
        request->expire_at_ms = draw_deadline(generator);
}

static void make_get_ex(struct generator *generator, struct keystore_op *op)
{
    struct keystore_expire_request *request = &op->request.expire;
    request->db = draw_db(generator);
    request->key = draw_key(generator, LIKELY_STRING);
    request->persist = once_in(generator, 4);
    if (!request->persist && !once_in(generator, 3))
        draw_new_deadline(generator, request);
}

/* ---- keys ---- */

static void make_expire(struct generator *generator, struct keystore_op *op)
{
    struct keystore_expire_request *request = &op->request.expire;
    request->db = draw_db(generator);
    request->key = draw_key(generator, once_in(generator, 2) ? LIKELY_STRING : LIKELY_LIST);
    request->persist = once_in(generator, 5);
    if (request->persist)
        return;
    draw_new_deadline(generator, request);
    request->when = below(generator, 5);
}

static void make_pair(struct generator *generator, struct keystore_op *op)
{
    struct keystore_copy_request *request = &op->request.copy;
    enum likely type = once_in(generator, 2) ? LIKELY_STRING : LIKELY_LIST;
    request->db = draw_db(generator);
    request->source = draw_key(generator, type);
    request->target = once_in(generator, 10) ? request->source : draw_key(generator, type);
    request->has_target_db = once_in(generator, 3);
    if (request->has_target_db)
        request->target_db = generator->first_db + below(generator, ROUND_DBS);
}

static void make_rename(struct generator *generator, struct keystore_op *op)
{
    make_pair(generator, op);
    op->request.copy.absent_only = once_in(generator, 2);
}

static void make_copy(struct generator *generator, struct keystore_op *op)
{
    make_pair(generator, op);
    op->request.copy.replace = once_in(generator, 2);
}

/* ---- lists ---- */

static size_t draw_push_count(struct generator *generator)
{
    if (generator->long_in != 0 && once_in(generator, generator->long_in))
        return 2000 + below(generator, 4000);
    return once_in(generator, 6) ? 1 + below(generator, 200) : 1 + below(generator, 4);
}

static void make_push(struct generator *generator, struct keystore_op *op)
{
    struct keystore_list_insert *insert = &op->request.list_insert;
    insert->db = draw_db(generator);
    insert->key = draw_key(generator, LIKELY_LIST);
    insert->count = draw_push_count(generator);
    struct keystore_slice *values = arena_alloc(generator->arena, insert->count * sizeof *values);
    struct dice dice = generator->dice; /* long lists have a few long elements, too */
    for (size_t i = 0; i < insert->count; i++)
        values[i] = insert->count < 300 ? draw_element(generator) : universe_word(&dice);
    for (size_t i = 0; insert->count >= 300 && i < insert->count; i += 50)
        values[i] = universe_value(&generator->dice, 0);
    insert->values = values;
    if (insert->count >= 300)
        return;
    insert->condition = maybe_condition(generator, false);
    if (once_in(generator, 6))
        insert->max_length = 1 + below(generator, once_in(generator, 3) ? 300 : 5);
    if (once_in(generator, 16)) {
        insert->ttl_ms = draw_ttl(generator);
        watch_ttl(generator, insert->key, insert->db);
    }
}

static void make_list_range(struct generator *generator, struct keystore_op *op)
{
    struct keystore_list_range *range = &op->request.list_range;
    range->db = draw_db(generator);
    range->key = draw_key(generator, LIKELY_LIST);
    range->start = draw_index(generator);
    range->stop = once_in(generator, 3) ? -1 : draw_index(generator);
}

/* Most trims cut little, so that lists become long. */
static void make_l_trim(struct generator *generator, struct keystore_op *op)
{
    make_list_range(generator, op);
    struct keystore_list_range *range = &op->request.list_range;
    if (once_in(generator, 4))
        return;
    range->start = below(generator, 3);
    range->stop = -1 - (int64_t)below(generator, 3);
}

static void make_list_pop(struct generator *generator, struct keystore_op *op)
{
    struct keystore_pop_request *pop = &op->request.pop;
    pop->db = draw_db(generator);
    pop->keys = draw_keys(generator, LIKELY_LIST, &pop->key_count);
    pop->end = below(generator, 3);
    pop->count = once_in(generator, 8) ? below(generator, 1000) : below(generator, 4);
    if (once_in(generator, 100))
        pop->count = UINT32_MAX;
}

static void make_l_move(struct generator *generator, struct keystore_op *op)
{
    struct keystore_move_request *move = &op->request.move;
    move->db = draw_db(generator);
    move->source = draw_key(generator, LIKELY_LIST);
    move->target = once_in(generator, 4) ? move->source : draw_key(generator, LIKELY_LIST);
    move->source_end = below(generator, 3);
    move->target_end = below(generator, 3);
}

static void make_list_item(struct generator *generator, struct keystore_op *op)
{
    struct keystore_list_item *item = &op->request.list_item;
    item->db = draw_db(generator);
    item->key = draw_key(generator, LIKELY_LIST);
    if (op->kind != KEYSTORE_OP_LINSERT)
        item->index = draw_index(generator);
    if (op->kind != KEYSTORE_OP_LINDEX)
        item->value = draw_element(generator);
    if (op->kind == KEYSTORE_OP_LINSERT) {
        item->pivot = draw_element(generator);
        item->after = once_in(generator, 2);
    }
}

static void make_list_find(struct generator *generator, struct keystore_op *op)
{
    struct keystore_list_find *find = &op->request.list_find;
    find->db = draw_db(generator);
    find->key = draw_key(generator, LIKELY_LIST);
    find->value = draw_element(generator);
    find->count = once_in(generator, 20) ? INT64_MAX : (int64_t)below(generator, 4);
    if (op->kind == KEYSTORE_OP_LREM) {
        if (once_in(generator, 2))
            find->count = -find->count;
        return;
    }
    find->rank = (int64_t)below(generator, 7) - 3;
    if (once_in(generator, 30))
        find->rank = once_in(generator, 2) ? INT64_MAX : -INT64_MAX;
    if (once_in(generator, 3))
        find->max_scan = once_in(generator, 8) ? INT64_MAX : below(generator, 50);
}

static void make_lcs(struct generator *generator, struct keystore_op *op)
{
    struct keystore_lcs_request *request = &op->request.lcs_request;
    request->db = draw_db(generator);
    request->key = draw_key(generator, LIKELY_STRING);
    request->other_key = draw_key(generator, LIKELY_STRING);
    request->want_string = once_in(generator, 2);
    request->want_matches = once_in(generator, 2);
    if (request->want_matches && once_in(generator, 2))
        request->min_match_length = once_in(generator, 10) ? INT64_MAX : below(generator, 5);
}

/* ---- steps ---- */

typedef void make_function(struct generator *generator, struct keystore_op *op);

struct row {
    make_function *make;
    unsigned weight;
};

/* The weights; a list gains more than it loses. A kind without a row does not compile. */
static struct row row_of(enum keystore_op_kind kind)
{
    switch (kind) {
#define ROW(kind, make, weight)                                                                    \
    case KEYSTORE_OP_##kind:                                                                       \
        return (struct row){make, weight};
        ROW(SET, make_set, 12)
        ROW(GET, make_string_key, 6)
        ROW(DELETE, make_delete, 3)
        ROW(LPUSH, make_push, 10)
        ROW(LRANGE, make_list_range, 4)
        ROW(LPOP, make_list_key, 4)
        ROW(RPUSH, make_push, 10)
        ROW(RPOP, make_list_key, 4)
        ROW(INCR, make_incr, 8)
        ROW(EXPIRE, make_expire, 6)
        ROW(MGET, make_keys, 3)
        ROW(MSET, make_m_set, 4)
        ROW(EXISTS, make_keys, 2)
        ROW(DESCRIBE, make_any_key, 3)
        ROW(APPEND, make_append, 5)
        ROW(GET_RANGE, make_get_range, 5)
        ROW(SET_RANGE, make_set_range, 5)
        ROW(SETBIT, make_bit, 5)
        ROW(GETBIT, make_bit, 3)
        ROW(BITCOUNT, make_bit_range, 4)
        ROW(BITPOS, make_bit_range, 5)
        ROW(BITOP, make_bit_op, 3)
        ROW(BITFIELD, make_bit_field, 5)
        ROW(LCS, make_lcs, 2)
        ROW(GET_DEL, make_get_del, 3)
        ROW(GET_EX, make_get_ex, 5)
        ROW(DELETE_MANY, make_few_keys, 1)
        ROW(TOUCH, make_keys, 1)
        ROW(RENAME, make_rename, 4)
        ROW(COPY, make_copy, 4)
        ROW(LIST_POP, make_list_pop, 4)
        ROW(LMOVE, make_l_move, 5)
        ROW(LINDEX, make_list_item, 4)
        ROW(LSET, make_list_item, 4)
        ROW(LINSERT, make_list_item, 5)
        ROW(LREM, make_list_find, 5)
        ROW(LPOS, make_list_find, 5)
        ROW(LTRIM, make_l_trim, 3)
#undef ROW
    case KEYSTORE_OP_NONE:
        break;
    }
    return (struct row){NULL, 0};
}

/* The other steps' places in the weights, behind the operations. */
#define TXN        (GENERATE_KINDS - 7)
#define FLUSH      (GENERATE_KINDS - 6)
#define SWAP       (GENERATE_KINDS - 5)
#define RANDOM_KEY (GENERATE_KINDS - 4)
#define LAPSE      (GENERATE_KINDS - 3)
#define REFUSED    (GENERATE_KINDS - 2)
#define WATCH      (GENERATE_KINDS - 1)

void generate_begin(struct generator *generator, struct arena *arena, uint64_t seed, uint64_t round,
                    uint32_t first_db, int64_t base_ms)
{
    *generator = (struct generator){.arena = arena,
                                    .dice = dice_of(seed, round),
                                    .first_db = first_db,
                                    .base_ms = base_ms,
                                    .favourite = -1};
    generator->big = once_in(generator, 10) ? 3 : below(generator, 2);
    generator->long_in = once_in(generator, 3) ? 100 : 0;
    static const unsigned tastes[] = {0, 1, 2, 2, 2, 3, 6};
    for (size_t i = 0; i < GENERATE_KINDS; i++) {
        unsigned taste = tastes[below(generator, sizeof tastes / sizeof tastes[0])];
        generator->weights[i] = 100 * taste * row_of((enum keystore_op_kind)i).weight;
    }
    generator->weights[TXN] = 100 * below(generator, 50);
    generator->weights[FLUSH] = 10;
    generator->weights[SWAP] = 100 * below(generator, 3);
    generator->weights[RANDOM_KEY] = 100;
    generator->weights[LAPSE] = 20;
    generator->weights[REFUSED] = 20;
    generator->weights[WATCH] = 100 * below(generator, 5);
    for (size_t i = 0; i < GENERATE_KINDS; i++)
        generator->total += generator->weights[i];
}

static unsigned draw_kind(struct generator *generator)
{
    unsigned number = below(generator, generator->total), kind = 0;
    while (number >= generator->weights[kind])
        number -= generator->weights[kind++];
    return kind;
}

static void make_op(struct generator *generator, unsigned kind, struct keystore_op *op)
{
    *op = (struct keystore_op){.kind = (enum keystore_op_kind)kind};
    row_of(op->kind).make(generator, op);
}

/* What a time to live became can be asked for; favourite is the key. */
static void make_describe(struct generator *generator, struct keystore_op *op)
{
    *op = (struct keystore_op){.kind = KEYSTORE_OP_DESCRIBE};
    op->request.key.db = generator->favourite_db;
    op->request.key.key = universe_key((size_t)generator->favourite);
    generator->after_ttl = false;
    generator->favourite = -1;
}

/* Versions are known before the transaction only, so only its first operation may ask for one. */
static void forget_versions(const struct keystore_op *op)
{
    struct step_key keys[MOST_KEYS];
    size_t count = step_keys(op, keys, MOST_KEYS);
    for (size_t i = 0; i < count; i++) {
        struct step_condition *condition = (struct step_condition *)keys[i].condition;
        if (condition != NULL && condition->wish == VERSION_RIGHT)
            condition->wish = VERSION_WRONG;
    }
}

/* After each operation with a time to live comes a Describe, as one that tells what it became. */
static struct keystore_op *make_branch(struct generator *generator, size_t *count)
{
    size_t wanted = below(generator, 7);
    struct keystore_op *ops = arena_alloc(generator->arena, (2 * wanted + 1) * sizeof *ops);
    *count = 0;
    while (wanted-- > 0) {
        unsigned kind = draw_kind(generator);
        if (kind >= TXN)
            kind = KEYSTORE_OP_GET;
        make_op(generator, kind, &ops[*count]);
        if (*count > 0)
            forget_versions(&ops[*count]);
        (*count)++;
        if (generator->after_ttl)
            make_describe(generator, &ops[(*count)++]);
    }
    for (size_t i = 0; i < *count; i++)
        ops[i].id = below(generator, 1000);
    return ops;
}

static void make_compares(struct generator *generator, struct keystore_txn_request *txn)
{
    static const size_t counts[] = {0, 0, 1, 1, 2, 3};
    txn->compare_count = counts[below(generator, 6)];
    struct keystore_compare *compares =
        arena_alloc(generator->arena, (txn->compare_count + 1) * sizeof *compares);
    for (size_t i = 0; i < txn->compare_count; i++)
        compares[i] = (struct keystore_compare){
            .key = draw_key(generator, once_in(generator, 3) ? LIKELY_LIST : LIKELY_STRING),
            .condition = draw_condition(generator, true),
            .db = draw_db(generator)};
    txn->compares = compares;
}

static void make_txn(struct generator *generator, struct keystore_txn_request *txn)
{
    make_compares(generator, txn);
    txn->success = make_branch(generator, &txn->success_count);
    txn->failure = make_branch(generator, &txn->failure_count);
}

/* What is done meanwhile likes the key that is watched. */
static void make_watch(struct generator *generator, struct keystore_txn_request *txn)
{
    struct keystore_compare *compare = arena_alloc(generator->arena, sizeof *compare);
    *compare = (struct keystore_compare){
        .key = draw_key(generator, once_in(generator, 2) ? LIKELY_LIST : LIKELY_STRING),
        .db = draw_db(generator)};
    txn->compares = compare;
    txn->compare_count = 1;
    size_t count = below(generator, 4);
    struct keystore_op *ops = arena_alloc(generator->arena, (count + 1) * sizeof *ops);
    for (size_t i = 0; i < count; i++) {
        generator->favourite = (int)universe_number(compare->key);
        generator->favourite_db = compare->db;
        unsigned kind = draw_kind(generator);
        make_op(generator, kind >= TXN ? KEYSTORE_OP_DELETE : kind, &ops[i]);
    }
    txn->success = ops;
    txn->success_count = count;
    generator->favourite = -1;
    generator->after_ttl = false;
}

static void make_lapse(struct generator *generator, struct keystore_op *op)
{
    *op = (struct keystore_op){.kind = KEYSTORE_OP_EXPIRE};
    op->request.expire.db = draw_db(generator);
    op->request.expire.key =
        draw_key(generator, once_in(generator, 2) ? LIKELY_STRING : LIKELY_LIST);
    generator->favourite = (int)universe_number(op->request.expire.key);
    generator->favourite_db = op->request.expire.db;
}

static void make_refused(struct generator *generator, struct step *step)
{
    step->kind = STEP_REFUSED;
    step->refusal = DIFFERENCE_EMPTY_KEY + below(generator, 3);
    struct keystore_op *op = &step->op;
    op->kind = KEYSTORE_OP_EXPIRE;
    struct keystore_expire_request *request = &op->request.expire;
    request->db = draw_db(generator);
    request->key = draw_key(generator, LIKELY_STRING);
    request->ttl_ms = draw_ttl(generator);
    if (step->refusal == DIFFERENCE_EMPTY_KEY)
        request->key.len = 0;
    if (step->refusal == DIFFERENCE_LONG_KEY) {
        request->key = universe_key(LONGEST_KEY);
        request->key.len++;
    }
    if (step->refusal == DIFFERENCE_NEGATIVE_TIME) {
        request->expire_at_ms = once_in(generator, 2) ? -1 : INT64_MIN;
        request->ttl_ms = 0;
    }
}

void generate_step(struct generator *generator, struct step *step)
{
    *step = (struct step){.kind = STEP_OP};
    if (generator->after_ttl) {
        make_describe(generator, &step->op);
        return;
    }
    int liked = generator->favourite;
    unsigned kind = draw_kind(generator);
    switch (kind) {
    case TXN:
        step->kind = STEP_TXN;
        make_txn(generator, &step->txn);
        break;
    case FLUSH:
    case RANDOM_KEY:
        step->kind = kind == FLUSH ? STEP_FLUSH : STEP_RANDOM_KEY;
        step->db = draw_db(generator);
        break;
    case SWAP:
        step->kind = STEP_SWAP;
        step->db = draw_db(generator);
        step->other_db = draw_db(generator);
        break;
    case REFUSED:
        make_refused(generator, step);
        break;
    case WATCH:
        step->kind = STEP_WATCH;
        make_watch(generator, &step->txn);
        break;
    case LAPSE:
        step->kind = STEP_LAPSE;
        make_lapse(generator, &step->op);
        return;
    default:
        make_op(generator, kind, &step->op);
    }
    if (!generator->after_ttl && liked >= 0)
        generator->favourite = -1;
}
