/*
 * One expensive call, for script/bench stalls. Stores the data that the call needs, prints "ready",
 * waits for a line on standard input, makes the call, and prints how long it took in milliseconds.
 * An answer that is an error is printed as such: a server may refuse.
 *
 * usage: heavy-call TARGET NAME        without a name: lists them
 */
#include <keystore/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST        "heavy:list"
#define LIST_LENGTH 4500000
#define PUSH        100000 /* elements in one call that prepares */
#define MANY_KEYS   500000
#define MANY_OPS    100000
#define EXISTS_KEYS 6000000
#define PUSHED      5000000
#define LARGE       ((size_t)60 << 20)

static struct keystore_client *client;
static struct keystore_slice *slices; /* as many as any call needs */
static struct keystore_op *ops;

static void die(const char *what)
{
    fprintf(stderr, "heavy-call: %s: %s\n", what, keystore_last_error(client)->message);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "heavy-call: out of memory\n");
        exit(1);
    }
    return memory;
}

static void fill_slices(size_t count, struct keystore_slice each)
{
    slices = allocate(count, sizeof *slices);
    for (size_t i = 0; i < count; i++)
        slices[i] = each;
}

static void fill_keys(size_t count)
{
    enum { SIZE = 24 };
    char *texts = allocate(count, SIZE);
    slices = allocate(count, sizeof *slices);
    for (size_t i = 0; i < count; i++)
        slices[i] = (struct keystore_slice){
            texts + i * SIZE, (size_t)snprintf(texts + i * SIZE, SIZE, "heavy:%zu", i)};
}

/* ---- what is there before ---- */

static void prepare_nothing(void)
{
}

static void prepare_list(void)
{
    struct keystore_status status;
    fill_slices(PUSH, keystore_text("element"));
    for (size_t i = 0; i < LIST_LENGTH / PUSH; i++)
        if (keystore_rpush(client,
                           &(struct keystore_list_insert){
                               .key = keystore_text(LIST), .values = slices, .count = PUSH},
                           &status) != KEYSTORE_OK)
            die("RPush");
    free(slices);
}

static void prepare_keys(void)
{
    enum { TOGETHER = 10000 };
    struct keystore_key_value *entries = allocate(TOGETHER, sizeof *entries);
    struct keystore_status status;
    fill_keys(MANY_KEYS);
    for (size_t i = 0; i < MANY_KEYS; i += TOGETHER) {
        for (size_t n = 0; n < TOGETHER; n++)
            entries[n] =
                (struct keystore_key_value){.key = slices[i + n], .value = keystore_text("value")};
        if (keystore_mset(client,
                          &(struct keystore_key_values){.entries = entries, .count = TOGETHER},
                          &status) != KEYSTORE_OK)
            die("MSet");
    }
    free(entries);
}

/* ---- the calls ---- */

static enum keystore_code exists(void)
{
    struct keystore_status status;
    return keystore_exists(client, &(struct keystore_keys){.keys = slices, .count = EXISTS_KEYS},
                           &status);
}

static enum keystore_code push(void)
{
    struct keystore_status status;
    return keystore_rpush(client,
                          &(struct keystore_list_insert){
                              .key = keystore_text("heavy:new"), .values = slices, .count = PUSHED},
                          &status);
}

static enum keystore_code run_ops(size_t count, struct keystore_op each)
{
    struct keystore_txn_reply reply;
    ops = allocate(count, sizeof *ops);
    for (size_t i = 0; i < count; i++)
        ops[i] = each;
    return keystore_txn(
        client, &(struct keystore_txn_request){.success = ops, .success_count = count}, &reply);
}

static enum keystore_code find_twenty_times(void)
{
    return run_ops(
        20, (struct keystore_op){.kind = KEYSTORE_OP_LPOS,
                                 .request.list_find = {.key = keystore_text(LIST),
                                                       .value = keystore_text("none like it"),
                                                       .count = 1}});
}

static enum keystore_code range_many_times(void)
{
    return run_ops(MANY_OPS,
                   (struct keystore_op){.kind = KEYSTORE_OP_LRANGE,
                                        .request.list_range = {.key = keystore_text(LIST),
                                                               .start = LIST_LENGTH / 2,
                                                               .stop = LIST_LENGTH / 2 + 9}});
}

