/*
 * The C client of KeyStore: typed calls over one connection.
 *
 *     struct keystore_error error;
 *     struct keystore_client *client = keystore_connect("127.0.0.1:50051", NULL, &error);
 *     if (client == NULL) { fprintf(stderr, "%s\n", error.message); return 1; }
 *     struct keystore_value value;
 *     if (keystore_get(client, &(struct keystore_key){.key = keystore_text("foo")}, &value) ==
 *         KEYSTORE_OK && value.found)
 *         fwrite(value.value.data, 1, value.value.len, stdout);
 *     keystore_close(client);
 *
 * Streams, blocking queues, subscriptions and pipelines are in keystore/streams.h, the server's
 * connections, settings and slow calls in keystore/admin.h.
 *
 * Requests and answers (keystore/messages.h) mirror the messages of proto/mini_redis.proto, whose
 * comments document their fields; a zeroed field has its default. Request slices are borrowed for
 * the call. Answer slices belong to the client and are valid until its next call or
 * keystore_close().
 *
 * Calls block until they are answered, fail or time out. A client may be used by one thread at a
 * time; give each thread its own. A lost connection fails the call in flight with
 * KEYSTORE_UNAVAILABLE, and the next call reconnects. A call that the server, while shutting down,
 * reports as not processed is sent once more; others are repeated only with options.max_retries.
 *
 * Repeating calls. With options.max_retries a call is repeated that failed with
 * KEYSTORE_UNAVAILABLE, because it could not connect or lost its connection, say, or with another
 * error that passes, as the server says (grpc-retry-pushback-ms). The library waits first: for as
 * long as the server asks it to, or for a random time of up to 50 ms, which doubles with each
 * attempt up to 5 s. A call ends with the last error if there are no attempts left, or if its
 * timeout, which is for all of them together, would be over before the next one.
 *
 * Writes have a request id then, of 16 random bytes, by which the server recognizes those that are
 * repeated: each is carried out once, and gets its first reply, also after a crash and restart of
 * the server (docs/request-ids.md). A server whose --request-ids are turned off refuses them with
 * KEYSTORE_UNIMPLEMENTED. Reads need no id. The calls that take none although they change
 * something, which are keystore_publish(), keystore_save(), keystore_set_config(),
 * keystore_kill_clients() and keystore_slow_log(), are repeated only if they have certainly had no
 * effect. Streams and pipelines are not repeated and have no ids, which the server refuses there.
 *
 * The library never ends the program and writes nothing to its streams. If there is no memory for
 * the request or the answer, the call returns KEYSTORE_RESOURCE_EXHAUSTED with an empty reason and
 * a message that says so; the client stays usable. If it was the answer that was lost, the server
 * has executed the call, as it may have after a timeout. A NULL argument, or a NULL pointer with a
 * length or count other than 0, is KEYSTORE_INVALID_ARGUMENT.
 *
 * After fork() a client belongs to the parent. In the child its calls return
 * KEYSTORE_FAILED_PRECONDITION and send nothing; keystore_close() in the child frees the child's
 * copy and leaves the parent's connection alone. The child must connect a client of its own.
 *
 * Host names are resolved in a thread that the library starts, since the system's resolver has no
 * timeout. The thread may outlive the call, so the library stays loaded after dlclose().
 */
#ifndef KEYSTORE_CLIENT_H
#define KEYSTORE_CLIENT_H

#include <keystore/messages.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KEYSTORE_API __attribute__((visibility("default")))

/* What a call returns: the status codes of gRPC. */
enum keystore_code {
    KEYSTORE_OK = 0,
    KEYSTORE_CANCELLED = 1,
    KEYSTORE_UNKNOWN = 2,
    KEYSTORE_INVALID_ARGUMENT = 3,
    KEYSTORE_DEADLINE_EXCEEDED = 4,
    KEYSTORE_NOT_FOUND = 5,
    KEYSTORE_ALREADY_EXISTS = 6,
    KEYSTORE_PERMISSION_DENIED = 7,
    KEYSTORE_RESOURCE_EXHAUSTED = 8,
    KEYSTORE_FAILED_PRECONDITION = 9,
    KEYSTORE_ABORTED = 10,
    KEYSTORE_OUT_OF_RANGE = 11,
    KEYSTORE_UNIMPLEMENTED = 12,
    KEYSTORE_INTERNAL = 13,
    KEYSTORE_UNAVAILABLE = 14,
    KEYSTORE_DATA_LOSS = 15,
    KEYSTORE_UNAUTHENTICATED = 16,
};

