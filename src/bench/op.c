/* The table of operations. Does not know how their messages look. */
#include "bench/op.h"

#include <string.h>

#define SERVICE "/keystore.v1.KeyStore/"

static const struct op_row rows[OP_COUNT] = {
    [OP_GET] = {"get", SERVICE "Get", 3, OP_SET, .reads = true},
    [OP_SET] = {"set", SERVICE "Set", 2, OP_SET, .sends_value = true},
    [OP_L_PUSH] = {"lpush", SERVICE "LPush", 5, OP_L_PUSH, .sends_value = true, .is_list = true},
    [OP_L_POP] = {"lpop", SERVICE "LPop", 7, OP_L_PUSH, .is_list = true, .reads = true,
                  .takes = true},
    [OP_L_RANGE] = {"lrange", SERVICE "LRange", 6, OP_L_PUSH, .is_list = true, .reads = true},
    [OP_R_PUSH] = {"rpush", SERVICE "RPush", 8, OP_L_PUSH, .sends_value = true, .is_list = true},
    [OP_R_POP] = {"rpop", SERVICE "RPop", 9, OP_L_PUSH, .is_list = true, .reads = true,
                  .takes = true},
    /* For comparison with etcd, whose PutRequest (etcd 3.4, rpc.proto) has the same fields for key
     * and value as our KeyValue. */
    [OP_ETCD_PUT] = {"etcdput", "/etcdserverpb.KV/Put", 0, OP_ETCD_PUT, .sends_value = true},
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
