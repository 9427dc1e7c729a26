/* WHOAMI and ACL WHOAMI. */
#ifndef KEYSTORE_CLI_WHO_AM_I_H
#define KEYSTORE_CLI_WHO_AM_I_H

#include "cli/request.h"

/* Asks who the caller is. */
enum keystore_code who_am_i_send(struct keystore_client *client, const struct request *request,
                                 struct arena *arena, struct reply *reply);

/* The reply of the command. */
struct reply who_am_i_reply(const struct request *request, const struct keystore_identity *identity,
                            struct arena *arena);

#endif
