/*
 * One step at a time on both servers: ours first, since what a time to live became is ours to say.
 * Knows what steps are, and no single operation.
 */
#include "lane.h"

#include "coverage.h"
#include "differences.h"
#include "exchange.h"
#include "guard.h"
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Operations of a branch that are looked at; the generator makes fewer. */
#define MOST_OPS  32
#define MOST_KEYS 64
/* How long a server may take to remove what has expired. */
#define SWEEP_MS 20000

int64_t lane_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_same(const struct lane *lane)
{
    return lane->judge.difference[0] == '\0';
}

bool lane_init(struct lane *lane, unsigned number, const char *target, const char *redis_socket)
{
    struct keystore_error error = {0};
    *lane = (struct lane){.first_db = number * ROUND_DBS};
    lane->client = keystore_connect(target, NULL, &error);
    lane->aside = keystore_connect(target, NULL, &error);
    bool redis = script_init(&lane->script, redis_socket);
    redis = watch_init(&lane->watch, redis_socket) && redis;
    lane->judge.versions = &lane->versions;
    arena_init(&lane->arena);
    if (lane->client != NULL && lane->aside != NULL && redis)
        return true;
    fprintf(stderr, "model: cannot connect to %s (%s) or to Redis at %s\n", target, error.message,
            redis_socket);
    return false;
}

void lane_deinit(struct lane *lane)
{
    keystore_close(lane->client);
    keystore_close(lane->aside);
    script_deinit(&lane->script);
    watch_deinit(&lane->watch);
    arena_deinit(&lane->arena);
}

/* Redis' replies to what is in the script. */
static bool ask_redis(struct lane *lane)
{
    bool answered = script_run(&lane->script);
    judge_expect(&lane->judge, answered, "Redis does not answer: %s", lane->script.redis->errstr);
    return answered;
}

/* ---- what steps leave open ---- */

static uint64_t ask_version(struct lane *lane, uint32_t db, struct keystore_slice key)
{
    struct version *version = &lane->versions.keys[db][universe_number(key)];
    struct keystore_key request = {.key = key, .db = db};
    struct keystore_key_info info;
    if (!version->known && keystore_describe(lane->aside, &request, &info) == KEYSTORE_OK)
        judge_kept(&lane->judge, db, key, info.version);
    return version->now;
}

static struct keystore_slice ask_value(struct lane *lane, uint32_t db, struct keystore_slice key)
{
    struct keystore_key request = {.key = key, .db = db};
    struct keystore_value value;
    if (keystore_get(lane->aside, &request, &value) != KEYSTORE_OK || value.value.len == 0)
        return keystore_text("");
    void *copy = arena_alloc(&lane->arena, value.value.len);
    memcpy(copy, value.value.data, value.value.len);
    return (struct keystore_slice){copy, value.value.len};
}

static void fulfil(struct lane *lane, uint32_t db, struct keystore_slice key,
                   const struct keystore_condition *condition)
{
    struct step_condition *wished = (struct step_condition *)condition;
    if (wished != NULL && wished->right_value)
        wished->condition.value = ask_value(lane, db, key);
    if (wished == NULL || wished->wish == VERSION_ANY)
        return;
    uint64_t version = VERSION_NONE;
    if (wished->wish == VERSION_RIGHT)
        version = ask_version(lane, db, key);
    if (wished->wish == VERSION_STALE)
        version = lane->versions.keys[db][universe_number(key)].stale;
    wished->condition.version = version != 0 ? version : VERSION_NONE;
}

static void fulfil_op(struct lane *lane, const struct keystore_op *op)
{
    struct step_key keys[MOST_KEYS];
    size_t count = step_keys(op, keys, MOST_KEYS);
    for (size_t i = 0; i < count; i++)
        fulfil(lane, keys[i].db, keys[i].key, keys[i].condition);
}

