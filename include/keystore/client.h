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
 * connections and settings in keystore/admin.h.
 *
 * Requests and answers mirror the messages of proto/mini_redis.proto, whose comments document their
 * fields; a zeroed field has its default. Request slices are borrowed for the call. Answer slices
 * belong to the client and are valid until its next call or keystore_close().
 *
 * Calls block until they are answered, fail or time out. A client may be used by one thread at a
 * time; give each thread its own. A lost connection fails the call in flight with
 * KEYSTORE_UNAVAILABLE, and the next call reconnects. Calls are not retried, with one exception: a
 * call that the server, while shutting down, reports as not processed is sent once more.
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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

struct keystore_slice {
    const void *data; /* may be NULL when len is 0 */
    size_t len;
};

/* The bytes of a string, without its terminating zero; empty for NULL. */
static inline struct keystore_slice keystore_text(const char *text)
{
    struct keystore_slice slice = {text, text != NULL ? strlen(text) : 0};
    return slice;
}

struct keystore_options {
    int64_t connect_timeout_ms; /* includes resolving the host name; 0 or less = 5,000 */
    int64_t timeout_ms;         /* of each call, also sent to the server; 0 = 30,000, -1 = none */
    /* Largest answer in bytes; 0 = 65 MiB. It is sent to the server: a call that would remove data
     * and return more fails with TOO_LARGE and removes nothing. */
    size_t max_message;
    /* A descriptor such as an eventfd(2): when it is readable, a waiting call returns
     * KEYSTORE_CANCELLED and a stream KEYSTORE_NOTHING. Borrowed; 0 = none. */
    int cancel_fd;
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
 * KEYSTORE_INVALID_ARGUMENT for a bad target). Free with keystore_close().
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

enum keystore_existence { KEYSTORE_ANY = 0, KEYSTORE_ABSENT = 1, KEYSTORE_PRESENT = 2 };

struct keystore_condition {
    enum keystore_existence existence;
    uint64_t version; /* 0 = any */
    bool match_value;
    struct keystore_slice value;
};

struct keystore_key {
    struct keystore_slice key;
    uint32_t db;
    const struct keystore_condition *condition; /* delete and get_del only; NULL = none */
    bool want_as_of;                            /* get and describe only: return as_of */
};

struct keystore_key_value {
    struct keystore_slice key;
    struct keystore_slice value;
    uint32_t db;
    int64_t ttl_ms;       /* 0 = none */
    int64_t expire_at_ms; /* Unix time, instead of ttl_ms; 0 = none */
    bool keep_ttl;
    bool return_previous;
    const struct keystore_condition *condition; /* NULL = none */
};

struct keystore_list_insert {
    struct keystore_slice key;
    const struct keystore_slice *values;
    size_t count; /* of values, at least 1 */
    uint32_t db;
    int64_t ttl_ms;                             /* 0 = none */
    uint64_t max_length;                        /* 0 = no limit */
    const struct keystore_condition *condition; /* NULL = none */
};

struct keystore_list_range {
    struct keystore_slice key;
    int64_t start; /* negative counts from the tail */
    int64_t stop;  /* inclusive */
    uint32_t db;
};

struct keystore_keys {
    const struct keystore_slice *keys;
    size_t count;
    uint32_t db;
};

struct keystore_key_values {
    const struct keystore_key_value *entries;
    size_t count;
    uint32_t db;
};

enum keystore_delta {
    KEYSTORE_BY_ONE = 0,
    KEYSTORE_BY = 2,
    KEYSTORE_BY_FLOAT = 3,
    KEYSTORE_BY_DECIMAL = 5,
};

struct keystore_increment {
    struct keystore_slice key;
    enum keystore_delta delta; /* which of the next three is used; KEYSTORE_BY_ONE: none */
    int64_t by;
    double by_float;
    const char *by_decimal; /* zero-terminated, so that it is not rounded to a double: "0.1" */
    int64_t ttl_ms;         /* if the key is created; 0 = none */
    uint32_t db;
};

struct keystore_byte_range {
    struct keystore_slice key;
    int64_t start;               /* get_range: negative counts from the end */
    int64_t stop;                /* get_range only; inclusive */
    struct keystore_slice value; /* set_range only */
    uint32_t db;
};

