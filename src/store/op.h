/* One operation on the data and its result, free of any protocol. */
#ifndef KEYSTORE_STORE_OP_H
#define KEYSTORE_STORE_OP_H

#include "base/err.h"
#include "base/slice.h"

enum op_kind {
#define OPERATION(kind, method, request, reply, access, category, apply) OP_##kind,
#include "store/operations.def"
#undef OPERATION
    OP_COUNT,
};

/* Longest key in bytes. */
#define OP_MAX_KEY ((size_t)64 * 1024)

struct blob;

enum op_access { OP_READ, OP_WRITE };
enum op_category { OP_CATEGORY_STRING, OP_CATEGORY_LIST, OP_CATEGORY_KEY };

/* What the table says of a kind. */
struct op_info {
    const char *name; /* the RPC's method name, such as "LPush" */
    enum op_access access;
    enum op_category category;
};

/* Static memory; `kind` is below OP_COUNT. */
const struct op_info *op_info(enum op_kind kind);

enum existence { EXISTENCE_ANY, EXISTENCE_ABSENT, EXISTENCE_PRESENT };

/* All given parts must hold for the operation to take place. */
struct condition {
    enum existence existence;
    uint64_t version; /* 0 = any */
    bool match_value;
    struct slice value; /* meaningful with match_value */
};

/* Slices are borrowed: they outlive the operation. Zero is every field's default. */
struct op {
    enum op_kind kind;
    uint32_t db;
    struct slice key;           /* 1 byte to OP_MAX_KEY */
    struct slice value;         /* Set */
    const struct slice *values; /* LPush, at least one */
    size_t value_count;
    int64_t start;              /* LRange; negative counts from the tail */
    int64_t stop;               /* LRange; inclusive */
    uint64_t max_length;        /* LPush: elements past it are dropped at the tail; 0 = no cap */
    bool return_previous;       /* Set */
    struct condition condition; /* Set, Delete, LPush */
    size_t max_answer;          /* bytes the answer may have, as op_answer_size() counts; 0 = any */
    uint64_t hash;              /* of the key, filled in by the store; 0 = not yet */
};

/* What an element of that length takes in an answer, whatever its coding: at least this. */
static inline size_t op_answer_size(size_t len)
{
    return len + 2;
}

/* A string or element in an answer. */
struct op_value {
    struct slice bytes;
    struct blob *blob; /* holds the bytes, one reference; NULL: they lie in the arena */
    bool found;
    uint64_t version;
};

/* Slices lie in the arena that was given to store_apply(), or in blobs, to which the result has a
 * reference until op_result_release(). All zero before the operation. */
struct op_result {
    enum err err;
    const char *why; /* with err: a sentence in static memory */
    bool ok;         /* something changed or was found */
    bool has_previous;
    int64_t count;         /* keys or items affected, or the new length */
    uint64_t version;      /* of the key after the operation; 0 = no such key */
    struct op_value value; /* the value asked for, or with has_previous the former one */
    struct slice *values;  /* LRange */
    struct blob **blobs; /* of the values; an element is NULL if its value lies in the arena, all of
                            it NULL if each does */
    size_t value_count;
    int64_t length; /* LRange: of the whole list */
    int64_t offset; /* LRange: index of values[0] */
};

/* Gives the references to blobs back; the result must not be used after that. */
void op_result_release(struct op_result *result);

#endif