/* The name of a code, such as "INVALID_ARGUMENT"; "UNKNOWN" for any other number. Static memory. */
KEYSTORE_API const char *keystore_code_name(enum keystore_code code);

/* Why a call failed. Both texts are zero-terminated, and truncated if they are longer. */
struct keystore_error {
    enum keystore_code code;
    char reason[64];   /* of enum ErrorReason, such as "ERROR_REASON_WRONG_TYPE"; may be empty */
    char message[512]; /* what was wrong and what would be right */
};

struct keystore_tls {        /* paths of PEM files; each may be NULL */
    const char *ca_file;     /* CAs of the server's certificate; NULL = those of the system */
    const char *cert_file;   /* the client's certificate, if the server wants one, and... */
    const char *key_file;    /* ...its key, without a password */
    const char *server_name; /* that the server's certificate must have; NULL = the target's host */
};

struct keystore_options {
    int64_t connect_timeout_ms; /* includes resolving the host name; 0 or less = 5,000 */
    int64_t timeout_ms;         /* of each call, also sent to the server; 0 = 30,000, -1 = none */
    /* Largest answer in bytes; 0 = 65 MiB. It is sent to the server: a call that would remove data
     * and return more fails with TOO_LARGE and removes nothing. */
    size_t max_message;
    /* A descriptor such as an eventfd(2): when it is readable, a waiting call returns
     * KEYSTORE_CANCELLED and a stream KEYSTORE_NOTHING. Borrowed; 0 = none. */
    int cancel_fd;
    /* How often a call that failed is repeated at most, and connecting, too, within its timeout:
     * see "Repeating calls" above. 0 = never. */
    uint32_t max_retries;
    const struct keystore_tls *tls; /* read while connecting; NULL = no TLS */
    /* Sent with each call as `authorization: Bearer TOKEN`: who the caller is, of a server with
     * users. Copied; NULL = none. */
    const char *token;
};

struct keystore_client;

/*
 * Connects to "HOST:PORT", "HOST" (port 50051), "[IPV6]:PORT" or "unix:PATH" and completes the
 * HTTP/2 connection preface, so success means that an HTTP/2 server answers there. `options` and
 * `error` may be NULL. On failure returns NULL with *error set (KEYSTORE_UNAVAILABLE,
 * KEYSTORE_DEADLINE_EXCEEDED, KEYSTORE_RESOURCE_EXHAUSTED if memory is short, or
 * KEYSTORE_INVALID_ARGUMENT for a bad target or file). Free with keystore_close().
 */
KEYSTORE_API struct keystore_client *keystore_connect(const char *target,
                                                      const struct keystore_options *options,
                                                      struct keystore_error *error);

/* Replaces options.token for the calls and streams that begin from now on. False if memory is
 * short; then there is none. */
KEYSTORE_API bool keystore_set_token(struct keystore_client *client, const char *token);

/* Closes the connection and frees the client and its answers. Its streams and pipelines have failed
 * then and are still to be closed. NULL is allowed. */
KEYSTORE_API void keystore_close(struct keystore_client *client);

/* A descriptor to wait for the client's streams with poll(2) for POLLIN after they have returned
 * KEYSTORE_NOTHING: that of the connection, or another one if something has arrived for one of
 * them meanwhile; -1 if the connection is closed. It may change with every function. */
KEYSTORE_API int keystore_descriptor(const struct keystore_client *client);

/* The error of the last call that did not return KEYSTORE_OK. Valid until the next call. Never
 * NULL. */
KEYSTORE_API const struct keystore_error *keystore_last_error(const struct keystore_client *client);

/*
 * Gives the next call of the client this request id of 1 to 64 bytes, with or without
 * options.max_retries. With an empty id the next call has none, or a random one. The id is copied
 * and used up by the next call, even if that is not sent, but not by streams and pipelines. Only
 * operations that write take an id; reads ignore it.
 *
 * So a program can repeat a write that it does not know the result of, even after its own restart:
 * it stores the id before the first call, and repeats the call unchanged with the same id. A call
 * fails with KEYSTORE_ALREADY_EXISTS and the reason ERROR_REASON_REQUEST_ID_REUSED, and does
 * nothing, if the id belongs to another request; with the reason ERROR_REASON_ALREADY_DONE if the
 * write took effect, but its reply was longer than 64 KiB and is lost.
 *
 * KEYSTORE_INVALID_ARGUMENT for an id that is too long; the next call has none then, or a random
 * one.
 */
KEYSTORE_API enum keystore_code keystore_set_request_id(struct keystore_client *client,
                                                        struct keystore_slice id);

