/*
 * A step of a round: what is done to both servers. Made from dice alone, so that a step can be left
 * out or done again; what depends on the servers' answers (versions, the wall clock) is a wish that
 * the one who does the step fulfils.
 */
#ifndef KEYSTORE_TESTS_MODEL_STEP_H
#define KEYSTORE_TESTS_MODEL_STEP_H

#include "differences.h"

#include <keystore/client.h>
#include <stdio.h>

/* Which version a condition asks for. */
enum version_wish {
    VERSION_ANY,
    VERSION_RIGHT,
    VERSION_STALE, /* one that the key once had */
    VERSION_WRONG, /* one that no key ever had */
};

/* What the requests point to as their condition. */
struct step_condition {
    struct keystore_condition condition; /* first: the requests' pointer is one to this */
    enum version_wish wish;
    bool right_value; /* the string that the key has, if it has one */
};

enum step_kind {
    STEP_OP,
    STEP_TXN,
    STEP_FLUSH,
    STEP_SWAP,
    STEP_RANDOM_KEY,
    STEP_REFUSED, /* an operation that is an error for ours, and not for Redis */
    STEP_LAPSE,   /* a deadline that comes while the step lasts */
    STEP_WATCH,   /* operations while a key is watched, and whether that shows it was written */
};

/* Above every number of enum keystore_op_kind. */
#define STEP_OP_KINDS 64

struct step {
    enum step_kind kind;
    uint32_t db;                     /* FLUSH, RANDOM_KEY, SWAP */
    uint32_t other_db;               /* SWAP */
    struct keystore_op op;           /* OP, REFUSED; LAPSE: an Expire */
    enum difference refusal;         /* REFUSED: why */
    struct keystore_txn_request txn; /* TXN; WATCH: its one compare has the key, its success what
                                        comes between, and no transaction is sent */
};

/* A key that an operation names. */
struct step_key {
    uint32_t db;
    struct keystore_slice key;
    const struct keystore_condition *condition; /* NULL = none */
};

/* How many keys the operation names, of which it fills in those that fit into `most`. */
size_t step_keys(const struct keystore_op *op, struct step_key *keys, size_t most);

/* Its ttl_ms and expire_at_ms; 0 for operations that have none. */
int64_t step_ttl_ms(const struct keystore_op *op);
int64_t step_expire_at_ms(const struct keystore_op *op);

/* The operation's name as in the API; NULL if there is none of that number. */
const char *step_name(enum keystore_op_kind kind);

/* The databases are numbered from `first_db` on. */
void step_print(FILE *out, const struct step *step, uint32_t first_db);

/* True if a key of one is a key of the other. */
bool step_meets(const struct step *step, const struct step *other);

#endif
