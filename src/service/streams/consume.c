/*
 * At most two operations of a stream are under way: one that takes elements, or waits for some, and
 * one that removes or returns those whose end was asked for. What is asked for meanwhile is
 * gathered for the next one: many acknowledgements cost one commit and one wait for the disk. An
 * operation that is held up by a long one starts anew when that is over, and a long one is carried
 * out by another thread. A stream that was cancelled goes on until its elements have returned.
 */
#include "service/streams/consume.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/field_path.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/streams/consume_reply.h"
#include "service/streams/consume_start.h"
#include "service/streams/deliveries.h"
#include "service/streams/host.h"
#include "service/streams/leases.h"

#include <stdlib.h>

/* Elements of one operation; with more it is carried out by another thread. */
#define MOST_AT_ONCE ((size_t)1000)
#define MOST_TAKES   5
/* Bytes of elements that are taken ahead of a client that reads slowly. */
#define PAGE_BYTES ((size_t)64 * 1024)
/* Bytes of the elements in flight, above which no more are taken. */
#define MOST_BYTES ((size_t)16 * 1024 * 1024)

/* An operation under way. */
struct consume_work {
    struct engine_task task; /* first: it is found by it */
    struct offload_job job;
    struct consume *consume;
    struct arena arena;
    size_t count; /* elements asked for, or that end */
    bool is_pending, is_offloaded;
};

struct consume {
    struct engine_waiter waiter; /* first: it is found by it */
    struct stream_waiter again;  /* an operation was held up */
    struct timer lease;          /* of the first one in flight */
    struct stream_host *host;
    struct grpc_call *call;             /* NULL once it is cancelled */
    struct consume_start *start;        /* NULL before the first message */
    struct leases *leases;              /* of the pending list; NULL: there is none */
    struct consume_work *take, *settle; /* NULL: none is under way */
    struct deliveries deliveries;
    struct consume_ids done, returned;
    bool is_recovered;       /* what a crash left in the pending list has returned */
    bool is_waiting;         /* in line for a list */
    bool is_ending;          /* takes no more, and ends when all elements have returned, */
    struct op_result *error; /* with this one; NULL: successfully. Allocated with its texts */
};

static void consume_advance(struct consume *consume);

/* ---- life ---- */

static void consume_stop_waiting(struct consume *consume)
{
    if (consume->is_waiting)
        atomic_fetch_sub_explicit(&consume->host->blocked, 1, memory_order_relaxed);
    consume->is_waiting = false;
    engine_leave(consume->host->engine, &consume->waiter);
}

static void consume_unlease(struct consume *consume, size_t count)
{
    if (consume->leases != NULL)
        atomic_fetch_sub(&consume->leases->count, count);
}

static void consume_free(struct consume *consume)
{
    struct deliveries *deliveries = &consume->deliveries;
    CHECK(consume->take == NULL && consume->settle == NULL);
    consume_stop_waiting(consume);
    stream_leave(consume->host, &consume->again);
    timers_clear(&consume->host->timers, &consume->lease);
    consume_unlease(consume, deliveries->in_flight.count + deliveries->ending.count);
    if (consume->leases != NULL)
        leases_leave(consume->leases);
    deliveries_deinit(deliveries);
    free(consume->done.ids);
    free(consume->returned.ids);
    free(consume->start);
    free(consume->error);
    free(consume);
}

static struct op_result *consume_copy_error(const struct op_result *failed)
{
    size_t size = strlen(failed->why) + 1;
    struct op_result *error = mem_alloc(sizeof *error + size + OP_MAX_KEY_IN_ERROR);
    char *text = (char *)(error + 1);
    *error = op_result_error(failed);
    error->why = memcpy(text, failed->why, size);
    slice_write((uint8_t *)text + size, error->key);
    error->key.data = (uint8_t *)text + size;
    return error;
}