/*
 * The kinds of operations, with their field numbers in message Op. The comments name the member of
 * `request` that each kind takes.
 */
enum keystore_op_kind {
    KEYSTORE_OP_NONE = 0, /* refused by the server */
    /* ---- written by script/docs ---- */
    KEYSTORE_OP_SET = 2,          /* key_value */
    KEYSTORE_OP_GET = 3,          /* key */
    KEYSTORE_OP_DELETE = 4,       /* key */
    KEYSTORE_OP_LPUSH = 5,        /* list_insert */
    KEYSTORE_OP_LRANGE = 6,       /* list_range */
    KEYSTORE_OP_LPOP = 7,         /* key */
    KEYSTORE_OP_RPUSH = 8,        /* list_insert */
    KEYSTORE_OP_RPOP = 9,         /* key */
    KEYSTORE_OP_INCR = 10,        /* increment */
    KEYSTORE_OP_EXPIRE = 11,      /* expire */
    KEYSTORE_OP_MGET = 12,        /* keys */
    KEYSTORE_OP_MSET = 13,        /* key_values */
    KEYSTORE_OP_EXISTS = 14,      /* keys */
    KEYSTORE_OP_DESCRIBE = 15,    /* key */
    KEYSTORE_OP_APPEND = 16,      /* key_value */
    KEYSTORE_OP_GET_RANGE = 17,   /* byte_range */
    KEYSTORE_OP_SET_RANGE = 18,   /* byte_range */
    KEYSTORE_OP_GET_DEL = 19,     /* key */
    KEYSTORE_OP_GET_EX = 20,      /* expire */
    KEYSTORE_OP_DELETE_MANY = 21, /* keys */
    KEYSTORE_OP_TOUCH = 22,       /* keys */
    KEYSTORE_OP_RENAME = 23,      /* copy */
    KEYSTORE_OP_COPY = 24,        /* copy */
    KEYSTORE_OP_LIST_POP = 25,    /* pop; its wait_ms is 0 in a Pipeline, and unused in a Txn */
    KEYSTORE_OP_LMOVE = 26,       /* move; its wait_ms likewise */
    KEYSTORE_OP_LINDEX = 27,      /* list_item */
    KEYSTORE_OP_LSET = 28,        /* list_item */
    KEYSTORE_OP_LINSERT = 29,     /* list_item */
    KEYSTORE_OP_LREM = 30,        /* list_find */
    KEYSTORE_OP_LPOS = 31,        /* list_find */
    KEYSTORE_OP_LTRIM = 32,       /* list_range */
    KEYSTORE_OP_SETBIT = 33,      /* bit_request */
    KEYSTORE_OP_GETBIT = 34,      /* bit_request */
    KEYSTORE_OP_BITCOUNT = 35,    /* bit_range */
    KEYSTORE_OP_BITPOS = 36,      /* bit_range */
    KEYSTORE_OP_BITOP = 37,       /* bit_op_request */
    KEYSTORE_OP_BITFIELD = 38,    /* bit_field_request */
    KEYSTORE_OP_LCS = 39,         /* lcs_request */
    /* ---- */
};

struct keystore_op {
    enum keystore_op_kind kind;
    uint64_t id; /* echoed in the reply */
    union {
        struct keystore_key key;
        struct keystore_key_value key_value;
        struct keystore_list_insert list_insert;
        struct keystore_list_range list_range;
        struct keystore_keys keys;
        struct keystore_key_values key_values;
        struct keystore_increment increment;
        struct keystore_byte_range byte_range;
        struct keystore_bit_request bit_request;
        struct keystore_bit_range bit_range;
        struct keystore_bit_op_request bit_op_request;
        struct keystore_bit_field_request bit_field_request;
        struct keystore_lcs_request lcs_request;
        struct keystore_expire_request expire;
        struct keystore_copy_request copy;
        struct keystore_pop_request pop;
        struct keystore_move_request move;
        struct keystore_list_item list_item;
        struct keystore_list_find list_find;
    } request;
};

struct keystore_compare {
    struct keystore_slice key;
    const struct keystore_condition *condition; /* NULL = none */
    uint32_t db;
    bool has_unchanged_since;
    uint64_t unchanged_since; /* version or as_of of an answer: not written or removed since */
};

struct keystore_txn_request {
    const struct keystore_compare *compares; /* all must hold; an empty list holds */
    size_t compare_count;
    const struct keystore_op *success; /* executed if they hold */
    size_t success_count;
    const struct keystore_op *failure; /* executed if they do not */
    size_t failure_count;
};

