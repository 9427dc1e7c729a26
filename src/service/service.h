/*
 * The RPCs: a request message becomes an operation, the engine answers it, the result becomes the
 * reply. One service per thread; all of its calls belong to that thread.
 */
#ifndef KEYSTORE_SERVICE_SERVICE_H
#define KEYSTORE_SERVICE_SERVICE_H

#include <stddef.h>
#include <stdint.h>

struct activity_worker;
struct engine;
struct grpc_service;
struct info_source;
struct offload;
struct service;

/* What a service works with; all borrowed. */
struct service_options {
    struct engine *engine;
    unsigned worker;                  /* the worker's number, to the engine and to `offload` */
    struct activity_worker *activity; /* marked busy before a write; NULL: nobody wants to know */
    const struct info_source *info;   /* Info answers from it */
    struct offload *offload;          /* where requests are answered that take long; NULL: here */
    size_t max_value;                 /* of one value, in bytes */
    size_t max_answer;                /* that the elements of one answer may take, in bytes */
};

/* Free with service_free(). */
struct service *service_new(const struct service_options *options);

/* No call may be under way, and offload is stopped. NULL is allowed. */
void service_free(struct service *service);

/* The wall clock as the next requests see it: Unix time. To be told before they come. */
void service_set_time(struct service *service, int64_t now_ms);

/* Goes on with the requests that others held up or have worked on meanwhile. To be called after
 * engine_complete(), and when offload says that something is done. */
void service_resume(struct service *service);

/* Requests that it has taken so far, good or bad. Any thread may ask. */
uint64_t service_commands(const struct service *service);

/* What a grpc_connection asks for; owned by the service. */
const struct grpc_service *service_grpc(const struct service *service);

#endif
