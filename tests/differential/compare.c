/*
 * Runs a conversation on both sessions, step by step, and compares what application and client see
 * of it. Then splits the same bytes in other places, which must change nothing. permitted.c lists
 * what may differ.
 */
#include "compare.h"

#include "dice.h"
#include "output.h"
#include "permitted.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

/* Our session remembers 64 closed streams; a step closes two or all that are open, once. */
#define RESET_REMEMBERED 10

struct party {
    struct run run;
    struct output output;
    size_t events_seen;
    uint32_t *ids; /* of the streams of its requests */
    size_t id_count;
};

struct pair {
    struct party own, oracle;
    const struct step *step;
    struct moment moment;
    uint32_t last_id;
    bool greeted;
    bool goaway_came;
    bool *apart;                   /* by ordinal */
    nghttp2_hd_inflater *inflater; /* of the client's header blocks */
    struct buf block;
    struct comparison *result;
};

static void party_init(struct party *party, const struct side *side,
                       const struct conversation *conversation, size_t steps)
{
    *party = (struct party){.ids = calloc(steps, sizeof *party->ids)};
    run_init(&party->run, side, conversation);
    output_init(&party->output);
}

static void party_deinit(struct party *party)
{
    run_deinit(&party->run);
    output_deinit(&party->output);
    free(party->ids);
}

/* The events of the step as letters: Request, Data, End, Close, each with its request's number. */
static void describe_events(const struct party *party, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = party->events_seen; i < party->run.event_count && len < size; i++) {
        const struct event *event = &party->run.events[i];
        len += (size_t)snprintf(out + len, size - len, " %c%u(%zu)", "RDEC"[event->kind],
                                event -> ordinal, event -> len);
    }
}

static bool mismatch(struct pair *pair, const char *what)
{
    struct comparison *result = pair->result;
    const struct verdict *own = &pair->moment.own;
    const struct verdict *oracle = &pair->moment.oracle;
    result->mismatch = what;
    char own_events[160], oracle_events[160];
    describe_events(&pair->own, own_events, sizeof own_events);
    describe_events(&pair->oracle, oracle_events, sizeof oracle_events);
    result->at = pair->step->end;
    snprintf(result->detail, sizeof result->detail,
             "step at byte %zu: type %u, flags 0x%02x, stream %u, %zu bytes\n"
             "    ours:    %s, code %u, reset %d code %u, %zu GOAWAYs, events:%s\n"
             "    nghttp2: %s, code %u, reset %d code %u, %zu GOAWAYs, events:%s",
             pair->step->begin, pair->step->first.type, pair->step->first.flags,
             pair->step->first.stream_id, pair->step->block, own->alive ? "alive" : "failed",
             own->code, own->reset, own->reset_code, pair->own.output.goaways, own_events,
             oracle->alive ? "alive" : "failed", oracle->code, oracle->reset, oracle->reset_code,
             pair->oracle.output.goaways, oracle_events);
    return false;
}

/* Feeding. */

static void note_requests(struct party *party, const struct step *step)
{
    while (party->id_count < party->run.request_count)
        party->ids[party->id_count++] = step->first.stream_id;
}

static size_t count_events(const struct party *party)
{
    size_t count = 0;
    for (size_t i = party->events_seen; i < party->run.event_count; i++)
        count += party->run.events[i].kind != EVENT_CLOSE;
    return count;
}

/* One step of one session. NULL, or what is wrong with its output. */
static const char *feed_step(struct party *party, const struct step *step, struct verdict *verdict)
{
    struct run *run = &party->run;
    struct output *output = &party->output;
    uint32_t id = step->is_preface ? 0 : step->first.stream_id;
    size_t resets = id != 0 ? output_stream(output, id)->resets : 0;
    for (size_t i = 0; i < output->count; i++)
        output->streams[i].touched = false;
    party->events_seen = run->event_count;
    while (run->fed < step->end && run->alive)
        run_feed(run, step->end - run->fed);
    note_requests(party, step);
    if (run->alive)
        output_note_step(output, step);
    const char *wrong = output_read(output, buf_slice(&run->output));
    *verdict = (struct verdict){.alive = run->alive && !output->goaway,
                                .code = output->goaway_code,
                                .events = count_events(party)};
    if (id != 0) {
        verdict->reset = output_stream(output, id)->resets > resets;
        verdict->reset_code = output_stream(output, id)->reset_code;
    }
    return run->broken != NULL ? run->broken : wrong;
}

