/* An operation on the data and its result, independent of any protocol. */
#ifndef KEYSTORE_STORE_OP_H
#define KEYSTORE_STORE_OP_H

#include "base/err.h"
#include "base/slice.h"

#include <stdatomic.h>

enum op_kind {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...) OP_##kind,
#include "store/operations.def"
#undef OPERATION
    OP_COUNT,
};

/* Longest key in bytes. */
#define OP_MAX_KEY ((size_t)64 * 1024)

/* The longest key that an error names, in bytes. */
#define OP_MAX_KEY_IN_ERROR ((size_t)256)

/* Keys whose memory is prefetched at the same time: a processor has no more loads in flight. */
#define STORE_PREFETCH ((size_t)16)

struct blob;
struct op_result;
struct pinned;

/* What an operation may do. OP_WRITE takes no memory; OP_GROW may, and is refused at the memory
 * limit; OP_ADJUST may take a few bytes, for which the limit has a reserve (limit.h). */
enum op_access { OP_READ, OP_WRITE, OP_ADJUST, OP_GROW };
enum op_category {
    OP_CATEGORY_STRING,
    OP_CATEGORY_LIST,
    OP_CATEGORY_KEY,
    OP_CATEGORY_TXN,
    OP_CATEGORY_ADMIN,
};

/* Where an operation has its keys. */
enum op_keys {
    OP_KEYS_KEY,  /* key */
    OP_KEYS_PAIR, /* key and target */
    OP_KEYS_KEYS, /* keys */
    OP_KEYS_INTO, /* key, which is written, and keys */
    OP_KEYS_OPS,  /* those of ops, else_ops and compares */
    OP_KEYS_NONE, /* it chooses its key itself */
    OP_KEYS_DB,   /* all keys of the database */
    OP_KEYS_DBS,  /* all keys of two of them: db and target_db */
};

/* Which permissions an operation needs on its keys (access/rules.h). */
enum op_needs {
    OP_NEEDS_READ,  /* read on all of them */
    OP_NEEDS_WRITE, /* write */
    OP_NEEDS_BOTH,
    OP_NEEDS_COPY,  /* read on those that it reads, write on the one that it writes */
    OP_NEEDS_MOVE,  /* both on the source, write on the target */
    OP_NEEDS_INNER, /* those of the operations within it */
};

/* What a kind has in common with a few others. */
enum op_trait {
    /* Fields of a request message shared by several operations; an operation without the trait
     * refuses the field. */
    OP_TAKES_TTL = 1 << 0, /* ttl_ms and expire_at_ms of KeyValue */
    OP_TAKES_KEEP_TTL = 1 << 1,
    OP_TAKES_PREVIOUS = 1 << 2, /* return_previous */
    OP_TAKES_CONDITION = 1 << 3,
    OP_TAKES_AS_OF = 1 << 4, /* want_as_of */
    OP_TAKES_VALUE = 1 << 5, /* of ByteRange and ListItem */
    OP_TAKES_STOP = 1 << 6,  /* of ByteRange */
    OP_TAKES_WHEN = 1 << 7,
    OP_TAKES_REPLACE = 1 << 8,
    OP_TAKES_ABSENT_ONLY = 1 << 9,
    OP_TAKES_INDEX = 1 << 10,
    OP_TAKES_PIVOT = 1 << 11,
    OP_TAKES_AFTER = 1 << 12,
    OP_TAKES_RANK = 1 << 13,
    OP_TAKES_MAX_SCAN = 1 << 14,
    OP_TAKES_BIT = 1 << 15, /* of BitRequest and BitRange */
    /* What it does. */
    OP_REPLACES = 1 << 24,      /* what it writes does not depend on the keys' former values */
    OP_SPLICES = 1 << 25,       /* writes into a string, which may get a reserve for growth */
    OP_GROWS_BY_DATA = 1 << 27, /* how much memory it takes depends on the data alone */
    OP_COUNTS_BITS = 1 << 26,   /* `start` is an offset in bits */
    OP_HAS_MANY = 1 << 28,      /* has one key, but any number of values or parts */
};

/* A row of the operation table. */
struct op_info {
    const char *name; /* the RPC's method name, such as "LPush" */
    const char *kind; /* the kind's, such as "L_PUSH" */
    enum op_access access;
    enum op_category category;
    enum op_keys keys;
    unsigned traits; /* of enum op_trait */
    enum op_needs needs;
};

/* Static memory; `kind` is below OP_COUNT. */
const struct op_info *op_info(enum op_kind kind);

/* Bytes of the longest name of a field of Op, with its terminating zero. */
#define OP_FIELD_SIZE ((size_t)24)

