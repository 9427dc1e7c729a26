/*
 * Info: what the server knows about itself, as names and values. Who knows something provides a
 * section; the service only asks and passes on.
 */
#ifndef KEYSTORE_SERVICE_INFO_H
#define KEYSTORE_SERVICE_INFO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct chain;
struct info_writer;

/* A section and who fills it: write() calls info_put() for each of its fields, on any thread. */
struct info_section {
    const char *name; /* lower case */
    void (*write)(void *user, struct info_writer *writer);
};

/* All sections there are. Borrowed by who asks, for as long as it may ask. */
struct info_source {
    const struct info_section *sections;
    size_t count;
    void *user; /* for every write() */
};

/* One field: a name that no other has, and its value as printf() makes it, INFO_MAX_VALUE - 1 bytes
 * at most. `name` is copied. */
#define INFO_MAX_VALUE 256
void info_put(struct info_writer *writer, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Answers an InfoRequest, whose bytes are `message`, with the sections that it names, or all if it
 * names none: the reply is appended as grpc_call_reply_chain() takes it. On error it is not, and
 * *why is an error message, static or in the arena.
 */
enum err info_answer(const struct info_source *source, struct slice message, struct arena *arena,
                     struct chain *reply, const char **why) __attribute__((warn_unused_result));

#endif