struct keystore_op_error {
    enum keystore_code code;
    const char *reason;  /* as in struct keystore_error; static memory */
    const char *message; /* zero-terminated; valid as long as answer slices */
};

/* The kinds of replies, with their field numbers in message Reply. */
enum keystore_reply_kind {
    KEYSTORE_REPLY_NONE = 0, /* unknown to this version of the library */
    KEYSTORE_REPLY_STATUS = 2,
    KEYSTORE_REPLY_VALUE = 3,
    KEYSTORE_REPLY_LIST = 4,
    KEYSTORE_REPLY_NUMBER = 5,
    KEYSTORE_REPLY_ERROR = 6,
    KEYSTORE_REPLY_VALUES = 7,
    KEYSTORE_REPLY_INFO = 8,
    KEYSTORE_REPLY_POPPED = 9,
    KEYSTORE_REPLY_POSITIONS = 10,
    KEYSTORE_REPLY_BIT_FIELDS = 11,
    KEYSTORE_REPLY_LCS = 12,
};

/* The answer of one operation, the same as that of its own call. */
struct keystore_reply {
    enum keystore_reply_kind kind; /* which member of `answer` is set */
    uint64_t id;                   /* of the operation */
    union {
        struct keystore_status status;
        struct keystore_value value;
        struct keystore_list list;
        struct keystore_number number;
        struct keystore_op_error error;
        struct keystore_values values;
        struct keystore_key_info info;
        struct keystore_popped popped;
        struct keystore_positions positions;
        struct keystore_bit_fields bit_fields;
        struct keystore_lcs_reply lcs;
    } answer;
};

struct keystore_txn_reply {
    bool succeeded;                       /* whether the compares held */
    const struct keystore_reply *replies; /* of the operations executed, in order */
    size_t count;
    uint64_t version;
};

/*
 * The calls, one per method of the API. If a call does not return KEYSTORE_OK, its answer is zeroed
 * and keystore_last_error() says why.
 */

/* Executes an operation by its kind. The answer is the member of the reply that reply->kind names,
 * even when it is zeroed. */
KEYSTORE_API enum keystore_code keystore_call(struct keystore_client *client,
                                              const struct keystore_op *op,
                                              struct keystore_reply *reply);

/* The kind of reply that operations of a kind have; KEYSTORE_REPLY_NONE for an unknown kind. */
KEYSTORE_API enum keystore_reply_kind keystore_reply_kind_of(enum keystore_op_kind kind);

