/*
 * Random operations of all kinds on a store whose keys hold strings and lists, so that every kind
 * of change is told. The clock is far in the future: a real Redis expires nothing meanwhile.
 * Included after "store/keyspace_fixture.h" and "store/seeded.h".
 */
#ifndef KEYSTORE_TESTS_JOURNAL_RANDOM_WRITES_H
#define KEYSTORE_TESTS_JOURNAL_RANDOM_WRITES_H

#define WRITES_NOW_MS INT64_C(4000000000000)
#define WRITES_MOST   8 /* keys, elements or parts of one operation */

struct writes {
    uint64_t random;
    int64_t now_ms;
    struct store *store;
    struct arena arena; /* of the newest operation */
    uint8_t bytes[2 * BLOB_LEAST];
    uint32_t most_bytes; /* of a value; at most those */
    size_t done;
};

static inline void writes_init(struct writes *writes, struct store *store, uint64_t random)
{
    *writes = (struct writes){.random = random,
                              .now_ms = WRITES_NOW_MS,
                              .store = store,
                              .most_bytes = sizeof writes->bytes};
    arena_init(&writes->arena);
    seeded_fill(&writes->random, writes->bytes, sizeof writes->bytes);
}

static inline void writes_deinit(struct writes *writes)
{
    arena_deinit(&writes->arena);
}

static inline uint32_t writes_below(struct writes *writes, uint32_t bound)
{
    return seeded_below(&writes->random, bound);
}

/* Strings are mostly under the first keys and lists under the last. */
static inline struct slice writes_key(struct writes *writes, bool list)
{
    static const char *const names[] = {"a", "b", "c", "s\r\n$1", "l1", "l2", "l3", "*3"};
    bool other = writes_below(writes, 20) == 0;
    return slice_from_string(names[writes_below(writes, 4) + (list != other ? 4u : 0u)]);
}

static inline struct slice writes_value(struct writes *writes)
{
    static const char *const texts[] = {"", "0", "-1", "17", "x", "ab", "1.5", "\r\n", "99999"};
    uint32_t which = writes_below(writes, 20);
    if (which < sizeof texts / sizeof *texts)
        return slice_from_string(texts[which]);
    return slice_make(writes->bytes, writes_below(writes, which < 19 ? 70 : writes->most_bytes));
}

static inline int64_t writes_deadline(struct writes *writes)
{
    return writes->now_ms + writes_below(writes, 60) - 2;
}

static inline int64_t writes_index(struct writes *writes)
{
    return (int64_t)writes_below(writes, 24) - 12;
}

static inline enum op_end writes_end(struct writes *writes)
{
    return writes_below(writes, 2) == 0 ? OP_HEAD : OP_TAIL;
}

static inline void writes_fill_bits(struct writes *writes, struct op *op)
{
    static const int64_t values[] = {0, 1, -1, 200, INT64_MIN};
    op->start = writes_below(writes, 800);
    if (op->kind == OP_SET_BIT)
        op->bits.bit = writes_below(writes, 2) == 0;
    if (op->kind == OP_BIT_OP) {
        op->bits.bitwise = (enum op_bitwise)writes_below(writes, 4);
        op->key_count = op->bits.bitwise == OP_BITS_NOT ? 1 : 1 + writes_below(writes, 3);
        op->keys = arena_alloc(&writes->arena, op->key_count * sizeof *op->keys);
        for (size_t i = 0; i < op->key_count; i++)
            op->keys[i] = (struct op_key){.bytes = writes_key(writes, false)};
    }
    if (op->kind != OP_BIT_FIELD)
        return;
    op->parts.field_count = 1 + writes_below(writes, 3);
    struct op_field *fields = arena_alloc(&writes->arena, op->parts.field_count * sizeof *fields);
    for (size_t i = 0; i < op->parts.field_count; i++)
        fields[i] = (struct op_field){.action = (enum op_field_action)writes_below(writes, 3),
                                      .overflow = (enum op_overflow)writes_below(writes, 3),
                                      .is_signed = writes_below(writes, 2) == 0,
                                      .bits = (uint8_t)(1 + writes_below(writes, 63)),
                                      .offset = writes_below(writes, 800),
                                      .value = values[writes_below(writes, 5)]};
    op->parts.fields = fields;
}