/* From now on nothing is taken, and what is in flight returns. The first error is kept. */
static void consume_begin_end_with(struct consume *consume, const struct op_result *result)
{
    if (consume->error == NULL && result->err != ERR_NONE)
        consume->error = consume_copy_error(result);
    if (consume->is_ending)
        return;
    consume->is_ending = true;
    consume_stop_waiting(consume);
    timers_clear(&consume->host->timers, &consume->lease);
    deliveries_end_all(&consume->deliveries);
}

static void consume_begin_end(struct consume *consume, enum err err, const char *why)
{
    consume_begin_end_with(consume, &(struct op_result){.err = err, .why = why});
}

/* The same for an operation of the stream's own: a path in the message is not of the caller's. */
static void consume_begin_end_failed(struct consume *consume, const struct op_result *result)
{
    struct op_result error = op_result_error(result);
    error.why = (const char *)field_path_text(slice_from_string(result->why)).data;
    consume_begin_end_with(consume, &error);
}

static bool consume_has_reports(const struct consume *consume)
{
    return consume->deliveries.unwritten != NULL || consume->done.count > 0 ||
           consume->returned.count > 0;
}

/* True if the stream is over: it is gone now. */
static bool consume_end_if_done(struct consume *consume)
{
    if (!consume->is_ending || consume->take != NULL || consume->settle != NULL ||
        consume->deliveries.ending.count > 0)
        return false;
    struct grpc_call *call = consume->call;
    if (call != NULL && consume_has_reports(consume)) {
        grpc_stream_ready(call);
        return false;
    }
    if (call != NULL && consume->error != NULL)
        stream_end_failed(call, consume->error);
    else if (call != NULL)
        stream_end(call, ERR_NONE, NULL);
    consume_free(consume);
    return true;
}

/* ---- operations ---- */

static void consume_finish(struct consume_work *work);

static void consume_on_done(struct engine_task *task)
{
    struct consume_work *work = (struct consume_work *)task;
    struct consume *consume = work->consume;
    work->is_pending = false;
    consume_finish(work);
    consume_advance(consume);
}

static struct consume_work *consume_new_work(struct consume *consume, size_t count)
{
    const struct stream_host *host = consume->host;
    struct consume_work *work = mem_alloc(sizeof *work);
    *work = (struct consume_work){.task = {.op = {.db = consume->start->db, .now_ms = host->now_ms},
                                           .on_done = consume_on_done,
                                           .worker = host->worker},
                                  .consume = consume,
                                  .count = count};
    arena_init(&work->arena);
    work->task.arena = &work->arena;
    return work;
}

static void consume_free_work(struct consume_work *work)
{
    struct consume *consume = work->consume;
    *(consume->take == work ? &consume->take : &consume->settle) = NULL;
    op_result_release(&work->task.result);
    arena_deinit(&work->arena);
    free(work);
}

/* The operation has been carried out; its answer may wait for the disk, but not for a client that
 * is gone. */
static void consume_note_answer(struct consume_work *work, enum engine_answer answer)
{
    struct consume *consume = work->consume;
    if (work == consume->take) {
        consume_stop_waiting(consume);
        if (work->count > 0)
            consume_unlease(consume, work->count - work->task.result.value_count);
    }
    work->is_pending = answer == ENGINE_PENDING;
    if (work->is_pending && consume->call == NULL) {
        engine_cancel(consume->host->engine, &work->task);
        work->is_pending = false;
    }
    if (!work->is_pending)
        consume_finish(work);
}

static struct consume_work *consume_work_of(struct offload_job *job)
{
    return CONTAINER_OF(job, struct consume_work, job);
}

static void consume_run(struct offload_job *job)
{
    struct consume_work *work = consume_work_of(job);
    engine_run(work->consume->host->engine, &work->task);
}

static void consume_finish_job(struct offload_job *job)
{
    struct consume_work *work = consume_work_of(job);
    struct consume *consume = work->consume;
    work->is_offloaded = false;
    consume_note_answer(work, engine_settle(consume->host->engine, &work->task));
    consume_advance(consume);
}

