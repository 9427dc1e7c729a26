/* The operations on keys, alone and in transactions, against a model that is a plain array: random
 * steps, after each of which both hold the same, down to versions, deadlines and what the shards
 * count. A transaction that fails leaves everything as it was. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/data/garbage.h"
#include "store/key_ops.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define KEYS         8
#define DBS          3
#define ROUNDS       25
#define STEPS        400
#define MOST_CHANGES 3500 /* of those that the fixture keeps; a step emits fewer than the rest */
#define MOST_PARTS   6
#define MOST_KEYS    5
#define NEW_VERSION  UINT64_MAX /* of the current commit */

/* A key of the model. */
struct slot {
    enum op_type type; /* OP_TYPE_NONE: not there */
    char letter;       /* of its only element, or all bytes of a string */
    size_t length;     /* elements of a list, bytes of a string */
    int64_t expire_at_ms;
    uint64_t version;
};

struct model {
    struct slot slots[DBS][KEYS];
    int64_t now_ms;
    bool wrote;   /* there is a commit */
    bool changed; /* beyond removing expired keys */
};

/* What an operation answers. */
struct answer {
    enum err err;
    bool ok;
    int64_t count;
    uint64_t version;
    bool found;
    struct slot value; /* as it was then */
};

/* An operation, and what it points to. */
struct step {
    struct op op;
    struct op_key keys[MOST_KEYS];
    struct slice element;
    char text[1];
    uint8_t bytes[2 * BLOB_LEAST];
};

static const char *const names[KEYS] = {"a", "b", "c", "d", "e", "f", "a longer name", "h"};

/* ---- the model's operations ---- */

static size_t index_of(struct slice name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (slice_equal(slice_from_string(names[i]), name))
            return i;
    fail_msg("no such key");
    return 0;
}

static bool is_due(const struct model *model, const struct slot *slot)
{
    return slot->expire_at_ms != 0 && slot->expire_at_ms <= model->now_ms;
}

/* NULL: not there, or expired. */
static struct slot *look(struct model *model, uint32_t db, struct slice name)
{
    struct slot *slot = &model->slots[db][index_of(name)];
    return slot->type == OP_TYPE_NONE || is_due(model, slot) ? NULL : slot;
}

static void clear(struct model *model, struct slot *slot)
{
    *slot = (struct slot){0};
    model->wrote = model->changed = true;
}

/* The slot, emptied first if it has expired. */
static struct slot *open_slot(struct model *model, uint32_t db, struct slice name)
{
    struct slot *slot = &model->slots[db][index_of(name)];
    bool changed = model->changed;
    if (slot->type != OP_TYPE_NONE && is_due(model, slot))
        clear(model, slot);
    model->changed = changed;
    return slot;
}

static struct answer written(struct model *model, struct slot *slot, int64_t count)
{
    model->wrote = model->changed = true;
    slot->version = NEW_VERSION;
    return (struct answer){.ok = true, .count = count, .version = NEW_VERSION};
}

static struct answer unmet(const struct slot *slot)
{
    return (struct answer){.version = slot->version};
}

static bool condition_holds(const struct condition *condition, const struct slot *slot)
{
    bool there = slot != NULL && slot->type != OP_TYPE_NONE;
    if (condition->existence == EXISTENCE_PRESENT && !there)
        return false;
    if (condition->existence == EXISTENCE_ABSENT && there)
        return false;
    return condition->version == 0 || (there && slot->version == condition->version);
}

static struct answer model_set(struct model *model, const struct op *op)
{
    struct slot *slot = open_slot(model, op->db, op->key);
    if (!condition_holds(&op->condition, slot))
        return unmet(slot);
    int64_t expire_at_ms = op->set.keep_ttl ? slot->expire_at_ms : op->expire_at_ms;
    if (expire_at_ms != 0 && expire_at_ms <= model->now_ms) {
        if (slot->type != OP_TYPE_NONE)
            clear(model, slot);
        return (struct answer){.ok = true, .count = 1};
    }
    *slot = (struct slot){
        .type = OP_TYPE_STRING, .length = op->value.len, .expire_at_ms = expire_at_ms};
    slot->letter = op->value.len > 0 ? (char)op->value.data[0] : '\0';
    return written(model, slot, 1);
}

