/* The operations that can be measured. */
#ifndef KEYSTORE_BENCH_OP_H
#define KEYSTORE_BENCH_OP_H

#include <stdbool.h>

enum op { OP_GET, OP_SET, OP_L_PUSH, OP_L_POP, OP_L_RANGE, OP_R_PUSH, OP_R_POP, OP_ETCD_PUT };
#define OP_COUNT 8

struct op_row {
    const char *name; /* as in --op */
    const char *path; /* the method, as in :path */
    unsigned field;   /* its number in message Op; 0 = it is not in a Pipeline */
    enum op fill;     /* the operation that stores its keys */
    bool sends_value; /* the request has a value after the key */
    bool is_list;     /* works on keys that hold lists */
    bool takes;       /* removes from the server what it returns */
    bool reads;       /* a miss is answered by an empty message */
};

const struct op_row *op_row(enum op op);

/* False, with *op unchanged, if the name is unknown. */
bool op_parse(const char *name, enum op *op);

#endif
