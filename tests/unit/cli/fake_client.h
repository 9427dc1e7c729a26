/*
 * The client library, played: each call notes its name and its request, and answers what the test
 * has put into fake_reply. Defined here, so one file of a program includes it.
 */
#ifndef KEYSTORE_TESTS_CLI_FAKE_CLIENT_H
#define KEYSTORE_TESTS_CLI_FAKE_CLIENT_H

#include "keystore/admin.h"

static const char *fake_called = "nothing";
static int fake_calls;
static enum keystore_code fake_code;     /* of every call */
static struct keystore_reply fake_reply; /* of data operations */
static struct keystore_key fake_key;     /* of keystore_random_key() */
static struct keystore_info_reply fake_info;
static struct keystore_txn_reply fake_txn;
static struct keystore_error fake_error;     /* of keystore_last_error() and keystore_connect() */
static bool fake_unreachable;                /* keystore_connect() fails */
static struct keystore_options fake_options; /* of keystore_connect() */
static int fake_connections;                 /* open now */

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

enum keystore_code keystore_call(struct keystore_client *client, const struct keystore_op *op,
                                 struct keystore_reply *reply)
{
    (void)client;
    fake_sent = *op;
    *reply = fake_reply;
    return fake_call("call");
}

enum keystore_code keystore_describe(struct keystore_client *client,
                                     const struct keystore_key *request,
                                     struct keystore_key_info *answer)
{
    (void)client;
    fake_sent.request.key = *request;
    *answer = fake_reply.answer.info;
    return fake_call("describe");
}

/* Of the operations that the tests have in transactions. */
enum keystore_reply_kind keystore_reply_kind_of(enum keystore_op_kind kind)
{
    static const enum keystore_reply_kind kinds[] = {
        [KEYSTORE_OP_GET] = KEYSTORE_REPLY_VALUE,
        [KEYSTORE_OP_INCR] = KEYSTORE_REPLY_NUMBER,
        [KEYSTORE_OP_LRANGE] = KEYSTORE_REPLY_LIST,
        [KEYSTORE_OP_DESCRIBE] = KEYSTORE_REPLY_INFO,
    };
    bool known = kind < sizeof kinds / sizeof *kinds && kinds[kind] != KEYSTORE_REPLY_NONE;
    return known ? kinds[kind] : KEYSTORE_REPLY_STATUS;
}

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

enum keystore_code keystore_swap_db(struct keystore_client *client,
                                    const struct keystore_swap_request *request,
                                    struct keystore_status *answer)
{
    (void)client;
    fake_sent_db = request->db;
    *answer = fake_reply.answer.status;
    return fake_call("swap_db");
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

static struct keystore_kill_clients_request fake_sent_kill;

static struct keystore_set_config_request fake_sent_config;
static struct keystore_config_reply fake_config;

enum keystore_code keystore_config(struct keystore_client *client,
                                   const struct keystore_config_request *request,
                                   struct keystore_config_reply *answer)
{
    (void)client;
    (void)request;
    *answer = fake_config;
    return fake_call("config");
}

enum keystore_code keystore_set_config(struct keystore_client *client,
                                       const struct keystore_set_config_request *request,
                                       struct keystore_status *answer)
{
    (void)client;
    fake_sent_config = *request;
    *answer = fake_reply.answer.status;
    return fake_call("set_config");
}

static struct keystore_slow_log_request fake_sent_slow_log;
static struct keystore_slow_log_reply fake_slow_log;
static struct keystore_latency_reply fake_latency;
static char fake_sent_method[64]; /* the first one of keystore_latency() */

enum keystore_code keystore_slow_log(struct keystore_client *client,
                                     const struct keystore_slow_log_request *request,
                                     struct keystore_slow_log_reply *answer)
{
    (void)client;
    fake_sent_slow_log = *request;
    *answer = fake_slow_log;
    return fake_call("slow_log");
}

enum keystore_code keystore_latency(struct keystore_client *client,
                                    const struct keystore_latency_request *request,
                                    struct keystore_latency_reply *answer)
{
    (void)client;
    fake_sent_method[0] = '\0';
    if (request->count > 0)
        strncpy(fake_sent_method, request->methods[0], sizeof fake_sent_method - 1);
    *answer = fake_latency;
    return fake_call("latency");
}

static struct keystore_authenticate_reply fake_authenticated;
static struct keystore_identity fake_identity;
static char fake_sent_password[64], fake_token[64]; /* of keystore_set_token() */

enum keystore_code keystore_authenticate(struct keystore_client *client,
                                         const struct keystore_authenticate_request *request,
                                         struct keystore_authenticate_reply *answer)
{
    (void)client;
    strncpy(fake_sent_password, request->password, sizeof fake_sent_password - 1);
    *answer = fake_authenticated;
    return fake_call("authenticate");
}

enum keystore_code keystore_who_am_i(struct keystore_client *client,
                                     const struct keystore_who_am_i_request *request,
                                     struct keystore_identity *answer)
{
    (void)client;
    (void)request;
    *answer = fake_identity;
    return fake_call("who_am_i");
}

bool keystore_set_token(struct keystore_client *client, const char *token)
{
    (void)client;
    strncpy(fake_token, token, sizeof fake_token - 1);
    return true;
}

enum keystore_code keystore_kill_clients(struct keystore_client *client,
                                         const struct keystore_kill_clients_request *request,
                                         struct keystore_status *answer)
{
    (void)client;
    fake_sent_kill = *request;
    *answer = fake_reply.answer.status;
    return fake_call("kill_clients");
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
    fake_options = *options;
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