static struct answer model_get(struct model *model, const struct op *op)
{
    const struct slot *slot = look(model, op->db, op->key);
    if (slot != NULL && slot->type == OP_TYPE_LIST)
        return (struct answer){.err = ERR_WRONG_TYPE};
    if (slot == NULL)
        return (struct answer){0};
    return (struct answer){.found = true, .value = *slot};
}

static struct answer model_delete(struct model *model, const struct op *op)
{
    struct slot *slot = open_slot(model, op->db, op->key);
    if (!condition_holds(&op->condition, slot))
        return unmet(slot);
    if (slot->type == OP_TYPE_NONE)
        return (struct answer){0};
    clear(model, slot);
    return (struct answer){.ok = true, .count = 1};
}

static struct answer model_exists(struct model *model, const struct op *op)
{
    struct answer answer = {0};
    for (size_t i = 0; i < op->key_count; i++)
        answer.count += look(model, op->db, op->keys[i].bytes) != NULL;
    answer.ok = answer.count > 0;
    return answer;
}

static struct answer model_delete_many(struct model *model, const struct op *op)
{
    struct answer answer = {0};
    for (size_t i = 0; i < op->key_count; i++) {
        struct slot *slot = open_slot(model, op->db, op->keys[i].bytes);
        if (slot->type == OP_TYPE_NONE)
            continue;
        clear(model, slot);
        answer.count++;
    }
    answer.ok = answer.count > 0;
    return answer;
}

static struct answer model_describe(struct model *model, const struct op *op)
{
    const struct slot *slot = look(model, op->db, op->key);
    if (slot == NULL)
        return (struct answer){0};
    return (struct answer){.ok = true, .version = slot->version, .found = true, .value = *slot};
}

static struct answer model_expire(struct model *model, const struct op *op)
{
    struct slot *slot = open_slot(model, op->db, op->key);
    if (slot->type == OP_TYPE_NONE)
        return (struct answer){0};
    const int64_t never = INT64_MAX, wanted = op->expire_at_ms;
    int64_t present = slot->expire_at_ms == 0 ? never : slot->expire_at_ms;
    bool met = op->expire.persist ? present != never
                                  : op->expire.when == OP_ALWAYS ||
                                        (op->expire.when == OP_NO_EXPIRY && present == never) ||
                                        (op->expire.when == OP_HAS_EXPIRY && present != never) ||
                                        (op->expire.when == OP_LATER && wanted > present) ||
                                        (op->expire.when == OP_SOONER && wanted < present);
    if (!met)
        return unmet(slot);
    if (!op->expire.persist && wanted <= model->now_ms) {
        clear(model, slot);
        return (struct answer){.ok = true, .count = 1};
    }
    slot->expire_at_ms = op->expire.persist ? 0 : wanted;
    return written(model, slot, 1);
}

static struct answer model_rename(struct model *model, const struct op *op)
{
    struct slot *from = open_slot(model, op->db, op->key);
    if (from->type == OP_TYPE_NONE)
        return (struct answer){0};
    if (from == &model->slots[op->target_db][index_of(op->target.bytes)])
        return (struct answer){.ok = !op->copy.absent_only, .version = from->version};
    struct slot *to = open_slot(model, op->target_db, op->target.bytes);
    if (to->type != OP_TYPE_NONE && op->copy.absent_only)
        return unmet(to);
    *to = *from;
    clear(model, from);
    return written(model, to, 1);
}