static void fulfil_txn(struct lane *lane, const struct keystore_txn_request *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++)
        fulfil(lane, txn->compares[i].db, txn->compares[i].key, txn->compares[i].condition);
    for (size_t i = 0; i < txn->success_count; i++)
        fulfil_op(lane, &txn->success[i]);
    for (size_t i = 0; i < txn->failure_count; i++)
        fulfil_op(lane, &txn->failure[i]);
}

/* ---- single operations ---- */

/* A deadline that cannot be what became of the time to live is 0: then Redis gets another one. */
static int64_t check_deadline(int64_t deadline_ms, int64_t ttl_ms, int64_t before_ms,
                              int64_t after_ms)
{
    return deadline_ms >= before_ms + ttl_ms && deadline_ms <= after_ms + ttl_ms ? deadline_ms : 0;
}

static int64_t ask_deadline(struct lane *lane, const struct keystore_op *op, int64_t before_ms)
{
    int64_t ttl_ms = step_ttl_ms(op), after_ms = lane_now_ms();
    struct step_key key;
    struct keystore_key_info info;
    if (ttl_ms == 0)
        return 0;
    step_keys(op, &key, 1);
    struct keystore_key request = {.key = key.key, .db = key.db};
    if (keystore_describe(lane->aside, &request, &info) != KEYSTORE_OK)
        return 0;
    return check_deadline(info.expire_at_ms, ttl_ms, before_ms, after_ms);
}

static void do_op(struct lane *lane, const struct keystore_op *op)
{
    struct keystore_reply reply;
    fulfil_op(lane, op);
    lane->judge.now_ms = lane_now_ms();
    ours_call(lane->client, op, &reply);
    coverage_note(op, &reply);
    int64_t deadline_ms = ask_deadline(lane, op, lane->judge.now_ms);
    struct exchange exchange = exchange_of(op, deadline_ms, lane->judge.now_ms);
    exchange_send(&exchange, &lane->script);
    if (!ask_redis(lane))
        return;
    exchange.ours = &reply;
    exchange.replies = lane->script.replies;
    exchange_judge(&exchange, &lane->judge);
}

/* ---- transactions ---- */

/* The operations of a transaction, with the places of their replies. */
struct parts {
    const struct keystore_op *ops;
    size_t count;
    struct exchange exchanges[MOST_OPS];
    size_t first[MOST_OPS]; /* reply of each */
};

/* A guard's keys are of one database, so each has its own. */
static void send_compares(struct script *script, const struct keystore_txn_request *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        const struct keystore_compare *compare = &txn->compares[i];
        guard_begin(script, compare->db, 1);
        script_bytes(script, compare->key);
        guard_compare(script, compare->condition);
        script_end(script);
    }
}

/* From the replies to the above. */
static bool compares_held(const struct script *script, const struct keystore_txn_request *txn)
{
    bool held = true;
    for (size_t i = 0; i < txn->compare_count; i++) {
        held = held && guard_held(script->replies[i]);
        if (txn->compares[i].condition->match_value && guard_met_list(script->replies[i]))
            difference_met(DIFFERENCE_COMPARE_LIST);
    }
    return held;
}

static struct parts branch_of(const struct keystore_txn_request *txn, bool held)
{
    return held ? (struct parts){.ops = txn->success, .count = txn->success_count}
                : (struct parts){.ops = txn->failure, .count = txn->failure_count};
}

/* What follows an operation with a time to live describes its key. */
static int64_t part_deadline(const struct parts *parts, size_t i,
                             const struct keystore_txn_reply *reply, int64_t before_ms,
                             int64_t after_ms)
{
    int64_t ttl_ms = step_ttl_ms(&parts->ops[i]);
    if (ttl_ms == 0 || reply == NULL || i + 1 >= reply->count)
        return 0;
    int64_t deadline_ms = reply->replies[i + 1].answer.info.expire_at_ms;
    return check_deadline(deadline_ms, ttl_ms, before_ms, after_ms);
}

