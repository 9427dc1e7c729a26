/* The router. Only exact matches, so that no variant of a path escapes a later check. */
#include "service/route.h"

#include "base/check.h"
#include "service/streams/authenticate.h"
#include "service/streams/backup.h"
#include "service/streams/clients.h"
#include "service/streams/consume.h"
#include "service/streams/health_watch.h"
#include "service/streams/pipeline.h"
#include "service/streams/reflection.h"
#include "service/streams/scan.h"
#include "service/streams/settings.h"
#include "service/streams/stream_list.h"
#include "service/streams/subscribe.h"
#include "service/streams/watch.h"
#include "service/streams/who_am_i.h"

#include <mini_redis.pb-c.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct method methods[OP_COUNT] = {
#define OPERATION(kind_, method, request, reply, access, category, keys, apply, ...)               \
    {.name = SLICE_LITERAL(#method),                                                               \
     .needs = METHOD_NEEDS_KEYS,                                                                   \
     .kind = OP_##kind_,                                                                           \
     .decoder = {&keystore__v1__##request##__descriptor, decode_##request},                        \
     .encoder = &encode_##reply},
#include "store/operations.def"
#undef OPERATION
};

/* A method whose calls stream; shape is SERVER_STREAM or BIDI_STREAM, or NULL if to its callers it
 * is unary. */
#define STREAM(name_, method, shape_, needs_)                                                      \
    {                                                                                              \
        .name = SLICE_LITERAL(name_), .needs = METHOD_NEEDS_##needs_, .type = METHOD_STREAM,       \
        .kind = OP_COUNT, .stream = &(method), .shape = (shape_)                                   \
    }
#define SERVER_STREAM "server_stream"
#define BIDI_STREAM   "bidi_stream"

/* A method about the server. */
#define REPORT(name_, report_)                                                                     \
    {                                                                                              \
        .name = SLICE_LITERAL(name_), .needs = METHOD_NEEDS_ADMIN, .type = METHOD_INFO,            \
        .kind = OP_COUNT, .report = (report_)                                                      \
    }

/* Methods for administrators that are no operations. */
static const struct method others[] = {
    REPORT("Info", REPORT_INFO),
    REPORT("Latency", REPORT_LATENCY),
    REPORT("SlowLog", REPORT_SLOW_LOG),
    {.name = SLICE_LITERAL("Save"),
     .needs = METHOD_NEEDS_ADMIN,
     .type = METHOD_SAVE,
     .kind = OP_COUNT,
     .encoder = &encode_status},
    STREAM("Backup", backup_method, SERVER_STREAM, ADMIN),
    STREAM("Clients", clients_method, SERVER_STREAM, ADMIN),
    STREAM("KillClients", kill_clients_method, NULL, ADMIN),
    STREAM("Config", config_method, NULL, ADMIN),
    STREAM("SetConfig", set_config_method, NULL, ADMIN),
};

/* Who callers are. */
static const struct method auth[] = {
    STREAM("Authenticate", authenticate_method, NULL, NOTHING),
    STREAM("WhoAmI", who_am_i_method, NULL, USER),
};

/* Streams, and what belongs to them. */
static const struct method streams[] = {
    STREAM("Consume", consume_method, BIDI_STREAM, KEYS),
    STREAM("Pipeline", pipeline_method, BIDI_STREAM, KEYS),
    STREAM("Scan", scan_method, SERVER_STREAM, KEYS),
    STREAM("StreamList", stream_list_method, SERVER_STREAM, KEYS),
    STREAM("Watch", watch_method, SERVER_STREAM, KEYS),
    {.name = SLICE_LITERAL("Publish"),
     .needs = METHOD_NEEDS_KEYS,
     .type = METHOD_PUBLISH,
     .kind = OP_COUNT,
     .encoder = &encode_status},
    STREAM("Subscribe", subscribe_method, SERVER_STREAM, KEYS),
};

/* Under both names of the service. */
static const struct method reflection[] = {
    STREAM("ServerReflectionInfo", reflection_method, BIDI_STREAM, USER),
};

static const struct method health[] = {
    {.name = SLICE_LITERAL("Check"),
     .needs = METHOD_NEEDS_NOTHING,
     .type = METHOD_HEALTH_CHECK,
     .kind = OP_COUNT},
    {.name = SLICE_LITERAL("List"),
     .needs = METHOD_NEEDS_NOTHING,
     .type = METHOD_HEALTH_LIST,
     .kind = OP_COUNT},
    STREAM("Watch", health_watch_method, SERVER_STREAM, NOTHING),
};

#define HEALTH_PREFIX SLICE_LITERAL("/grpc.health.v1.Health/")

static const struct method *route_find_op(struct slice name, bool admin)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        bool is_admin = op_info(methods[i].kind)->category == OP_CATEGORY_ADMIN;
        if (is_admin == admin && slice_equal(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

const struct method *route_find(struct slice path)
{
    enum ops { NO_OPS, DATA_OPS, ADMIN_OPS };
    static const struct {
        struct slice text;
        enum ops ops;
        const struct method *others; /* methods that are no operations */
        size_t count;
    } prefixes[] = {
        {SLICE_LITERAL("/keystore.v1.KeyStore/"), DATA_OPS, streams, COUNT(streams)},
        {SLICE_LITERAL("/KeyStore/"), DATA_OPS, streams, COUNT(streams)},
        {SLICE_LITERAL("/keystore.v1.KeyStoreAdmin/"), ADMIN_OPS, others, COUNT(others)},
        {SLICE_LITERAL("/KeyStoreAdmin/"), ADMIN_OPS, others, COUNT(others)},
        {SLICE_LITERAL("/keystore.v1.KeyStoreAuth/"), NO_OPS, auth, COUNT(auth)},
        {SLICE_LITERAL("/KeyStoreAuth/"), NO_OPS, auth, COUNT(auth)},
        {SLICE_LITERAL("/grpc.reflection.v1.ServerReflection/"), NO_OPS, reflection,
         COUNT(reflection)},
        {SLICE_LITERAL("/grpc.reflection.v1alpha.ServerReflection/"), NO_OPS, reflection,
         COUNT(reflection)},
        {HEALTH_PREFIX, NO_OPS, health, COUNT(health)},
    };
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        if (!slice_starts_with(path, prefixes[i].text))
            continue;
        struct slice name = slice_skip(path, prefixes[i].text.len);
        for (size_t m = 0; m < prefixes[i].count; m++)
            if (slice_equal(name, prefixes[i].others[m].name))
                return &prefixes[i].others[m];
        return prefixes[i].ops == NO_OPS ? NULL : route_find_op(name, prefixes[i].ops == ADMIN_OPS);
    }
    return NULL;
}

const struct method *route_find_health(struct slice path)
{
    return slice_starts_with(path, HEALTH_PREFIX) ? route_find(path) : NULL;
}

/* ---- numbers ---- */

/* All methods, in the order of their numbers. One that several services have is listed once. */
static const struct {
    const struct method *methods;
    size_t count;
    const char *service; /* NULL: of operations, which are of two services */
} tables[] = {
    {methods, OP_COUNT, NULL},
    {others, COUNT(others), "keystore.v1.KeyStoreAdmin"},
    {auth, COUNT(auth), "keystore.v1.KeyStoreAuth"},
    {streams, COUNT(streams), "keystore.v1.KeyStore"},
    {reflection, COUNT(reflection), "grpc.reflection.v1.ServerReflection"},
    {health, COUNT(health), "grpc.health.v1.Health"},
};

#define UNKNOWN_METHOD                                                                             \
    (COUNT(methods) + COUNT(others) + COUNT(auth) + COUNT(streams) + COUNT(reflection) +           \
     COUNT(health)) /* the last number */

size_t route_method_count(void)
{
    return UNKNOWN_METHOD + 1;
}

size_t route_method_number(const struct method *method)
{
    size_t first = 0;
    if (method == NULL)
        return UNKNOWN_METHOD;
    for (size_t i = 0; i < COUNT(tables); i++) {
        for (size_t m = 0; m < tables[i].count; m++)
            if (&tables[i].methods[m] == method)
                return first + m;
        first += tables[i].count;
    }
    CHECK_NEVER("a method of none of the tables");
}

/* The table and the method of a number; NULL: it stands for unknown ones. */
static const struct method *route_method(size_t number, const char **service)
{
    CHECK(number <= UNKNOWN_METHOD);
    *service = "";
    for (size_t i = 0; i < COUNT(tables); i++) {
        if (number < tables[i].count) {
            *service = tables[i].service;
            return &tables[i].methods[number];
        }
        number -= tables[i].count;
    }
    return NULL;
}

const char *route_method_name(size_t number)
{
    const char *service;
    const struct method *method = route_method(number, &service);
    return method != NULL ? (const char *)method->name.data : "unknown"; /* a literal */
}

const char *route_method_service(size_t number)
{
    const char *service;
    const struct method *method = route_method(number, &service);
    if (service != NULL)
        return service;
    bool is_admin = op_info(method->kind)->category == OP_CATEGORY_ADMIN;
    return is_admin ? "keystore.v1.KeyStoreAdmin" : "keystore.v1.KeyStore";
}

bool route_is_admin(const struct method *method)
{
    if (method == NULL)
        return false;
    return method->kind < OP_COUNT ? op_info(method->kind)->category == OP_CATEGORY_ADMIN
                                   : method->needs == METHOD_NEEDS_ADMIN;
}

const char *route_method_type(size_t number)
{
    const char *service;
    const struct method *method = route_method(number, &service);
    return method != NULL && method->shape != NULL ? method->shape : "unary";
}
