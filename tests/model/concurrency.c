/*
 * Many clients at once on few keys: what must hold whatever their order is checked while they run
 * and at the end. Money moves between accounts and none is made; elements move between lists and
 * none is lost or doubled; what is added is there; what is queued comes out once.
 */
#include "servers.h"

#include "differential/dice.h"

#include <inttypes.h>
#include <keystore/client.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CLIENTS    8
#define ACCOUNTS   12
#define FORTUNE    1000 /* of each account in the beginning */
#define RINGS      5
#define ELEMENTS   40 /* in all rings */
#define COUNTERS   3
#define QUEUES     2
#define MOST_ITEMS 100000 /* that a client queues */
#define NOISE_DB   1

/* What all know. */
static struct {
    atomic_bool stop;
    atomic_bool failed;
    atomic_long added[COUNTERS];
    atomic_long appended;
    atomic_uint queued[CLIENTS];
    atomic_uchar taken[CLIENTS][MOST_ITEMS];
    atomic_ulong done[16]; /* by role */
} shared;

struct worker {
    unsigned number;
    struct keystore_client *client;
    struct dice dice;
    pthread_t thread;
};

/* ---- failing ---- */

static void expect(bool holds, const char *format, ...)
{
    if (holds)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    atomic_store(&shared.failed, true);
    atomic_store(&shared.stop, true);
}

static void expect_ok(struct worker *worker, enum keystore_code code, const char *what)
{
    if (code == KEYSTORE_OK)
        return;
    const struct keystore_error *error = keystore_last_error(worker->client);
    expect(false, "%s: %s %s", what, error->reason, error->message);
}

/* ---- names and numbers ---- */

/* The text of a name, for as long as the caller lives. */
struct name {
    char text[24];
    struct keystore_slice slice;
};

static void make_name(struct name *name, const char *what, unsigned number)
{
    snprintf(name->text, sizeof name->text, "%s%u", what, number);
    name->slice = keystore_text(name->text);
}

static int64_t number_of(struct keystore_slice text)
{
    char copy[32];
    size_t len = text.len < sizeof copy - 1 ? text.len : sizeof copy - 1;
    if (len > 0)
        memcpy(copy, text.data, len);
    copy[len] = '\0';
    return strtoll(copy, NULL, 10);
}

static uint32_t below(struct worker *worker, uint32_t bound)
{
    return dice_below(&worker->dice, bound);
}

/* Two different ones. */
static void draw_two(struct worker *worker, uint32_t bound, unsigned *one, unsigned *two)
{
    *one = below(worker, bound);
    *two = (*one + 1 + below(worker, bound - 1)) % bound;
}

/* ---- money ---- */

static struct keystore_op incr_of(struct keystore_slice key, int64_t by)
{
    struct keystore_op op = {.kind = KEYSTORE_OP_INCR};
    op.request.increment = (struct keystore_increment){.key = key, .delta = KEYSTORE_BY, .by = by};
    return op;
}

/* Every fourth one fails half-way, and must not have happened. */
static void transfer(struct worker *worker)
{
    unsigned one, two;
    struct name from, to;
    draw_two(worker, ACCOUNTS, &one, &two);
    make_name(&from, "account", one);
    make_name(&to, "account", two);
    int64_t amount = 1 + below(worker, 10);
    bool fails = below(worker, 4) == 0;
    struct keystore_op ops[] = {incr_of(from.slice, -amount),
                                incr_of(fails ? keystore_text("list") : to.slice, amount)};
    struct keystore_txn_request request = {.success = ops, .success_count = 2};
    struct keystore_txn_reply reply;
    enum keystore_code code = keystore_txn(worker->client, &request, &reply);
    if (fails)
        expect(code == KEYSTORE_FAILED_PRECONDITION, "a transfer that must fail: code %d", code);
    else
        expect_ok(worker, code, "transfer");
}

static struct keystore_op set_of(struct keystore_slice key, struct name *text, int64_t number)
{
    struct keystore_op op = {.kind = KEYSTORE_OP_SET};
    snprintf(text->text, sizeof text->text, "%" PRId64, number);
    op.request.key_value =
        (struct keystore_key_value){.key = key, .value = keystore_text(text->text)};
    return op;
}

