/* The router. Exact matches only, so that no odd spelling of a path slips past a later check. */
#include "service/route.h"

static const struct method methods[OP_COUNT] = {
#define OPERATION(kind_, method, request, reply, access, category, apply)                          \
    {.name = SLICE_LITERAL(#method),                                                               \
     .kind = OP_##kind_,                                                                           \
     .decode = decode_##request,                                                                   \
     .encode = encode_##reply},
#include "store/operations.def"
#undef OPERATION
};

const struct method *route_find(struct slice path)
{
    static const struct slice prefixes[] = {SLICE_LITERAL("/keystore.v1.KeyStore/"),
                                            SLICE_LITERAL("/KeyStore/")};
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        if (!slice_starts_with(path, prefixes[p]))
            continue;
        struct slice name = slice_skip(path, prefixes[p].len);
        for (size_t i = 0; i < OP_COUNT; i++) {
            if (slice_equal(name, methods[i].name))
                return &methods[i];
        }
    }
    return NULL;
}