enum keystore_expire_when {
    KEYSTORE_WHEN_ANY = 0,
    KEYSTORE_WHEN_NO_EXPIRY = 1,
    KEYSTORE_WHEN_HAS_EXPIRY = 2,
    KEYSTORE_WHEN_LATER = 3,
    KEYSTORE_WHEN_SOONER = 4,
};

/* Bit 0 is the most significant bit of the first byte. */
struct keystore_bit_request {
    struct keystore_slice key;
    uint64_t offset;
    bool bit; /* setbit only: the new value of the bit */
    uint32_t db;
};

struct keystore_bit_range {
    struct keystore_slice key;
    int64_t start; /* negative counts from the end */
    bool has_stop; /* else to the end */
    int64_t stop;  /* inclusive; negative counts from the end */
    bool in_bits;  /* start and stop count bits, not bytes */
    bool bit;      /* bitpos only: the value to look for */
    uint32_t db;
};

/* How bitop combines strings; NOT takes a single one. */
enum keystore_bitwise {
    KEYSTORE_BITS_AND = 1,
    KEYSTORE_BITS_OR = 2,
    KEYSTORE_BITS_XOR = 3,
    KEYSTORE_BITS_NOT = 4,
};

struct keystore_bit_op_request {
    enum keystore_bitwise operation;
    struct keystore_slice key;         /* of the result */
    const struct keystore_slice *keys; /* of the strings, at least one */
    size_t key_count;
    uint32_t db;
};

enum keystore_bit_field_action {
    KEYSTORE_FIELD_GET = 1,
    KEYSTORE_FIELD_SET = 2,
    KEYSTORE_FIELD_INCREMENT = 3,
};

/* What happens when a number does not fit the integer. */
enum keystore_overflow {
    KEYSTORE_OVERFLOW_WRAP = 0,
    KEYSTORE_OVERFLOW_SATURATE = 2,
    KEYSTORE_OVERFLOW_FAIL = 3, /* the integer is left unchanged */
};

struct keystore_bit_field {
    enum keystore_bit_field_action action;
    bool is_signed;
    uint32_t bits;   /* 1 to 64 if signed, else 1 to 63 */
    uint64_t offset; /* of its most significant bit */
    int64_t value;   /* set: the new value; increment: the amount added */
    enum keystore_overflow overflow;
};

struct keystore_bit_field_request {
    struct keystore_slice key;
    const struct keystore_bit_field *parts; /* at least one; executed in order */
    size_t count;
    uint32_t db;
};

/* Without want_string and want_matches the answer is the length alone. */
struct keystore_lcs_request {
    struct keystore_slice key;
    struct keystore_slice other_key;
    bool want_string;
    bool want_matches;
    uint64_t min_match_length; /* shorter matches are left out; needs want_matches */
    uint32_t db;               /* of both keys */
};

struct keystore_expire_request {
    struct keystore_slice key;
    int64_t ttl_ms;
    int64_t expire_at_ms; /* Unix time, instead of ttl_ms */
    bool persist;         /* remove the time to live, instead of both */
    enum keystore_expire_when when;
    uint32_t db;
};

struct keystore_copy_request {
    struct keystore_slice source;
    struct keystore_slice target;
    bool has_target_db; /* else the target is in the source's database */
    uint32_t target_db; /* needs has_target_db */
    bool replace;       /* copy: even if the target exists */
    bool absent_only;   /* rename: only if the target does not exist; else it is replaced */
    uint32_t db;        /* of the source */
};

/* random_key returns an empty key if the database has no keys. */
struct keystore_db_request {
    uint32_t db;
};

/* swap_db: the two databases whose contents are swapped. */
struct keystore_swap_request {
    uint32_t db;
    uint32_t other_db;
};

enum keystore_list_end { KEYSTORE_END_DEFAULT = 0, KEYSTORE_HEAD = 1, KEYSTORE_TAIL = 2 };

struct keystore_pop_request {
    const struct keystore_slice *keys; /* the first that holds a list is popped from */
    size_t key_count;
    enum keystore_list_end end; /* default: the head */
    uint32_t count;             /* maximum number of elements; 0 = one */
    int64_t wait_ms;            /* 0 = do not wait; prolongs the timeout; -1 = until the timeout */
    uint32_t db;
};