static enum keystore_code get_many_times(void)
{
    return run_ops(MANY_OPS, (struct keystore_op){.kind = KEYSTORE_OP_GET,
                                                  .request.key = {.key = keystore_text("absent")}});
}

static enum keystore_code set_many_times(void)
{
    return run_ops(MANY_OPS,
                   (struct keystore_op){.kind = KEYSTORE_OP_SET,
                                        .request.key_value = {.key = keystore_text("heavy:set"),
                                                              .value = keystore_text("value")}});
}

static enum keystore_code remove_elements(void)
{
    struct keystore_status status;
    return keystore_lrem(client,
                         &(struct keystore_list_find){.key = keystore_text(LIST),
                                                      .value = keystore_text("element"),
                                                      .count = LIST_LENGTH / 2},
                         &status);
}

static enum keystore_code get_many_keys(void)
{
    struct keystore_values values;
    return keystore_mget(client, &(struct keystore_keys){.keys = slices, .count = MANY_KEYS},
                         &values);
}

static enum keystore_code delete_many_keys(void)
{
    struct keystore_status status;
    return keystore_delete_many(client, &(struct keystore_keys){.keys = slices, .count = MANY_KEYS},
                                &status);
}

static enum keystore_code range_much(void)
{
    struct keystore_list list;
    return keystore_lrange(
        client, &(struct keystore_list_range){.key = keystore_text(LIST), .stop = -1}, &list);
}

static enum keystore_code set_large(void)
{
    struct keystore_status status;
    return keystore_set(client,
                        &(struct keystore_key_value){.key = keystore_text("heavy:value"),
                                                     .value = {allocate(LARGE, 1), LARGE}},
                        &status);
}

static enum keystore_code copy_list(void)
{
    struct keystore_status status;
    return keystore_copy(client,
                         &(struct keystore_copy_request){.source = keystore_text(LIST),
                                                         .target = keystore_text("heavy:copy")},
                         &status);
}

static enum keystore_code delete_list(void)
{
    struct keystore_status status;
    return keystore_delete(client, &(struct keystore_key){.key = keystore_text(LIST)}, &status);
}

static enum keystore_code save(void)
{
    struct keystore_status status;
    return keystore_save(client, &(struct keystore_save_request){.wait = true}, &status);
}

static void prepare_exists(void)
{
    fill_slices(EXISTS_KEYS, keystore_text("absent"));
}

static void prepare_push(void)
{
    fill_slices(PUSHED, (struct keystore_slice){NULL, 0});
}

static const struct {
    const char *name;
    void (*prepare)(void);
    enum keystore_code (*call)(void);
} calls[] = {
    {"exists", prepare_exists, exists},
    {"rpush", prepare_push, push},
    {"lpos", prepare_list, find_twenty_times},
    {"save", prepare_list, save},
    {"lranges", prepare_list, range_many_times},
    {"lrem", prepare_list, remove_elements},
    {"gets", prepare_nothing, get_many_times},
    {"sets", prepare_nothing, set_many_times},
    {"mget", prepare_keys, get_many_keys},
    {"lrange", prepare_list, range_much},
    {"deletemany", prepare_keys, delete_many_keys},
    {"set", prepare_nothing, set_large},
    {"copy", prepare_list, copy_list},
    {"delete", prepare_list, delete_list},
};
#define CALLS (sizeof calls / sizeof calls[0])

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void run(size_t number)
{
    calls[number].prepare();
    printf("ready\n");
    fflush(stdout);
    if (getchar() == EOF)
        exit(1);
    double began = now_ms();
    enum keystore_code code = calls[number].call();
    printf("%.1f %s\n", now_ms() - began,
           code == KEYSTORE_OK ? "ok" : keystore_last_error(client)->message);
}

int main(int argc, char **argv)
{
    struct keystore_error error;
    size_t number = 0;
    while (argc == 3 && number < CALLS && strcmp(argv[2], calls[number].name) != 0)
        number++;
    if (argc != 3 || number == CALLS) {
        for (size_t i = 0; i < CALLS; i++)
            printf("%s\n", calls[i].name);
        return argc == 2 ? 0 : 2;
    }
    client = keystore_connect(argv[1], &(struct keystore_options){.timeout_ms = -1}, &error);
    if (client == NULL) {
        fprintf(stderr, "heavy-call: %s\n", error.message);
        return 1;
    }
    run(number);
    keystore_close(client);
    return 0;
}
