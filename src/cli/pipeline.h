/*
 * Pipelining, for commands that arrive faster than single calls could answer them: consecutive
 * operations are queued and sent together, through Pipeline.
 */
#ifndef KEYSTORE_CLI_PIPELINE_H
#define KEYSTORE_CLI_PIPELINE_H

#include "cli/progress.h"
#include "cli/session.h"

/* Maximum operations that are queued. */
#define PIPELINE_MAX 4000

struct keystore_pipeline;

struct pipeline_item {
    uint64_t number; /* of the line or command */
    struct request request;
};

struct pipeline {
    struct session *session;
    const char *unit; /* "line" or "command", before numbers in error messages */
    struct pipeline_item *items;
    size_t count;
    size_t answered;                  /* of those */
    struct keystore_client *client;   /* that the stream belongs to */
    struct keystore_pipeline *stream; /* NULL: none is open */
    struct progress progress;
    struct arena arena; /* of the requests, besides the words */
    uint64_t commands;  /* run or refused */
    uint64_t errors;    /* commands that failed or whose outcome is unknown */
    uint64_t stopped;   /* number of the command for which the server was unreachable, or 0 */
};

/* Borrows the session. */
void pipeline_init(struct pipeline *pipeline, struct session *session);
void pipeline_deinit(struct pipeline *pipeline);

/*
 * Runs the command, as session_run() does, after all earlier ones. An operation may be queued until
 * the next pipeline_flush(), and its words must stay valid until then. False if the server was
 * unreachable for one of the commands: that one and those after it were not run.
 */
bool pipeline_run(struct pipeline *pipeline, struct words words, uint64_t number)
    __attribute__((warn_unused_result));

/* The same for a malformed line, as session_refuse(). */
bool pipeline_refuse(struct pipeline *pipeline, const char *message, uint64_t number)
    __attribute__((warn_unused_result));

/* Runs all operations that are queued and prints their answers in order. False as above. */
bool pipeline_flush(struct pipeline *pipeline) __attribute__((warn_unused_result));

#endif
