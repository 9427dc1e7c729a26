/*
 * The C client of KeyStore: what the calls in keystore/client.h take and give. The comments in
 * proto/mini_redis.proto document the fields; a zeroed field has its default.
 */
#ifndef KEYSTORE_MESSAGES_H
#define KEYSTORE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/* ---- requests ---- */

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

/* A user's password, to be exchanged for a token. */
struct keystore_authenticate_request {
    const char *user;     /* both UTF-8; NULL = empty, which the server refuses */
    const char *password; /* not kept by the client */
    int64_t lifetime_ms;  /* of the token; 0 = the server's longest */
};

/* Texts are zero-terminated and valid as long as answer slices. */
struct keystore_authenticate_reply {
    const char *token;
    int64_t expires_at_ms; /* Unix time, by the server's clock */
    const char *user;
};

struct keystore_who_am_i_request {
    bool unused; /* it has no fields */
};

/* By what the server knows the caller. */
enum keystore_means {
    KEYSTORE_MEANS_NONE = 0,        /* it has no users: everybody may do everything */
    KEYSTORE_MEANS_TOKEN = 1,       /* of the users file */
    KEYSTORE_MEANS_SESSION = 2,     /* a token of keystore_authenticate() */
    KEYSTORE_MEANS_CERTIFICATE = 3, /* of the connection */
    KEYSTORE_MEANS_UNIX = 4,        /* the user of the system at this end of a unix socket */
};

/* Texts are as above. */
struct keystore_identity {
    const char *user; /* empty with KEYSTORE_MEANS_NONE */
    enum keystore_means means;
    const char *id;           /* of the token; empty: there is none */
    int64_t expires_at_ms;    /* of the token: Unix time; 0 = never */
    const char *const *rules; /* such as "read,write keys=app:* db=0-3" */
    size_t count;
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

/* ---- answers ---- */

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

#ifdef __cplusplus
}
#endif

#endif