/* The name of the operation's field in the proto's message Op, such as "l_push", written to `name`,
 * which is returned. */
const char *op_field(enum op_kind kind, char name[OP_FIELD_SIZE]);

/* True if the kind has at least one of the traits. */
static inline bool op_is(enum op_kind kind, unsigned traits)
{
    return (op_info(kind)->traits & traits) != 0;
}

/* How an attempt to carry out an operation ended (store_try_apply()). */
enum store_answer {
    STORE_DONE,
    STORE_HELD,     /* not done: a long-running operation holds a lock that it needs */
    STORE_COSTLY,   /* not done: it takes long itself */
    STORE_WAITING,  /* not done: op_waits(), and there is no list for it. If it has a waiter, that
                       is in line at its keys */
    STORE_NOTIFIED, /* done, and waiters were notified: see struct waiter */
};

enum existence { EXISTENCE_ANY, EXISTENCE_ABSENT, EXISTENCE_PRESENT };

/* The operation is carried out only if all given parts hold. */
struct condition {
    enum existence existence;
    uint64_t version; /* 0 = any */
    bool match_value;
    struct slice value; /* meaningful with match_value */
};

/* One of several keys. */
struct op_key {
    struct slice bytes; /* 1 byte to OP_MAX_KEY */
    uint64_t hash;      /* filled in by the store; 0 = not yet */
};

/*
 * One who waits for a list at one of some keys, in line with others at each of them. All zero but
 * `notify` does not wait; an operation that ends with STORE_WAITING puts it in line.
 */
struct waiter {
    /* To be tried again: a list may have come, and nobody is before it. Called on any thread, under
     * locks of the store, so it only takes note of that. */
    void (*notify)(struct waiter *waiter);
    struct waiter_place *places; /* one for each key; NULL: it is not in line */
    size_t place_count;
};

/* Ends the wait; the next ones in line have their turn. True if one of them was notified. To be
 * called also when the operation is done. A no-op if it is not in line. */
bool waiter_leave(struct waiter *waiter);

/* What only those ListPops and LMoves have that wait, or that move elements for streams. */
struct op_take {
    int64_t wait_ms;       /* not 0: waits for a list; its owner limits how long */
    struct waiter *waiter; /* with wait_ms; NULL: does not get in line */
    /* Is not 0: the operation does nothing. Read under the locks of the keys. NULL: always 0. */
    const atomic_size_t *unless;
    bool fits; /* ListPop: as many as max_answer allows, at least one, instead of failing */
    struct op_key target; /* ListPop: the elements are pushed to `target_end` of this other key; if
                             empty, they are not */
    bool is_equal; /* LMove, of two keys: the first element that equals `value`, if there is one, */
    bool from_tail; /* searched from there; else from the head */
};

/*
 * One who keeps the answer of a write with its commit, so that they are lost or survive together.
 */
struct op_receipt {
    /* The operation has succeeded, and its commit is about to end. Called once, under the commit's
     * locks, on the thread that carries it out. Returns bytes for the commit's record in the log,
     * which are valid until the commit has ended. */
    struct slice (*keep)(struct op_receipt *receipt, const struct op_result *result,
                         uint64_t revision);
};

/* How BitOp combines strings. */
enum op_bitwise { OP_BITS_AND, OP_BITS_OR, OP_BITS_XOR, OP_BITS_NOT };

/* A part of BitField: an integer of 1 to 64 bits if signed, else 1 to 63, whose most significant
 * bit is the one at `offset`, at most INT64_MAX. */
enum op_field_action { OP_FIELD_GET, OP_FIELD_SET, OP_FIELD_INCREMENT };
enum op_overflow { OP_OVERFLOW_WRAP, OP_OVERFLOW_SATURATE, OP_OVERFLOW_FAIL };
struct op_field {
    enum op_field_action action;
    enum op_overflow overflow;
    bool is_signed;
    uint8_t bits;
    uint64_t offset;
    int64_t value; /* SET of an unsigned field: the bits of an uint64_t */
};

/* Which end of a list. */
enum op_end { OP_HEAD, OP_TAIL };

/* Expire only if the key... */
enum op_when { OP_ALWAYS, OP_NO_EXPIRY, OP_HAS_EXPIRY, OP_LATER, OP_SOONER };

/* Why a key was removed. */
enum op_cause { OP_CAUSE_REQUEST, OP_CAUSE_EXPIRY, OP_CAUSE_EVICTION };

/*
 * Slices and arrays are borrowed and must outlive the operation. Zero is the default of every
 * field. The range of each single field is checked before the store sees the operation.
 *
 * In the change stream (change.h) the same struct describes what a write did: an operation with the
 * same effect on the same data, without a clock or a condition.
 */
