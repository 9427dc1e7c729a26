/*
 * A disk that fails: each of the first calls of a server's life fails in turn, in each way.
 * Whatever was acknowledged by then survives, and nothing is acknowledged that does not; the server
 * goes on, or refuses writes with a reason, and still reads; and the next start finds a state that
 * there was, with all that was acknowledged, whether the machine kept running or crashed.
 */
#include "base/effort.h"
#include "crash/restart.h"
#include "crash/server.h"
#include "crash/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/seeded.h"

/* Calls that fail, each in a life of its own: one in so many of the first ones. */
#define CALLS 500
#define STEP  EFFORT(1, 17, 47)
/* A life with this has more calls than that. */
#define ROUNDS     5
#define OPERATIONS 140
/* Crashes in a life. */
#define CRASHES 12
/* At a time; most of the time is spent waiting for space on the disk. */
#define THREADS 8

static const struct journal_options always = {.durability = JOURNAL_ALWAYS};

/* A life with a failing call, and its results. */
struct life {
    struct fs_model_fault fault;
    uint64_t random;
    struct fs_model *model;
    struct history history;
    bool started;
    bool refused;   /* writes, at some time */
    bool ended_bad; /* writes were refused for good */
    bool hit;       /* the call failed, */
    bool hit_early; /* before the end of the server */
};

static bool has_failed_in(const struct life *life, const char *call, const char *file)
{
    const char *failure = fs_model_failure(life->model);
    return strncmp(failure, call, strlen(call)) == 0 && strstr(failure, file) != NULL;
}

/* ---- the server's life ---- */

/* Makes space on the disk; the server goes on if nothing else is wrong. */
static const char *make_space(struct life *life, struct server *server)
{
    life->hit = life->hit || fs_model_failed(life->model);
    fs_model_fail(life->model, (struct fs_model_fault){0});
    return server_wait_for_space(server);
}

static const char *bear_refusal(struct life *life, struct server *server)
{
    life->refused = true;
    const char *wrong = server_try_refusal(server);
    if (wrong == NULL)
        wrong = make_space(life, server);
    life->ended_bad = server_refusal(server) != NULL;
    return wrong;
}

static const char *write_some(struct life *life, struct server *server)
{
    server_write(server, OPERATIONS);
    const char *wrong = server_wait(server);
    if (wrong == NULL && server_refusal(server) != NULL)
        wrong = bear_refusal(life, server);
    return wrong;
}

static const char *save(struct life *life, struct server *server)
{
    server_save(server);
    const char *wrong = write_some(life, server);
    bool saved = server_finish_save(server);
    if (wrong == NULL && !saved && !life->hit && !fs_model_failed(life->model))
        wrong = "no base is written, though nothing failed";
    if (wrong == NULL && !saved)
        wrong = make_space(life, server);
    return wrong;
}

static const char *live(struct life *life, struct server *server)
{
    const char *wrong = write_some(life, server);
    for (unsigned i = 0; i < ROUNDS && wrong == NULL && !life->ended_bad; i++)
        wrong = save(life, server);
    if (wrong == NULL)
        wrong = make_space(life, server);
    life->ended_bad = server_refusal(server) != NULL;
    return wrong;
}

/* Checks whether writes are rightly refused or accepted at the end, by the call that failed. */
static const char *judge_refusal(const struct life *life)
{
    bool log_failed = life->hit_early && life->fault.error == EIO &&
                      (has_failed_in(life, "write", ".incr.aof") ||
                       has_failed_in(life, "sync-data", ".incr.aof"));
    if (log_failed && !life->ended_bad)
        return "the log failed, and writes are accepted";
    if (life->refused && !life->hit_early)
        return "writes were refused though nothing failed";
    if (life->ended_bad && !life->fault.sticky && has_failed_in(life, "", ".base.rdb"))
        return "the base could not be written, and writes are refused";
    if (life->ended_bad && life->fault.error == ENOSPC && !has_failed_in(life, "sync", ""))
        return "there is space, and writes are refused";
    return NULL;
}

static const char *run(struct life *life)
{
    const char *wrong;
    struct server *server = server_new(life->model, &life->history, &always, life->random, &wrong);
    life->started = server != NULL;
    if (server == NULL) {
        life->hit = fs_model_failed(life->model);
        return wrong;
    }
    wrong = live(life, server);
    life->hit_early = life->hit;
    bool kept = server_free(server);
    life->hit = life->hit || fs_model_failed(life->model);
    if (wrong == NULL && !kept && !life->hit)
        wrong = "writes were lost though nothing failed";
    return wrong != NULL ? wrong : judge_refusal(life);
}

/* ---- afterwards ---- */

/* The machine crashes at this place. */
static const char *crash(const struct walk *walk, const struct history *history, uint64_t *random)
{
    struct chooser chooser;
    struct history_promise promise = history_promised(history, walk_step(walk));
    chooser_init_random(&chooser, random);
    struct fs_model *state = walk_crash(walk, &chooser);
    const char *wrong = restart(state, history, &promise);
    fs_model_free(state);
    return wrong;
}

