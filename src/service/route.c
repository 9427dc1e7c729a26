/* The router. Only exact matches, so that no variant of a path escapes a later check. */
#include "service/route.h"

#include "service/streams/consume.h"
#include "service/streams/pipeline.h"

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

/* Methods for administrators that are no operations. */
static const struct method others[] = {
    {.name = SLICE_LITERAL("Info"), .type = METHOD_INFO, .kind = OP_COUNT},
    {.name = SLICE_LITERAL("Save"),
     .type = METHOD_SAVE,
     .kind = OP_COUNT,
     .encoder = &encode_status},
};

static const struct method streams[] = {
    {.name = SLICE_LITERAL("Consume"),
     .type = METHOD_STREAM,
     .kind = OP_COUNT,
     .stream = &consume_method},
    {.name = SLICE_LITERAL("Pipeline"),
     .type = METHOD_STREAM,
     .kind = OP_COUNT,
     .stream = &pipeline_method},
};

static const struct method *route_find_name(struct slice name, bool admin)
{
    for (size_t i = 0; i < OP_COUNT; i++) {
        bool is_admin = op_info(methods[i].kind)->category == OP_CATEGORY_ADMIN;
        if (is_admin == admin && slice_equal(name, methods[i].name))
            return &methods[i];
    }
    for (size_t i = 0; !admin && i < sizeof streams / sizeof streams[0]; i++) {
        if (slice_equal(name, streams[i].name))
            return &streams[i];
    }
    for (size_t i = 0; admin && i < sizeof others / sizeof others[0]; i++) {
        if (slice_equal(name, others[i].name))
            return &others[i];
    }
    return NULL;
}

const struct method *route_find(struct slice path)
{
    static const struct {
        struct slice text;
        bool admin;
    } prefixes[] = {{SLICE_LITERAL("/keystore.v1.KeyStore/"), false},
                    {SLICE_LITERAL("/KeyStore/"), false},
                    {SLICE_LITERAL("/keystore.v1.KeyStoreAdmin/"), true},
                    {SLICE_LITERAL("/KeyStoreAdmin/"), true}};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (slice_starts_with(path, prefixes[i].text))
            return route_find_name(slice_skip(path, prefixes[i].text.len), prefixes[i].admin);
    }
    return NULL;
}
