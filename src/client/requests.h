/*
 * The request structs of include/keystore/client.h as protobuf messages. Each function returns the
 * message in the arena, with all that belongs to it; the bytes of keys, values and texts are
 * borrowed from the struct. requests_pack() then puts the message on its way.
 */
#ifndef KEYSTORE_CLIENT_REQUESTS_H
#define KEYSTORE_CLIENT_REQUESTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/client.h"
#include "mini_redis.pb-c.h"

Keystore__V1__Key *requests_key(struct arena *arena, const struct keystore_key *key);
Keystore__V1__KeyValue *requests_key_value(struct arena *arena,
                                           const struct keystore_key_value *key_value);
Keystore__V1__ListInsert *requests_list_insert(struct arena *arena,
                                               const struct keystore_list_insert *insert);
Keystore__V1__ListRange *requests_list_range(struct arena *arena,
                                             const struct keystore_list_range *range);
Keystore__V1__Keys *requests_keys(struct arena *arena, const struct keystore_keys *keys);
Keystore__V1__KeyValues *requests_key_values(struct arena *arena,
                                             const struct keystore_key_values *key_values);
Keystore__V1__Increment *requests_increment(struct arena *arena,
                                            const struct keystore_increment *increment);
Keystore__V1__ByteRange *requests_byte_range(struct arena *arena,
                                             const struct keystore_byte_range *range);
Keystore__V1__ExpireRequest *requests_expire_request(struct arena *arena,
                                                     const struct keystore_expire_request *request);
Keystore__V1__CopyRequest *requests_copy_request(struct arena *arena,
                                                 const struct keystore_copy_request *request);
Keystore__V1__DbRequest *requests_db_request(struct arena *arena,
                                             const struct keystore_db_request *request);
Keystore__V1__PopRequest *requests_pop_request(struct arena *arena,
                                               const struct keystore_pop_request *request);
Keystore__V1__MoveRequest *requests_move_request(struct arena *arena,
                                                 const struct keystore_move_request *request);
Keystore__V1__ListItem *requests_list_item(struct arena *arena,
                                           const struct keystore_list_item *item);
Keystore__V1__ListFind *requests_list_find(struct arena *arena,
                                           const struct keystore_list_find *find);
Keystore__V1__InfoRequest *requests_info_request(struct arena *arena,
                                                 const struct keystore_info_request *request);
Keystore__V1__SaveRequest *requests_save_request(struct arena *arena,
                                                 const struct keystore_save_request *request);

/* An operation of a kind that this library does not know becomes one that asks for nothing. */
Keystore__V1__TxnRequest *requests_txn_request(struct arena *arena,
                                               const struct keystore_txn_request *request);

/* Appends the message; false, with nothing changed, when that would pass the buffer's limit. */
bool requests_pack(struct buf *out, const ProtobufCMessage *message)
    __attribute__((warn_unused_result));

#endif
