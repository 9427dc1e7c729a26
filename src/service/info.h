/*
 * Info: what the server knows about itself, as names and values. Its parts provide the sections;
 * the service collects them.
 */
#ifndef KEYSTORE_SERVICE_INFO_H
#define KEYSTORE_SERVICE_INFO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct chain;
struct info_writer;
struct service_options;

/* A section. write() calls info_put() for each of its fields, on any thread. */
struct info_section {
    const char *name; /* lower case */
    void (*write)(void *user, struct info_writer *writer);
};

/* All sections. Borrowed by the services for their lives. */
struct info_source {
    const struct info_section *sections;
    size_t count;
    void *user; /* for every write() */
};

/* Adds a field: a unique name, which is copied, and a value as printf() formats it, truncated to
 * INFO_MAX_VALUE - 1 bytes. */
#define INFO_MAX_VALUE 256
void info_put(struct info_writer *writer, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Answers the InfoRequest in `message` with the sections that it names, or with all if it names
 * none. Appends the reply as grpc_call_reply_chain() takes it. On error nothing is appended, and
 * *why is an error message, static or in the arena.
 */
enum err info_answer(const struct info_source *source, struct slice message, struct arena *arena,
                     struct chain *reply, const char **why) __attribute__((warn_unused_result));

/* The same for a service. */
enum err info_report(const struct service_options *options, struct slice message,
                     struct arena *arena, struct chain *reply, const char **why);

#endif
