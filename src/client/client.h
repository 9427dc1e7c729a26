/* What a client is made of, for the parts of the library that implement its functions. */
#ifndef KEYSTORE_CLIENT_CLIENT_H
#define KEYSTORE_CLIENT_CLIENT_H

#include "client/channel.h"
#include "client/pool.h"
#include "client/requests.h"
#include "client/retry.h"

#define CLIENT_SERVICE       "/keystore.v1.KeyStore/"
#define CLIENT_ADMIN_SERVICE "/keystore.v1.KeyStoreAdmin/"
#define CLIENT_AUTH_SERVICE  "/keystore.v1.KeyStoreAuth/"

/* A larger request is refused here: servers accept 64 MiB, and lengths must fit 32 bits. */
#define CLIENT_REQUEST_LIMIT ((size_t)1 << 30)

struct keystore_client {
    struct channel *channel; /* NULL once the program has closed the client */
    struct buffer request;   /* prefix and message */
    struct buffer answer;    /* message */
    struct pool pool;        /* memory of the last answer's slices */
    size_t max_message;      /* bytes of an answer */
    struct retry retry;
    unsigned generation; /* identifies the process that it belongs to */
    size_t holders;      /* streams and pipelines, and the program until it closes it */
    struct keystore_error error;
};

/* Keeps the memory of the client, also beyond keystore_close(); returns it. */
struct keystore_client *client_hold(struct keystore_client *client);
void client_release(struct keystore_client *client);

/* Whether something of this generation belongs to this process; sets *error if not. */
bool client_is_ours(unsigned generation, struct keystore_error *error);

/* Whether a call may be made at all; client->error says why not. */
bool client_check(struct keystore_client *client, const void *request, const void *answer);

/* Packs a message after its prefix, replacing what the buffer holds. False with *error set. */
bool client_pack(struct buffer *out, const struct request_builder *builder, const void *message,
                 struct keystore_error *error) __attribute__((warn_unused_result));

#endif
