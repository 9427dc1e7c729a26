/* Any operation as the call of its own, with the answer in the form that a transaction has. */
#ifndef KEYSTORE_TESTS_MODEL_OURS_H
#define KEYSTORE_TESTS_MODEL_OURS_H

#include <keystore/client.h>

/* The reply lives as the client's answers do. */
void ours_call(struct keystore_client *client, const struct keystore_op *op,
               struct keystore_reply *reply);

/* The reply to what failed. */
struct keystore_reply ours_error(struct keystore_client *client);

#endif