/* `reply` is NULL if there is none. */
static void send_parts(struct lane *lane, struct parts *parts,
                       const struct keystore_txn_reply *reply, int64_t after_ms)
{
    int64_t before_ms = lane->judge.now_ms;
    script_multi(&lane->script);
    for (size_t i = 0; i < parts->count; i++) {
        int64_t deadline_ms = part_deadline(parts, i, reply, before_ms, after_ms);
        parts->exchanges[i] = exchange_of(&parts->ops[i], deadline_ms, before_ms);
        parts->first[i] = script_sent(&lane->script);
        exchange_send(&parts->exchanges[i], &lane->script);
    }
    script_exec(&lane->script);
}

static void judge_parts(struct lane *lane, struct parts *parts,
                        const struct keystore_txn_reply *reply)
{
    struct judge *judge = &lane->judge;
    judge_number(judge, "replies", (int64_t)reply->count, (int64_t)parts->count);
    lane->versions.unit = reply->version != 0 ? reply->version : VERSION_NONE;
    for (size_t i = 0; i < parts->count && is_same(lane); i++) {
        struct exchange *exchange = &parts->exchanges[i];
        exchange->ours = &reply->replies[i];
        exchange->replies = &lane->script.replies[parts->first[i]];
        judge_number(judge, "id", (int64_t)exchange->ours->id, (int64_t)exchange->op->id);
        coverage_note(exchange->op, exchange->ours);
        exchange_judge(exchange, judge);
        judge_locate(judge, "operation", i + 1, step_name(parts->ops[i].kind));
    }
    lane->versions.unit = 0;
}

static void do_done_txn(struct lane *lane, const struct keystore_txn_request *txn,
                        const struct keystore_txn_reply *reply)
{
    int64_t after_ms = lane_now_ms();
    struct parts parts = branch_of(txn, reply->succeeded);
    send_compares(&lane->script, txn);
    send_parts(lane, &parts, reply, after_ms);
    if (!ask_redis(lane))
        return;
    judge_number(&lane->judge, "succeeded", reply->succeeded, compares_held(&lane->script, txn));
    judge_parts(lane, &parts, reply);
}

/* ---- transactions that fail: Redis does what ours did not, and undoes it by hand ---- */

static size_t keys_of(const struct parts *parts, struct step_key *keys, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < parts->count; i++) {
        struct step_key named[MOST_KEYS];
        size_t names = step_keys(&parts->ops[i], named, MOST_KEYS);
        for (size_t j = 0; j < names && count < most; j++)
            keys[count++] = named[j];
    }
    return count;
}

static void send_backup(struct script *script, const struct step_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        script_begin(script, keys[i].db, "COPY");
        script_bytes(script, keys[i].key);
        script_bytes(script, keys[i].key);
        script_text(script, "DB");
        script_number(script, ALL_DBS + keys[i].db);
        script_end(script);
    }
}

static void send_restoration(struct script *script, const struct step_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        script_key_command(script, keys[i].db, "DEL", keys[i].key);
    for (size_t i = 0; i < count; i++) {
        script_begin(script, ALL_DBS + keys[i].db, "MOVE");
        script_bytes(script, keys[i].key);
        script_number(script, keys[i].db);
        script_end(script);
    }
}

/* The number of the operation that failed, from 1 on; 0 if the message does not say. */
static size_t failed_number(const char *message)
{
    size_t index;
    return sscanf(message, "success[%zu].", &index) == 1 ||
                   sscanf(message, "failure[%zu].", &index) == 1
               ? index + 1
               : 0;
}

