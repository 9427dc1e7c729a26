/* Queues operations until EXEC. Does not know what they do. */
#include "cli/transaction.h"

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/send.h"

#include <stdlib.h>

void transaction_init(struct transaction *transaction)
{
    *transaction = (struct transaction){0};
    arena_init(&transaction->arena);
    arena_init(&transaction->watched_arena);
}

void transaction_deinit(struct transaction *transaction)
{
    arena_deinit(&transaction->arena);
    arena_deinit(&transaction->watched_arena);
    free(transaction->requests);
    free(transaction->watched);
}

void transaction_begin(struct transaction *transaction, uint32_t db)
{
    transaction->open = true;
    transaction->db = db;
}

void transaction_unwatch(struct transaction *transaction)
{
    transaction->watched_count = 0;
    arena_reset(&transaction->watched_arena);
}

void transaction_discard(struct transaction *transaction)
{
    transaction_unwatch(transaction);
    transaction->open = false;
    transaction->refused = false;
    transaction->count = 0;
    arena_reset(&transaction->arena);
}

/* `items`, reallocated if needed to hold one more than `count`. */
static void *transaction_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 16 : 2 * *capacity;
    return mem_realloc(items, *capacity * size);
}

static struct keystore_slice transaction_copy(struct arena *arena, struct keystore_slice bytes)
{
    struct slice copied = arena_copy(arena, slice_make(bytes.data, bytes.len));
    return (struct keystore_slice){.data = copied.data, .len = copied.len};
}

static struct words transaction_copy_words(struct arena *arena, struct words words)
{
    struct words copied = {.count = words.count};
    copied.items = arena_alloc(arena, words.count * sizeof *copied.items);
    for (size_t i = 0; i < words.count; i++)
        copied.items[i] = transaction_copy(arena, words.items[i]);
    return copied;
}

/* What the request refers to must live until EXEC, so it is parsed again from copied words. */
void transaction_add(struct transaction *transaction, struct words words)
{
    char problem[ARGS_PROBLEM_SIZE];
    struct words copied = transaction_copy_words(&transaction->arena, words);
    transaction->requests = transaction_grow(transaction->requests, transaction->count,
                                             &transaction->capacity, sizeof *transaction->requests);
    struct request *request = &transaction->requests[transaction->count];
    if (!commands_parse(copied, transaction->db, &transaction->arena, request, problem))
        return; /* cannot happen: the same words were parsed before */
    transaction->count++;
    if (request->type == REQUEST_BLOCKING) /* as in Redis, nothing waits in a transaction */
        request_forget_wait(request);
    if (request->type == REQUEST_SELECT)
        transaction->db = request->db;
}

/* ---- WATCH ---- */

/* Adds a compare: the key must not have changed since. */
static void transaction_add_watched(struct transaction *transaction, struct keystore_slice key,
                                    uint32_t db, uint64_t as_of)
{
    struct arena *arena = &transaction->watched_arena;
    transaction->watched =
        transaction_grow(transaction->watched, transaction->watched_count,
                         &transaction->watched_capacity, sizeof *transaction->watched);
    transaction->watched[transaction->watched_count++] =
        (struct keystore_compare){.key = transaction_copy(arena, key),
                                  .db = db,
                                  .has_unchanged_since = true,
                                  .unchanged_since = as_of};
}

enum keystore_code transaction_watch(struct transaction *transaction,
                                     struct keystore_client *client, const struct request *request)
{
    size_t before = transaction->watched_count;
    for (size_t i = 0; i < request->count; i++) {
        struct keystore_key key = {.key = request->words[i], .db = request->db, .want_as_of = true};
        struct keystore_key_info info;
        enum keystore_code code = keystore_describe(client, &key, &info);
        if (code != KEYSTORE_OK) {
            transaction->watched_count = before;
            return code;
        }
        transaction_add_watched(transaction, key.key, key.db, info.as_of);
    }
    return KEYSTORE_OK;
}

/* ---- EXEC ---- */

static struct reply transaction_reply_of_parts(const struct transaction *transaction,
                                               const struct keystore_txn_reply *from,
                                               struct arena *arena)
{
    static const struct keystore_reply missing = {.kind = KEYSTORE_REPLY_NONE};
    struct reply *items = arena_alloc(arena, (transaction->count + 1) * sizeof *items);
    for (size_t i = 0; i < transaction->count; i++)
        items[i] = send_reply(&transaction->requests[i],
                              i < from->count ? &from->replies[i] : &missing, arena);
    return format_list(items, transaction->count);
}

enum keystore_code transaction_send(struct transaction *transaction, struct keystore_client *client,
                                    struct arena *arena, struct reply *reply, uint32_t *db)
{
    struct keystore_op *ops = arena_alloc(arena, (transaction->count + 1) * sizeof *ops);
    for (size_t i = 0; i < transaction->count; i++)
        ops[i] = transaction->requests[i].op;
    struct keystore_txn_request request = {
        .compares = transaction->watched,
        .compare_count = transaction->watched_count,
        .success = ops,
        .success_count = transaction->count,
    };
    struct keystore_txn_reply from;
    enum keystore_code code = keystore_txn(client, &request, &from);
    if (code != KEYSTORE_OK)
        return code;
    *reply = from.succeeded ? transaction_reply_of_parts(transaction, &from, arena) : format_nil();
    if (from.succeeded)
        *db = transaction->db;
    return code;
}