static struct answer model_copy(struct model *model, const struct op *op)
{
    if (op->db == op->target_db && slice_equal(op->key, op->target.bytes))
        return (struct answer){.err = ERR_BAD_ARGUMENT};
    const struct slot *from = look(model, op->db, op->key);
    if (from == NULL)
        return (struct answer){0};
    struct slot *to = open_slot(model, op->target_db, op->target.bytes);
    if (to->type != OP_TYPE_NONE && !op->copy.replace)
        return unmet(to);
    *to = *from;
    return written(model, to, 1);
}

static struct answer model_flush(struct model *model, const struct op *op)
{
    struct answer answer = {0};
    for (size_t i = 0; i < KEYS; i++) {
        if (model->slots[op->db][i].type == OP_TYPE_NONE)
            continue;
        clear(model, &model->slots[op->db][i]);
        answer.count++;
    }
    answer.ok = answer.count > 0;
    return answer;
}

/* Makes a list of one element, if the key is not there. */
static struct answer model_push(struct model *model, const struct op *op)
{
    struct slot *slot = open_slot(model, op->db, op->key);
    if (slot->type == OP_TYPE_STRING)
        return (struct answer){.err = ERR_WRONG_TYPE};
    if (slot->type == OP_TYPE_LIST)
        return unmet(slot);
    *slot = (struct slot){.type = OP_TYPE_LIST, .length = 1};
    slot->letter = (char)op->values[0].data[0];
    return written(model, slot, 1);
}

static struct answer model_apply(struct model *model, const struct op *op)
{
    switch (op->kind) {
    case OP_SET:
        return model_set(model, op);
    case OP_GET:
        return model_get(model, op);
    case OP_DELETE:
        return model_delete(model, op);
    case OP_EXISTS:
    case OP_TOUCH:
        return model_exists(model, op);
    case OP_DELETE_MANY:
        return model_delete_many(model, op);
    case OP_DESCRIBE:
        return model_describe(model, op);
    case OP_EXPIRE:
        return model_expire(model, op);
    case OP_RENAME:
        return model_rename(model, op);
    case OP_COPY:
        return model_copy(model, op);
    case OP_L_PUSH:
        return model_push(model, op);
    default:
        return model_flush(model, op);
    }
}

/* Fills in the commit's revision. */
static void stamp(struct model *model, uint64_t revision)
{
    for (size_t db = 0; db < DBS; db++)
        for (size_t i = 0; i < KEYS; i++)
            if (model->slots[db][i].version == NEW_VERSION)
                model->slots[db][i].version = revision;
    model->wrote = model->changed = false;
}

/* ---- random operations ---- */

static uint32_t draw(uint64_t *random, uint32_t bound)
{
    return seeded_below(random, bound);
}

static struct slice draw_name(uint64_t *random)
{
    return slice_from_string(names[draw(random, KEYS)]);
}

/* A deadline that is near; for Expire some have passed. */
static int64_t draw_deadline(uint64_t *random, int64_t now_ms, enum op_kind kind)
{
    return now_ms + (int64_t)draw(random, 35) + (kind == OP_EXPIRE ? -5 : 1);
}

static struct slice draw_value(struct step *step, uint64_t *random)
{
    static const size_t lengths[] = {0, 1, 7, 100, 300, 2000, BLOB_LEAST, 20000};
    size_t length = lengths[draw(random, COUNT(lengths))];
    memset(step->bytes, 'a' + (int)draw(random, 26), length);
    return slice_make(step->bytes, length);
}

static struct condition draw_condition(const struct model *model, uint64_t *random)
{
    struct condition condition = {0};
    if (draw(random, 3) == 0)
        condition.existence = (enum existence)draw(random, 3);
    if (condition.existence != EXISTENCE_ABSENT && draw(random, 4) == 0)
        condition.version = model->slots[draw(random, DBS)][draw(random, KEYS)].version;
    if (condition.version == NEW_VERSION)
        condition.version = 0;
    return condition;
}

