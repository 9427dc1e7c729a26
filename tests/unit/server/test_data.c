/* Tests of server/data.c: what it prints and when the engine serves. The section of Info is tested
 * with server/report.c. */
#include "server/data.h"

#include "base/arena.h"
#include "base/log.h"
#include "engine/embedded.h"
#include "server/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

struct fixture {
    struct folder folder;
    struct config config;
    struct engine *engine;
    struct data data;
    struct arena arena;
    int saved_stderr;
    FILE *said; /* in place of standard error; NULL: it is not replaced */
};

/* What is_stopped() sees. */
static struct fixture *current;
static bool stop_loading;
static unsigned asked;

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    log_set_level(LOG_ERROR);
    folder_make(&fixture->folder);
    options_fill_defaults(&fixture->config);
    snprintf(fixture->config.dir, sizeof fixture->config.dir, "%.900s/data", fixture->folder.path);
    arena_init(&fixture->arena);
    current = fixture;
    stop_loading = false;
    asked = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_deinit(&fixture->arena);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static enum err submit(struct fixture *fixture, enum op_kind kind)
{
    struct engine_task task = {
        .op = {.kind = kind, .key = SLICE_LITERAL("key"), .value = SLICE_LITERAL("value")},
        .arena = &fixture->arena};
    enum engine_answer answer = engine_submit(fixture->engine, &task);
    if (answer == ENGINE_PENDING) {
        engine_cancel(fixture->engine, &task);
        return ERR_NONE;
    }
    enum err err = task.result.err;
    op_result_release(&task.result);
    return err;
}

/* While it loads, everything is refused. */
static bool is_stopped(void)
{
    asked++;
    assert_int_equal(submit(current, OP_GET), ERR_LOADING);
    assert_int_equal(submit(current, OP_SET), ERR_LOADING);
    return stop_loading;
}

static void wake(void *user)
{
    (void)user;
}

static bool open_data(struct fixture *fixture)
{
    fixture->data = (struct data){0};
    fixture->engine = embedded_new(&fixture->config.store, 1);
    engine_set_waker(fixture->engine, 0, (struct waker){.wake = wake});
    embedded_set_loading(fixture->engine, true);
    return data_open(&fixture->data, &fixture->config, fixture->engine, NULL);
}

static void end(struct fixture *fixture)
{
    assert_true(data_stop(&fixture->data));
    data_close(&fixture->data);
    embedded_free(fixture->engine);
}

/* From now on standard error is captured; only for a while, because cmocka prints there. */
static void listen_to_stderr(struct fixture *fixture)
{
    fixture->said = tmpfile();
    fflush(stderr);
    fixture->saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(fixture->said), STDERR_FILENO) >= 0);
}

static const char *heard(struct fixture *fixture)
{
    static char text[3000];
    fflush(stderr);
    dup2(fixture->saved_stderr, STDERR_FILENO);
    close(fixture->saved_stderr);
    rewind(fixture->said);
    text[fread(text, 1, sizeof text - 1, fixture->said)] = 0;
    fclose(fixture->said);
    return text;
}

static void put_file(struct fixture *fixture, const char *name, const char *text)
{
    char path[2000];
    snprintf(path, sizeof path, "%s/%s", fixture->config.dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void test_it_serves_once_it_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    assert_true(open_data(fixture));
    assert_int_equal(submit(fixture, OP_GET), ERR_LOADING);
    assert_int_equal(data_load(&fixture->data, is_stopped), DATA_LOADED);
    assert_int_equal(submit(fixture, OP_SET), ERR_NONE);
    end(fixture);
    /* Now there is a log, and something to load. */
    assert_true(open_data(fixture));
    assert_int_equal(data_load(&fixture->data, is_stopped), DATA_LOADED);
    assert_true(asked > 0);
    assert_int_equal(submit(fixture, OP_GET), ERR_NONE);
    end(fixture);
}

static void test_loading_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    assert_true(open_data(fixture));
    assert_int_equal(data_load(&fixture->data, is_stopped), DATA_LOADED);
    assert_int_equal(submit(fixture, OP_SET), ERR_NONE);
    end(fixture);
    stop_loading = true;
    assert_true(open_data(fixture));
    assert_int_equal(data_load(&fixture->data, is_stopped), DATA_STOPPED);
    assert_int_equal(submit(fixture, OP_GET), ERR_LOADING);
    end(fixture);
}

static void test_a_directory_that_cannot_be(void **state)
{
    struct fixture *fixture = *state;
    strcat(fixture->config.dir, "/further/down");
    listen_to_stderr(fixture);
    bool opened = open_data(fixture);
    const char *said = heard(fixture);
    assert_false(opened);
    assert_non_null(strstr(said, "keystore-server: cannot open the data directory "));
    assert_non_null(strstr(said, "the directory above it must exist\n"));
    end(fixture);
}

static void test_a_directory_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct data other = {0};
    assert_true(open_data(fixture));
    listen_to_stderr(fixture);
    bool opened = data_open(&other, &fixture->config, fixture->engine, NULL);
    const char *said = heard(fixture);
    assert_false(opened);
    assert_non_null(strstr(said, "the data directory is in use by the server with process id "));
    assert_true(data_stop(&other));
    data_close(&other);
    end(fixture);
}

static void test_data_that_cannot_be_loaded(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(fixture->config.dir, 0700), 0);
    put_file(fixture, "dump.rdb", "no dump");
    assert_true(open_data(fixture));
    listen_to_stderr(fixture);
    enum data_loaded loaded = data_load(&fixture->data, is_stopped);
    const char *said = heard(fixture);
    assert_int_equal(loaded, DATA_BAD);
    assert_non_null(strstr(said, "keystore-server: DATA_LOSS: dump.rdb is damaged at offset "));
    assert_int_equal(submit(fixture, OP_GET), ERR_LOADING);
    end(fixture);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_serves_once_it_is_loaded), TEST(test_loading_can_be_stopped),
        TEST(test_a_directory_that_cannot_be),  TEST(test_a_directory_in_use),
        TEST(test_data_that_cannot_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