/* The operation takes long. What it does not find then, it waits for the next time. */
static void consume_offload(struct consume_work *work)
{
    struct stream_host *host = work->consume->host;
    if (work == work->consume->take)
        work->task.op.move.take->waiter = NULL;
    work->task.result = (struct op_result){0};
    if (host->offload == NULL) {
        engine_run(host->engine, &work->task);
        consume_note_answer(work, engine_settle(host->engine, &work->task));
        return;
    }
    work->is_offloaded = true;
    stream_offload(host, &work->job, consume_run, consume_finish_job);
}

static void consume_submit(struct consume_work *work)
{
    struct consume *consume = work->consume;
    enum engine_answer answer = ENGINE_COSTLY;
    if (work->task.op.op_count <= MOST_AT_ONCE)
        answer = stream_submit(consume->host, &work->task);
    switch (answer) {
    case ENGINE_DONE:
    case ENGINE_PENDING:
        consume_note_answer(work, answer);
        return;
    case ENGINE_COSTLY:
        consume_offload(work);
        return;
    case ENGINE_HELD:
        stream_wait(consume->host, &consume->again);
        break;
    case ENGINE_WAITING:
        if (!consume->is_waiting)
            atomic_fetch_add_explicit(&consume->host->blocked, 1, memory_order_relaxed);
        consume->is_waiting = true;
        break;
    }
    if (work == consume->take)
        consume_unlease(consume, work->count);
    consume_free_work(work);
}

/* ---- taking ---- */

static struct op_key *consume_keys(const struct consume_start *start, struct arena *arena)
{
    struct op_key *keys = arena_alloc(arena, start->key_count * sizeof *keys);
    for (size_t i = 0; i < start->key_count; i++)
        keys[i] = (struct op_key){.bytes = start->keys[i]};
    return keys;
}

/* How many elements may be taken now. */
static size_t consume_room(const struct consume *consume)
{
    const struct deliveries *deliveries = &consume->deliveries;
    size_t taken = deliveries->in_flight.count + deliveries->ending.count;
    size_t most = consume->start->max_in_flight;
    if (taken >= most || deliveries->unwritten_bytes >= PAGE_BYTES ||
        (taken > 0 && deliveries->bytes >= MOST_BYTES) ||
        consume->done.count + consume->returned.count > most)
        return 0;
    return most - taken < MOST_AT_ONCE ? most - taken : MOST_AT_ONCE;
}

static void consume_take(struct consume *consume)
{
    const struct consume_start *start = consume->start;
    size_t count = consume_room(consume);
    if (count == 0)
        return;
    struct consume_work *work = consume->take = consume_new_work(consume, count);
    struct op *op = &work->task.op;
    op->kind = OP_LIST_POP;
    op->keys = consume_keys(start, &work->arena);
    op->key_count = start->key_count;
    op->count = (int64_t)count;
    op->move.end = start->end;
    op->move.target_end = OP_TAIL;
    op->move.take = arena_alloc(&work->arena, sizeof *op->move.take);
    *op->move.take = (struct op_take){.wait_ms = -1,
                                      .waiter = &consume->waiter.waiter,
                                      .fits = true,
                                      .target.bytes = start->pending};
    op->max_answer = PAGE_BYTES;
    /* Counted in advance, so that nobody takes them for what a crash has left. */
    if (consume->leases != NULL)
        atomic_fetch_add(&consume->leases->count, count);
    consume_submit(work);
}

/* Returns what a crash has left in the pending list, if no stream has taken any of it. */
static void consume_recover(struct consume *consume)
{
    const struct consume_start *start = consume->start;
    struct consume_work *work = consume->take = consume_new_work(consume, 0);
    struct op *op = &work->task.op;
    op->kind = OP_LIST_POP;
    op->keys = arena_alloc(&work->arena, sizeof *op->keys);
    op->keys[0] = (struct op_key){.bytes = start->pending};
    op->key_count = 1;
    op->count = INT64_MAX;
    op->move.end = OP_TAIL;
    op->move.target_end = start->end;
    op->move.take = arena_alloc(&work->arena, sizeof *op->move.take);
    *op->move.take =
        (struct op_take){.unless = &consume->leases->count, .target.bytes = start->keys[0]};
    consume_submit(work);
}