struct op {
    enum op_kind kind;
    uint32_t db;
    uint64_t id;      /* in a Txn: chosen by the caller, returned with the reply */
    struct slice key; /* 1 byte to OP_MAX_KEY */
    uint64_t hash;    /* of the key, filled in by the store; 0 = not yet */
    int64_t now_ms;   /* current time for the operation: Unix time */

    struct slice value;   /* Set, Append, SetRange, LSet, LInsert; LRem and LPos search for it */
    int64_t expire_at_ms; /* Set, LPush, RPush, Incr, Expire, GetEx: Unix time; 0 = not given */
    struct op_key target; /* Rename, Copy, LMove, Lcs */
    uint32_t target_db;  /* of the target; for LMove and Lcs it is db; SwapDb: the other database */
    struct op_key *keys; /* OP_KEYS_KEYS, OP_KEYS_INTO: at least one */
    size_t key_count;
    struct condition condition; /* Set, Delete, GetDel, LPush, RPush; a Txn's compare */

    /* The blob that holds the request message, or NULL. The store may keep it instead of copying a
     * value that makes up nearly all of it (blob_cut()). */
    struct blob *holder;
    struct op_receipt *receipt; /* told of the answer if there is a commit; NULL: nobody is */

    const struct slice *values; /* LPush, RPush: at least one */
    size_t value_count;

    union {
        int64_t start; /* LRange, LTrim, GetRange, SetRange, BitCount, BitPos; negative counts
                          from the tail. SetBit, GetBit: the bit's offset, at least 0 */
        int64_t index; /* LIndex, LSet; negative counts from the tail */
    };
    int64_t stop;  /* LRange, LTrim, GetRange; BitCount and BitPos with has_stop; inclusive */
    int64_t count; /* LRem: how many, negative from the tail, 0 = all; LPos: how many, 0 = all;
                      ListPop: how many, 0 = 1 */

    /* Fields of a few kinds; only their code may access them. */
    union {
        struct {
            bool return_previous;
            bool keep_ttl;
        } set; /* Set */
        struct {
            bool want_as_of;
        } read; /* Get, Describe */
        struct {
            bool persist; /* removes the deadline */
            enum op_when when;
        } expire; /* Expire; GetEx without `when` */
        struct {
            bool replace;     /* Copy: also if the target exists */
            bool absent_only; /* Rename: only if the target does not exist */
        } copy;               /* Copy, Rename */
        struct {
            union {
                int64_t by;
                const long double *by_real; /* with is_real; if not finite, the operation fails */
            };
            bool is_real;
        } incr; /* Incr */
        struct {
            /* If not NULL, the answer has no elements: the list is pinned here (list/pinned.h), for
             * the caller to release, and `count` says how many elements the range has. */
            struct pinned *pin;
        } range; /* LRange */
        struct {
            uint64_t max_length; /* a longer list is trimmed at the other end; 0 = no limit */
        } push;                  /* LPush, RPush */
        struct {
            enum op_end end; /* LMove: of the key */
            enum op_end target_end;
            struct op_take *take; /* NULL: takes what is there, and as many as requested */
            bool empties;         /* in the change stream: it has taken the last element */
        } move;                   /* LMove; ListPop without `target_end` */
        struct {
            enum op_cause cause; /* in the change stream */
        } removal;               /* Delete */
        struct {
            struct slice pivot;
            bool after; /* the pivot; else before it */
        } insert;       /* LInsert */
        struct {
            int64_t rank;      /* of the first match wanted; negative from the tail; 0 = 1 */
            uint64_t max_scan; /* elements compared at most; 0 = no limit */
        } pos;                 /* LPos */
        struct {
            bool bit;                /* SetBit: the new value; BitPos: the value searched for */
            bool has_stop;           /* BitCount, BitPos; else up to the end */
            bool in_bits;            /* BitCount, BitPos: start and stop count bits, not bytes */
            enum op_bitwise bitwise; /* BitOp; NOT has exactly one key */
        } bits;                      /* SetBit, BitCount, BitPos, BitOp */
        struct {
            const struct op_field *fields; /* at least one */
            size_t field_count;
        } parts; /* BitField */
        struct {
            bool want_string, want_matches;
            uint64_t min_match; /* shortest match to report, in bytes */
        } lcs;                  /* Lcs: of key and target, which are in one database */
        struct {
            uint64_t since; /* with has_since: holds if the key was not changed after it */
            bool has_since;
        } compare; /* a Txn's compare */
    };

    struct op *ops; /* MSet: Sets. Txn: carried out if the compares hold */
    size_t op_count;
    struct op_txn *txn; /* Txn; else NULL */

