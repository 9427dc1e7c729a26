/* A report with a store, connections and a data directory, but nobody who serves; and reading what
 * is written about it. */
#ifndef KEYSTORE_TESTS_SERVER_EXPOSITION_FIXTURE_H
#define KEYSTORE_TESTS_SERVER_EXPOSITION_FIXTURE_H

#include "base/activity.h"
#include "base/arena.h"
#include "engine/embedded.h"
#include "metrics/text.h"
#include "net/admission.h"
#include "server/data.h"
#include "server/report.h"
#include "server/worker.h"
#include "store/op.h"
#include "store/store.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct exposed {
    struct config config;
    struct engine *engine;
    struct net_admission *admission;
    struct worker *workers[2];
    struct activity activity;
    struct data data;
    struct report report;
};

static inline bool exposed_never(void)
{
    return false;
}

static inline int exposed_setup(void **state)
{
    struct exposed *exposed = calloc(1, sizeof *exposed);
    exposed->config = (struct config){
        .threads = 2,
        .max_connections = 3,
        .max_value = 1000,
        .store = {.databases = 4, .max_memory = 100000000, .policy = STORE_ALLKEYS_LRU},
        .journal = {.durability = JOURNAL_ALWAYS},
        .http2 = http2_default_limits,
        .net = net_default_limits};
    strcpy(exposed->config.dir, "/tmp/keystore-exposition-XXXXXX");
    assert_non_null(mkdtemp(exposed->config.dir));
    exposed->engine = embedded_new(&exposed->config.store, 2);
    activity_init(&exposed->activity, 1000);
    assert_true(data_open(&exposed->data, &exposed->config, exposed->engine, &exposed->activity));
    exposed->admission = net_admission_new(3, 0);
    report_init(&exposed->report);
    exposed->report.config = &exposed->config;
    exposed->report.store = embedded_store(exposed->engine);
    exposed->report.admission = exposed->admission;
    exposed->report.data = &exposed->data;
    *state = exposed;
    return 0;
}

static inline int exposed_remove(const char *path, const struct stat *status, int type,
                                 struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static inline int exposed_teardown(void **state)
{
    struct exposed *exposed = *state;
    for (size_t i = 0; i < 2; i++)
        worker_free(exposed->workers[i]);
    net_admission_free(exposed->admission);
    assert_true(data_stop(&exposed->data));
    embedded_free(exposed->engine);
    data_close(&exposed->data);
    assert_int_equal(nftw(exposed->config.dir, exposed_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(exposed);
    return 0;
}

static inline void exposed_make_workers(struct exposed *exposed)
{
    struct worker_options options = {.config = &exposed->config,
                                     .engine = exposed->engine,
                                     .activity = &exposed->activity,
                                     .admission = exposed->admission,
                                     .info = &exposed->report.info};
    for (unsigned i = 0; i < 2; i++) {
        exposed->workers[i] = worker_new(&options, i);
        assert_non_null(exposed->workers[i]);
    }
    exposed->report.workers = exposed->workers;
}

static inline void exposed_load(struct exposed *exposed)
{
    assert_int_equal(data_load(&exposed->data, exposed_never), DATA_LOADED);
}

static inline void exposed_set(struct exposed *exposed, uint32_t db, const char *key,
                               int64_t expire_at_ms)
{
    struct op op = {.kind = OP_SET,
                    .db = db,
                    .now_ms = 1000,
                    .key = slice_from_string(key),
                    .value = SLICE_LITERAL("value"),
                    .expire_at_ms = expire_at_ms};
    struct op_result result;
    struct arena arena;
    arena_init(&arena);
    store_apply(embedded_store(exposed->engine), &op, &arena, &result);
    assert_true(result.ok);
    op_result_release(&result);
    arena_deinit(&arena);
}

/* The text, terminated; to be freed. */
static inline char *exposed_finish(struct metrics_text *text)
{
    assert_true(metrics_text_finish(text));
    char *copy = strndup(text->data, text->len);
    metrics_text_deinit(text);
    return copy;
}

/* The value of a series, -1 if it is not in the text. */
static inline double exposed_value(const char *text, const char *series)
{
    size_t len = strlen(series);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        if (strncmp(line, series, len) == 0 && line[len] == ' ')
            return strtod(line + len, NULL);
    }
    return -1;
}

#endif