/* Comparing. */

static const struct event *next_event(const struct party *party, size_t *at)
{
    while (*at < party->run.event_count && party->run.events[*at].kind == EVENT_CLOSE)
        ++*at;
    return *at < party->run.event_count ? &party->run.events[(*at)++] : NULL;
}

static bool same_events(const struct pair *pair)
{
    size_t i = pair->own.events_seen;
    size_t j = pair->oracle.events_seen;
    for (;;) {
        const struct event *a = next_event(&pair->own, &i);
        const struct event *b = next_event(&pair->oracle, &j);
        if (a == NULL || b == NULL)
            return a == b;
        if (a->kind != b->kind || a->ordinal != b->ordinal ||
            !slice_equal(slice_make(pair->own.run.text.data + a->at, a->len),
                         slice_make(pair->oracle.run.text.data + b->at, b->len)))
            return false;
    }
}

/* nghttp2 asks for the rest of a reply, of which only the trailers are left, when the windows are
 * open; ours sends them immediately. */
static bool end_waits(struct output *output, const struct stream_output *stream)
{
    return !stream->ended && output_allowed(output, stream->id) <= 0;
}

/* True if an answer of that session is blocked by the client's windows. */
static bool waits(struct party *party, size_t ordinal)
{
    const struct request *request = &party->run.requests[ordinal];
    struct stream_output *stream = output_stream(&party->output, party->ids[ordinal]);
    if (stream->cut || !(request->answered || request->streamed))
        return false;
    return stream->data.len < request->answer_size ||
           (request->streamed && end_waits(&party->output, stream));
}

/* The same streams are closed, unless an answer is blocked in one session and sent in the other. */
static bool same_closed(struct pair *pair)
{
    size_t count = pair->own.run.request_count;
    for (size_t i = 0; i < count; i++) {
        bool own = pair->own.run.requests[i].stream != NULL;
        bool oracle = pair->oracle.run.requests[i].stream != NULL;
        pair->apart[i] = own != oracle;
        if (own != oracle && !waits(own ? &pair->own : &pair->oracle, i))
            return false;
    }
    return true;
}

static bool is_prefix(const struct buf *prefix, const struct buf *of)
{
    return slice_starts_with(buf_slice(of), buf_slice(prefix));
}

static bool same_output_of(struct pair *pair, struct stream_output *own,
                           struct stream_output *oracle)
{
    bool shorter = own->data.len < oracle->data.len;
    const struct stream_output *a = shorter ? own : oracle;
    const struct stream_output *b = shorter ? oracle : own;
    if (!own->excused && !oracle->excused &&
        (own->reset != oracle->reset || own->reset_code != oracle->reset_code))
        return false;
    bool end_is_late = own->ended && end_waits(&pair->oracle.output, oracle);
    if (a->data.len == b->data.len && !end_is_late)
        return own->ended == oracle->ended &&
               slice_equal(buf_slice(&a->data), buf_slice(&b->data)) &&
               slice_equal(buf_slice(&a->headers), buf_slice(&b->headers));
    /* The rest of the answer is queued, or was when the stream was reset. */
    bool rest_waits =
        a->cut || end_is_late || (shorter ? pair->own.run.waited : pair->oracle.run.waited);
    return rest_waits && !a->ended && is_prefix(&a->data, &b->data) &&
           is_prefix(&a->headers, &b->headers);
}