static void judge_failed_parts(struct lane *lane, const struct parts *parts,
                               const struct keystore_reply *error)
{
    for (size_t i = 0; i + 1 < parts->count; i++) {
        const redisReply *reply = lane->script.replies[parts->first[i]];
        judge_expect(&lane->judge,
                     reply->type != REDIS_REPLY_ERROR || judge_is_no_such_key(reply) ||
                         judge_is_lcs_limit(reply),
                     "ours fails with operation %zu (%s), Redis with operation %zu: %s",
                     parts->count, error->answer.error.message, i + 1, reply->str);
    }
    const redisReply *last = lane->script.replies[parts->first[parts->count - 1]];
    judge_errors(&lane->judge, error, last);
}

static void do_failed_txn(struct lane *lane, const struct keystore_txn_request *txn)
{
    struct keystore_reply error = ours_error(lane->client);
    send_compares(&lane->script, txn);
    if (!ask_redis(lane))
        return;
    struct parts parts = branch_of(txn, compares_held(&lane->script, txn));
    size_t failed = failed_number(error.answer.error.message);
    judge_expect(&lane->judge, failed > 0 && failed <= parts.count, "ours fails: %s %s",
                 error.answer.error.reason, error.answer.error.message);
    script_clear(&lane->script);
    if (!is_same(lane))
        return;
    parts.count = failed;
    struct step_key keys[MOST_KEYS * 2];
    size_t count = keys_of(&parts, keys, MOST_KEYS * 2);
    send_backup(&lane->script, keys, count);
    send_parts(lane, &parts, NULL, lane->judge.now_ms);
    send_restoration(&lane->script, keys, count);
    if (ask_redis(lane))
        judge_failed_parts(lane, &parts, &error);
    difference_met(DIFFERENCE_TXN_UNDONE);
}

static void do_txn(struct lane *lane, const struct keystore_txn_request *txn)
{
    struct keystore_txn_reply reply;
    fulfil_txn(lane, txn);
    lane->judge.now_ms = lane_now_ms();
    if (keystore_txn(lane->client, txn, &reply) == KEYSTORE_OK)
        do_done_txn(lane, txn, &reply);
    else
        do_failed_txn(lane, txn);
}

/* ---- the other steps ---- */

static void expect_ok(struct lane *lane, enum keystore_code code)
{
    judge_expect(&lane->judge, code == KEYSTORE_OK, "ours fails: %s",
                 keystore_last_error(lane->client)->message);
}

/* KEYS leaves out what has expired and not yet gone; our count does not. */
static void do_flush(struct lane *lane, uint32_t db)
{
    struct keystore_status status;
    struct keystore_db_request request = {.db = db};
    expect_ok(lane, keystore_flush_db(lane->client, &request, &status));
    script_key_command(&lane->script, db, "KEYS", keystore_text("*"));
    script_begin(&lane->script, db, "FLUSHDB");
    script_end(&lane->script);
    if (!ask_redis(lane))
        return;
    int64_t keys = (int64_t)lane->script.replies[0]->elements;
    judge_number(&lane->judge, "ok", status.ok, status.count > 0);
    if (!lane->lapsed)
        judge_number(&lane->judge, "count", status.count, keys);
    for (size_t i = 0; i < KEYS; i++)
        versions_gone(&lane->versions, db, universe_key(i));
}

/* Their numbers of keys differ in what has expired. */
static void do_swap(struct lane *lane, uint32_t db, uint32_t other_db)
{
    struct keystore_status status;
    struct keystore_swap_request request = {.db = db, .other_db = other_db};
    expect_ok(lane, keystore_swap_db(lane->client, &request, &status));
    script_key_command(&lane->script, db, "KEYS", keystore_text("*"));
    script_key_command(&lane->script, other_db, "KEYS", keystore_text("*"));
    script_begin(&lane->script, db, "SWAPDB");
    script_number(&lane->script, db);
    script_number(&lane->script, other_db);
    script_end(&lane->script);
    if (!ask_redis(lane))
        return;
    redisReply **replies = lane->script.replies;
    int64_t keys = (int64_t)(replies[0]->elements + replies[1]->elements);
    judge_number(&lane->judge, "ok", status.ok, status.count > 0);
    judge_number(&lane->judge, "Redis' OK", true, replies[2]->type == REDIS_REPLY_STATUS);
    if (!lane->lapsed)
        judge_number(&lane->judge, "count", status.count, db != other_db ? keys : 0);
    for (size_t i = 0; i < KEYS && status.ok; i++) {
        versions_swapped(&lane->versions, db, universe_key(i));
        versions_swapped(&lane->versions, other_db, universe_key(i));
    }
}

