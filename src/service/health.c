/* The services and what each depends on. Nothing is kept of what was said before. */
#include "service/health.h"

#include "engine/engine.h"

/* What a service needs to be SERVING. */
enum health_need {
    NEEDS_NOTHING, /* that the process runs */
    NEEDS_DATA,    /* that they are loaded, and the server does not stop */
    NEEDS_DISK,    /* the same, and that writes are accepted */
};

struct health_service {
    struct slice name;
    enum health_need need;
    bool is_reflection;
};

static const struct health_service services[] = {
    {SLICE_LITERAL(""), NEEDS_DATA, false},
    {SLICE_LITERAL("keystore.v1.KeyStore"), NEEDS_DATA, false},
    {SLICE_LITERAL("keystore.v1.KeyStoreAdmin"), NEEDS_DATA, false},
    {SLICE_LITERAL("keystore.v1.KeyStoreAuth"), NEEDS_DATA, false},
    {SLICE_LITERAL("grpc.health.v1.Health"), NEEDS_DATA, false},
    {SLICE_LITERAL("grpc.reflection.v1.ServerReflection"), NEEDS_DATA, true},
    {SLICE_LITERAL("grpc.reflection.v1alpha.ServerReflection"), NEEDS_DATA, true},
    {SLICE_LITERAL("keystore.live"), NEEDS_NOTHING, false},
    {SLICE_LITERAL("keystore.write"), NEEDS_DISK, false},
};

#define SERVICES (sizeof services / sizeof services[0])

void health_init(struct health *health, struct engine *engine, bool has_reflection)
{
    health->engine = engine;
    health->has_reflection = has_reflection;
    atomic_init(&health->is_stopping, false);
}

void health_stop(struct health *health)
{
    atomic_store(&health->is_stopping, true);
}

static bool health_has(const struct health *health, const struct health_service *service)
{
    return health->has_reflection || !service->is_reflection;
}

const struct health_service *health_find(const struct health *health, struct slice name)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (health_has(health, &services[i]) && slice_equal(services[i].name, name))
            return &services[i];
    return NULL;
}

const char *health_reason(const struct health *health, const struct health_service *service)
{
    if (service->need == NEEDS_NOTHING)
        return NULL;
    if (atomic_load(&health->is_stopping))
        return "the server is stopping";
    switch (engine_state(health->engine)) {
    case ENGINE_TAKES_ALL:
        break;
    case ENGINE_LOADS:
        return "the server is loading its data";
    case ENGINE_READ_ONLY:
        return service->need == NEEDS_DISK ? "the disk accepts no writes" : NULL;
    }
    return NULL;
}

enum health_status health_status(const struct health *health, const struct health_service *service)
{
    if (service == NULL)
        return HEALTH_SERVICE_UNKNOWN;
    return health_reason(health, service) == NULL ? HEALTH_SERVING : HEALTH_NOT_SERVING;
}

void health_each(const struct health *health,
                 void (*visit)(void *user, struct slice name, enum health_status status),
                 void *user)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (health_has(health, &services[i]))
            visit(user, services[i].name, health_status(health, &services[i]));
}