/* Reads, and writes only if nobody has written in between. */
static void compare_and_transfer(struct worker *worker)
{
    unsigned one, two;
    struct name names[2], texts[2];
    struct keystore_values values;
    draw_two(worker, ACCOUNTS, &one, &two);
    make_name(&names[0], "account", one);
    make_name(&names[1], "account", two);
    struct keystore_slice keys[] = {names[0].slice, names[1].slice};
    enum keystore_code code =
        keystore_mget(worker->client, &(struct keystore_keys){keys, 2, 0}, &values);
    expect_ok(worker, code, "MGet");
    if (code != KEYSTORE_OK)
        return;
    int64_t amount = 1 + below(worker, 10);
    struct keystore_condition conditions[] = {{.version = values.values[0].version},
                                              {.version = values.values[1].version}};
    struct keystore_compare compares[] = {{.key = keys[0], .condition = &conditions[0]},
                                          {.key = keys[1], .condition = &conditions[1]}};
    struct keystore_op ops[] = {
        set_of(keys[0], &texts[0], number_of(values.values[0].value) - amount),
        set_of(keys[1], &texts[1], number_of(values.values[1].value) + amount)};
    struct keystore_txn_request request = {compares, 2, ops, 2, NULL, 0};
    struct keystore_txn_reply reply;
    expect_ok(worker, keystore_txn(worker->client, &request, &reply), "compare and set");
}

/* An MGet sees all accounts at one moment. */
static void audit(struct worker *worker)
{
    struct name names[ACCOUNTS];
    struct keystore_slice keys[ACCOUNTS];
    struct keystore_values values;
    int64_t sum = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        make_name(&names[i], "account", i);
        keys[i] = names[i].slice;
    }
    enum keystore_code code =
        keystore_mget(worker->client, &(struct keystore_keys){keys, ACCOUNTS, 0}, &values);
    expect_ok(worker, code, "MGet");
    for (size_t i = 0; i < values.count; i++)
        sum += number_of(values.values[i].value);
    expect(code != KEYSTORE_OK || sum == ACCOUNTS * FORTUNE,
           "the accounts hold %" PRId64 " and not %d", sum, ACCOUNTS * FORTUNE);
}

/* ---- rings ---- */

static void move(struct worker *worker)
{
    struct name source, target;
    struct keystore_value value;
    make_name(&source, "ring", below(worker, RINGS));
    make_name(&target, "ring", below(worker, RINGS));
    struct keystore_move_request request = {.source = source.slice,
                                            .target = target.slice,
                                            .source_end = 1 + below(worker, 2),
                                            .target_end = 1 + below(worker, 2)};
    expect_ok(worker, keystore_lmove(worker->client, &request, &value), "LMove");
}

static void count_elements(const struct keystore_list *list, unsigned seen[ELEMENTS])
{
    for (size_t i = 0; i < list->count; i++) {
        int64_t element = number_of(list->values[i]);
        expect(element >= 0 && element < ELEMENTS, "a ring has the element %" PRId64, element);
        if (element >= 0 && element < ELEMENTS)
            seen[element]++;
    }
}

/* A transaction sees all rings at one moment. */
static void look_at_rings(struct worker *worker)
{
    struct name names[RINGS];
    struct keystore_op ops[RINGS];
    struct keystore_txn_reply reply;
    unsigned seen[ELEMENTS] = {0};
    for (unsigned i = 0; i < RINGS; i++) {
        make_name(&names[i], "ring", i);
        ops[i] = (struct keystore_op){.kind = KEYSTORE_OP_LRANGE};
        ops[i].request.list_range = (struct keystore_list_range){names[i].slice, 0, -1, 0};
    }
    struct keystore_txn_request request = {.success = ops, .success_count = RINGS};
    enum keystore_code code = keystore_txn(worker->client, &request, &reply);
    expect_ok(worker, code, "LRange in a Txn");
    for (size_t i = 0; i < reply.count; i++)
        count_elements(&reply.replies[i].answer.list, seen);
    for (size_t i = 0; i < ELEMENTS && code == KEYSTORE_OK; i++)
        expect(seen[i] == 1, "element %zu is %u times in the rings", i, seen[i]);
}

/* ---- counters ---- */

static void add(struct worker *worker)
{
    struct name name;
    struct keystore_number number;
    unsigned counter = below(worker, COUNTERS);
    int64_t by = (int64_t)below(worker, 100) - 30;
    make_name(&name, "counter", counter);
    struct keystore_increment request = {.key = name.slice, .delta = KEYSTORE_BY, .by = by};
    enum keystore_code code = keystore_incr(worker->client, &request, &number);
    expect_ok(worker, code, "Incr");
    if (code == KEYSTORE_OK)
        atomic_fetch_add(&shared.added[counter], by);
}

