/* The operations that can be measured. */
#ifndef KEYSTORE_BENCH_OP_H
#define KEYSTORE_BENCH_OP_H

#include <stdbool.h>

enum op { OP_GET, OP_SET, OP_L_PUSH, OP_L_POP, OP_L_RANGE, OP_R_PUSH, OP_R_POP, OP_ETCD_PUT };
#define OP_COUNT 8

struct op_row {
    const char *name; /* as --op takes it */
    const char *path; /* the method, as :path has it */
    enum op fill;     /* what stores the keys that this is called with */
    bool sends_value; /* the request has a value behind the key */
    bool is_list;     /* works on keys that hold lists */
    bool takes;       /* what is answered is gone from the server */
    bool reads;       /* the answer is a message without a byte when there is nothing to read */
};

const struct op_row *op_row(enum op op);

/* False, with *op unchanged, if no operation has that name. */
bool op_parse(const char *name, enum op *op);

#endif
