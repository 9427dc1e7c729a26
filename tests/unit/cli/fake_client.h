/*
 * The client library, played: each call notes its name and its request, and answers what the test
 * has put into fake_reply. Defined here, so one file of a program includes it.
 */
#ifndef KEYSTORE_TESTS_CLI_FAKE_CLIENT_H
#define KEYSTORE_TESTS_CLI_FAKE_CLIENT_H

#include "keystore/client.h"

static const char *fake_called = "nothing";
static int fake_calls;
static enum keystore_code fake_code;     /* of every call */
static struct keystore_reply fake_reply; /* of data operations */
static struct keystore_key fake_key;     /* of keystore_random_key() */
static struct keystore_info_reply fake_info;
static struct keystore_txn_reply fake_txn;
static struct keystore_error fake_error; /* of keystore_last_error() and keystore_connect() */
static bool fake_unreachable;            /* keystore_connect() fails */
static int fake_connections;             /* open now */

/* The last request of each kind. */
static struct keystore_op fake_sent;
static uint32_t fake_sent_db;
static bool fake_sent_wait;
static struct keystore_info_request fake_sent_info;
static struct keystore_txn_request fake_sent_txn;

static inline void fake_reset(void)
{
    fake_called = "nothing";
    fake_calls = 0;
    fake_code = KEYSTORE_OK;
    fake_reply = (struct keystore_reply){0};
    fake_key = (struct keystore_key){0};
    fake_info = (struct keystore_info_reply){0};
    fake_txn = (struct keystore_txn_reply){0};
    fake_error = (struct keystore_error){0};
    fake_unreachable = false;
}

static inline enum keystore_code fake_call(const char *name)
{
    fake_called = name;
    fake_calls++;
    return fake_code;
}

#define FAKE(name, request_type, request_member, answer_type, answer_member)                       \
    enum keystore_code keystore_##name(struct keystore_client *client,                             \
                                       const struct request_type *request,                         \
                                       struct answer_type *answer)                                 \
    {                                                                                              \
        (void)client;                                                                              \
        fake_sent.request.request_member = *request;                                               \
        *answer = fake_reply.answer.answer_member;                                                 \
        return fake_call(#name);                                                                   \
    }

FAKE(set, keystore_key_value, key_value, keystore_status, status)
FAKE(get, keystore_key, key, keystore_value, value)
FAKE(delete, keystore_key, key, keystore_status, status)
FAKE(lpush, keystore_list_insert, list_insert, keystore_status, status)
FAKE(lrange, keystore_list_range, list_range, keystore_list, list)
FAKE(lpop, keystore_key, key, keystore_value, value)
FAKE(mget, keystore_keys, keys, keystore_values, values)
FAKE(mset, keystore_key_values, key_values, keystore_status, status)
FAKE(incr, keystore_increment, increment, keystore_number, number)
FAKE(append, keystore_key_value, key_value, keystore_status, status)
FAKE(get_range, keystore_byte_range, byte_range, keystore_value, value)
FAKE(set_range, keystore_byte_range, byte_range, keystore_status, status)
FAKE(get_del, keystore_key, key, keystore_value, value)
FAKE(get_ex, keystore_expire_request, expire, keystore_value, value)
FAKE(exists, keystore_keys, keys, keystore_status, status)
FAKE(delete_many, keystore_keys, keys, keystore_status, status)
FAKE(touch, keystore_keys, keys, keystore_status, status)
FAKE(describe, keystore_key, key, keystore_key_info, info)
FAKE(expire, keystore_expire_request, expire, keystore_status, status)
FAKE(rename, keystore_copy_request, copy, keystore_status, status)
FAKE(copy, keystore_copy_request, copy, keystore_status, status)
FAKE(rpush, keystore_list_insert, list_insert, keystore_status, status)
FAKE(rpop, keystore_key, key, keystore_value, value)
FAKE(list_pop, keystore_pop_request, pop, keystore_popped, popped)
FAKE(lmove, keystore_move_request, move, keystore_value, value)
FAKE(lindex, keystore_list_item, list_item, keystore_value, value)
FAKE(lset, keystore_list_item, list_item, keystore_status, status)
FAKE(linsert, keystore_list_item, list_item, keystore_status, status)
FAKE(lrem, keystore_list_find, list_find, keystore_status, status)
FAKE(lpos, keystore_list_find, list_find, keystore_positions, positions)
FAKE(ltrim, keystore_list_range, list_range, keystore_status, status)

enum keystore_code keystore_random_key(struct keystore_client *client,
                                       const struct keystore_db_request *request,
                                       struct keystore_key *answer)
{
    (void)client;
    fake_sent_db = request->db;
    *answer = fake_key;
    return fake_call("random_key");
}

enum keystore_code keystore_flush_db(struct keystore_client *client,
                                     const struct keystore_db_request *request,
                                     struct keystore_status *answer)
{
    (void)client;
    fake_sent_db = request->db;
    *answer = fake_reply.answer.status;
    return fake_call("flush_db");
}

enum keystore_code keystore_save(struct keystore_client *client,
                                 const struct keystore_save_request *request,
                                 struct keystore_status *answer)
{
    (void)client;
    fake_sent_wait = request->wait;
    *answer = fake_reply.answer.status;
    return fake_call("save");
}

enum keystore_code keystore_info(struct keystore_client *client,
                                 const struct keystore_info_request *request,
                                 struct keystore_info_reply *answer)
{
    (void)client;
    fake_sent_info = *request;
    *answer = fake_info;
    return fake_call("info");
}

enum keystore_code keystore_txn(struct keystore_client *client,
                                const struct keystore_txn_request *request,
                                struct keystore_txn_reply *answer)
{
    (void)client;
    fake_sent_txn = *request;
    *answer = fake_txn;
    return fake_call("txn");
}

struct keystore_client *keystore_connect(const char *target, const struct keystore_options *options,
                                         struct keystore_error *error)
{
    (void)target;
    (void)options;
    if (fake_unreachable) {
        *error = fake_error;
        return NULL;
    }
    fake_connections++;
    return (struct keystore_client *)&fake_connections; /* never looked into */
}

void keystore_close(struct keystore_client *client)
{
    if (client != NULL)
        fake_connections--;
}

const struct keystore_error *keystore_last_error(const struct keystore_client *client)
{
    (void)client;
    return &fake_error;
}

const char *keystore_code_name(enum keystore_code code)
{
    return code == KEYSTORE_UNAVAILABLE ? "UNAVAILABLE" : "CODE";
}

#endif
