/*
 * Durability as a whole over a model of a disk: a server writes at random and sometimes replaces
 * its base; it is crashed after each change of the disk in many ways. Started again it must hold
 * what it held after some commit, with all that was acknowledged by then, and never give a version
 * again that clients could know; the next start finds the same, and can continue from there, with
 * any durability, and crash again. With syncs that do nothing the test must fail, which shows that
 * it can.
 *
 * Most crashes leave what another one has left; the verdict on that is cached.
 */
#include "base/effort.h"
#include "crash/known.h"
#include "crash/restart.h"
#include "crash/server.h"
#include "crash/walk.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/log.h"
#include "store/seeded.h"

/* Servers with a history of their own, and crashes of each of them. */
#define HISTORIES EFFORT(12, 2, 1)
#define STATES    EFFORT(6000, 1000, 700)
/* Number of different states to try; how many more servers that takes depends on how their threads
 * interleave. */
#define DIFFERENT EFFORT(50000, 400, 140)
/* One state in so many is continued, and crashed again after each change, so often. */
#define GO_ON_IN 300
/* With less than JOURNAL_ALWAYS, the step of the reserved revisions: some in each life. */
#define RESERVE_STEP 16
#define AGAIN_TIMES  2

struct tried {
    size_t states;
    size_t again;     /* of these, second crashes */
    size_t different; /* of these, with other contents or more acknowledged than those before */
    size_t changes;
};

/* A recording that is crashed everywhere. */
struct scene {
    const struct history *history; /* of the recorded server */
    struct known known;            /* states on which a start succeeds */
    struct tried *tried;
};

static const struct journal_options always = {.durability = JOURNAL_ALWAYS};
static const struct journal_options every_second = {.durability = JOURNAL_EVERY_SECOND};
static const struct journal_options none = {.durability = JOURNAL_NONE};
static const struct journal_options every_second_in_steps = {.durability = JOURNAL_EVERY_SECOND,
                                                             .reserve_step = RESERVE_STEP};
static const struct journal_options none_in_steps = {.durability = JOURNAL_NONE,
                                                     .reserve_step = RESERVE_STEP};

/* A life of a server: writes, with a new base now and then while they go on. */
static const char *live(struct server *server, unsigned rounds, unsigned operations)
{
    for (unsigned i = 0; i < rounds; i++) {
        server_write(server, server_pick(server, operations));
        server_save(server);
        server_write(server, server_pick(server, operations));
        bool saved = server_finish_save(server);
        if (!saved && server_refusal(server) == NULL)
            return "no base is written";
    }
    server_write(server, operations);
    return server_wait(server);
}

static const char *run(struct fs_model *model, struct history *history,
                       const struct journal_options *options, uint64_t random, unsigned rounds,
                       unsigned operations)
{
    const char *wrong;
    struct server *server = server_new(model, history, options, random, &wrong);
    if (server == NULL)
        return wrong;
    wrong = live(server, rounds, operations);
    if (!server_free(server) && wrong == NULL)
        wrong = "writes were lost";
    return wrong;
}

static const char *try_state(struct scene *scene, struct fs_model *state,
                             const struct history_promise *promise, uint64_t *random);

/* Crashes the machine at this place of the walk; NULL, or what is wrong. */
static const char *crash(struct scene *scene, const struct walk *walk, uint64_t *random,
                         uint64_t *go_on)
{
    struct chooser chooser;
    chooser_init_random(&chooser, random);
    struct fs_model *state = walk_crash(walk, &chooser);
    struct history_promise promise = history_promised(scene->history, walk_step(walk));
    const char *wrong = try_state(scene, state, &promise, go_on);
    fs_model_free(state);
    return wrong;
}

/* Crashes what was recorded after each change, so often. */
static const char *crash_everywhere(struct fs_model *recording, const struct history *history,
                                    size_t times, bool go_on, uint64_t *random, struct tried *tried)
{
    struct walk *walk = walk_new(recording);
    struct scene scene = {.history = history, .tried = tried};
    const char *wrong = NULL;
    do {
        for (size_t i = 0; i < times && wrong == NULL; i++) {
            bool again = go_on && seeded_below(random, GO_ON_IN) == 0;
            wrong = crash(&scene, walk, random, again ? random : NULL);
        }
        if (wrong != NULL)
            print_message("after change %zu: %s\n", walk_step(walk), wrong);
    } while (wrong == NULL && walk_next(walk));
    known_deinit(&scene.known);
    walk_free(walk);
    return wrong;
}