/* Crashes at some places, some `times` in all, from that change of the disk on. */
static const char *crash_here_and_there(const struct life *life, const struct history *history,
                                        size_t first, uint32_t times)
{
    uint64_t random = life->random;
    struct walk *walk = walk_new(life->model);
    size_t steps = fs_model_steps(life->model);
    const char *wrong = NULL;
    do {
        size_t step = walk_step(walk);
        bool here = step >= first && seeded_below(&random, (uint32_t)(steps - first + 1)) < times;
        if (here || step == steps)
            wrong = crash(walk, history, &random);
    } while (wrong == NULL && walk_next(walk));
    walk_free(walk);
    return wrong;
}

/* The next server, on a disk without faults. */
static const char *write_more(const struct life *life, struct history *history, size_t *first)
{
    const char *wrong;
    struct server *server = server_new(life->model, history, &always, life->random, &wrong);
    *first = fs_model_steps(life->model);
    if (server == NULL)
        return wrong != NULL ? wrong : "the next server does not start";
    server_write(server, 10);
    return server_free(server) ? NULL : "the next server loses writes";
}

/* The machine keeps running, though its memory may show more than its disk holds; another server
 * starts, and then the machine crashes. */
static const char *go_on(const struct life *life)
{
    struct history branch;
    size_t first;
    struct history_promise promise = history_promised(&life->history, fs_model_steps(life->model));
    history_branch(&branch, &life->history, &promise);
    const char *wrong = write_more(life, &branch, &first);
    if (wrong == NULL)
        wrong = crash_here_and_there(life, &branch, first, CRASHES / 2);
    history_deinit(&branch);
    return wrong;
}

static const char *try_life(struct life *life)
{
    life->model = fs_model_new();
    history_init(&life->history);
    fs_model_record(life->model);
    fs_model_fail(life->model, life->fault);
    const char *wrong = run(life);
    fs_model_fail(life->model, (struct fs_model_fault){0});
    if (wrong == NULL)
        wrong = crash_here_and_there(life, &life->history, 0, CRASHES);
    if (wrong == NULL)
        wrong = go_on(life);
    if (wrong != NULL)
        print_message("call %" PRIu64 " (%s) fails with %d%s%s: %s\n", life->fault.call,
                      fs_model_failure(life->model), life->fault.error,
                      life->fault.partial ? ", short" : "", life->fault.sticky ? ", on" : "",
                      wrong);
    history_deinit(&life->history);
    fs_model_free(life->model);
    return wrong;
}

/* ---- many lives ---- */

struct lives {
    struct fs_model_fault fault; /* which call is filled in */
    uint64_t random;
    atomic_uint next;   /* call, from 0 */
    atomic_uint hit;    /* calls that failed, */
    atomic_uint unborn; /* of these, servers that did not start */
    atomic_uint full;   /* servers that refused writes temporarily */
    atomic_uint bad;    /* servers that refused writes for good */
    atomic_uint wrong;
};

static void *work(void *context)
{
    struct lives *lives = context;
    unsigned call;
    while ((call = atomic_fetch_add(&lives->next, STEP)) < CALLS && lives->wrong == 0) {
        struct life life = {.fault = lives->fault, .random = lives->random + call};
        life.fault.call = call + 1;
        if (try_life(&life) != NULL)
            lives->wrong++;
        lives->hit += life.hit;
        lives->unborn += !life.started;
        lives->bad += life.ended_bad;
        lives->full += life.refused && !life.ended_bad;
    }
    return NULL;
}

static void try_lives(struct lives *lives, struct fs_model_fault fault)
{
    pthread_t threads[THREADS];
    clock_t began = clock();
    *lives = (struct lives){.fault = fault, .random = seeded_start()};
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, lives), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    print_message("%u calls failed: %u servers did not start, %u refused writes for good, %u for "
                  "a while, %.1f s\n",
                  lives->hit, lives->unborn, lives->bad, lives->full,
                  (double)(clock() - began) / CLOCKS_PER_SEC);
    assert_int_equal(lives->wrong, 0);
    assert_int_equal(lives->hit, (CALLS + STEP - 1) / STEP);
}

/* At least one in so many. Which call fails depends on timing, so the few calls that sanitizers try
 * prove nothing. */
static void assert_share(unsigned count, unsigned part)
{
    if (STEP == 1)
        assert_true(count > CALLS / part);
}

static void errors_of_the_disk(void **state)
{
    (void)state;
    struct lives lives;
    try_lives(&lives, (struct fs_model_fault){.error = EIO});
    assert_share(lives.bad, 3);
    assert_true(lives.full == 0);
}

static void a_disk_that_is_full_once(void **state)
{
    (void)state;
    struct lives lives;
    try_lives(&lives, (struct fs_model_fault){.error = ENOSPC});
    assert_share(lives.full, 8);
}

static void a_disk_that_is_full_for_a_while(void **state)
{
    (void)state;
    struct lives lives;
    try_lives(&lives, (struct fs_model_fault){.error = ENOSPC, .partial = true, .sticky = true});
    assert_share(lives.full, 8);
}

static void short_writes(void **state)
{
    (void)state;
    struct lives lives;
    try_lives(&lives, (struct fs_model_fault){.partial = true});
    assert_int_equal(lives.unborn + lives.bad + lives.full, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_the_disk),
        cmocka_unit_test(a_disk_that_is_full_once),
        cmocka_unit_test(a_disk_that_is_full_for_a_while),
        cmocka_unit_test(short_writes),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
