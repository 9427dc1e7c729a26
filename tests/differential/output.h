/*
 * Parses what a server sent, as its client would, and checks everything that RFC 9113 lets a client
 * check: frames, HPACK, order of frames in a stream, both flow-control windows.
 */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_OUTPUT_H
#define KEYSTORE_TESTS_DIFFERENTIAL_OUTPUT_H

#include "conversation.h"

#include <nghttp2/nghttp2.h>

struct stream_output {
    uint32_t id;
    struct buf headers; /* "name: value\n" for each field and "\n" after each block */
    struct buf data;
    size_t blocks;
    bool ended;
    bool reset;
    uint32_t reset_code;
    size_t resets;     /* more than one: frames went on coming (RFC 9113, 5.4.2) */
    size_t reset_step; /* of the first */
    int64_t granted;   /* by WINDOW_UPDATE */
    bool cut;          /* reset by either side, so that the rest may be missing */
    bool excused;      /* reset by one side only, for a reason that is permitted */
    bool touched;      /* in this step */
};

#define MAX_TABLE_SIZES 64

struct output {
    nghttp2_hd_inflater *inflater;
    struct stream_output *streams;
    size_t count, capacity;
    size_t read;  /* bytes */
    size_t steps; /* of the client */
    int64_t window;
    int64_t first_window;
    /* Sent by the client and not acknowledged yet: of each SETTINGS frame the smallest and the
     * last, or -1 twice. */
    int64_t table_sizes[MAX_TABLE_SIZES];
    size_t table_size_count;
    struct buf pongs;
    size_t settings, settings_acks;
    int64_t connection_grants; /* WINDOW_UPDATE for the connection */
    bool goaway;               /* one that reports an error */
    uint32_t goaway_code;
    size_t goaways;
};

void output_init(struct output *output);
void output_deinit(struct output *output);

/* What a step of the client allows the server. */
void output_note_step(struct output *output, const struct step *step);

/* Parses what was sent since. Returns NULL or an error message. */
const char *output_read(struct output *output, struct slice all);

/* Never NULL. */
struct stream_output *output_stream(struct output *output, uint32_t id);

/* What the windows allow the server to send on the stream now. */
int64_t output_allowed(struct output *output, uint32_t id);

#endif