    size_t max_answer; /* limit of the answer in bytes, as op_answer_size() counts; 0 = none */
    size_t max_reply;  /* bytes that the caller accepts, as op_reply_size() counts; 0 = no limit. A
                          write whose reply would be larger fails */
    size_t max_value;  /* limit of a string's length in bytes; 0 = ENTRY_MAX_VALUE */
};

/* True if the operation waits for a list if there is none. */
static inline bool op_waits(const struct op *op)
{
    return (op->kind == OP_LIST_POP || op->kind == OP_L_MOVE) && op->move.take != NULL &&
           op->move.take->wait_ms != 0;
}

/* The other parts of a Txn. */
struct op_txn {
    struct op *compares; /* only key, db, condition and `compare` of each are used */
    size_t compare_count;
    struct op *else_ops; /* carried out if a compare does not hold */
    size_t else_count;
};

/* Lower bound of what an element of that length takes in an answer, whatever its encoding. */
static inline size_t op_answer_size(size_t len)
{
    return len + 2;
}

/* The limit of the operation's answer in bytes. */
static inline size_t op_most_answer(const struct op *op)
{
    return op->max_answer != 0 ? op->max_answer : SIZE_MAX;
}

/* A string or element in an answer. */
struct op_value {
    struct slice bytes;
    struct blob *blob; /* owns the bytes, one reference; NULL: they lie in the arena */
    bool found;
    uint64_t version;
    int64_t expire_at_ms; /* Unix time; 0 = never */
};

/* The answer to a part of BitField. */
struct op_field_value {
    bool done; /* false: the number did not fit (OP_OVERFLOW_FAIL) */
    int64_t value;
};

/* A part of two strings that is in their longest common subsequence, and as long as possible. */
struct op_match {
    size_t one, other; /* where it begins in each */
    size_t length;
};

enum op_type { OP_TYPE_NONE, OP_TYPE_STRING, OP_TYPE_LIST };

/* Slices and arrays lie in the arena that was passed to store_apply(); bytes may lie in blobs, to
 * which the result has a reference until op_result_release(). All zero before the operation. */
struct op_result {
    enum err err;
    const char *why; /* with err: the error message, static or in the arena */
    uint64_t seen;   /* revision of the newest commit that the answer reflects, its own included */
    bool ok;         /* something changed or was found */
    bool has_previous;
    int64_t count;         /* keys or elements affected, or the new length */
    uint64_t version;      /* of the key after the operation; 0 = no such key. Txn, MSet: of all
                              keys that it wrote, 0 if it wrote none */
    uint64_t as_of;        /* with want_as_of: a revision since which the key has not changed, for
                              a Txn's compare; of an absent key it may be that of other keys */
    struct op_value value; /* the value asked for, or with has_previous the former one; Incr: the
                              sum as stored */
    struct slice key;      /* RandomKey, ListPop. With ERR_WRONG_TYPE: the key that holds another
                              type, `type`; empty if it is longer than OP_MAX_KEY_IN_ERROR */
    struct slice *values;  /* LRange, ListPop */
    struct blob **blobs; /* owners of the values; an element is NULL if the value lies in the arena,
                            and the array is NULL if all do */
    size_t value_count;
    int64_t length; /* LRange: of the whole list; Describe: bytes or elements; Lcs: bytes */
    int64_t offset; /* LRange: index of values[0] */

    union {
        struct {
            int64_t integer; /* Incr; with is_real the sum truncated to an integer, if it fits */
            double real;     /* Incr; rounded to the nearest, infinite beyond the largest */
        };
        struct {
            int64_t *indexes; /* LPos */
            size_t index_count;
        };
        struct {
            struct op_field_value *fields; /* BitField */
            size_t field_count;
        };
        struct {
            struct op_match *matches; /* Lcs: the last one first */
            size_t match_count;
        };
        struct {
            int64_t memory_bytes; /* Describe */
            enum op_type type;    /* Describe; with ERR_WRONG_TYPE */
        };
    };
    struct op_value *items; /* MGet */
    size_t item_count;
    struct op_result *results; /* Txn: one for each operation carried out */
    const struct op *done;     /* Txn: those operations */
    size_t result_count;
};

/* Upper bound of the bytes of the reply message, with its share of the enclosing message in a Txn's
 * reply; the replies within a Txn do not count. */
size_t op_reply_size(enum op_kind kind, const struct op_result *result);

/* Releases the references to blobs, also those of inner results. The result must not be used
 * afterwards. */
void op_result_release(struct op_result *result);

/* What a failed result says of its error, and nothing else: no references. */
struct op_result op_result_error(const struct op_result *failed);

#endif