/* ---- written by script/docs ---- */
/* Strings. */
KEYSTORE_API enum keystore_code keystore_set(struct keystore_client *client,
                                             const struct keystore_key_value *request,
                                             struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_get(struct keystore_client *client,
                                             const struct keystore_key *request,
                                             struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_mget(struct keystore_client *client,
                                              const struct keystore_keys *request,
                                              struct keystore_values *answer);
KEYSTORE_API enum keystore_code keystore_mset(struct keystore_client *client,
                                              const struct keystore_key_values *request,
                                              struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_incr(struct keystore_client *client,
                                              const struct keystore_increment *request,
                                              struct keystore_number *answer);
KEYSTORE_API enum keystore_code keystore_append(struct keystore_client *client,
                                                const struct keystore_key_value *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_get_range(struct keystore_client *client,
                                                   const struct keystore_byte_range *request,
                                                   struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_set_range(struct keystore_client *client,
                                                   const struct keystore_byte_range *request,
                                                   struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_setbit(struct keystore_client *client,
                                                const struct keystore_bit_request *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_getbit(struct keystore_client *client,
                                                const struct keystore_bit_request *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_bitcount(struct keystore_client *client,
                                                  const struct keystore_bit_range *request,
                                                  struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_bitpos(struct keystore_client *client,
                                                const struct keystore_bit_range *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_bitop(struct keystore_client *client,
                                               const struct keystore_bit_op_request *request,
                                               struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_bitfield(struct keystore_client *client,
                                                  const struct keystore_bit_field_request *request,
                                                  struct keystore_bit_fields *answer);
KEYSTORE_API enum keystore_code keystore_lcs(struct keystore_client *client,
                                             const struct keystore_lcs_request *request,
                                             struct keystore_lcs_reply *answer);
KEYSTORE_API enum keystore_code keystore_get_del(struct keystore_client *client,
                                                 const struct keystore_key *request,
                                                 struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_get_ex(struct keystore_client *client,
                                                const struct keystore_expire_request *request,
                                                struct keystore_value *answer);

/* Lists. */
KEYSTORE_API enum keystore_code keystore_lpush(struct keystore_client *client,
                                               const struct keystore_list_insert *request,
                                               struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_lrange(struct keystore_client *client,
                                                const struct keystore_list_range *request,
                                                struct keystore_list *answer);
KEYSTORE_API enum keystore_code keystore_lpop(struct keystore_client *client,
                                              const struct keystore_key *request,
                                              struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_rpush(struct keystore_client *client,
                                               const struct keystore_list_insert *request,
                                               struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_rpop(struct keystore_client *client,
                                              const struct keystore_key *request,
                                              struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_list_pop(struct keystore_client *client,
                                                  const struct keystore_pop_request *request,
                                                  struct keystore_popped *answer);
KEYSTORE_API enum keystore_code keystore_lmove(struct keystore_client *client,
                                               const struct keystore_move_request *request,
                                               struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_lindex(struct keystore_client *client,
                                                const struct keystore_list_item *request,
                                                struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_lset(struct keystore_client *client,
                                              const struct keystore_list_item *request,
                                              struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_linsert(struct keystore_client *client,
                                                 const struct keystore_list_item *request,
                                                 struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_lrem(struct keystore_client *client,
                                              const struct keystore_list_find *request,
                                              struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_lpos(struct keystore_client *client,
                                              const struct keystore_list_find *request,
                                              struct keystore_positions *answer);
KEYSTORE_API enum keystore_code keystore_ltrim(struct keystore_client *client,
                                               const struct keystore_list_range *request,
                                               struct keystore_status *answer);

/* Keys, of any type. */
KEYSTORE_API enum keystore_code keystore_delete(struct keystore_client *client,
                                                const struct keystore_key *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_exists(struct keystore_client *client,
                                                const struct keystore_keys *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_delete_many(struct keystore_client *client,
                                                     const struct keystore_keys *request,
                                                     struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_touch(struct keystore_client *client,
                                               const struct keystore_keys *request,
                                               struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_describe(struct keystore_client *client,
                                                  const struct keystore_key *request,
                                                  struct keystore_key_info *answer);
KEYSTORE_API enum keystore_code keystore_expire(struct keystore_client *client,
                                                const struct keystore_expire_request *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_rename(struct keystore_client *client,
                                                const struct keystore_copy_request *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_copy(struct keystore_client *client,
                                              const struct keystore_copy_request *request,
                                              struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_random_key(struct keystore_client *client,
                                                    const struct keystore_db_request *request,
                                                    struct keystore_key *answer);

/* Transactions. */
KEYSTORE_API enum keystore_code keystore_txn(struct keystore_client *client,
                                             const struct keystore_txn_request *request,
                                             struct keystore_txn_reply *answer);

/* Whole databases. */
KEYSTORE_API enum keystore_code keystore_flush_db(struct keystore_client *client,
                                                  const struct keystore_db_request *request,
                                                  struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_swap_db(struct keystore_client *client,
                                                 const struct keystore_swap_request *request,
                                                 struct keystore_status *answer);
/* ---- */

/*
 * Exchanges the password of a user for a token that is valid for some minutes; to make calls with
 * it, pass it to keystore_set_token(). The server computes each attempt for about 20 ms, so do that
 * before the token expires, and not for each call. KEYSTORE_UNAUTHENTICATED if the user or the
 * password is wrong; KEYSTORE_RESOURCE_EXHAUSTED after too many failed attempts;
 * KEYSTORE_FAILED_PRECONDITION of a server without users.
 */
KEYSTORE_API enum keystore_code
keystore_authenticate(struct keystore_client *client,
                      const struct keystore_authenticate_request *request,
                      struct keystore_authenticate_reply *answer);
/* Who makes the calls of this client, and what that user may do. */
KEYSTORE_API enum keystore_code keystore_who_am_i(struct keystore_client *client,
                                                  const struct keystore_who_am_i_request *request,
                                                  struct keystore_identity *answer);

/* The server. */
KEYSTORE_API enum keystore_code keystore_info(struct keystore_client *client,
                                              const struct keystore_info_request *request,
                                              struct keystore_info_reply *answer);
KEYSTORE_API enum keystore_code keystore_save(struct keystore_client *client,
                                              const struct keystore_save_request *request,
                                              struct keystore_status *answer);
/* Check of grpc.health.v1, whose services are in docs/health.md; KEYSTORE_NOT_FOUND for another. */
KEYSTORE_API enum keystore_code keystore_health(struct keystore_client *client,
                                                const struct keystore_health_request *request,
                                                struct keystore_health_reply *answer);

#ifdef __cplusplus
}
#endif

#endif
