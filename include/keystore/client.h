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
 * Requests and answers mirror the messages of proto/mini_redis.proto, whose comments are the manual
 * of their fields; a zeroed field is its default. Request slices are borrowed for the call. Answer
 * slices belong to the client and are valid until its next call or keystore_close().
 *
 * Calls block until answered, failed or timed out. A client is for one thread at a time; several
 * threads use a client each. A lost connection fails the call in flight with KEYSTORE_UNAVAILABLE;
 * the next call connects again. No call is ever repeated by itself.
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

/* Why a call failed. Zero-terminated; longer texts are cut. */
struct keystore_error {
    enum keystore_code code;
    char reason[64];   /* of enum ErrorReason, such as "ERROR_REASON_WRONG_TYPE"; may be empty */
    char message[512]; /* a sentence: what was wrong and what would be right */
};

struct keystore_slice {
    const void *data; /* may be NULL when len is 0 */
    size_t len;
};

/* The bytes of a string, without its terminating zero. */
static inline struct keystore_slice keystore_text(const char *text)
{
    struct keystore_slice slice = {text, strlen(text)};
    return slice;
}

struct keystore_options {
    int64_t connect_timeout_ms; /* 0 = 5,000 */
    int64_t timeout_ms;         /* of each call, sent to the server too; 0 = 30,000, -1 = none */
    size_t max_message;         /* largest answer in bytes; 0 = 65 MiB */
};

struct keystore_client;

/*
 * Connects to "HOST:PORT", "HOST" (port 50051), "[IPV6]:PORT" or "unix:PATH" and finishes the
 * HTTP/2 greeting, so that a success means that an HTTP/2 server answers there. `options` may be
 * NULL. Returns NULL with *error filled (KEYSTORE_UNAVAILABLE, KEYSTORE_DEADLINE_EXCEEDED, or
 * KEYSTORE_INVALID_ARGUMENT for a bad target) on failure. Free with keystore_close().
 */
KEYSTORE_API struct keystore_client *keystore_connect(const char *target,
                                                      const struct keystore_options *options,
                                                      struct keystore_error *error);

/* Closes the connection and frees all that belongs to the client. NULL is allowed. */
KEYSTORE_API void keystore_close(struct keystore_client *client);

/* The error of the last call that did not return KEYSTORE_OK. Valid until the next call. */
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
    const struct keystore_condition *condition; /* keystore_delete only; NULL = none */
};

struct keystore_key_value {
    struct keystore_slice key;
    struct keystore_slice value;
    uint32_t db;
    bool return_previous;
    const struct keystore_condition *condition; /* NULL = none */
};

struct keystore_list_insert {
    struct keystore_slice key;
    const struct keystore_slice *values;
    size_t count; /* of values, at least 1 */
    uint32_t db;
    uint64_t max_length;                        /* 0 = no cap */
    const struct keystore_condition *condition; /* NULL = none */
};

struct keystore_list_range {
    struct keystore_slice key;
    int64_t start; /* negative counts from the tail */
    int64_t stop;  /* inclusive */
    uint32_t db;
};

struct keystore_value {
    struct keystore_slice value;
    bool found;
    uint64_t version;
    int64_t expire_at_ms; /* Unix time; 0 = never */
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

/* The six calls. On anything but KEYSTORE_OK the answer is zeroed and keystore_last_error() says
 * why. */
KEYSTORE_API enum keystore_code keystore_set(struct keystore_client *client,
                                             const struct keystore_key_value *request,
                                             struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_get(struct keystore_client *client,
                                             const struct keystore_key *request,
                                             struct keystore_value *answer);
KEYSTORE_API enum keystore_code keystore_delete(struct keystore_client *client,
                                                const struct keystore_key *request,
                                                struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_lpush(struct keystore_client *client,
                                               const struct keystore_list_insert *request,
                                               struct keystore_status *answer);
KEYSTORE_API enum keystore_code keystore_lrange(struct keystore_client *client,
                                                const struct keystore_list_range *request,
                                                struct keystore_list *answer);
KEYSTORE_API enum keystore_code keystore_lpop(struct keystore_client *client,
                                              const struct keystore_key *request,
                                              struct keystore_value *answer);

#ifdef __cplusplus
}
#endif

#endif