static bool same_output(struct pair *pair)
{
    struct output *own = &pair->own.output;
    struct output *oracle = &pair->oracle.output;
    for (size_t i = 0; i < own->count; i++) {
        if (own->streams[i].touched &&
            !same_output_of(pair, &own->streams[i], output_stream(oracle, own->streams[i].id)))
            return false;
    }
    for (size_t i = 0; i < oracle->count; i++) {
        if (oracle->streams[i].touched &&
            !same_output_of(pair, output_stream(own, oracle->streams[i].id), &oracle->streams[i]))
            return false;
    }
    return slice_equal(buf_slice(&own->pongs), buf_slice(&oracle->pongs)) &&
           own->settings_acks == oracle->settings_acks && own->goaways == oracle->goaways;
}

/* Answers are sent as far as the windows allow, and the queue is counted correctly. */
static const char *check_waiting(struct party *party)
{
    size_t waiting = 0;
    for (size_t i = 0; i < party->run.request_count; i++) {
        if (!waits(party, i) || party->run.requests[i].stream == NULL)
            continue;
        if (output_allowed(&party->output, party->ids[i]) > 0)
            return "an answer waits though the windows are open";
        const struct request *request = &party->run.requests[i];
        waiting += (request->streamed ? request->appended : request->answer_size) -
                   output_stream(&party->output, party->ids[i])->data.len;
    }
    return party->run.side->queued(party->run.session) == waiting ? NULL
                                                                  : "what waits is counted wrong";
}

static const char *difference(struct pair *pair)
{
    const struct verdict *own = &pair->moment.own;
    const struct verdict *oracle = &pair->moment.oracle;
    if (own->alive != oracle->alive)
        return "the connection goes on for one session and not for the other";
    if (!own->alive)
        return own->code == oracle->code ? NULL : "connection errors with different codes";
    if (own->reset != oracle->reset || (own->reset && own->reset_code != oracle->reset_code))
        return "the stream was reset by one session only, or with different codes";
    if (!same_events(pair))
        return "different events";
    if (!same_closed(pair))
        return "a stream is closed for one session and not for the other";
    if (!same_output(pair))
        return "different output";
    return NULL;
}

/* The request that the step's stream carries, or -1. */
static ssize_t find_ordinal(const struct pair *pair)
{
    for (size_t i = pair->own.id_count; i-- > 0;) {
        if (!pair->step->is_preface && pair->own.ids[i] == pair->step->first.stream_id)
            return (ssize_t)i;
    }
    return -1;
}

/* The header block of the step, without padding and priority. */
static void gather_block(struct pair *pair)
{
    const struct buf *bytes = &pair->own.run.conversation->bytes;
    size_t end = pair->step->begin;
    buf_clear(&pair->block, SIZE_MAX);
    while (end < pair->step->end) {
        struct frame frame;
        if (!conversation_frame(pair->own.run.conversation, end, &frame, &end) || end > bytes->len)
            return;
        if ((frame.type == FRAME_HEADERS && frame_strip(&frame) != HTTP2_NO_ERROR) ||
            !buf_append(&pair->block, frame.payload))
            return;
    }
}

