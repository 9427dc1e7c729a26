/* The table of operations. Refuses to know how their messages look. */
#include "bench/op.h"

#include <string.h>

#define SERVICE "/keystore.v1.KeyStore/"

static const struct op_row rows[OP_COUNT] = {
    [OP_GET] = {.name = "get", .path = SERVICE "Get", .reads = true},
    [OP_SET] = {.name = "set", .path = SERVICE "Set", .sends_value = true},
    [OP_LPUSH] = {.name = "lpush", .path = SERVICE "LPush", .sends_value = true, .is_list = true},
    [OP_LPOP] = {.name = "lpop", .path = SERVICE "LPop", .is_list = true, .reads = true},
    [OP_LRANGE] = {.name = "lrange", .path = SERVICE "LRange", .is_list = true, .reads = true},
};

const struct op_row *op_row(enum op op)
{
    return &rows[op];
}

bool op_parse(const char *name, enum op *op)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *op = (enum op)i;
            return true;
        }
    }
    return false;
}
