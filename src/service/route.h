/* Paths to methods: the operation table as RPCs, and those that are no operations. */
#ifndef KEYSTORE_SERVICE_ROUTE_H
#define KEYSTORE_SERVICE_ROUTE_H

#include "service/decode.h"
#include "service/encode.h"

enum method_type {
    METHOD_OP,           /* an operation */
    METHOD_INFO,         /* about the server, not its data; has no codec */
    METHOD_SAVE,         /* a snapshot by the engine; has no decoder */
    METHOD_PUBLISH,      /* a message, which is not stored; has no decoder */
    METHOD_HEALTH_CHECK, /* of grpc.health.v1, as the next; have no codec */
    METHOD_HEALTH_LIST,
    METHOD_STREAM, /* a call with streams of messages; has no codec */
};

/* What a METHOD_INFO is about. */
enum method_report { REPORT_INFO, REPORT_LATENCY, REPORT_SLOW_LOG };

/* What a caller needs to call a method at all, on a server with users. */
enum method_needs {
    METHOD_NEEDS_UNDECIDED, /* nobody may call it */
    METHOD_NEEDS_NOTHING,   /* no credentials either */
    METHOD_NEEDS_USER,      /* the credentials of any user */
    METHOD_NEEDS_KEYS, /* the same, and what it does with keys or channels is checked by itself */
    METHOD_NEEDS_ADMIN,
};

struct method {
    struct slice name;
    enum method_needs needs;
    enum method_type type;
    enum op_kind kind;         /* OP_COUNT unless it is an operation */
    enum method_report report; /* of METHOD_INFO */
    struct decoder decoder;
    const struct encoder *encoder;
    const struct grpc_stream_method *stream; /* of METHOD_STREAM, else NULL */
    const char *shape;                       /* of METHOD_STREAM, as route_method_type() */
};

/*
 * The method of the path "/keystore.v1.KeyStore/NAME" or "/KeyStore/NAME", with KeyStoreAdmin if it
 * is for administrators, with KeyStoreAuth if it is about callers, or of a standard service of
 * gRPC, compared byte for byte; NULL if there is none. Static memory.
 */
const struct method *route_find(struct slice path);

/* The same, but only of grpc.health.v1. */
const struct method *route_find_health(struct slice path);
/*
 * Methods have numbers, for those who count their calls (grpc/meter.h): below route_method_count(),
 * without gaps. The last one stands for all unknown methods; its name is "unknown", its service "".
 */
size_t route_method_count(void);

/* NULL: an unknown one. */
size_t route_method_number(const struct method *method);

/* Of the method with that number; static memory. */
const char *route_method_name(size_t number);
const char *route_method_service(size_t number); /* in full, such as "keystore.v1.KeyStore" */
const char *route_method_type(size_t number);    /* "unary", "client_stream", "server_stream" or
                                                 "bidi_stream" */

/* True if its calls administrate the server, or are of all keys of a database: those of
 * KeyStoreAdmin. NULL is allowed. */
bool route_is_admin(const struct method *method);

#endif