/* True if nghttp2 accepts that as the name of a server. */
static bool is_odd_name(struct slice name, struct slice value)
{
    return (slice_equal(name, SLICE_LITERAL(":authority")) ||
            slice_equal(name, SLICE_LITERAL("host"))) &&
           (value.len == 0 || !nghttp2_check_authority(value.data, value.len));
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static bool has_blank_end(struct slice value)
{
    return value.len > 0 && (is_blank(value.data[0]) || is_blank(value.data[value.len - 1]));
}

/* Looks for what nghttp2 treats differently: fields of trailers that it counts as the request's,
 * the name of the server, and leading or trailing blanks of values. */
static void describe_block(struct pair *pair)
{
    struct moment *moment = &pair->moment;
    bool named = false;
    if (pair->step->is_preface || pair->step->first.type != FRAME_HEADERS)
        return;
    gather_block(pair);
    struct slice block = buf_slice(&pair->block);
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
        nghttp2_nv nv;
        ssize_t used =
            nghttp2_hd_inflate_hd2(pair->inflater, &nv, &flags, block.data, block.len, 1);
        if (used < 0)
            return; /* the connection ends */
        block = slice_skip(block, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            continue;
        struct slice name = slice_make(nv.name, nv.namelen);
        struct slice value = slice_make(nv.value, nv.valuelen);
        bool is_host = slice_equal(name, SLICE_LITERAL("host"));
        named = named || is_host || slice_equal(name, SLICE_LITERAL(":authority"));
        moment->counts_trailers = moment->counts_trailers || is_host ||
                                  slice_equal(name, SLICE_LITERAL("content-length"));
        moment->odd_name = moment->odd_name || is_odd_name(name, value);
        moment->has_blank_end = moment->has_blank_end || has_blank_end(value);
    }
    moment->odd_name = moment->odd_name || !named;
    nghttp2_hd_inflate_end_headers(pair->inflater);
}

static void describe_moment(struct pair *pair)
{
    const struct run *run = &pair->own.run;
    struct moment *moment = &pair->moment;
    ssize_t ordinal = find_ordinal(pair);
    const struct run *oracle = &pair->oracle.run;
    *moment = (struct moment){.step = pair->step};
    moment->is_new = pair->step->first.stream_id > pair->last_id;
    moment->was_greeted = pair->greeted;
    pair->goaway_came =
        pair->goaway_came || (!pair->step->is_preface && pair->step->first.type == FRAME_GOAWAY);
    moment->goaway_came = pair->goaway_came;
    describe_block(pair);
    moment->few_streams = run->conversation->few_streams;
    moment->drained = pair->oracle.output.goaways >= 2;
    moment->stopped_reading = oracle->side->finished(oracle->session);
    const struct stream_output *stream =
        output_stream(&pair->own.output, pair->step->first.stream_id);
    moment->reset_lately =
        stream->reset && pair->own.output.steps - stream->reset_step < RESET_REMEMBERED;
    for (size_t i = 0; i < pair->own.id_count; i++)
        moment->any_apart = moment->any_apart || pair->apart[i];
    if (ordinal < 0)
        return;
    moment->was_open = run->requests[ordinal].stream != NULL;
    moment->was_ended = pair->own.run.requests[ordinal].ended;
    for (size_t i = 0; i < run->event_count; i++)
        moment->was_ended = moment->was_ended || (run->events[i].kind == EVENT_END &&
                                                  run->events[i].ordinal == (uint32_t)ordinal);
    moment->apart = pair->apart[ordinal];
}

/* False when the comparison is over. */
static bool compare_step(struct pair *pair)
{
    describe_moment(pair);
    const char *wrong = feed_step(&pair->own, pair->step, &pair->moment.own);
    if (wrong != NULL)
        return mismatch(pair, wrong);
    wrong = feed_step(&pair->oracle, pair->step, &pair->moment.oracle);
    if (wrong != NULL) {
        snprintf(pair->result->detail, sizeof pair->result->detail, "nghttp2's session");
        return mismatch(pair, wrong);
    }
    wrong = pair->moment.own.alive ? check_waiting(&pair->own) : NULL;
    if (wrong != NULL)
        return mismatch(pair, wrong);
    pair->moment.goaways_differ = pair->own.output.goaways != pair->oracle.output.goaways;
    const char *what = difference(pair);
    enum permission permission = what == NULL ? GO_ON : permitted(&pair->moment);
    if (permission == NOT_PERMITTED)
        return mismatch(pair, what);
    if (permission == STOP || !pair->moment.own.alive || !pair->moment.oracle.alive)
        return false;
    if (what != NULL) {
        output_stream(&pair->own.output, pair->step->first.stream_id)->excused = true;
        output_stream(&pair->oracle.output, pair->step->first.stream_id)->excused = true;
    }
    if (pair->step->first.type == FRAME_HEADERS && pair->moment.is_new)
        pair->last_id = pair->step->first.stream_id;
    pair->greeted = pair->greeted || !pair->step->is_preface;
    return true;
}

static void compare_sessions(const struct conversation *conversation, const struct steps *steps,
                             struct comparison *result)
{
    struct pair pair = {.result = result, .apart = calloc(steps->count, sizeof *pair.apart)};
    buf_init(&pair.block, SIZE_MAX);
    if (nghttp2_hd_inflate_new(&pair.inflater) != 0)
        abort();
    party_init(&pair.own, &side_own, conversation, steps->count);
    party_init(&pair.oracle, &side_oracle, conversation, steps->count);
    for (size_t i = 0; i < steps->count; i++) {
        pair.step = &steps->items[i];
        if (!compare_step(&pair))
            break;
        result->steps++;
        result->at = steps->items[i].end;
    }
    result->requests = pair.own.run.request_count;
    party_deinit(&pair.own);
    party_deinit(&pair.oracle);
    nghttp2_hd_inflate_del(pair.inflater);
    buf_deinit(&pair.block);
    free(pair.apart);
}

/* Other fragmentations. */

enum cuts { AT_STEPS, AT_BYTES, AT_RANDOM };

static void play(struct run *run, const struct steps *steps, enum cuts cuts)
{
    struct dice dice = dice_of(run->conversation->seed, cuts);
    size_t step = 0;
    size_t size = 1;
    for (;;) {
        while (step + 1 < steps->count && steps->items[step].end <= run->fed)
            step++;
        if (cuts == AT_STEPS)
            size = steps->items[step].end - run->fed;
        else if (cuts == AT_RANDOM)
            size = 1 + dice_below(&dice, dice_once_in(&dice, 3) ? 20000 : 100);
        if (run_feed(run, size) == 0)
            break;
    }
}

/* The order in which streams close within a feed does not matter. */
static bool same_story(const struct run *a, const struct run *b)
{
    if (a->alive != b->alive || a->request_count != b->request_count ||
        a->event_count != b->event_count)
        return false;
    for (size_t i = 0; i < a->event_count; i++) {
        const struct event *one = &a->events[i];
        const struct event *other = &b->events[i];
        if (one->kind != other->kind || one->ordinal != other->ordinal ||
            !slice_equal(slice_make(a->text.data + one->at, one->len),
                         slice_make(b->text.data + other->at, other->len)))
            return false;
    }
    return slice_equal(buf_slice(&a->output), buf_slice(&b->output));
}

static void compare_cuts(const struct conversation *conversation, const struct steps *steps,
                         struct comparison *result)
{
    struct run whole, bytes, pieces;
    run_init(&whole, &side_own, conversation);
    run_init(&bytes, &side_own, conversation);
    run_init(&pieces, &side_own, conversation);
    play(&whole, steps, AT_STEPS);
    play(&bytes, steps, AT_BYTES);
    play(&pieces, steps, AT_RANDOM);
    /* If an answer is blocked, or given at the end of a feed, the order depends on the
     * fragmentation. */
    bool cuts_matter = whole.waited || whole.queued_in_feed || pieces.waited ||
                       pieces.queued_in_feed || conversation->at_feed_end;
    if (whole.broken != NULL || bytes.broken != NULL || pieces.broken != NULL)
        result->mismatch = whole.broken != NULL   ? whole.broken
                           : bytes.broken != NULL ? bytes.broken
                                                  : pieces.broken;
    else if (!same_story(&whole, &bytes))
        result->mismatch = "byte by byte, our session does something else";
    else if (!cuts_matter && !same_story(&whole, &pieces))
        result->mismatch = "cut at random, our session does something else";
    run_deinit(&whole);
    run_deinit(&bytes);
    run_deinit(&pieces);
}

struct comparison compare(struct conversation *conversation)
{
    struct comparison result = {0};
    struct steps steps = conversation_cut(conversation);
    result.steps_total = steps.count;
    compare_sessions(conversation, &steps, &result);
    if (result.mismatch == NULL)
        compare_cuts(conversation, &steps, &result);
    steps_deinit(&steps);
    return result;
}
