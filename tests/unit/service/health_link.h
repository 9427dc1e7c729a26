/* A link (link.h) whose server has health checks, of an engine that the test has load or not.
 * Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_HEALTH_LINK_H
#define KEYSTORE_TESTS_HEALTH_LINK_H

#include "service/health.h"

#include "service/link.h"

#include <grpc/health/v1/health.pb-c.h>

#define CHECK_PATH "/grpc.health.v1.Health/Check"
#define LIST_PATH  "/grpc.health.v1.Health/List"
#define WATCH_PATH "/grpc.health.v1.Health/Watch"

static struct health health;

static inline int health_setup(void **state)
{
    link_health = &health;
    embedded_setup(state);
    health_init(&health, ((struct link *)*state)->engine, true);
    return 0;
}

static inline int health_teardown(void **state)
{
    link_health = NULL;
    return embedded_teardown(state);
}

/* A call with a HealthCheckRequest. */
static inline struct ng_stream *health_call(struct link *link, const char *path,
                                            const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)service;
    return link_call(link, path, &request);
}

static inline int health_read(struct slice message)
{
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(NULL, message.len, message.data);
    assert_non_null(response);
    int status = (int)response->status;
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    return status;
}

#endif
