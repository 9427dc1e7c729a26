/*
 * Unpacks protobuf messages to the answer structs of include/keystore/client.h. Each function
 * copies what it needs into the pool, so the answer's slices are valid as long as the pool's
 * memory. It returns false, with *answer untouched, if the bytes are not such a message or, with
 * pool->failed set, if memory is short.
 */
#ifndef KEYSTORE_CLIENT_REPLIES_H
#define KEYSTORE_CLIENT_REPLIES_H

#include "base/slice.h"
#include "client/pool.h"
#include "keystore/admin.h"

/* The struct of message ListValues has a name of its own. */
#define keystore_list_values   keystore_list
#define keystore_consume_reply keystore_deliveries

bool replies_status(struct slice bytes, struct pool *pool, struct keystore_status *answer);
bool replies_value(struct slice bytes, struct pool *pool, struct keystore_value *answer);
bool replies_list_values(struct slice bytes, struct pool *pool, struct keystore_list *answer);
bool replies_values(struct slice bytes, struct pool *pool, struct keystore_values *answer);
bool replies_number(struct slice bytes, struct pool *pool, struct keystore_number *answer);
bool replies_key_info(struct slice bytes, struct pool *pool, struct keystore_key_info *answer);
bool replies_popped(struct slice bytes, struct pool *pool, struct keystore_popped *answer);
bool replies_positions(struct slice bytes, struct pool *pool, struct keystore_positions *answer);
bool replies_bit_fields(struct slice bytes, struct pool *pool, struct keystore_bit_fields *answer);
bool replies_lcs_reply(struct slice bytes, struct pool *pool, struct keystore_lcs_reply *answer);
bool replies_txn_reply(struct slice bytes, struct pool *pool, struct keystore_txn_reply *answer);
bool replies_info_reply(struct slice bytes, struct pool *pool, struct keystore_info_reply *answer);
bool replies_authenticate_reply(struct slice bytes, struct pool *pool,
                                struct keystore_authenticate_reply *answer);
bool replies_identity(struct slice bytes, struct pool *pool, struct keystore_identity *answer);
bool replies_health_reply(struct slice bytes, struct pool *pool,
                          struct keystore_health_reply *answer);

bool replies_scan_page(struct slice bytes, struct pool *pool, struct keystore_scan_page *answer);
bool replies_config_reply(struct slice bytes, struct pool *pool,
                          struct keystore_config_reply *answer);
bool replies_slow_log_reply(struct slice bytes, struct pool *pool,
                            struct keystore_slow_log_reply *answer);
bool replies_latency_reply(struct slice bytes, struct pool *pool,
                           struct keystore_latency_reply *answer);
bool replies_clients_page(struct slice bytes, struct pool *pool,
                          struct keystore_clients_page *answer);
bool replies_backup_page(struct slice bytes, struct pool *pool,
                         struct keystore_backup_page *answer);
bool replies_message(struct slice bytes, struct pool *pool, struct keystore_message *answer);
bool replies_consume_reply(struct slice bytes, struct pool *pool,
                           struct keystore_deliveries *answer);
bool replies_watch_batch(struct slice bytes, struct pool *pool,
                         struct keystore_watch_batch *answer);
bool replies_reply(struct slice bytes, struct pool *pool, struct keystore_reply *answer);

/*
 * Takes the next element of a message whose only field is repeated field 1, such as ReplyBatch,
 * from the front of *bytes. False if that is malformed; other fields are skipped, and *element is
 * empty with data NULL at the end.
 */
bool replies_take_element(struct slice *bytes, struct slice *element);

/* A key chosen by the server. It has no condition; one in the message is ignored. */
bool replies_key(struct slice bytes, struct pool *pool, struct keystore_key *answer);

#endif
