/* A session of ours and a peer, with a wire between them. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_BENCH_LINKED_H
#define KEYSTORE_TESTS_BENCH_LINKED_H

#include "bench/receive.h"
#include "support/ng_server.h"

#define LINKED_STREAMS 8

static const enum op linked_ops[] = {OP_GET,     OP_SET,    OP_L_PUSH, OP_L_POP,
                                     OP_L_RANGE, OP_R_PUSH, OP_R_POP,  OP_ETCD_PUT};

struct linked {
    struct payload payload;
    struct templates templates;
    struct tally tally;
    struct session_setup setup;
    struct session session;
    struct ledger ledger;     /* with streams of Watch or Consume */
    struct ng_script *script; /* of the peer; NULL: none */
    struct ng_seen seen;
    struct ng_server peer;
    uint64_t now_ns;
    bool broken; /* receive_bytes() refused */
};

/* Lets bytes go both ways until neither side has any; at most `chunk` at once to the session. */
static inline void linked_run_in_chunks(struct linked *linked, size_t chunk)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    for (bool moving = true; moving && !linked->broken;) {
        struct slice out = buf_slice(&linked->session.out);
        assert_true(ng_server_feed(&linked->peer, out));
        moving = out.len > 0;
        buf_clear(&linked->session.out, SIZE_MAX);
        session_continue(&linked->session);
        moving |= ng_server_pull(&linked->peer, &wire);
        struct slice in = buf_slice(&wire);
        while (in.len > 0 && !linked->broken) {
            size_t len = in.len < chunk ? in.len : chunk;
            linked->broken =
                !receive_bytes(&linked->session, slice_make(in.data, len), linked->now_ns);
            in = slice_skip(in, len);
        }
        buf_clear(&wire, SIZE_MAX);
    }
    buf_deinit(&wire);
}

static inline void linked_run(struct linked *linked)
{
    linked_run_in_chunks(linked, SIZE_MAX);
}

/* Sessions whose settings are as `linked->setup` says. */
static inline void linked_begin(struct linked *linked, const nghttp2_settings_entry *settings,
                                size_t count)
{
    ng_seen_init(&linked->seen);
    ng_server_init(&linked->peer, linked->script, &linked->seen, settings, count);
    session_init(&linked->session, &linked->setup);
    linked_run(linked);
}

/* With that many streams of Watch or Consume, and calls of what they receive. */
static inline void linked_init_feeds(struct linked *linked, size_t value_size, enum feed_kind kind,
                                     uint32_t feeds)
{
    *linked = (struct linked){.now_ns = 1000};
    bool calls_all = kind == FEED_NONE;
    enum op write = calls_all ? OP_GET : feed_row(kind)->write;
    payload_init(&linked->payload, 16, value_size, 1000000);
    ledger_init(&linked->ledger, 1000, 1, 1);
    const struct template_settings settings = {
        .authority = SLICE_LITERAL("peer"),
        .ops = calls_all ? linked_ops : &write,
        .count = calls_all ? sizeof linked_ops / sizeof linked_ops[0] : 1,
        .payload = &linked->payload,
        .push_values = 1,
        .range_stop = 9,
        .feed = kind,
        .in_flight = 100,
    };
    templates_init(&linked->templates, &settings);
    tally_init(&linked->tally);
    linked->setup = (struct session_setup){
        .templates = &linked->templates,
        .tally = &linked->tally,
        .max_streams = LINKED_STREAMS,
        .first_id = 1,
        .feed = {kind, &linked->payload, calls_all ? NULL : &linked->ledger, &linked->tally},
        .feeds = feeds,
    };
}

static inline void linked_init(struct linked *linked, size_t value_size)
{
    linked_init_feeds(linked, value_size, FEED_NONE, 0);
}

static inline void linked_deinit(struct linked *linked)
{
    session_deinit(&linked->session);
    ng_server_deinit(&linked->peer);
    ng_seen_deinit(&linked->seen);
    templates_deinit(&linked->templates);
    payload_deinit(&linked->payload);
    ledger_deinit(&linked->ledger);
}

static inline void linked_call(struct linked *linked, enum op op, uint64_t key)
{
    assert_true(session_can_start(&linked->session));
    struct session_call call = {.op = op, .key = key, .start_ns = linked->now_ns};
    session_start(&linked->session, &call);
}

/* The peer's last request is this one. */
static inline void linked_assert_request(const struct linked *linked, enum op op, uint64_t key)
{
    size_t len = linked->templates.of[op].message.len;
    uint8_t *message = malloc(len);
    template_put_part(&linked->templates, op, key, 0, len, message);
    assert_string_equal(linked->seen.path, op_row(op)->path);
    assert_int_equal(linked->seen.body.len, len);
    assert_memory_equal(linked->seen.body.data, message, len);
    free(message);
}

#endif