static void draw_keys(struct step *step, uint64_t *random)
{
    step->op.keys = step->keys;
    step->op.key_count = 1 + draw(random, MOST_KEYS);
    for (size_t i = 0; i < step->op.key_count; i++)
        step->keys[i] = (struct op_key){.bytes = draw_name(random)};
}

static void draw_step(struct step *step, const struct model *model, uint64_t *random)
{
    static const enum op_kind kinds[] = {
        OP_SET,    OP_SET,    OP_SET,  OP_L_PUSH, OP_L_PUSH, OP_GET,   OP_DELETE, OP_DELETE_MANY,
        OP_EXISTS, OP_EXPIRE, OP_COPY, OP_EXPIRE, OP_RENAME, OP_TOUCH, OP_RENAME, OP_DESCRIBE};
    struct op *op = &step->op;
    *op = (struct op){.kind = kinds[draw(random, COUNT(kinds))],
                      .db = draw(random, DBS),
                      .key = draw_name(random),
                      .target = {.bytes = draw_name(random)},
                      .target_db = draw(random, DBS)};
    if (op->kind == OP_EXPIRE)
        op->expire.when = (enum op_when)draw(random, 5);
    if (op->kind == OP_COPY)
        op->copy.replace = draw(random, 2);
    if (op->kind == OP_RENAME)
        op->copy.absent_only = draw(random, 2);
    if (op->kind == OP_SET || op->kind == OP_DELETE)
        op->condition = draw_condition(model, random);
    if (op->kind == OP_SET) {
        op->value = draw_value(step, random);
        op->set.keep_ttl = draw(random, 4) == 0;
    }
    if (op->kind == OP_L_PUSH) { /* only to make a list */
        op->condition.existence = EXISTENCE_ABSENT;
        step->text[0] = (char)('a' + draw(random, 26));
        step->element = slice_make(step->text, 1);
        op->values = &step->element;
        op->value_count = 1;
    }
    if (op->kind == OP_EXPIRE)
        op->expire.persist = draw(random, 4) == 0;
    if ((op->kind == OP_SET && !op->set.keep_ttl && draw(random, 2) == 0) ||
        (op->kind == OP_EXPIRE && !op->expire.persist))
        op->expire_at_ms = draw_deadline(random, model->now_ms, op->kind);
    if (op_info(op->kind)->keys == OP_KEYS_KEYS)
        draw_keys(step, random);
}

/* ---- comparing ---- */

static void assert_entry_is(const struct entry *entry, const struct slot *slot)
{
    if (slot->type == OP_TYPE_NONE) {
        assert_null(entry);
        return;
    }
    assert_non_null(entry);
    assert_int_equal(entry_version(entry), slot->version);
    assert_int_equal(entry_expire_at_ms(entry), slot->expire_at_ms);
    assert_int_equal(entry_type(entry) == ENTRY_LIST, slot->type == OP_TYPE_LIST);
    if (slot->type == OP_TYPE_LIST) {
        assert_int_equal(list_length(entry_list(entry)), slot->length);
        return;
    }
    struct slice value = entry_string(entry);
    assert_int_equal(value.len, slot->length);
    for (size_t i = 0; i < value.len; i += 97)
        assert_int_equal(value.data[i], slot->letter);
}

/* The elements are read as a client would. */
static void assert_list(struct keyspace_fixture *fixture, uint32_t db, size_t key,
                        const struct slot *slot)
{
    struct op op = key_op(OP_L_RANGE, names[key]);
    op.db = db;
    op.stop = -1;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->value_count, slot->length);
    assert_int_equal(result->values[0].data[0], slot->letter);
}