static void append(struct worker *worker)
{
    struct keystore_status status;
    struct keystore_key_value request = {.key = keystore_text("text"), .value = keystore_text("x")};
    enum keystore_code code = keystore_append(worker->client, &request, &status);
    expect_ok(worker, code, "Append");
    if (code == KEYSTORE_OK)
        atomic_fetch_add(&shared.appended, 1);
}

/* ---- queues ---- */

/* An item is the client that queued it, and its number there. */
static void queue(struct worker *worker)
{
    struct name name, items[3];
    struct keystore_slice values[3];
    struct keystore_status status;
    unsigned count = 1 + below(worker, 3), first = shared.queued[worker->number];
    if (first + count > MOST_ITEMS)
        return;
    make_name(&name, "queue", below(worker, QUEUES));
    for (unsigned i = 0; i < count; i++) {
        snprintf(items[i].text, sizeof items[i].text, "%u",
                 worker->number * MOST_ITEMS + first + i);
        values[i] = keystore_text(items[i].text);
    }
    struct keystore_list_insert request = {.key = name.slice, .values = values, .count = count};
    expect_ok(worker, keystore_lpush(worker->client, &request, &status), "LPush");
    shared.queued[worker->number] = first + count;
}

static void take(struct worker *worker, struct keystore_slice item)
{
    int64_t number = number_of(item);
    bool is_item = number >= 0 && number < CLIENTS * MOST_ITEMS;
    expect(is_item, "a queue has the item %" PRId64, number);
    if (is_item)
        expect(atomic_fetch_add(&shared.taken[number / MOST_ITEMS][number % MOST_ITEMS], 1) == 0,
               "client %u takes item %" PRId64 ", which was taken before", worker->number, number);
}

/* False if the queues are empty. */
static bool dequeue(struct worker *worker)
{
    struct name names[QUEUES];
    struct keystore_slice keys[QUEUES];
    struct keystore_popped popped;
    unsigned first = below(worker, QUEUES);
    for (unsigned i = 0; i < QUEUES; i++) {
        make_name(&names[i], "queue", (first + i) % QUEUES);
        keys[i] = names[i].slice;
    }
    struct keystore_pop_request request = {.keys = keys,
                                           .key_count = QUEUES,
                                           .end = 1 + below(worker, 2),
                                           .count = 1 + below(worker, 4)};
    expect_ok(worker, keystore_list_pop(worker->client, &request, &popped), "ListPop");
    for (size_t i = 0; i < popped.count; i++)
        take(worker, popped.values[i]);
    return popped.found;
}

static void dequeue_some(struct worker *worker)
{
    dequeue(worker);
}

/* ---- noise: whatever else locks much, in another database ---- */

static void make_noise(struct worker *worker)
{
    struct name one, two;
    struct keystore_status status;
    struct keystore_key key;
    make_name(&one, "noise", below(worker, 100));
    make_name(&two, "noise", below(worker, 100));
    struct keystore_key_value set = {.key = one.slice,
                                     .value = keystore_text("loud"),
                                     .db = NOISE_DB,
                                     .ttl_ms = 1 + below(worker, 20)};
    struct keystore_copy_request copy = {.source = one.slice, .target = two.slice, .db = NOISE_DB};
    struct keystore_db_request db = {.db = NOISE_DB};
    expect_ok(worker, keystore_set(worker->client, &set, &status), "Set");
    if (below(worker, 2) == 0)
        expect_ok(worker, keystore_rename(worker->client, &copy, &status), "Rename");
    copy.replace = true;
    if (one.text[5] != two.text[5])
        expect_ok(worker, keystore_copy(worker->client, &copy, &status), "Copy");
    expect_ok(worker, keystore_random_key(worker->client, &db, &key), "RandomKey");
    if (below(worker, 20) == 0)
        expect_ok(worker, keystore_flush_db(worker->client, &db, &status), "FlushDb");
}

/* ---- clients ---- */

static const struct role {
    void (*step)(struct worker *worker);
    unsigned weight;
    const char *name;
} roles[] = {
    {transfer, 20, "transfers"},
    {compare_and_transfer, 10, "transfers by version"},
    {audit, 6, "audits"},
    {move, 20, "moves"},
    {look_at_rings, 4, "looks at the rings"},
    {add, 10, "additions"},
    {append, 4, "appends"},
    {queue, 10, "pushes"},
    {dequeue_some, 10, "pops"},
    {make_noise, 6, "noises"},
};

#define ROLES (sizeof roles / sizeof roles[0])

