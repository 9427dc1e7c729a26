/*
 * The list of permitted differences. Each is as narrow as can be determined from outside: the
 * frame, the stream's state, and what exactly the two sessions did. Every other difference fails
 * the test.
 */
#include "permitted.h"

#include <stdio.h>

#define INTERNAL_ERROR  2
#define MAX_CODED_BLOCK ((size_t)4 * 16 * 1024)

static bool is_type(const struct moment *moment, enum frame_type type)
{
    return !moment->step->is_preface && moment->step->first.type == type;
}

static bool is_flagged(const struct moment *moment, unsigned flag)
{
    return (moment->step->first.flags & flag) != 0;
}

static bool is_alive(const struct verdict *verdict)
{
    return verdict->alive && !verdict->reset;
}

static bool has_failed(const struct verdict *verdict, uint32_t code)
{
    return !verdict->alive && verdict->code == code;
}

static bool has_reset(const struct verdict *verdict, uint32_t code)
{
    return verdict->alive && verdict->reset && verdict->reset_code == code;
}

static bool zero_increment(const struct moment *moment)
{
    return is_type(moment, FRAME_WINDOW_UPDATE) && moment->was_open &&
           (frame_read_u32(moment->step->first.payload.data) & INT32_MAX) == 0 &&
           has_reset(&moment->own, HTTP2_PROTOCOL_ERROR) &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

/* For a stream that is closed or was never used. A recently reset one is remembered, and frames for
 * it are ignored, because the client may not know yet. */
static bool is_late(const struct moment *moment, enum frame_type type)
{
    return is_type(moment, type) && !moment->is_new && !moment->was_open && !moment->reset_lately;
}

static bool late_headers(const struct moment *moment)
{
    return is_late(moment, FRAME_HEADERS) &&
           (has_failed(&moment->own, HTTP2_PROTOCOL_ERROR) ||
            has_failed(&moment->own, HTTP2_STREAM_CLOSED)) &&
           is_alive(&moment->oracle) && moment->oracle.events == 0;
}

static bool late_data(const struct moment *moment)
{
    return is_late(moment, FRAME_DATA) && has_reset(&moment->own, HTTP2_STREAM_CLOSED) &&
           is_alive(&moment->oracle);
}

static bool late_data_padding(const struct moment *moment)
{
    return is_type(moment, FRAME_DATA) && !moment->is_new && !moment->was_open &&
           is_flagged(moment, FRAME_PADDED) &&
           (has_failed(&moment->own, HTTP2_PROTOCOL_ERROR) ||
            has_failed(&moment->own, HTTP2_FRAME_SIZE_ERROR)) &&
           is_alive(&moment->oracle);
}

static bool depends_on_itself(const struct moment *moment)
{
    const struct frame *frame = &moment->step->first;
    size_t at = is_flagged(moment, FRAME_PADDED) ? 1 : 0;
    return is_type(moment, FRAME_HEADERS) && is_flagged(moment, FRAME_PRIORITIZED) &&
           moment->is_new && frame->payload.len >= at + 5 &&
           (frame_read_u32(frame->payload.data + at) & INT32_MAX) == frame->stream_id &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool priority_of_connection(const struct moment *moment)
{
    return is_type(moment, FRAME_PRIORITY) && moment->step->first.stream_id == 0 &&
           has_failed(&moment->own, HTTP2_PROTOCOL_ERROR) && is_alive(&moment->oracle);
}

static bool stream_too_many(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->is_new && moment->few_streams &&
           moment->own.alive && moment->own.reset &&
           (moment->own.reset_code == HTTP2_REFUSED_STREAM ||
            moment->own.reset_code == HTTP2_PROTOCOL_ERROR ||
            moment->own.reset_code == HTTP2_ENHANCE_YOUR_CALM) &&
           (has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR) ||
            has_reset(&moment->oracle, HTTP2_REFUSED_STREAM));
}

static bool stream_too_many_and_broken(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->is_new && moment->few_streams &&
           has_failed(&moment->own, HTTP2_COMPRESSION_ERROR) &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

/* True if an identifier occurs twice. */
static bool has_setting_twice(struct slice entries)
{
    for (size_t i = 0; i + 6 <= entries.len; i += 6) {
        for (size_t j = 0; j < i; j += 6) {
            if (memcmp(entries.data + i, entries.data + j, 2) == 0)
                return true;
        }
    }
    return false;
}

static bool is_settings(const struct moment *moment)
{
    return is_type(moment, FRAME_SETTINGS) && !is_flagged(moment, FRAME_ACK);
}

static bool setting_overwritten(const struct moment *moment)
{
    return is_settings(moment) && has_setting_twice(moment->step->first.payload) &&
           !moment->own.alive && moment->oracle.alive;
}

/* Whether the frame has an entry with an id from `low` to `high`. */
static bool has_setting(const struct moment *moment, unsigned low, unsigned high)
{
    struct slice entries = moment->step->first.payload;
    for (size_t i = 0; i + 6 <= entries.len; i += 6) {
        unsigned id = (unsigned)entries.data[i] << 8 | entries.data[i + 1];
        if (id >= low && id <= high)
            return true;
    }
    return false;
}

static bool setting_of_extension(const struct moment *moment)
{
    return is_settings(moment) && has_setting(moment, 8, 9) && is_alive(&moment->own) &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool window_overflow(const struct moment *moment)
{
    return is_settings(moment) && has_setting(moment, 4, 4) &&
           has_failed(&moment->own, HTTP2_FLOW_CONTROL_ERROR) && moment->oracle.alive;
}

static bool settings_with_two_faults(const struct moment *moment)
{
    return is_settings(moment) && moment->step->first.payload.len >= 12 && !moment->own.alive &&
           !moment->oracle.alive;
}

static bool goaway_stream(const struct moment *moment)
{
    return is_type(moment, FRAME_GOAWAY) && is_alive(&moment->own) &&
           (frame_read_u32(moment->step->first.payload.data) & INT32_MAX) != 0 &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool stopped_reading(const struct moment *moment)
{
    if (!moment->oracle.alive)
        return false;
    if (moment->stopped_reading)
        return !moment->oracle.reset && moment->oracle.events == 0;
    return moment->own.alive && moment->goaway_came && moment->goaways_differ;
}

static bool fields_too_large(const struct moment *moment)
{
    bool first = is_type(moment, FRAME_HEADERS) && moment->is_new &&
                 has_reset(&moment->own, HTTP2_ENHANCE_YOUR_CALM) &&
                 (has_reset(&moment->oracle, INTERNAL_ERROR) ||
                  has_reset(&moment->oracle, HTTP2_PROTOCOL_ERROR));
    bool trailers = is_type(moment, FRAME_HEADERS) && moment->was_open &&
                    has_reset(&moment->own, HTTP2_PROTOCOL_ERROR) &&
                    has_reset(&moment->oracle, INTERNAL_ERROR);
    return first || trailers;
}

static bool block_too_large(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->step->block > MAX_CODED_BLOCK &&
           has_failed(&moment->own, HTTP2_ENHANCE_YOUR_CALM);
}

static bool continuation_too_large(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->step->last.type == FRAME_CONTINUATION &&
           has_failed(&moment->own, HTTP2_FRAME_SIZE_ERROR);
}

static bool trailers_like_headers(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->was_open && !moment->was_ended &&
           is_flagged(moment, FRAME_END_STREAM) && moment->counts_trailers &&
           is_alive(&moment->own) && has_reset(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool answered_and_cut_off(const struct moment *moment)
{
    return is_type(moment, FRAME_DATA) && is_flagged(moment, FRAME_END_STREAM) &&
           moment->was_open && has_reset(&moment->own, HTTP2_NO_ERROR) &&
           has_reset(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool odd_name(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->is_new && moment->odd_name &&
           moment->own.alive && has_reset(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool blank_end(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->has_blank_end && moment->own.alive &&
           has_reset(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool early_reset(const struct moment *moment)
{
    return is_type(moment, FRAME_RST_STREAM) && moment->is_new && is_alive(&moment->own) &&
           has_failed(&moment->oracle, HTTP2_PROTOCOL_ERROR);
}

static bool priority_too_short(const struct moment *moment)
{
    return is_type(moment, FRAME_PRIORITY) && moment->step->first.payload.len != 5 &&
           moment->was_open && has_reset(&moment->own, HTTP2_FRAME_SIZE_ERROR) &&
           has_failed(&moment->oracle, HTTP2_FRAME_SIZE_ERROR);
}

static bool refused_after_goaway(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && moment->is_new && moment->drained &&
           moment->own.alive && moment->own.reset && is_alive(&moment->oracle) &&
           moment->oracle.events == 0;
}

static bool order_of_answers(const struct moment *moment)
{
    return moment->apart || (moment->any_apart && moment->few_streams && moment->is_new &&
                             is_type(moment, FRAME_HEADERS));
}

/* Two connection errors, where the codes that `own` and `oracle` report depend on what they look at
 * first. */
static bool fails_either_way(const struct moment *moment, uint32_t own, uint32_t oracle)
{
    return has_failed(&moment->own, own) && has_failed(&moment->oracle, oracle);
}

static bool too_short(const struct moment *moment)
{
    return (is_type(moment, FRAME_HEADERS) || is_type(moment, FRAME_PUSH_PROMISE) ||
            is_type(moment, FRAME_SETTINGS) || is_type(moment, FRAME_PING) ||
            is_type(moment, FRAME_GOAWAY) || is_type(moment, FRAME_PRIORITY)) &&
           fails_either_way(moment, HTTP2_PROTOCOL_ERROR, HTTP2_FRAME_SIZE_ERROR);
}

static bool too_long(const struct moment *moment)
{
    return (!moment->was_greeted || is_type(moment, FRAME_HEADERS) ||
            is_type(moment, FRAME_DATA)) &&
           fails_either_way(moment, HTTP2_FRAME_SIZE_ERROR, HTTP2_PROTOCOL_ERROR);
}

static bool ended_and_malformed(const struct moment *moment)
{
    return (is_type(moment, FRAME_HEADERS) || is_type(moment, FRAME_DATA)) && moment->was_ended &&
           has_failed(&moment->oracle, HTTP2_STREAM_CLOSED) && !moment->own.alive;
}

static bool block_with_two_faults(const struct moment *moment)
{
    return is_type(moment, FRAME_HEADERS) && !is_flagged(moment, FRAME_END_HEADERS) &&
           !moment->own.alive && !moment->oracle.alive;
}

struct rule {
    const char *name;
    const char *why;
    bool (*matches)(const struct moment *moment);
    enum permission permission;
    unsigned long used;
};

static struct rule rules[] = {
    {"stopped reading",
     "once either side sent a GOAWAY and no stream is open, nghttp2 reads "
     "nothing more; a client's GOAWAY forbids it nothing (RFC 9113, 6.8), so we go on; nor does "
     "nghttp2 shut down in two steps then",
     stopped_reading, STOP, 0},
    {"order of answers",
     "when the connection's window is short, which of several answers goes "
     "first is free, and so is which of their streams is closed when the next frame comes",
     order_of_answers, STOP, 0},
    {"zero increment",
     "WINDOW_UPDATE of 0 on a stream is an error of the stream (RFC 9113, 6.9); "
     "nghttp2 ends the connection",
     zero_increment, STOP, 0},
    {"late HEADERS",
     "HEADERS of a closed or skipped stream are a connection error (RFC 9113, 5.1, "
     "5.1.1); nghttp2 forgets closed streams and ignores the frame",
     late_headers, STOP, 0},
    {"late DATA",
     "DATA of a closed stream is answered with STREAM_CLOSED (RFC 9113, 5.1); nghttp2 "
     "ignores it",
     late_data, GO_ON, 0},
    {"late DATA, padding",
     "too much padding is a connection error on any stream (RFC 9113, 6.1); "
     "nghttp2 does not look at DATA that it ignores",
     late_data_padding, STOP, 0},
    {"depends on itself",
     "RFC 9113, 5.3 has no priorities any more; nghttp2 still ends the "
     "connection as RFC 7540, 5.3.1 wanted",
     depends_on_itself, STOP, 0},
    {"PRIORITY of 0",
     "a connection error (RFC 9113, 6.3); nghttp2 skips PRIORITY frames where they "
     "are switched off",
     priority_of_connection, STOP, 0},
    {"stream too many",
     "REFUSED_STREAM, or what else is wrong with the request; nghttp2 ends the "
     "connection once its SETTINGS are acknowledged (RFC 9113, 5.1.2 allows both)",
     stream_too_many, STOP, 0},
    {"stream too many, broken", "the same, with a block that cannot be decoded",
     stream_too_many_and_broken, STOP, 0},
    {"setting overwritten",
     "entries are taken in order (RFC 9113, 6.5.3), so a wrong value is an "
     "error though a right one follows; nghttp2 looks at the last one only",
     setting_overwritten, STOP, 0},
    {"setting of an extension",
     "values of ENABLE_CONNECT_PROTOCOL, which we do not have, and a "
     "change of NO_RFC7540_PRIORITIES, which changes nothing for us",
     setting_of_extension, STOP, 0},
    {"window overflow",
     "by INITIAL_WINDOW_SIZE it is a connection error (RFC 9113, 6.9.2); nghttp2 "
     "resets the stream",
     window_overflow, STOP, 0},
    {"GOAWAY's stream", "names pushed streams, of which we have none; nghttp2 checks it",
     goaway_stream, STOP, 0},
    {"fields too large",
     "a stream error by either; ENHANCE_YOUR_CALM says more than "
     "INTERNAL_ERROR",
     fields_too_large, GO_ON, 0},
    {"block too large", "we hold a whole block, so its coded size has a limit", block_too_large,
     STOP, 0},
    {"CONTINUATION too large",
     "a frame above SETTINGS_MAX_FRAME_SIZE (RFC 9113, 4.2); nghttp2 does "
     "not check this type",
     continuation_too_large, STOP, 0},
    {"trailers like headers",
     "nghttp2 counts content-length and host of trailers together with "
     "those of the request; for us trailers are nothing but read",
     trailers_like_headers, STOP, 0},
    {"answered and cut off",
     "DATA that ends a body short of its content-length, while the application "
     "refuses the rest of it: the answer leaves, or nghttp2's RST_STREAM overtakes it",
     answered_and_cut_off, GO_ON, 0},
    {"name of the server",
     "clients of gRPC send the path of a unix socket, or nothing; nghttp2 wants a host", odd_name,
     STOP, 0},
    {"blanks", "at the ends of metadata are stripped, as the protocol of gRPC allows", blank_end,
     STOP, 0},
    {"early RST_STREAM",
     "of a stream that is not open yet is passed over: gRPC's C core sends it; nghttp2 ends the "
     "connection (RFC 9113, 5.1)",
     early_reset, STOP, 0},
    {"size of PRIORITY", "an error of the stream (RFC 9113, 6.3); nghttp2 ends the connection",
     priority_too_short, STOP, 0},
    {"refused after GOAWAY",
     "a request that comes after the final GOAWAY is refused, so that the "
     "client knows at once; nghttp2 ignores it (RFC 9113, 6.8 allows both)",
     refused_after_goaway, GO_ON, 0},
    {"code: too short", "a frame too short for its fields, or on a stream where it must not be",
     too_short, STOP, 0},
    {"code: too long", "a frame too long where another one was due, or too short for its padding",
     too_long, STOP, 0},
    {"code: ended", "a frame of a stream that the peer has ended, wrong in itself too",
     ended_and_malformed, STOP, 0},
    {"code: block",
     "a header block with two faults; we judge it when it is complete, nghttp2 as it "
     "comes",
     block_with_two_faults, STOP, 0},
    {"code: SETTINGS", "a SETTINGS frame with two faults", settings_with_two_faults, STOP, 0},
};

#define RULES (sizeof rules / sizeof rules[0])

enum permission permitted(const struct moment *moment)
{
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].matches(moment)) {
            rules[i].used++;
            return rules[i].permission;
        }
    }
    return NOT_PERMITTED;
}

void permitted_print(void)
{
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].used > 0)
            printf("  %7lu  %s: %s\n", rules[i].used, rules[i].name, rules[i].why);
    }
}
