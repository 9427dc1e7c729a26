/* What a client sends, and what the server's application does meanwhile: the input of a case. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_CONVERSATION_H
#define KEYSTORE_TESTS_DIFFERENTIAL_CONVERSATION_H

#include "base/buf.h"
#include "http2/frame.h"

/* Of a client (RFC 9113, 3.4). */
#define PREFACE      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_SIZE (sizeof PREFACE - 1)

enum action_kind {
    ACTION_ANSWER, /* deferred requests are answered */
    ACTION_DRAIN,  /* the server shuts down, step by step */
};

struct action {
    size_t at; /* after that many bytes were fed */
    enum action_kind kind;
};

#define MAX_ACTIONS 16

struct conversation {
    uint64_t seed;                      /* of the application's choices */
    bool few_streams;                   /* the server allows only few at once */
    bool at_feed_end;                   /* some answers are given by on_feed_end */
    struct buf bytes;                   /* from the preface on */
    struct action actions[MAX_ACTIONS]; /* `at` never decreases */
    size_t action_count;
};

/* The unit of comparison: the preface, a frame, or the frames of a header block. */
struct step {
    size_t begin, end;
    bool is_preface;
    struct frame first, last; /* of a header block; else the same */
    size_t block;             /* bytes of payloads */
};

struct steps {
    struct step *items;
    size_t count;
};

void conversation_deinit(struct conversation *conversation);

void conversation_add(struct conversation *conversation, struct slice bytes);

/* `at` the end of what was added so far; ignored if there are too many. */
void conversation_act(struct conversation *conversation, enum action_kind kind);

/*
 * Splits the conversation into steps. Completes a truncated last frame or header block, because the
 * two sessions detect errors at different bytes of a frame, and moves actions to the end of their
 * step.
 */
struct steps conversation_cut(struct conversation *conversation);

void steps_deinit(struct steps *steps);

/* The frame at `at`, with as much of its payload as there is; false if not even its header. */
bool conversation_frame(const struct conversation *conversation, size_t at, struct frame *frame,
                        size_t *end);

#endif
