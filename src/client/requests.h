/*
 * Converts the request structs of include/keystore/client.h to protobuf messages. Each function
 * allocates the message in the builder's pool; the bytes of keys, values and texts are borrowed
 * from the struct. Errors are recorded in the builder and its pool, and the result may then be NULL
 * or incomplete: requests_pack() checks that once, at the end.
 */
#ifndef KEYSTORE_CLIENT_REQUESTS_H
#define KEYSTORE_CLIENT_REQUESTS_H

#include "client/buffer.h"
#include "client/pool.h"
#include "keystore/admin.h"
#include "mini_redis.pb-c.h"

#include <grpc/health/v1/health.pb-c.h>

struct request_builder {
    struct pool *pool;
    bool missing;    /* a pointer was NULL, but its length or count is not 0 */
    int64_t wait_ms; /* how long the server may wait before it answers; at least 0 */
};

/* For the functions below: a message with its defaults, and an array for the `count` parts at
 * `parts`. NULL, recorded in the builder, if memory is short or `parts` is NULL. */
void *requests_new_message(struct request_builder *builder, const ProtobufCMessageDescriptor *type);
void *requests_new_array(struct request_builder *builder, const void *parts, size_t count,
                         size_t size);

Keystore__V1__Key *requests_key(struct request_builder *builder, const struct keystore_key *key);
Keystore__V1__KeyValue *requests_key_value(struct request_builder *builder,
                                           const struct keystore_key_value *key_value);
Keystore__V1__ListInsert *requests_list_insert(struct request_builder *builder,
                                               const struct keystore_list_insert *insert);
Keystore__V1__ListRange *requests_list_range(struct request_builder *builder,
                                             const struct keystore_list_range *range);
Keystore__V1__Keys *requests_keys(struct request_builder *builder,
                                  const struct keystore_keys *keys);
Keystore__V1__KeyValues *requests_key_values(struct request_builder *builder,
                                             const struct keystore_key_values *key_values);
Keystore__V1__Increment *requests_increment(struct request_builder *builder,
                                            const struct keystore_increment *increment);
Keystore__V1__ByteRange *requests_byte_range(struct request_builder *builder,
                                             const struct keystore_byte_range *range);
Keystore__V1__BitRequest *requests_bit_request(struct request_builder *builder,
                                               const struct keystore_bit_request *request);
Keystore__V1__BitRange *requests_bit_range(struct request_builder *builder,
                                           const struct keystore_bit_range *range);
Keystore__V1__BitOpRequest *requests_bit_op_request(struct request_builder *builder,
                                                    const struct keystore_bit_op_request *request);
Keystore__V1__BitFieldRequest *
requests_bit_field_request(struct request_builder *builder,
                           const struct keystore_bit_field_request *request);
Keystore__V1__LcsRequest *requests_lcs_request(struct request_builder *builder,
                                               const struct keystore_lcs_request *request);
Keystore__V1__ExpireRequest *requests_expire_request(struct request_builder *builder,
                                                     const struct keystore_expire_request *request);
Keystore__V1__CopyRequest *requests_copy_request(struct request_builder *builder,
                                                 const struct keystore_copy_request *request);
Keystore__V1__DbRequest *requests_db_request(struct request_builder *builder,
                                             const struct keystore_db_request *request);
Keystore__V1__SwapRequest *requests_swap_request(struct request_builder *builder,
                                                 const struct keystore_swap_request *request);
Keystore__V1__PopRequest *requests_pop_request(struct request_builder *builder,
                                               const struct keystore_pop_request *request);
Keystore__V1__MoveRequest *requests_move_request(struct request_builder *builder,
                                                 const struct keystore_move_request *request);
Keystore__V1__ListItem *requests_list_item(struct request_builder *builder,
                                           const struct keystore_list_item *item);
Keystore__V1__ListFind *requests_list_find(struct request_builder *builder,
                                           const struct keystore_list_find *find);

/* An operation of an unknown kind becomes an empty Op. */
Keystore__V1__TxnRequest *requests_txn_request(struct request_builder *builder,
                                               const struct keystore_txn_request *request);

/* The same as a single operation. */
Keystore__V1__Op *requests_op(struct request_builder *builder, const struct keystore_op *op);

Keystore__V1__ScanRequest *requests_scan_request(struct request_builder *builder,
                                                 const struct keystore_scan_request *request);
Keystore__V1__WatchRequest *requests_watch_request(struct request_builder *builder,
                                                   const struct keystore_watch_request *request);
Keystore__V1__Message *requests_message(struct request_builder *builder,
                                        const struct keystore_message *message);
Keystore__V1__SubscribeRequest *
requests_subscribe_request(struct request_builder *builder,
                           const struct keystore_subscribe_request *request);

/* The two kinds of ConsumeRequest. */
Keystore__V1__ConsumeRequest *
requests_consume_request(struct request_builder *builder,
                         const struct keystore_consume_request *request);
Keystore__V1__ConsumeRequest *requests_acks(struct request_builder *builder,
                                            const struct keystore_acks *acks);

/* ---- of the server: requests_admin.c ---- */

Keystore__V1__InfoRequest *requests_info_request(struct request_builder *builder,
                                                 const struct keystore_info_request *request);
Keystore__V1__SaveRequest *requests_save_request(struct request_builder *builder,
                                                 const struct keystore_save_request *request);
Grpc__Health__V1__HealthCheckRequest *
requests_health_request(struct request_builder *builder,
                        const struct keystore_health_request *request);
Keystore__V1__AuthenticateRequest *
requests_authenticate_request(struct request_builder *builder,
                              const struct keystore_authenticate_request *request);
Keystore__V1__WhoAmIRequest *
requests_who_am_i_request(struct request_builder *builder,
                          const struct keystore_who_am_i_request *request);
Keystore__V1__ClientsRequest *
requests_clients_request(struct request_builder *builder,
                         const struct keystore_clients_request *request);
Keystore__V1__ConfigRequest *requests_config_request(struct request_builder *builder,
                                                     const struct keystore_config_request *request);
Keystore__V1__SetConfigRequest *
requests_set_config_request(struct request_builder *builder,
                            const struct keystore_set_config_request *request);
Keystore__V1__KillClientsRequest *
requests_kill_clients_request(struct request_builder *builder,
                              const struct keystore_kill_clients_request *request);
Keystore__V1__BackupRequest *requests_backup_request(struct request_builder *builder,
                                                     const void *request);
Keystore__V1__SlowLogRequest *
requests_slow_log_request(struct request_builder *builder,
                          const struct keystore_slow_log_request *request);
Keystore__V1__LatencyRequest *
requests_latency_request(struct request_builder *builder,
                         const struct keystore_latency_request *request);

/* ---- packing ---- */

/*
 * Appends the message that one of the functions above returned. False, with nothing appended and
 * *error set, if it could not be built (KEYSTORE_INVALID_ARGUMENT for a missing part,
 * KEYSTORE_RESOURCE_EXHAUSTED if memory is short) or exceeds the buffer's limit.
 */
bool requests_pack(struct buffer *out, const struct request_builder *builder, const void *message,
                   struct keystore_error *error) __attribute__((warn_unused_result));

/* The same for a message that is an element of the repeated field with this number. */
bool requests_pack_element(struct buffer *out, const struct request_builder *builder,
                           unsigned field, const void *message, struct keystore_error *error)
    __attribute__((warn_unused_result));

#endif
