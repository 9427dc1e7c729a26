/*
 * Commands that come faster than one call each could answer them: operations that follow each other
 * are kept, and sent many at a time.
 */
#ifndef KEYSTORE_CLI_PIPELINE_H
#define KEYSTORE_CLI_PIPELINE_H

#include "cli/session.h"

/* Operations sent together. The server holds the locks of their keys for some half a microsecond
 * each, in which its other clients wait. */
#define PIPELINE_MOST 4000

struct pipeline_item {
    uint64_t number; /* of the line or command */
    struct request request;
};

struct pipeline {
    struct session *session;
    const char *unit; /* "line" or "command", before numbers in complaints */
    struct pipeline_item *items;
    size_t count;
    size_t burst;       /* how many go together next */
    struct arena arena; /* what the requests are made of, besides the words */
    uint64_t commands;  /* that were run, or refused */
    uint64_t errors;    /* of these: they failed, or nobody knows */
    uint64_t stopped;   /* the number of the command for which there was no server, else 0 */
};

/* Borrows the session. */
void pipeline_init(struct pipeline *pipeline, struct session *session);
void pipeline_deinit(struct pipeline *pipeline);

/*
 * Runs the command, as session_run() does, once all before it have been run; an operation may be
 * kept until the next pipeline_flush(), as may its words. False if there is no connection to the
 * server for one of them: it and what follows it was not run.
 */
bool pipeline_run(struct pipeline *pipeline, struct words words, uint64_t number)
    __attribute__((warn_unused_result));

/* The same for a line that is no command, as session_refuse(). */
bool pipeline_refuse(struct pipeline *pipeline, const char *sentence, uint64_t number)
    __attribute__((warn_unused_result));

/* Runs all that is kept and prints the answers, in order. False as above. */
bool pipeline_flush(struct pipeline *pipeline) __attribute__((warn_unused_result));

#endif