static void assert_same(struct keyspace_fixture *fixture, const struct model *model)
{
    for (uint32_t db = 0; db < DBS; db++) {
        size_t expiring = 0, wanted = 0;
        for (size_t i = 0; i < KEYS; i++) {
            const struct slot *slot = &model->slots[db][i];
            struct slice name = slice_from_string(names[i]);
            assert_entry_is(keyspace_look(fixture->store, db, name).entry, slot);
            wanted += slot->expire_at_ms != 0;
            if (slot->type == OP_TYPE_LIST && !is_due(model, slot))
                assert_list(fixture, db, i, slot);
        }
        for (size_t i = 0; i < fixture->store->shard_count; i++)
            expiring += fixture->store->shards[i].databases[db].expiring;
        assert_int_equal(expiring, wanted);
    }
}

static void assert_answer(const struct op *op, const struct op_result *result,
                          const struct answer *answer, uint64_t revision)
{
    assert_int_equal(result->err, answer->err);
    assert_int_equal(result->err == ERR_NONE, result->why == NULL);
    if (result->err != ERR_NONE)
        return;
    if (op->kind == OP_GET) {
        assert_int_equal(result->value.found, answer->found);
        assert_int_equal(result->value.bytes.len, answer->value.length);
        return;
    }
    assert_int_equal(result->ok, answer->ok);
    assert_int_equal(result->count, answer->count);
    assert_int_equal(result->version, answer->version == NEW_VERSION ? revision : answer->version);
    if (op->kind == OP_DESCRIBE && answer->found) {
        assert_int_equal(result->type, answer->value.type);
        assert_int_equal(result->length, answer->value.length);
        assert_int_equal(result->value.expire_at_ms, answer->value.expire_at_ms);
    }
}

/* The shards' counts, without the dictionaries' tables, which may stay larger. */
struct counts {
    size_t used[SHARDS_MAX];
    uint64_t removed[SHARDS_MAX];
};

static void count(struct keyspace_fixture *fixture, struct counts *counts)
{
    for (size_t i = 0; i < fixture->store->shard_count; i++) {
        const struct shard *shard = &fixture->store->shards[i];
        counts->removed[i] = shard->removed;
        counts->used[i] = slab_used(&shard->slab);
        for (uint32_t db = 0; db < DBS; db++)
            counts->used[i] -= dict_memory(&shard->databases[db].dict);
    }
}

/* ---- the steps ---- */

/* The state of a test. */
struct run {
    struct keyspace_fixture *fixture;
    struct model model, changed;
    uint64_t random;
    struct step steps[MOST_PARTS];
    struct op parts[MOST_PARTS];
    struct answer answers[MOST_PARTS];
    size_t committed, aborted;
};

static void step_alone(struct run *run)
{
    struct keyspace_fixture *fixture = run->fixture;
    struct step *step = &run->steps[0];
    uint64_t before = fixture->revision;
    draw_step(step, &run->model, &run->random);
    if (draw(&run->random, 40) == 0)
        step->op = (struct op){.kind = OP_FLUSH_DB, .db = draw(&run->random, DBS)};
    struct answer answer = model_apply(&run->model, &step->op);
    const struct op_result *result = keyspace_apply(fixture, step->op);
    assert_int_equal(fixture->revision, before + run->model.wrote);
    assert_answer(&step->op, result, &answer, fixture->revision);
    stamp(&run->model, fixture->revision);
}

/* Applies it to the model; returns the index of the part that fails, or their number. */
static size_t do_parts(struct run *run, size_t part_count)
{
    run->changed = run->model;
    for (size_t i = 0; i < part_count; i++) {
        run->answers[i] = model_apply(&run->changed, &run->parts[i]);
        if (run->answers[i].err != ERR_NONE)
            return i;
    }
    return part_count;
}