/* A server starts on the state, continues, and is crashed again after each change. */
static const char *go_on(const struct scene *scene, struct fs_model *state,
                         const struct history_promise *promise, uint64_t *random)
{
    static const struct journal_options *const next[] = {&always, &every_second, &none,
                                                         &every_second_in_steps, &none_in_steps};
    struct history branch;
    struct tried *tried = scene->tried;
    size_t before = tried->states;
    history_branch(&branch, scene->history, promise);
    fs_model_record(state);
    const struct journal_options *options = next[seeded_below(random, sizeof next / sizeof *next)];
    const char *wrong = run(state, &branch, options, *random, 1, 12);
    seeded_below(random, 2);
    if (wrong == NULL)
        wrong = crash_everywhere(state, &branch, AGAIN_TIMES, false, random, tried);
    tried->again += tried->states - before;
    history_deinit(&branch);
    return wrong;
}

/* Checks that a start succeeds on what a crash left and, if `random` is given, can continue from
 * there. */
static const char *try_state(struct scene *scene, struct fs_model *state,
                             const struct history_promise *promise, uint64_t *random)
{
    scene->tried->states++;
    if (random != NULL)
        return go_on(scene, state, promise, random);
    uint64_t seed = XXH3_64bits(promise, sizeof *promise);
    if (!known_add(&scene->known, disk_hash(fs_model_disk(state), seed)))
        return NULL;
    scene->tried->different++;
    return restart(state, scene->history, promise);
}

/* A server's life and the crashes in it; what is wrong with one, or NULL. */
static const char *try_life(const struct journal_options *options, unsigned lies, size_t states,
                            uint64_t *random, struct tried *tried)
{
    struct history history;
    struct fs_model *model = fs_model_new();
    history_init(&history);
    fs_model_record(model);
    fs_model_lie(model, lies);
    const char *wrong = run(model, &history, options, *random, 5, 60);
    seeded_below(random, 2);
    size_t changes = fs_model_steps(model);
    tried->changes += changes;
    if (wrong == NULL)
        wrong = crash_everywhere(model, &history, states / changes + 1, lies == 0, random, tried);
    history_deinit(&history);
    fs_model_free(model);
    return wrong;
}

static void every_crash_leaves_what_was_acknowledged(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct tried tried = {0};
    clock_t began = clock();
    for (size_t i = 0; i < HISTORIES || tried.different < DIFFERENT; i++) {
        assert_true(i < 10 * HISTORIES);
        assert_null(try_life(&always, 0, STATES, &random, &tried));
    }
    assert_true(tried.changes > HISTORIES * 100);
    print_message("%zu states, %zu of them second crashes, %zu different, %zu changes, %.1f s\n",
                  tried.states, tried.again, tried.different, tried.changes,
                  (double)(clock() - began) / CLOCKS_PER_SEC);
}

/* Less is promised then, but never a mixture. */
static void every_crash_leaves_what_once_was(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct tried tried = {0};
    static const struct journal_options *const lives[] = {&every_second, &none,
                                                          &every_second_in_steps, &none_in_steps};
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        assert_null(try_life(lives[i], 0, STATES / 2, &random, &tried));
    assert_true(tried.again > 0);
    print_message("%zu states, %zu of them second crashes, %zu different, %zu changes\n",
                  tried.states, tried.again, tried.different, tried.changes);
}

/* The control. */
static void syncs_that_lie_are_noticed(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct tried tried = {0};
    static const unsigned lies[] = {FS_MODEL_SYNC_DATA, FS_MODEL_SYNC, FS_MODEL_SYNC_DIRECTORY};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_non_null(try_life(&always, lies[i], STATES, &random, &tried));
    print_message("noticed within %zu states\n", tried.states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crash_leaves_what_was_acknowledged),
        cmocka_unit_test(every_crash_leaves_what_once_was),
        cmocka_unit_test(syncs_that_lie_are_noticed),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
