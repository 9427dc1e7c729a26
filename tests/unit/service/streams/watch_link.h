/*
 * Watch on a link in memory, to an engine with a store, and what has arrived. Included after
 * <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_WATCH_LINK_H
#define KEYSTORE_TESTS_WATCH_LINK_H

#include "service/link.h"
#include "service/streams/watch.h"

#define WATCH_PATH      "/keystore.v1.KeyStore/Watch"
#define WATCH_MOST_TEXT 4000

static unsigned watch_wakes;

static inline void watch_link_wake(void *user)
{
    (void)user;
    watch_wakes++;
}

static inline int watch_setup(void **state)
{
    watch_wakes = 0;
    link_waker = (struct waker){.wake = watch_link_wake};
    embedded_setup(state);
    struct link *link = *state;
    engine_set_waker(link->engine, 0, link_waker);
    return 0;
}

static inline int watch_teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    link_free(link); /* all watches leave */
    embedded_free(engine);
    link_waker = (struct waker){0};
    return 0;
}

/* Runs the worker until nothing wakes it any more. */
static inline void watch_run(struct link *link)
{
    link_exchange(link);
    while (watch_wakes > 0) {
        watch_wakes = 0;
        engine_complete(link->engine, 0);
        link_resume(link);
    }
}

/* "key", "prefix*" or, with '?', a pattern; the rest of the request is the caller's. */
static inline struct ng_stream *watch_start(struct link *link, const char *text,
                                            Keystore__V1__WatchRequest request)
{
    char copy[100];
    Keystore__V1__WatchRequest__Selector selector = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__INIT,
                                         *list[] = {&selector};
    snprintf(copy, sizeof copy, "%s", text);
    char *star = strchr(copy, '*');
    if (strchr(copy, '?') != NULL) {
        selector.selector_case = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PATTERN;
    } else if (star != NULL) {
        *star = 0;
        selector.selector_case = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX;
    } else {
        selector.selector_case = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_KEY;
    }
    selector.key = message_text(copy);
    request.selectors = list;
    request.n_selectors = 1;
    struct ng_stream *call = link_call(link, WATCH_PATH, &request);
    watch_run(link);
    return call;
}

static inline void watch_print(char *text, const char *format, int number, ProtobufCBinaryData key)
{
    size_t len = strlen(text);
    snprintf(text + len, WATCH_MOST_TEXT - len, format, number, (int)key.len, (char *)key.data);
}

/* What has arrived since the call before, which is taken: "TYPEkey " for each event, with "." after
 * each batch, "!" if the initial part is done and "~" if it is partial. */
static inline const char *watch_taken(struct ng_stream *call)
{
    static char text[WATCH_MOST_TEXT];
    text[0] = 0;
    size_t at = 0;
    struct slice message;
    while (ng_call_next(call, &at, &message)) {
        Keystore__V1__WatchBatch *batch =
            keystore__v1__watch_batch__unpack(NULL, message.len, message.data);
        assert_non_null(batch);
        for (size_t i = 0; i < batch->n_events; i++)
            watch_print(text, "%d%.*s ", (int)batch->events[i]->type, batch->events[i]->key);
        strcat(text, batch->initial_done ? "!" : batch->partial ? "~" : ".");
        keystore__v1__watch_batch__free_unpacked(batch, NULL);
    }
    buf_consume(&call->body, at);
    return text;
}

#define WATCH_ANY     ((Keystore__V1__WatchRequest)KEYSTORE__V1__WATCH_REQUEST__INIT)
#define WATCH_INITIAL watch_initial_request()
static inline Keystore__V1__WatchRequest watch_initial_request(void)
{
    Keystore__V1__WatchRequest request = KEYSTORE__V1__WATCH_REQUEST__INIT;
    request.initial = true;
    return request;
}

static inline void watch_set(struct link *link, const char *key)
{
    link_call_set(link, key, SLICE_LITERAL("value"));
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)

#endif
