/*
 * A question is an offload job that other threads only pass on: it is always at one worker, which
 * may touch all of it. If its call ends while it is away, it is marked, and the next worker that it
 * comes to frees it; what a worker has begun of a visit ends on that worker's thread.
 */
#include "service/streams/clients.h"

#include "base/arena.h"
#include "base/chain.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/encode.h"
#include "service/streams/host.h"

#include <stdio.h>
#include <stdlib.h>

/* The most connections of a page. */
#define CLIENTS_PAGE 32
/* How long a worker looks at its connections before others have their turn. */
#define CLIENTS_WORK_US 300

static const char clients_stops[] = "the server is shutting down; not all clients were reached";
static const char clients_no_filter[] =
    "say which connections are to end: set id, address or listener";

struct clients {
    struct offload *offload;
    bool is_stopped;
    unsigned workers;
    struct clients_source sources[];
};

struct question {
    struct offload_job job;
    struct clients *clients;
    struct stream_host *host;
    struct grpc_call *call; /* NULL once it has ended */
    atomic_bool is_abandoned;
    bool has_begun;
    bool is_away; /* not at the call's worker, or on its way; of that worker alone */
    bool kills;   /* it is of KillClients */
    bool own_only, include_own;
    uint64_t id;
    char address[sizeof((struct client_entry *)0)->address];
    char listener[sizeof((struct client_entry *)0)->listener];
    const void *own; /* the connection of the call */
    uint64_t own_id; /* to be killed after the reply; 0 = not */
    unsigned worker; /* the one that is visited, or the next */
    unsigned end;    /* the workers before this are visited */
    void *visit;     /* of that worker; NULL: it has not begun */
    int64_t killed;
    size_t count; /* of entries */
    struct client_entry entries[CLIENTS_PAGE];
};

struct clients *clients_new(struct offload *offload, unsigned workers)
{
    struct clients *clients =
        mem_alloc_zero(sizeof *clients + workers * sizeof clients->sources[0]);
    clients->offload = offload;
    clients->workers = workers;
    return clients;
}

void clients_set_source(struct clients *clients, unsigned worker,
                        const struct clients_source *source)
{
    CHECK(worker < clients->workers);
    clients->sources[worker] = *source;
}

void clients_stop(struct clients *clients)
{
    if (clients != NULL)
        clients->is_stopped = true;
}

void clients_free(struct clients *clients)
{
    free(clients);
}

/* ---- on its way ---- */

static struct question *clients_question_of(struct offload_job *job)
{
    return CONTAINER_OF(job, struct question, job);
}

/* From wherever it is. */
static void clients_pass_on(struct question *question, unsigned worker,
                            void (*finish)(struct offload_job *job))
{
    question->job.worker = worker;
    question->job.finish = finish;
    offload_hand(question->clients->offload, &question->job);
}

/* From the call's worker. */
static void clients_send(struct question *question, unsigned worker,
                         void (*finish)(struct offload_job *job))
{
    question->is_away = true;
    clients_pass_on(question, worker, finish);
}

static void clients_visit_worker(struct offload_job *job);

/* On the thread of question->worker, or when all threads have ended. */
static void clients_free_question(struct question *question)
{
    if (question->visit != NULL)
        question->clients->sources[question->worker].end(question->visit);
    free(question);
}

/* The call has ended: frees its question, now or where it is. */
static void clients_abandon(struct question *question)
{
    bool is_elsewhere = question->is_away;
    question->call = NULL;
    if (!is_elsewhere && (question->visit == NULL || question->clients->is_stopped)) {
        clients_free_question(question);
        return;
    }
    atomic_store(&question->is_abandoned, true);
    if (!is_elsewhere)
        clients_send(question, question->worker, clients_visit_worker);
}

static void clients_end(struct question *question, enum err err, const char *why)
{
    struct grpc_call *call = question->call;
    clients_abandon(question);
    stream_end(call, err, why);
}

/* ---- at a worker ---- */

/* True for the whole address, or its host with or without the brackets of IPv6. */
static bool clients_is_address(const char *address, const char *wanted)
{
    const char *colon = strrchr(address, ':');
    if (strcmp(address, wanted) == 0)
        return true;
    if (colon == NULL)
        return false;
    size_t host = (size_t)(colon - address), len = strlen(wanted);
    if (len == host && memcmp(address, wanted, len) == 0)
        return true;
    return address[0] == '[' && len + 2 == host && memcmp(address + 1, wanted, len) == 0;
}

