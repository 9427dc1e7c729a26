/* The router. Only exact matches, so that no variant of a path escapes a later check. */
#include "service/route.h"

#include "service/streams/backup.h"
#include "service/streams/clients.h"
#include "service/streams/consume.h"
#include "service/streams/pipeline.h"
#include "service/streams/reflection.h"
#include "service/streams/scan.h"
#include "service/streams/settings.h"
#include "service/streams/stream_list.h"
#include "service/streams/subscribe.h"
#include "service/streams/watch.h"

#include <mini_redis.pb-c.h>

static const struct method methods[OP_COUNT] = {
#define OPERATION(kind_, method, request, reply, access, category, keys, apply, ...)               \
    {.name = SLICE_LITERAL(#method),                                                               \
     .kind = OP_##kind_,                                                                           \
     .decoder = {&keystore__v1__##request##__descriptor, decode_##request},                        \
     .encoder = &encode_##reply},
#include "store/operations.def"
#undef OPERATION
};

/* A method whose calls stream. */
#define STREAM(name_, method)                                                                      \
    {                                                                                              \
        .name = SLICE_LITERAL(name_), .type = METHOD_STREAM, .kind = OP_COUNT, .stream = &(method) \
    }

/* Methods for administrators that are no operations. */
static const struct method others[] = {
    {.name = SLICE_LITERAL("Info"), .type = METHOD_INFO, .kind = OP_COUNT},
    {.name = SLICE_LITERAL("Save"),
     .type = METHOD_SAVE,
     .kind = OP_COUNT,
     .encoder = &encode_status},
    STREAM("Backup", backup_method),
    STREAM("Clients", clients_method),
    STREAM("KillClients", kill_clients_method),
    STREAM("Config", config_method),
    STREAM("SetConfig", set_config_method),
};

/* Streams, and what belongs to them. */
static const struct method streams[] = {
    STREAM("Consume", consume_method),
    STREAM("Pipeline", pipeline_method),
    STREAM("Scan", scan_method),
    STREAM("StreamList", stream_list_method),
    STREAM("Watch", watch_method),
    {.name = SLICE_LITERAL("Publish"),
     .type = METHOD_PUBLISH,
     .kind = OP_COUNT,
     .encoder = &encode_status},
    STREAM("Subscribe", subscribe_method),
};

/* Under both names of the service. */
static const struct method reflection[] = {
    STREAM("ServerReflectionInfo", reflection_method),
};

static const struct method *route_find_op(struct slice name, bool admin)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        bool is_admin = op_info(methods[i].kind)->category == OP_CATEGORY_ADMIN;
        if (is_admin == admin && slice_equal(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

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
        {SLICE_LITERAL("/grpc.reflection.v1.ServerReflection/"), NO_OPS, reflection,
         COUNT(reflection)},
        {SLICE_LITERAL("/grpc.reflection.v1alpha.ServerReflection/"), NO_OPS, reflection,
         COUNT(reflection)},
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