static uint32_t consume_key_number(const struct consume_start *start, struct slice key)
{
    uint32_t i = 0;
    while (i + 1 < start->key_count && !slice_equal(start->keys[i], key))
        i++;
    return i;
}

static void consume_finish_take(struct consume_work *work)
{
    struct consume *consume = work->consume;
    const struct op_result *result = &work->task.result;
    if (result->err != ERR_NONE) {
        consume_begin_end_failed(consume, result);
    } else if (work->count == 0) {
        consume->is_recovered = true;
    } else if (result->value_count > 0) {
        deliveries_add(&consume->deliveries, result,
                       consume_key_number(consume->start, result->key));
        if (consume->is_ending)
            deliveries_end_all(&consume->deliveries);
        else
            grpc_stream_ready(consume->call);
    }
}

/* ---- ends of elements ---- */

/* Returns a popped element: there is no pending list. */
static void consume_fill_push(const struct consume_start *start, const struct delivery *delivery,
                              struct op *op)
{
    op->kind = start->end == OP_HEAD ? OP_L_PUSH : OP_R_PUSH;
    op->key = start->keys[delivery->key];
    op->values = &delivery->value;
    op->value_count = 1;
}

static void consume_fill_end(const struct consume_start *start, const struct delivery *delivery,
                             struct op_take *from_tail, struct op *op)
{
    op->db = start->db;
    if (start->auto_ack) {
        consume_fill_push(start, delivery, op);
        return;
    }
    op->key = start->pending;
    op->value = delivery->value;
    if (delivery->gives_back) {
        op->kind = OP_L_MOVE;
        op->target.bytes = start->keys[delivery->key];
        op->move.take = from_tail;
        op->move.target_end = start->end;
    } else {
        op->kind = OP_L_REM;
        op->count = delivery->is_doubled ? -1 : 1;
    }
}

/* Those that are done in the order in which that was asked for, then those that return, the newest
 * one first, so that the oldest is the outermost. */
static int consume_compare(const void *a, const void *b)
{
    const struct delivery *one = *(struct delivery *const *)a;
    const struct delivery *other = *(struct delivery *const *)b;
    if (one->gives_back != other->gives_back)
        return one->gives_back ? 1 : -1;
    if (one->id == other->id)
        return 0;
    return (one->id < other->id) == one->gives_back ? 1 : -1;
}

/* Removes or returns all whose end has been asked for, as one commit. */
static void consume_settle(struct consume *consume)
{
    const struct delivery_list *ending = &consume->deliveries.ending;
    struct consume_work *work = consume->settle = consume_new_work(consume, ending->count);
    struct arena *arena = &work->arena;
    struct delivery **sorted = arena_alloc(arena, ending->count * sizeof(struct delivery *));
    struct op *ops = arena_alloc(arena, ending->count * sizeof *ops), *op = &work->task.op;
    struct op_take *from_tail = arena_alloc(arena, sizeof *from_tail);
    size_t count = 0;
    *from_tail = (struct op_take){.is_equal = true, .from_tail = true};
    for (struct delivery *at = ending->first; at != NULL; at = at->next)
        sorted[count++] = at;
    qsort(sorted, count, sizeof *sorted, consume_compare);
    for (size_t i = 0; i < count; i++) {
        sorted[i]->place = i;
        ops[i] = (struct op){0};
        consume_fill_end(consume->start, sorted[i], from_tail, &ops[i]);
    }
    op->kind = OP_TXN;
    op->ops = ops;
    op->op_count = count;
    op->txn = arena_alloc(arena, sizeof *op->txn);
    *op->txn = (struct op_txn){0};
    consume_submit(work);
}

/* What cannot be removed or returned stays in the pending list, for the next stream that names it.
 */
