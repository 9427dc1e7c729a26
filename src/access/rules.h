/*
 * Who may do what. A user has rules; each is a line `allow = GRANTS keys=GLOB,... db=RANGES` of the
 * users file (users_file.h). Rules only add: what none of them allows is denied.
 *
 * An operation has needs, each a kind, read or write, on a key of a database:
 *
 *  - It needs read on each key whose contents it reveals, in its answer or by comparing them: Get,
 *    Exists, Lcs; the source of a Copy; the compares of a Txn; LRem and LInsert, which search. It
 *    needs write on each key that it may change: Set, Expire, the target of a Copy. Both where it
 *    does both: pops, Incr, GetDel, the source of a Rename; a Set with return_previous, and every
 *    write with a condition, for one that does not hold is answered with the value. The column
 *    `needs` of store/operations.def says which. That a write reports whether a key existed, its
 *    length or its version is no read.
 *  - An operation on all keys of a database, known or not, needs its kinds on all of them:
 *    RandomKey (read), FlushDb (write), SwapDb (both, of both databases).
 *  - A Txn or an MSet needs what its members need, and nothing of its own. So does a Pipeline.
 *
 * A rule meets a need if all three hold:
 *
 *  1. It grants `all`, the kind (`read` or `write`), or the type of the operation: `string`, `list`
 *     or `key` as docs/operations.md has them; `txn` for the compares of a Txn; `stream` for Scan,
 *     StreamList and Consume; `watch` for Watch; `pubsub` for Publish (write) and Subscribe (read),
 *     whose keys are the channels. StreamList and Consume are of the type `list`, too.
 *  2. One of its globs matches the key, byte for byte (base/glob.h), or it has no `keys=`. On all
 *     keys of a database: it has no `keys=`.
 *  3. Its `db=` contains the database, or it has no `db=`. Channels are of no database.
 *
 * Each need may be met by another rule. On all keys of a database, `admin` meets it, too.
 * Administration (Info, Save, Backup, Config, Clients and so on) needs a rule that grants `admin`,
 * or one that grants `all` without `keys=` and `db=`.
 *
 *     allow = read,write keys=app:*        Get app:1, Copy app:1 to app:2, a Txn on both; not Copy
 *                                          app:1 to tmp, and not FlushDb
 *     allow = write keys=log:*             Set log:1; not Incr log:1, which returns the number
 *     allow = string keys=app:*            Get, Set and Incr of app:1; not Delete, which is of keys
 *     allow = read db=0-3,7                all reads in five databases, RandomKey, too
 *     allow = admin                        Save and FlushDb; no Get
 */
#ifndef KEYSTORE_ACCESS_RULES_H
#define KEYSTORE_ACCESS_RULES_H

#include "store/op.h"

/* Databases that a rule can name: 0 to ACCESS_DATABASES - 1. */
#define ACCESS_DATABASES 1024

/* What a rule grants, and what a need is of; bits. */
enum access_grant {
    ACCESS_READ = 1 << 0,
    ACCESS_WRITE = 1 << 1,
    ACCESS_STRING = 1 << 2,
    ACCESS_LIST = 1 << 3,
    ACCESS_KEY = 1 << 4,
    ACCESS_TXN = 1 << 5,
    ACCESS_STREAM = 1 << 6,
    ACCESS_WATCH = 1 << 7,
    ACCESS_PUBSUB = 1 << 8,
    ACCESS_ADMIN = 1 << 9,
    ACCESS_ALL = 1 << 10,
};

/* A glob for keys; its bytes are borrowed. */
struct access_glob {
    struct slice pattern;
    struct slice literal; /* the whole key, or what it starts with, unless: */
    bool is_prefix;
    bool is_complex; /* only glob_match() knows */
};

struct access_rule {
    unsigned grants;
    bool has_keys, has_databases;
    struct access_glob *globs; /* with has_keys */
    size_t glob_count;
    uint64_t databases[ACCESS_DATABASES / 64]; /* with has_databases */
    int line;                                  /* of the users file */
};

/*
 * One glob of one rule, or a rule without globs, in a form in which the usual verdict, that an
 * operation may use its one key, takes a few instructions. Derived from the rules when the users
 * file is read. A shortcut only allows: what none of them allows is judged by the rules.
 */
struct access_shortcut {
    uint64_t head, mask;      /* the key's first bytes, as far as the mask says, must be these */
    size_t shortest, longest; /* bytes that the key may have */
    unsigned grants;
    bool is_decided; /* by this alone; else these have to be asked, too: */
    const struct access_rule *rule;
    const struct access_glob *glob;
};

/* The rules of a user, who is named in error messages. */
struct access_rules {
    const char *user;
    const struct access_rule *rules;
    size_t count;
    const struct access_shortcut *shortcuts; /* of them; NULL: there are none */
    size_t shortcut_count;
};

/* Something that an operation needs. */
struct access_need {
    unsigned kinds; /* ACCESS_READ, ACCESS_WRITE or both */
    unsigned types; /* of the operation */
    bool is_of_all_keys, is_of_no_database;
    uint32_t db;
    struct slice key;
};

/* The pattern as a glob that is fast for keys and prefixes. */
struct access_glob access_glob_make(struct slice pattern);
bool access_glob_matches(const struct access_glob *glob, struct slice key);

/* Why something is allowed, or not; both may be of interest. */
struct access_reason {
    const struct access_rule *rule; /* allowed: the one that meets the last need; NULL: there is no
                                       need */
    struct access_need missing; /* not allowed: the first need that no rule meets; of one kind */
};

/* True if the rules allow it. `reason` may be NULL, here and below. */
bool access_meets(const struct access_rules *rules, const struct access_need *need,
                  struct access_reason *reason);

/* The same for all that an operation needs; and for administration, which sets only `rule`. */
bool access_allows(const struct access_rules *rules, const struct op *op,
                   struct access_reason *reason);
bool access_is_admin(const struct access_rules *rules, struct access_reason *reason);

/* True if there may be a key for which the need, of one kind, is met; its `key` is ignored. */
bool access_may_meet(const struct access_rules *rules, const struct access_need *need);

/* Those of the rules, which are borrowed, in their order; *count is their number. Free with free().
 */
struct access_shortcut *access_shortcuts_make(const struct access_rule *rules, size_t rule_count,
                                              size_t *count);

/* True if both say the same in those of their rules that grant something of `grants`. */
bool access_rules_equal(const struct access_rules *one, const struct access_rules *other,
                        unsigned grants);
#define ACCESS_ANY_GRANT (~0u)

/* What an operation of the kind needs of its first key, or of all of it, without regard to its
 * fields; of its others: of keys, or the target. ACCESS_READ, ACCESS_WRITE, both or 0. */
unsigned access_kinds_of_key(enum op_kind kind);
unsigned access_kinds_of_others(enum op_kind kind);
/* The grant of its type. */
unsigned access_type_of(enum op_kind kind);

/* Of one bit of enum access_grant; static memory. 0 for an unknown name. */
const char *access_grant_name(unsigned grant);
unsigned access_grant_of(struct slice name);

#endif