static bool clients_is_wanted(const struct question *question, const struct clients_source *source,
                              struct client_entry *entry)
{
    if ((question->id != 0 && entry->id != question->id) ||
        (question->own_only && entry->connection != question->own) ||
        (question->address[0] != '\0' && !clients_is_address(entry->address, question->address)))
        return false;
    if (question->listener[0] == '\0' && question->kills)
        return true;
    source->describe(question->visit, entry);
    return question->listener[0] == '\0' || strcmp(entry->listener, question->listener) == 0;
}

static void clients_take(struct question *question, const struct clients_source *source,
                         const struct client_entry *entry)
{
    if (!question->kills) {
        question->count++;
        return;
    }
    if (entry->connection != question->own) {
        source->kill(question->visit);
        question->killed++;
    } else if (question->include_own) {
        question->own_id = entry->id;
        question->killed++;
    }
}

/* Looks at some of the worker's connections; false: there are no more, or none can be wanted. */
static bool clients_look(struct question *question, const struct clients_source *source)
{
    int64_t until_us = clock_monotonic_us() + CLIENTS_WORK_US;
    do {
        struct client_entry *entry = &question->entries[question->count];
        if (!source->next(question->visit, entry))
            return false;
        if (!clients_is_wanted(question, source, entry))
            continue;
        clients_take(question, source, entry);
        if (question->id != 0 || question->own_only) {
            question->end = question->worker + 1;
            return false;
        }
    } while (question->count < CLIENTS_PAGE && clock_monotonic_us() < until_us);
    return true;
}

/* The question has come back. */
static void clients_come_home(struct offload_job *job)
{
    struct question *question = clients_question_of(job);
    question->is_away = false;
    if (question->call == NULL)
        clients_abandon(question);
    else
        grpc_stream_ready(question->call);
}

static void clients_visit_worker(struct offload_job *job)
{
    struct question *question = clients_question_of(job);
    const struct clients_source *source = &question->clients->sources[question->worker];
    if (question->clients->is_stopped || atomic_load(&question->is_abandoned)) {
        clients_free_question(question);
        return;
    }
    if (question->visit == NULL)
        question->visit = source->begin(source->user);
    if (!clients_look(question, source)) {
        source->end(question->visit);
        question->visit = NULL;
        question->worker++;
    }
    if (question->count > 0 || question->worker == question->end)
        clients_pass_on(question, question->host->worker, clients_come_home);
    else
        clients_pass_on(question, question->worker, clients_visit_worker);
}

/* ---- replies ---- */

static void clients_fill(const struct question *question, const struct client_entry *entry,
                         Keystore__V1__ClientsPage__Client *client)
{
    keystore__v1__clients_page__client__init(client);
    client->id = entry->id;
    client->address = (char *)(uintptr_t)entry->address;
    client->listener = (char *)(uintptr_t)entry->listener;
    client->age_ms = entry->age_ms;
    client->idle_ms = entry->idle_ms;
    client->calls = entry->calls;
    client->streams = entry->streams;
    client->calls_so_far = entry->calls_so_far;
    client->bytes_in = entry->bytes_in;
    client->bytes_out = entry->bytes_out;
    client->queued_bytes = entry->queued;
    client->user_agent = (char *)(uintptr_t)entry->user_agent;
    client->own = entry->connection == question->own;
}

static void clients_write_page(struct question *question)
{
    Keystore__V1__ClientsPage page = KEYSTORE__V1__CLIENTS_PAGE__INIT;
    Keystore__V1__ClientsPage__Client clients[CLIENTS_PAGE], *pointers[CLIENTS_PAGE];
    for (size_t i = 0; i < question->count; i++) {
        clients_fill(question, &question->entries[i], &clients[i]);
        pointers[i] = &clients[i];
    }
    page.n_clients = question->count;
    page.clients = pointers;
    size_t size = keystore__v1__clients_page__get_packed_size(&page);
    struct chain *to = grpc_stream_write(question->call, size);
    keystore__v1__clients_page__pack(&page, chain_append(to, size));
    question->count = 0;
}

static void clients_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct question *question = grpc_call_user(call);
    (void)user;
    (void)room;
    if (question->is_away || !question->has_begun)
        return;
    if (question->count > 0)
        clients_write_page(question);
    if (question->worker == question->end)
        clients_end(question, ERR_NONE, NULL);
    else
        clients_send(question, question->worker, clients_visit_worker);
}