static void do_random_key(struct lane *lane, uint32_t db)
{
    struct keystore_key answer;
    struct keystore_db_request request = {.db = db};
    expect_ok(lane, keystore_random_key(lane->client, &request, &answer));
    script_key_command(&lane->script, db, "EXISTS", answer.key);
    script_begin(&lane->script, db, "RANDOMKEY");
    script_end(&lane->script);
    if (!ask_redis(lane))
        return;
    bool is_empty = lane->script.replies[1]->type == REDIS_REPLY_NIL;
    judge_number(&lane->judge, "no key", answer.key.len == 0, is_empty);
    judge_integer(&lane->judge, "the key exists", answer.key.len > 0, lane->script.replies[0]);
}

/* That nothing has happened, the key's version tells, and the next step on it. */
static void do_refused(struct lane *lane, const struct step *step)
{
    struct keystore_reply reply;
    const char *reason = step->refusal == DIFFERENCE_LONG_KEY ? "ERROR_REASON_TOO_LARGE"
                                                              : "ERROR_REASON_BAD_ARGUMENT";
    ours_call(lane->client, &step->op, &reply);
    judge_expect(&lane->judge,
                 reply.kind == KEYSTORE_REPLY_ERROR &&
                     strcmp(reply.answer.error.reason, reason) == 0,
                 "ours should fail with %s: %s", reason,
                 reply.kind == KEYSTORE_REPLY_ERROR ? reply.answer.error.message : "it succeeds");
    difference_met(step->refusal);
}