struct keystore_move_request {
    struct keystore_slice source;
    struct keystore_slice target;
    enum keystore_list_end source_end; /* default: the head */
    enum keystore_list_end target_end; /* default: the head */
    int64_t wait_ms; /* 0 = do not wait; prolongs the timeout; -1 = until the timeout */
    uint32_t db;
};

struct keystore_list_item {
    struct keystore_slice key;
    int64_t index;               /* lindex and lset; negative counts from the tail */
    struct keystore_slice value; /* lset and linsert */
    struct keystore_slice pivot; /* linsert only */
    bool after;                  /* linsert only: after the pivot, else before it */
    uint32_t db;
};

struct keystore_list_find {
    struct keystore_slice key;
    struct keystore_slice value;
    int64_t count;     /* 0 = all */
    int64_t rank;      /* lpos only */
    uint64_t max_scan; /* lpos only: maximum number of elements to compare; 0 = all */
    uint32_t db;
};

struct keystore_info_request {
    const char *const *sections; /* UTF-8; empty = all */
    size_t count;
};

struct keystore_save_request {
    bool wait; /* answer when the snapshot is durable */
};

struct keystore_health_request {
    const char *service; /* UTF-8; NULL or "" = the whole server */
};

enum keystore_serving_status {
    KEYSTORE_SERVING_UNKNOWN = 0,
    KEYSTORE_SERVING = 1,
    KEYSTORE_NOT_SERVING = 2,
};

struct keystore_health_reply {
    enum keystore_serving_status status;
};

struct keystore_value {
    struct keystore_slice value;
    bool found;
    uint64_t version;
    int64_t expire_at_ms; /* Unix time; 0 = never */
    uint64_t as_of;       /* with want_as_of: for keystore_compare.unchanged_since */
};

struct keystore_status {
    bool ok;
    int64_t count;
    uint64_t version;
    bool has_previous;
    struct keystore_value previous;
};

struct keystore_list {
    const struct keystore_slice *values;
    size_t count;
    bool found;
    int64_t length; /* of the whole list */
    int64_t offset; /* of values[0] */
    uint64_t version;
};

struct keystore_values {
    const struct keystore_value *values; /* in the order of the request's keys */
    size_t count;
};

struct keystore_number {
    int64_t integer;
    double real;
    uint64_t version;
    struct keystore_slice decimal; /* the exact sum, as it is stored */
};

enum keystore_type {
    KEYSTORE_TYPE_NONE = 0,
    KEYSTORE_TYPE_STRING = 1,
    KEYSTORE_TYPE_LIST = 2,
};

struct keystore_key_info {
    bool found;
    enum keystore_type type;
    int64_t length;       /* bytes of a string, elements of a list */
    int64_t expire_at_ms; /* Unix time; 0 = never */
    uint64_t version;
    int64_t memory_bytes;
    uint64_t as_of; /* with want_as_of: for keystore_compare.unchanged_since */
};

struct keystore_popped {
    struct keystore_slice key;
    const struct keystore_slice *values;
    size_t count;
    bool found;
};

struct keystore_positions {
    const int64_t *indexes;
    size_t count;
};

struct keystore_bit_field_item {
    bool done;     /* false: KEYSTORE_OVERFLOW_FAIL left the integer unchanged */
    int64_t value; /* get: the integer; set: the previous one; increment: the sum */
};

struct keystore_bit_fields {
    const struct keystore_bit_field_item *items; /* one per part, in request order */
    size_t count;
    uint64_t version;
};

/* A run of bytes of the common subsequence that is contiguous in both strings. */
struct keystore_lcs_match {
    int64_t start;       /* in the string of `key` */
    int64_t other_start; /* in that of `other_key` */
    int64_t length;      /* at least 1 */
};

struct keystore_lcs_reply {
    int64_t length;                           /* of the longest common subsequence in bytes */
    struct keystore_slice value;              /* with want_string */
    const struct keystore_lcs_match *matches; /* with want_matches: the last one first */
    size_t count;
};

struct keystore_info_field {
    const char *name; /* both are UTF-8, zero-terminated, and valid as long as answer slices */
    const char *value;
};

struct keystore_info_reply {
    const struct keystore_info_field *fields;
    size_t count;
};

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