static size_t draw_role(struct worker *worker)
{
    unsigned number = below(worker, 100);
    size_t role = 0;
    while (number >= roles[role].weight)
        number -= roles[role++].weight;
    return role;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    while (!atomic_load(&shared.stop)) {
        size_t role = draw_role(worker);
        roles[role].step(worker);
        atomic_fetch_add(&shared.done[role], 1);
    }
    return NULL;
}

static void set_up(struct worker *worker)
{
    struct name name, text;
    struct keystore_status status;
    struct keystore_slice element = keystore_text("no number");
    struct keystore_list_insert list = {
        .key = keystore_text("list"), .values = &element, .count = 1};
    expect_ok(worker, keystore_rpush(worker->client, &list, &status), "RPush");
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        make_name(&name, "account", i);
        struct keystore_op op = set_of(name.slice, &text, FORTUNE);
        expect_ok(worker, keystore_set(worker->client, &op.request.key_value, &status), "Set");
    }
    for (unsigned i = 0; i < ELEMENTS; i++) {
        make_name(&name, "ring", i % RINGS);
        make_name(&text, "", i);
        struct keystore_list_insert request = {
            .key = name.slice, .values = &text.slice, .count = 1};
        expect_ok(worker, keystore_rpush(worker->client, &request, &status), "RPush");
    }
}

static void check_counters(struct worker *worker)
{
    struct name name;
    struct keystore_value value;
    struct keystore_key_info info;
    for (unsigned i = 0; i < COUNTERS; i++) {
        make_name(&name, "counter", i);
        struct keystore_key request = {.key = name.slice};
        expect_ok(worker, keystore_get(worker->client, &request, &value), "Get");
        expect(number_of(value.value) == shared.added[i], "counter %u is %" PRId64 ", not %ld", i,
               number_of(value.value), shared.added[i]);
    }
    struct keystore_key request = {.key = keystore_text("text")};
    expect_ok(worker, keystore_describe(worker->client, &request, &info), "Describe");
    expect(info.length == shared.appended, "the text has %" PRId64 " bytes, not %ld", info.length,
           shared.appended);
}

static void check_queues(struct worker *worker)
{
    while (!atomic_load(&shared.failed) && dequeue(worker))
        continue;
    for (unsigned i = 0; i < CLIENTS; i++)
        for (unsigned item = 0; item < shared.queued[i]; item++)
            expect(shared.taken[i][item] == 1, "item %u of client %u was taken %d times", item, i,
                   shared.taken[i][item]);
}

static void run(struct worker *workers, time_t seconds)
{
    set_up(&workers[0]);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort();
    time_t until = time(NULL) + seconds;
    while (time(NULL) < until && !atomic_load(&shared.stop))
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    atomic_store(&shared.stop, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(workers[i].thread, NULL);
    if (atomic_load(&shared.failed))
        return;
    audit(&workers[0]);
    look_at_rings(&workers[0]);
    check_counters(&workers[0]);
    check_queues(&workers[0]);
}

static bool connect_all(struct worker *workers, const char *target, uint64_t seed)
{
    struct keystore_error error;
    for (unsigned i = 0; i < CLIENTS; i++) {
        workers[i].number = i;
        workers[i].dice = dice_of(seed, i);
        workers[i].client = keystore_connect(target, NULL, &error);
        if (workers[i].client != NULL)
            continue;
        fprintf(stderr, "concurrency: cannot connect to %s: %s\n", target, error.message);
        return false;
    }
    return true;
}

static void print_sum(void)
{
    for (size_t i = 0; i < ROLES; i++)
        printf("  %8lu %s\n", shared.done[i], roles[i].name);
}

int main(int argc, char **argv)
{
    struct servers servers;
    struct worker workers[CLIENTS] = {0};
    const char *given = getenv("KEYSTORE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    if (argc > 2) {
        fputs("usage: concurrency [SECONDS]\n\nEight clients, for 10 seconds unless told "
              "otherwise, on the keystore-server of the directory KEYSTORE_BIN.\n",
              stderr);
        return 2;
    }
    printf("KEYSTORE_SEED=%" PRIu64 " (of what each client does; their order is the machine's)\n",
           seed);
    bool started =
        servers_start(&servers, "everysec", false) && connect_all(workers, servers.target, seed);
    if (started)
        run(workers, argc > 1 ? strtol(argv[1], NULL, 10) : 10);
    for (unsigned i = 0; i < CLIENTS; i++)
        keystore_close(workers[i].client);
    bool ended_well = servers_stop(&servers);
    print_sum();
    return started && ended_well && !atomic_load(&shared.failed) ? 0 : 1;
}