static inline void writes_fill_string(struct writes *writes, struct op *op)
{
    static const enum op_kind kinds[] = {OP_SET,       OP_SET,     OP_INCR,     OP_APPEND,
                                         OP_SET_RANGE, OP_GET_DEL, OP_GET_EX,   OP_DELETE,
                                         OP_SET_BIT,   OP_BIT_OP,  OP_BIT_FIELD};
    op->kind = kinds[writes_below(writes, sizeof kinds / sizeof *kinds)];
    op->key = writes_key(writes, false);
    op->value = writes_value(writes);
    bool deadline = writes_below(writes, 3) == 0;
    if (op->kind == OP_SET)
        op->set.keep_ttl = !deadline && writes_below(writes, 2) == 0;
    if (op->kind == OP_SET || op->kind == OP_INCR || op->kind == OP_GET_EX)
        op->expire_at_ms = deadline ? writes_deadline(writes) : 0;
    if (op->kind == OP_GET_EX)
        op->expire.persist = !deadline;
    if (op->kind == OP_SET_RANGE)
        op->start = writes_below(writes, 100);
    if (op->kind == OP_SET_BIT || op->kind == OP_BIT_OP || op->kind == OP_BIT_FIELD)
        writes_fill_bits(writes, op);
    if (op->kind != OP_INCR)
        return;
    static const long double reals[] = {0, 0.1L, -0.7L, 1e20L, 9007199254740993.0L, -1e-17L};
    op->incr.is_real = writes_below(writes, 2) == 0;
    if (op->incr.is_real)
        op->incr.by_real = &reals[writes_below(writes, sizeof reals / sizeof *reals)];
    else
        op->incr.by = writes_index(writes);
}

static inline void writes_fill_keys(struct writes *writes, struct op *op)
{
    static const enum op_kind kinds[] = {OP_EXPIRE, OP_EXPIRE, OP_RENAME, OP_COPY, OP_DELETE_MANY};
    op->kind = kinds[writes_below(writes, sizeof kinds / sizeof *kinds)];
    op->key = writes_key(writes, writes_below(writes, 2) == 0);
    bool persist = op->kind == OP_EXPIRE && writes_below(writes, 3) == 0;
    op->expire_at_ms = persist ? 0 : writes_deadline(writes);
    if (op->kind == OP_EXPIRE)
        op->expire.persist = persist;
    if (op->kind == OP_COPY)
        op->copy.replace = writes_below(writes, 2) == 0;
    if (op->kind == OP_RENAME)
        op->copy.absent_only = writes_below(writes, 2) == 0;
    op->target.bytes = writes_key(writes, writes_below(writes, 2) == 0);
    if (writes_below(writes, 3) == 0)
        op->target_db = writes_below(writes, KEYSPACE_DATABASES);
    if (op->kind == OP_COPY && op->db == op->target_db && slice_equal(op->key, op->target.bytes))
        op->target_db = (op->db + 1) % KEYSPACE_DATABASES;
    if (op->kind != OP_DELETE_MANY)
        return;
    op->key_count = 1 + writes_below(writes, 3);
    op->keys = arena_alloc(&writes->arena, op->key_count * sizeof *op->keys);
    for (size_t i = 0; i < op->key_count; i++)
        op->keys[i] = (struct op_key){.bytes = writes_key(writes, i % 2 == 0)};
}

static inline void writes_fill_push(struct writes *writes, struct op *op)
{
    op->value_count = 1 + writes_below(writes, WRITES_MOST);
    struct slice *values = arena_alloc(&writes->arena, op->value_count * sizeof *values);
    for (size_t i = 0; i < op->value_count; i++)
        values[i] = writes_value(writes);
    op->values = values;
    op->push.max_length = writes_below(writes, 3) == 0 ? 1 + writes_below(writes, 12) : 0;
    op->expire_at_ms = writes_below(writes, 6) == 0 ? writes_deadline(writes) : 0;
}