static void consume_give_up(struct consume *consume, const struct op_result *result)
{
    struct deliveries *deliveries = &consume->deliveries;
    consume_begin_end_failed(consume, result);
    consume_unlease(consume, deliveries->ending.count);
    while (deliveries->ending.count > 0)
        deliveries_drop_first(deliveries, &deliveries->ending);
}

static void consume_finish_settle(struct consume_work *work)
{
    struct consume *consume = work->consume;
    struct deliveries *deliveries = &consume->deliveries;
    const struct op_result *result = &work->task.result;
    if (result->err != ERR_NONE) {
        consume_give_up(consume, result);
        return;
    }
    for (size_t i = 0; i < work->count; i++) {
        const struct delivery *delivery = deliveries->ending.first;
        bool is_done = !delivery->gives_back && result->results[delivery->place].count > 0;
        if (delivery->is_written)
            consume_reply_add_id(is_done ? &consume->done : &consume->returned, delivery->id);
        deliveries_drop_first(deliveries, &deliveries->ending);
    }
    consume_unlease(consume, work->count);
    if (consume->call != NULL && consume_has_reports(consume))
        grpc_stream_ready(consume->call);
}

static void consume_finish(struct consume_work *work)
{
    if (work == work->consume->take)
        consume_finish_take(work);
    else
        consume_finish_settle(work);
    consume_free_work(work);
}

/* ---- progress ---- */

/* Starts what can be started, and ends the stream if it is over: then it is gone. */
static void consume_advance(struct consume *consume)
{
    bool may_start = consume->start != NULL && consume->again.link == NULL;
    bool is_last = consume->is_ending && consume->take == NULL; /* all return together */
    if (may_start && consume->settle == NULL && consume->deliveries.ending.count > 0 &&
        (is_last || !consume->is_ending))
        consume_settle(consume);
    for (int i = 0; may_start && i < MOST_TAKES; i++) {
        if (consume->take != NULL || consume->is_ending || consume->is_waiting ||
            consume->again.link != NULL)
            break;
        if (consume->is_recovered)
            consume_take(consume);
        else
            consume_recover(consume);
    }
    consume_end_if_done(consume);
}

static void consume_resume(struct stream_waiter *again)
{
    consume_advance(CONTAINER_OF(again, struct consume, again));
}

/* It may be the stream's turn to take; it stays in line until it has. */
static void consume_on_list(struct engine_waiter *waiter)
{
    struct consume *consume = (struct consume *)waiter;
    if (consume->is_waiting)
        atomic_fetch_sub_explicit(&consume->host->blocked, 1, memory_order_relaxed);
    consume->is_waiting = false;
    consume_advance(consume);
}

/* ---- leases ---- */

/* For the oldest one that the client has. */
static void consume_set_lease_timer(struct consume *consume)
{
    const struct delivery *oldest = consume->deliveries.in_flight.first;
    if (consume->start->lease_ms == 0)
        return;
    if (oldest != NULL && oldest->is_written)
        timers_set(&consume->host->timers, &consume->lease, oldest->lease_end_ms);
    else
        timers_clear(&consume->host->timers, &consume->lease);
}

static void consume_on_lease_end(struct timer *timer)
{
    struct consume *consume = CONTAINER_OF(timer, struct consume, lease);
    struct deliveries *deliveries = &consume->deliveries;
    int64_t now_ms = clock_monotonic_ms();
    struct delivery *oldest;
    while ((oldest = deliveries->in_flight.first) != NULL && oldest->is_written &&
           oldest->lease_end_ms <= now_ms)
        deliveries_end(deliveries, oldest, true);
    consume_set_lease_timer(consume);
    consume_advance(consume);
}

/* ---- messages ---- */

static enum err consume_permit_key(const struct consume *consume, struct slice key,
                                   struct arena *arena, const char **why)
{
    const struct access_need need = {.kinds = ACCESS_READ | ACCESS_WRITE,
                                     .types = ACCESS_LIST | ACCESS_STREAM,
                                     .db = consume->start->db,
                                     .key = key};
    return identity_permit_need(grpc_call_principal(consume->call), &need, "Consume", arena, why);
}

