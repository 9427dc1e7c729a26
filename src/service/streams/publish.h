/* Publish: a message to the subscriptions that there are. */
#ifndef KEYSTORE_SERVICE_STREAMS_PUBLISH_H
#define KEYSTORE_SERVICE_STREAMS_PUBLISH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct blob;
struct grpc_principal;
struct stream_host;

/* Publishes the Message in `bytes`, which lie in `holder` unless that is NULL. Sets the number of
 * subscriptions that it was sent to; on error *why is the error message, static or in the arena. */
enum err publish(struct stream_host *host, const struct grpc_principal *principal,
                 struct slice bytes, struct blob *holder, struct arena *arena,
                 uint64_t *subscriptions, const char **why) __attribute__((warn_unused_result));

#endif