static void wait_until(int64_t unix_ms)
{
    struct timespec time = {.tv_sec = unix_ms / 1000, .tv_nsec = unix_ms % 1000 * 1000000};
    while (lane_now_ms() < unix_ms)
        clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

/* Both have passed the deadline when the step is over; the key is not looked at before. */
static void do_lapse(struct lane *lane, const struct keystore_op *lapse)
{
    struct keystore_op op = *lapse;
    struct keystore_reply reply;
    op.request.expire.expire_at_ms = lane_now_ms() + 5;
    ours_call(lane->client, &op, &reply);
    struct exchange exchange = exchange_of(&op, 0, 0);
    exchange_send(&exchange, &lane->script);
    if (!ask_redis(lane) || !judge_errors(&lane->judge, &reply, lane->script.replies[0]))
        return;
    judge_integer(&lane->judge, "ok", reply.answer.status.ok, lane->script.replies[0]);
    wait_until(op.request.expire.expire_at_ms + 2);
    versions_forget(&lane->versions, op.request.expire.db, op.request.expire.key);
    lane->lapsed = true;
}

static struct keystore_key_info ask_info(struct lane *lane, const struct keystore_compare *compare)
{
    struct keystore_key request = {.key = compare->key, .db = compare->db, .want_as_of = true};
    struct keystore_key_info info = {0};
    enum keystore_code code = keystore_describe(lane->aside, &request, &info);
    judge_expect(&lane->judge, code == KEYSTORE_OK, "ours fails: %s",
                 keystore_last_error(lane->aside)->message);
    return info;
}

/* Whether the key has been unchanged since; a Txn that does nothing tells. */
static bool ask_unchanged(struct lane *lane, const struct keystore_compare *watched, uint64_t since)
{
    struct keystore_compare compare = {.key = watched->key,
                                       .db = watched->db,
                                       .has_unchanged_since = true,
                                       .unchanged_since = since};
    struct keystore_txn_request request = {.compares = &compare, .compare_count = 1};
    struct keystore_txn_reply reply = {0};
    expect_ok(lane, keystore_txn(lane->client, &request, &reply));
    return reply.succeeded;
}

static bool has_bit_field(const struct keystore_txn_request *step)
{
    for (size_t i = 0; i < step->success_count; i++)
        if (step->success[i].kind == KEYSTORE_OP_BITFIELD)
            return true;
    return false;
}

/* An operation wrote nothing but what had expired already. */
static bool has_past_deadline(const struct keystore_txn_request *step, int64_t now_ms)
{
    for (size_t i = 0; i < step->success_count; i++) {
        int64_t deadline_ms = step_expire_at_ms(&step->success[i]);
        if (deadline_ms != 0 && deadline_ms <= now_ms)
            return true;
    }
    return false;
}

/* Both say the same, but where nothing was written or it cannot be known of an absent key. */
static void judge_watch(struct lane *lane, const char *name, bool ours, bool redis,
                        const struct keystore_txn_request *step,
                        const struct keystore_key_info *before,
                        const struct keystore_key_info *after)
{
    if (ours && !redis && before->found && after->found && before->version == after->version)
        difference_met(DIFFERENCE_WATCH_NO_EFFECT);
    else if (ours && !redis && !before->found && !after->found &&
             has_past_deadline(step, lane->judge.now_ms))
        difference_met(DIFFERENCE_WATCH_NO_EFFECT);
    else if (!ours && redis && !before->found)
        difference_met(DIFFERENCE_WATCH_ABSENT);
    else if (!ours && redis && has_bit_field(step) && after->length > before->length)
        difference_met(DIFFERENCE_WATCH_BIT_FIELD);
    else
        judge_number(&lane->judge, name, ours, redis);
}

/* What is done in between is judged as ever. */
static void do_watch(struct lane *lane, const struct keystore_txn_request *step)
{
    const struct keystore_compare *watched = step->compares;
    struct keystore_key_info before = ask_info(lane, watched);
    judge_expect(&lane->judge, watch_begin(&lane->watch, watched->db, watched->key),
                 "Redis does not watch");
    for (size_t i = 0; i < step->success_count && is_same(lane); i++) {
        do_op(lane, &step->success[i]);
        judge_locate(&lane->judge, "operation", i + 1, step_name(step->success[i].kind));
        script_clear(&lane->script);
    }
    bool redis = false;
    judge_expect(&lane->judge, watch_end(&lane->watch, &redis), "Redis does not end a WATCH");
    if (!is_same(lane))
        return;
    struct keystore_key_info after = ask_info(lane, watched);
    judge_watch(lane, "unchanged since as_of", ask_unchanged(lane, watched, before.as_of), redis,
                step, &before, &after);
    if (before.found)
        judge_watch(lane, "unchanged since the version",
                    ask_unchanged(lane, watched, before.version), redis, step, &before, &after);
}

bool lane_do(struct lane *lane, const struct step *step)
{
    lane->judge.difference[0] = '\0';
    switch (step->kind) {
    case STEP_OP:
        do_op(lane, &step->op);
        break;
    case STEP_TXN:
        do_txn(lane, &step->txn);
        break;
    case STEP_FLUSH:
        do_flush(lane, step->db);
        break;
    case STEP_SWAP:
        do_swap(lane, step->db, step->other_db);
        break;
    case STEP_RANDOM_KEY:
        do_random_key(lane, step->db);
        break;
    case STEP_REFUSED:
        do_refused(lane, step);
        break;
    case STEP_LAPSE:
        do_lapse(lane, &step->op);
        break;
    case STEP_WATCH:
        do_watch(lane, &step->txn);
        break;
    }
    script_clear(&lane->script);
    arena_reset(&lane->arena);
    return is_same(lane);
}

bool lane_begin(struct lane *lane)
{
    memset(&lane->versions, 0, sizeof lane->versions);
    lane->lapsed = true; /* what was there before does not matter */
    for (uint32_t db = lane->first_db; db < lane->first_db + ROUND_DBS; db++) {
        struct step flush = {.kind = STEP_FLUSH, .db = db};
        if (!lane_do(lane, &flush))
            return false;
    }
    lane->lapsed = false;
    return true;
}

bool lane_answers(struct lane *lane)
{
    struct keystore_key_info info;
    struct keystore_key request = {.key = universe_key(0), .db = lane->first_db};
    script_clear(&lane->script);
    script_key_command(&lane->script, lane->first_db, "EXISTS", request.key);
    bool redis = script_run(&lane->script);
    script_clear(&lane->script);
    return redis && keystore_describe(lane->aside, &request, &info) == KEYSTORE_OK;
}

/* ---- all data ---- */

/* Adds to the number of keys. */
static void compare_key(struct lane *lane, uint32_t db, struct keystore_slice key, size_t *count)
{
    struct step describe = {.op = {.kind = KEYSTORE_OP_DESCRIBE}};
    describe.op.request.key = (struct keystore_key){.key = key, .db = db};
    struct keystore_key_info info;
    enum keystore_code code = keystore_describe(lane->client, &describe.op.request.key, &info);
    *count += info.found;
    struct step read = {.op = {.kind = KEYSTORE_OP_GET}};
    read.op.request.key = describe.op.request.key;
    if (info.type == KEYSTORE_TYPE_LIST) {
        read.op.kind = KEYSTORE_OP_LRANGE;
        read.op.request.list_range =
            (struct keystore_list_range){.key = key, .start = 0, .stop = -1, .db = db};
    }
    if (lane_do(lane, &describe))
        lane_do(lane, &read);
    expect_ok(lane, code);
}

/* What Info says of the database's keys, also of those that have expired. */
static size_t count_keys(struct lane *lane, uint32_t db)
{
    static const char *const sections[] = {"keyspace"};
    struct keystore_info_reply reply;
    char name[16];
    snprintf(name, sizeof name, "db%u", db);
    expect_ok(lane,
              keystore_info(lane->client, &(struct keystore_info_request){sections, 1}, &reply));
    for (size_t i = 0; i < reply.count; i++)
        if (strcmp(reply.fields[i].name, name) == 0)
            return strtoul(reply.fields[i].value + strlen("keys="), NULL, 10);
    return 0;
}

/* There are no other keys than those that were found; expired ones are removed in time. */
static void compare_counts(struct lane *lane, uint32_t db, size_t count)
{
    int64_t until_ms = lane_now_ms() + SWEEP_MS;
    size_t ours = count_keys(lane, db);
    while (ours != count && lane->lapsed && lane_now_ms() < until_ms)
        ours = count_keys(lane, db);
    judge_expect(&lane->judge, ours == count, "Info counts %zu keys in database %u, there are %zu",
                 ours, db, count);
    script_key_command(&lane->script, db, "KEYS", keystore_text("*"));
    if (ask_redis(lane))
        judge_number(&lane->judge, "keys", (int64_t)count,
                     (int64_t)lane->script.replies[0]->elements);
    script_clear(&lane->script);
}

bool lane_compare(struct lane *lane)
{
    static const char *const db_names[ROUND_DBS] = {"of database 0", "of database 1",
                                                    "of database 2", "of database 3"};
    lane->judge.difference[0] = '\0';
    for (uint32_t db = lane->first_db; db < lane->first_db + ROUND_DBS; db++) {
        size_t count = 0;
        for (size_t i = 0; i < KEYS; i++) {
            compare_key(lane, db, universe_key(i), &count);
            judge_locate(&lane->judge, "the data differ at key", i, db_names[db - lane->first_db]);
            if (!is_same(lane))
                return false;
        }
        compare_counts(lane, db, count);
        if (!is_same(lane))
            return false;
    }
    return true;
}