static inline void writes_fill_list(struct writes *writes, struct op *op)
{
    static const enum op_kind kinds[] = {OP_L_PUSH, OP_R_PUSH, OP_R_PUSH,   OP_L_POP,
                                         OP_R_POP,  OP_L_MOVE, OP_LIST_POP, OP_L_SET,
                                         OP_L_TRIM, OP_L_REM,  OP_L_INSERT};
    op->kind = kinds[writes_below(writes, sizeof kinds / sizeof *kinds)];
    op->key = writes_key(writes, true);
    op->target.bytes = writes_key(writes, true);
    op->value = writes_value(writes);
    if (op->kind == OP_L_INSERT) {
        op->insert.pivot = writes_value(writes);
        op->insert.after = writes_below(writes, 2) == 0;
    }
    if (op->kind == OP_L_MOVE || op->kind == OP_LIST_POP)
        op->move.end = writes_end(writes);
    if (op->kind == OP_L_MOVE)
        op->move.target_end = writes_end(writes);
    op->start = op->kind == OP_L_TRIM ? writes_below(writes, 3) : writes_index(writes);
    op->stop = -(int64_t)writes_below(writes, 3);
    op->count = op->kind == OP_LIST_POP ? writes_below(writes, 5) : writes_index(writes);
    if (op->kind == OP_L_REM && writes_below(writes, 10) == 0)
        op->count = INT64_MIN;
    if (op->kind == OP_L_PUSH || op->kind == OP_R_PUSH)
        writes_fill_push(writes, op);
    if (op->kind != OP_LIST_POP)
        return;
    op->keys = arena_alloc(&writes->arena, 2 * sizeof *op->keys);
    op->key_count = 2;
    for (size_t i = 0; i < op->key_count; i++)
        op->keys[i] = (struct op_key){.bytes = writes_key(writes, true)};
}

static inline void writes_fill_m_set(struct writes *writes, struct op *op)
{
    op->kind = OP_M_SET;
    op->op_count = 1 + writes_below(writes, 4);
    op->ops = arena_alloc(&writes->arena, op->op_count * sizeof *op->ops);
    for (size_t i = 0; i < op->op_count; i++)
        op->ops[i] = (struct op){.kind = OP_SET,
                                 .db = op->db,
                                 .key = writes_key(writes, false),
                                 .value = writes_value(writes),
                                 .now_ms = writes->now_ms};
}

static inline void writes_fill_part(struct writes *writes, struct op *op)
{
    uint32_t which = writes_below(writes, 10);
    *op = (struct op){.db = writes_below(writes, KEYSPACE_DATABASES), .now_ms = writes->now_ms};
    op->target_db = op->db;
    if (which < 4)
        writes_fill_list(writes, op);
    else if (which < 7)
        writes_fill_string(writes, op);
    else if (which < 9)
        writes_fill_keys(writes, op);
    else
        writes_fill_m_set(writes, op);
}

static inline void writes_fill_txn(struct writes *writes, struct op *op)
{
    struct op_txn *otherwise = arena_alloc(&writes->arena, sizeof *otherwise);
    *otherwise = (struct op_txn){0};
    *op = (struct op){.kind = OP_TXN, .now_ms = writes->now_ms, .txn = otherwise};
    op->op_count = 1 + writes_below(writes, WRITES_MOST);
    op->ops = arena_alloc(&writes->arena, op->op_count * sizeof *op->ops);
    for (size_t i = 0; i < op->op_count; i++)
        do
            writes_fill_part(writes, &op->ops[i]);
        while (op->ops[i].kind == OP_M_SET);
}

/* One operation, which may fail, or find nothing to do. */
static inline void writes_one(struct writes *writes)
{
    struct op op;
    struct op_result result;
    arena_reset(&writes->arena);
    uint32_t which = writes_below(writes, 100);
    if (which == 0)
        op = (struct op){.kind = OP_FLUSH_DB, .db = writes_below(writes, KEYSPACE_DATABASES)};
    else if (which < 10)
        writes_fill_txn(writes, &op);
    else
        writes_fill_part(writes, &op);
    store_apply(writes->store, &op, &writes->arena, &result);
    writes->done += result.err == ERR_NONE && result.seen > 0;
    op_result_release(&result);
    writes->now_ms += writes_below(writes, 3);
}

#endif