/* The call's own connection ends when the reply is on its way. */
static void clients_kill_own(struct question *question)
{
    question->id = question->own_id;
    question->own = NULL;
    question->address[0] = question->listener[0] = '\0';
    question->worker = question->host->worker;
    question->end = question->worker + 1;
    clients_send(question, question->worker, clients_visit_worker);
}

static void clients_on_room_to_kill(void *user, struct grpc_call *call, size_t room)
{
    struct question *question = grpc_call_user(call);
    struct op_result result = {.ok = question->killed > 0, .count = question->killed};
    (void)user;
    (void)room;
    if (question->is_away || !question->has_begun)
        return;
    encode_status.write(&result, grpc_stream_write(call, encode_status.size(&result)));
    if (question->own_id == 0) {
        clients_end(question, ERR_NONE, NULL);
        return;
    }
    question->call = NULL;
    stream_end(call, ERR_NONE, NULL);
    clients_kill_own(question);
}

/* ---- requests ---- */

static void clients_open(void *user, struct grpc_call *call, bool kills)
{
    struct stream_host *host = stream_host_of(user);
    if (host->clients == NULL) {
        stream_end(call, ERR_NOT_SERVED, "this server does not keep its connections in a list");
        return;
    }
    struct question *question = mem_alloc_zero(sizeof *question);
    question->clients = host->clients;
    question->host = host;
    question->call = call;
    question->own = grpc_call_connection(call);
    question->kills = kills;
    question->end = host->clients->workers;
    grpc_call_set_user(call, question);
}

static void clients_on_open(void *user, struct grpc_call *call)
{
    clients_open(user, call, false);
}

static void clients_on_open_to_kill(void *user, struct grpc_call *call)
{
    clients_open(user, call, true);
}

static enum err clients_decode(struct question *question, struct slice message, struct arena *arena,
                               const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__clients_request__descriptor, message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__ClientsRequest *request = decoded;
    question->id = request->id;
    question->own_only = request->own;
    if (request->own) {
        question->worker = question->host->worker;
        question->end = question->worker + 1;
    }
    return ERR_NONE;
}

/* A text that is longer than any that there can be matches none, truncated. */
static enum err clients_decode_kill(struct question *question, struct slice message,
                                    struct arena *arena, const char **why)
{
    void *decoded;
    enum err err = decode_message(&keystore__v1__kill_clients_request__descriptor, message, arena,
                                  &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__KillClientsRequest *request = decoded;
    if (request->id == 0 && request->address[0] == '\0' && request->listener[0] == '\0') {
        *why = clients_no_filter;
        return ERR_BAD_ARGUMENT;
    }
    question->id = request->id;
    question->include_own = request->include_own;
    snprintf(question->address, sizeof question->address, "%s", request->address);
    snprintf(question->listener, sizeof question->listener, "%s", request->listener);
    return ERR_NONE;
}

static void clients_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct question *question = grpc_call_user(call);
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = ERR_NOT_SERVED;
    struct arena arena;
    (void)user;
    arena_init(&arena);
    if (!question->has_begun)
        err = question->kills ? clients_decode_kill(question, message, &arena, &why)
                              : clients_decode(question, message, &arena, &why);
    if (err != ERR_NONE) {
        clients_end(question, err, why);
    } else {
        question->has_begun = true;
        clients_send(question, question->worker, clients_visit_worker);
    }
    arena_deinit(&arena);
}

static void clients_on_half_close(void *user, struct grpc_call *call)
{
    struct question *question = grpc_call_user(call);
    (void)user;
    if (!question->has_begun)
        clients_end(question, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void clients_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    clients_end(grpc_call_user(call), ERR_STOPPING, clients_stops);
}

static void clients_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    clients_abandon(grpc_call_user(call));
}

const struct grpc_stream_method clients_method = {
    .on_open = clients_on_open,
    .on_message = clients_on_message,
    .on_half_close = clients_on_half_close,
    .on_room = clients_on_room,
    .on_drain = clients_on_drain,
    .on_cancel = clients_on_cancel,
};

const struct grpc_stream_method kill_clients_method = {
    .on_open = clients_on_open_to_kill,
    .on_message = clients_on_message,
    .on_half_close = clients_on_half_close,
    .on_room = clients_on_room_to_kill,
    .on_drain = clients_on_drain,
    .on_cancel = clients_on_cancel,
};