static void expect_abort(struct run *run, const struct op_result *result, size_t failed,
                         uint64_t before, const struct counts *counts)
{
    static struct counts after;
    char path[40];
    const char *branch = strncmp(result->why, "success", 7) == 0 ? "success" : "failure";
    snprintf(path, sizeof path, "%s[%zu].", branch, failed);
    assert_int_equal(result->err, run->answers[failed].err);
    assert_memory_equal(result->why, path, strlen(path));
    assert_int_equal(result->result_count, 0);
    assert_int_equal(run->fixture->revision, before);
    assert_true(result->seen <= before);
    count(run->fixture, &after);
    assert_memory_equal(&after, counts, sizeof after);
    run->aborted++;
}

static void expect_commit(struct run *run, const struct op_result *result, bool holds,
                          size_t part_count, uint64_t before)
{
    uint64_t revision = run->fixture->revision;
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->ok, holds);
    assert_int_equal(revision, before + run->changed.wrote);
    assert_int_equal(result->version, run->changed.changed ? revision : 0);
    assert_int_equal(result->result_count, part_count);
    for (size_t i = 0; i < part_count; i++)
        assert_answer(&run->parts[i], &result->results[i], &run->answers[i], revision);
    run->model = run->changed;
    stamp(&run->model, revision);
    run->committed++;
}

static void step_txn(struct run *run)
{
    static struct counts counts;
    size_t part_count = 1 + draw(&run->random, MOST_PARTS);
    struct op compare = {.db = draw(&run->random, DBS), .key = draw_name(&run->random)};
    compare.condition = draw_condition(&run->model, &run->random);
    bool holds = condition_holds(&compare.condition, look(&run->model, compare.db, compare.key));
    for (size_t i = 0; i < part_count; i++) {
        draw_step(&run->steps[i], &run->model, &run->random);
        run->parts[i] = run->steps[i].op;
    }
    struct op nothing = key_op(OP_GET, "none");
    struct op_txn otherwise = {.compares = &compare,
                               .compare_count = 1,
                               .else_ops = holds ? &nothing : run->parts,
                               .else_count = holds ? 1 : part_count};
    struct op txn = {.kind = OP_TXN,
                     .ops = holds ? run->parts : &nothing,
                     .op_count = holds ? part_count : 1,
                     .txn = &otherwise};
    size_t failed = do_parts(run, part_count);
    uint64_t before = run->fixture->revision;
    count(run->fixture, &counts);
    const struct op_result *result = keyspace_apply(run->fixture, txn);
    if (failed < part_count)
        expect_abort(run, result, failed, before, &counts);
    else
        expect_commit(run, result, holds, part_count, before);
}

static void run_round(struct run *run)
{
    struct keyspace_fixture *fixture = run->fixture;
    run->model = (struct model){.now_ms = fixture->now_ms};
    for (int i = 0; i < STEPS && fixture->change_count < MOST_CHANGES; i++) {
        if (draw(&run->random, 2) == 0)
            step_alone(run);
        else
            step_txn(run);
        assert_same(fixture, &run->model);
        fixture->now_ms += draw(&run->random, 4);
        run->model.now_ms = fixture->now_ms;
    }
}

/* Nothing leaks: without keys, only the tables take memory. */
static void assert_nothing_leaked(struct keyspace_fixture *fixture)
{
    static struct counts counts;
    for (uint32_t db = 0; db < DBS; db++)
        keyspace_apply(fixture, (struct op){.kind = OP_FLUSH_DB, .db = db});
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        garbage_collect(&fixture->store->shards[i], SIZE_MAX);
    count(fixture, &counts);
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        assert_int_equal(counts.used[i], 0);
}

static void test_random_steps_match_the_model(void **state)
{
    (void)state;
    static struct run run;
    run.random = seeded_start();
    for (int round = 0; round < ROUNDS; round++) {
        void *fixture;
        keyspace_setup(&fixture);
        run.fixture = fixture;
        run_round(&run);
        keyspace_replay(fixture);
        assert_nothing_leaked(fixture);
        keyspace_teardown(&fixture);
    }
    assert_true(run.committed > ROUNDS * STEPS / 20);
    assert_true(run.aborted > ROUNDS * STEPS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_steps_match_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
