/* The operations that can be measured. */
#ifndef KEYSTORE_BENCH_OP_H
#define KEYSTORE_BENCH_OP_H

#include <stdbool.h>

enum op { OP_GET, OP_SET, OP_LPUSH, OP_LPOP, OP_LRANGE };
#define OP_COUNT 5

struct op_row {
    const char *name; /* as --op takes it */
    const char *path; /* the method, as :path has it */
    bool sends_value; /* the request has a value behind the key */
    bool is_list;     /* works on keys that hold lists */
    bool reads;       /* the answer is a message without a byte when there is nothing to read */
};

const struct op_row *op_row(enum op op);

/* False, with *op unchanged, if no operation has that name. */
bool op_parse(const char *name, enum op *op);

#endif