/* All lists that it takes from, or moves elements to. */
static enum err consume_permit(const struct consume *consume, struct arena *arena, const char **why)
{
    const struct consume_start *start = consume->start;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < start->key_count && err == ERR_NONE; i++)
        err = consume_permit_key(consume, start->keys[i], arena, why);
    if (err == ERR_NONE && !start->auto_ack)
        err = consume_permit_key(consume, start->pending, arena, why);
    return err;
}

static enum err consume_on_start(struct consume *consume,
                                 const Keystore__V1__ConsumeRequest *request, struct arena *arena,
                                 const char **why)
{
    struct stream_host *host = consume->host;
    if (request->start == NULL || request->n_done + request->n_give_back > 0)
        return field_refuse(
            "start: it is missing, or not alone; the first message has start, and nothing else",
            why);
    enum err err = consume_start_read(request->start, &host->limits, arena, &consume->start, why);
    if (err != ERR_NONE)
        return err;
    err = consume_permit(consume, arena, why);
    if (err != ERR_NONE) {
        free(consume->start);
        consume->start = NULL;
        return err;
    }
    consume->is_recovered = consume->start->auto_ack;
    if (!consume->start->auto_ack)
        consume->leases = leases_enter(host->engine, consume->start->db, consume->start->pending);
    return ERR_NONE;
}

/* An id that is not in flight any more was reported as returned, or is done. */
static enum err consume_end_ids(struct consume *consume, const uint64_t *ids, size_t count,
                                bool gives_back, const char **why)
{
    struct deliveries *deliveries = &consume->deliveries;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == 0 || ids[i] > deliveries->written_id)
            return field_refuse(gives_back ? "give_back: nothing was delivered with one of the "
                                             "ids; give back those of deliveries of this stream"
                                           : "done: nothing was delivered with one of the ids; "
                                             "acknowledge those of deliveries of this stream",
                                why);
        struct delivery *delivery = deliveries_find(deliveries, ids[i]);
        if (delivery != NULL)
            deliveries_end(deliveries, delivery, gives_back);
    }
    return ERR_NONE;
}

static enum err consume_on_acknowledgement(struct consume *consume,
                                           const Keystore__V1__ConsumeRequest *request,
                                           const char **why)
{
    if (request->start != NULL)
        return field_refuse("start: it is for the first message of the stream", why);
    if (request->n_done + request->n_give_back > CONSUME_MAX_IN_FLIGHT)
        return field_refuse(
            "done: there are more ids, with those to give back, than elements can be in flight",
            why);
    if (consume->start->auto_ack && request->n_done + request->n_give_back > 0)
        return field_refuse("done: with auto_ack there is nothing to acknowledge or give back",
                            why);
    enum err err = consume_end_ids(consume, request->done, request->n_done, false, why);
    if (err == ERR_NONE)
        err = consume_end_ids(consume, request->give_back, request->n_give_back, true, why);
    consume_set_lease_timer(consume);
    return err;
}

static enum err consume_take_message(struct consume *consume, struct slice message,
                                     struct arena *arena, const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__consume_request__descriptor, message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    return consume->start == NULL ? consume_on_start(consume, decoded, arena, why)
                                  : consume_on_acknowledgement(consume, decoded, why);
}

static void consume_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct consume *consume = grpc_call_user(call);
    struct arena arena;
    const char *why = NULL;
    (void)user;
    if (consume->is_ending)
        return;
    arena_init(&arena);
    enum err err = consume_take_message(consume, message, &arena, &why);
    if (err != ERR_NONE)
        consume_begin_end(consume, err, why);
    arena_deinit(&arena);
    consume_advance(consume);
}

/* ---- replies ---- */

static int64_t consume_add_ms(int64_t now_ms, int64_t ms)
{
    return ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + ms;
}

