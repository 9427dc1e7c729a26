/*
 * Compares the C libraries: one thread, one connection, one call at a time. GETs of one key by
 * libkeystore from keystore-server and by hiredis from redis-server, in turn, round by round; the
 * medians of calls per second and of the client's own CPU time per call are printed as CSV.
 *
 * A call on one connection waits for the other side, so calls per second contain both servers;
 * CPU time per call is the library's alone, including the kernel's work for it.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <keystore/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#define VALUE       "0123456789abcdef0123456789abcdef"
#define KEY         "key:000000000042"
#define MOST_ROUNDS 101
/* Calls between two looks at the clock. */
#define BATCH 200

struct round {
    double calls_per_s;
    double cpu_us; /* per call */
};

struct contender {
    const char *name;
    void (*get)(void); /* one call; ends the program if the answer is not VALUE */
    struct round rounds[MOST_ROUNDS];
};

static struct keystore_client *keystore;
static redisContext *redis;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "client-rate: %s: %s\n", what, why);
    exit(1);
}

static void get_keystore(void)
{
    struct keystore_key key = {.key = keystore_text(KEY)};
    struct keystore_value value;
    if (keystore_get(keystore, &key, &value) != KEYSTORE_OK)
        die("keystore", keystore_last_error(keystore)->message);
    if (value.value.len != strlen(VALUE) || memcmp(value.value.data, VALUE, strlen(VALUE)) != 0)
        die("keystore", "another value");
}

static void get_redis(void)
{
    redisReply *reply = redisCommand(redis, "GET %b", KEY, strlen(KEY));
    if (reply == NULL)
        die("redis", redis->errstr);
    if (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, VALUE) != 0)
        die("redis", "another value");
    freeReplyObject(reply);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct round measure(const struct contender *contender, double length_s)
{
    double began = seconds(), cpu_began = cpu_seconds(), now = began;
    long calls = 0;
    while (now - began < length_s) {
        for (int i = 0; i < BATCH; i++)
            contender->get();
        calls += BATCH;
        now = seconds();
    }
    return (struct round){(double)calls / (now - began),
                          (cpu_seconds() - cpu_began) / (double)calls * 1e6};
}

static int compare_rates(const void *a, const void *b)
{
    double left = ((const struct round *)a)->calls_per_s;
    double right = ((const struct round *)b)->calls_per_s;
    return (left > right) - (left < right);
}

static int compare_cpu(const void *a, const void *b)
{
    double left = ((const struct round *)a)->cpu_us, right = ((const struct round *)b)->cpu_us;
    return (left > right) - (left < right);
}

static void print(struct contender *contender, size_t rounds)
{
    qsort(contender->rounds, rounds, sizeof(struct round), compare_rates);
    double rate = contender->rounds[rounds / 2].calls_per_s;
    double best = contender->rounds[rounds - 1].calls_per_s;
    qsort(contender->rounds, rounds, sizeof(struct round), compare_cpu);
    printf("%s,%.0f,%.0f,%.2f\n", contender->name, rate, best,
           contender->rounds[rounds / 2].cpu_us);
}

static void connect_both(const char *target, int port)
{
    struct keystore_error error;
    struct keystore_status status;
    struct keystore_key_value set = {.key = keystore_text(KEY), .value = keystore_text(VALUE)};
    keystore = keystore_connect(target, NULL, &error);
    if (keystore == NULL)
        die("keystore", error.message);
    if (keystore_set(keystore, &set, &status) != KEYSTORE_OK)
        die("keystore", keystore_last_error(keystore)->message);
    redis = redisConnect("127.0.0.1", port);
    if (redis == NULL || redis->err != 0)
        die("redis", redis != NULL ? redis->errstr : "out of memory");
    /* As libkeystore does, so that both bear what a timeout costs. */
    redisSetTimeout(redis, (struct timeval){.tv_sec = 30});
    redisReply *reply = redisCommand(redis, "SET " KEY " " VALUE);
    if (reply == NULL || reply->type != REDIS_REPLY_STATUS)
        die("redis", "cannot set the key");
    freeReplyObject(reply);
}

int main(int argc, char **argv)
{
    static struct contender contenders[] = {{.name = "libkeystore", .get = get_keystore},
                                            {.name = "hiredis", .get = get_redis}};
    int rounds = argc > 3 ? atoi(argv[3]) : 11;
    double length_s = argc > 4 ? atof(argv[4]) : 1;
    if (argc < 3 || argc > 5 || rounds < 1 || rounds > MOST_ROUNDS || length_s <= 0) {
        fprintf(stderr,
                "usage: client-rate KEYSTORE-TARGET REDIS-PORT [ROUNDS (11) [SECONDS (1)]]\n"
                "\nBoth servers run on this machine, on a core that is not the client's:\n"
                "  taskset -c 1 client-rate 127.0.0.1:50051 6379\n");
        return 2;
    }
    connect_both(argv[1], atoi(argv[2]));
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < 2; i++)
            contenders[i].rounds[round] = measure(&contenders[i], length_s);
    printf("library,calls_per_s,best_calls_per_s,client_cpu_us\n");
    for (size_t i = 0; i < 2; i++)
        print(&contenders[i], (size_t)rounds);
    keystore_close(keystore);
    redisFree(redis);
    return 0;
}