/* Its lease begins; an element that was popped for good is forgotten. */
static void consume_note_written(struct consume *consume)
{
    struct deliveries *deliveries = &consume->deliveries;
    struct delivery *delivery = deliveries->unwritten;
    if (consume->start->lease_ms > 0)
        delivery->lease_end_ms = consume_add_ms(clock_monotonic_ms(), consume->start->lease_ms);
    deliveries_written(deliveries);
    if (consume->start->auto_ack)
        deliveries_drop_first(deliveries, &deliveries->in_flight);
}

/* One message with all that is to be reported, as far as there is room. */
static void consume_write(struct consume *consume, size_t room)
{
    struct consume_reply reply = {.start = consume->start,
                                  .first = consume->deliveries.unwritten,
                                  .done = &consume->done,
                                  .returned = &consume->returned};
    size_t size = consume_reply_measure(&reply, room);
    consume_reply_write(&reply, grpc_stream_write(consume->call, size));
    for (; reply.count > 0; reply.count--)
        consume_note_written(consume);
    if (consume->lease.place == 0)
        consume_set_lease_timer(consume);
}

static void consume_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct consume *consume = grpc_call_user(call);
    (void)user;
    if (consume_has_reports(consume))
        consume_write(consume, room);
    consume_advance(consume);
}

/* ---- the call ---- */

static void consume_on_drain(void *user, struct grpc_call *call)
{
    struct consume *consume = grpc_call_user(call);
    (void)user;
    consume_begin_end(
        consume, ERR_STOPPING,
        "the server, or this connection, is shutting down; what was not acknowledged has returned");
    consume_advance(consume);
}

/* With auto_ack a client has nothing more to say after its first message. */
static void consume_on_half_close(void *user, struct grpc_call *call)
{
    struct consume *consume = grpc_call_user(call);
    (void)user;
    if (consume->start != NULL && consume->start->auto_ack)
        return;
    if (consume->start == NULL)
        consume_begin_end(consume, ERR_BAD_ARGUMENT,
                          "start: the first message, which has it, is missing");
    else
        consume_begin_end(consume, ERR_NONE, NULL);
    consume_advance(consume);
}

static void consume_on_open(void *user, struct grpc_call *call)
{
    struct stream_host *host = stream_host_of(user);
    struct consume *consume = mem_alloc_zero(sizeof *consume);
    consume->waiter.on_list = consume_on_list;
    consume->waiter.worker = host->worker;
    consume->again.resume = consume_resume;
    consume->lease.on_time = consume_on_lease_end;
    consume->host = host;
    consume->call = call;
    engine_init_waiter(host->engine, &consume->waiter);
    grpc_call_set_user(call, consume);
}

/* Its effect stands; nobody waits for the disk any more. */
static void consume_cancel_pending(struct consume_work *work)
{
    if (work == NULL || !work->is_pending)
        return;
    engine_cancel(work->consume->host->engine, &work->task);
    work->is_pending = false;
    consume_finish(work);
}

static void consume_on_cancel(void *user, struct grpc_call *call)
{
    struct consume *consume = grpc_call_user(call);
    (void)user;
    consume->call = NULL;
    consume_begin_end(consume, ERR_NONE, NULL);
    consume_cancel_pending(consume->take);
    consume_cancel_pending(consume->settle);
    consume_advance(consume);
}

static bool consume_may_go_on(void *user, struct grpc_call *call)
{
    struct consume *consume = grpc_call_user(call);
    struct arena arena;
    const char *why;
    (void)user;
    if (consume->start == NULL)
        return true;
    arena_init(&arena);
    bool may = consume_permit(consume, &arena, &why) == ERR_NONE;
    arena_deinit(&arena);
    return may;
}

const struct grpc_stream_method consume_method = {
    .on_open = consume_on_open,
    .may_go_on = consume_may_go_on,
    .on_message = consume_on_message,
    .on_half_close = consume_on_half_close,
    .on_room = consume_on_room,
    .on_drain = consume_on_drain,
    .on_cancel = consume_on_cancel,
};
