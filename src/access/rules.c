/* Verdicts: a need is compared with each rule, an operation is a few needs. */
#include "access/rules.h"

#include "base/check.h"
#include "base/glob.h"
#include "base/mem.h"

#include <string.h>

#define BOTH (ACCESS_READ | ACCESS_WRITE)

static const char *const names[] = {"read",   "write", "string", "list",  "key", "txn",
                                    "stream", "watch", "pubsub", "admin", "all"};

const char *access_grant_name(unsigned grant)
{
    CHECK(grant != 0 && (grant & (grant - 1)) == 0 && grant <= ACCESS_ALL);
    return names[__builtin_ctz(grant)];
}

unsigned access_grant_of(struct slice name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal(name, slice_from_string(names[i])))
            return 1u << i;
    return 0;
}

/* ---- globs ---- */

static bool access_is_special(uint8_t character)
{
    return character == '*' || character == '?' || character == '[' || character == '\\';
}

struct access_glob access_glob_make(struct slice pattern)
{
    struct access_glob glob = {.pattern = pattern, .literal = pattern};
    size_t length = 0;
    while (length < pattern.len && !access_is_special(pattern.data[length]))
        length++;
    glob.is_prefix = length + 1 == pattern.len && pattern.data[length] == '*';
    glob.is_complex = length < pattern.len && !glob.is_prefix;
    glob.literal.len = length;
    return glob;
}

bool access_glob_matches(const struct access_glob *glob, struct slice key)
{
    if (glob->is_complex)
        return glob_match(glob->pattern, key);
    return glob->is_prefix ? slice_starts_with(key, glob->literal)
                           : slice_equal(key, glob->literal);
}

/* ---- rules ---- */

static bool access_covers_db(const struct access_rule *rule, uint32_t db)
{
    return !rule->has_databases ||
           (db < ACCESS_DATABASES && (rule->databases[db / 64] >> db % 64 & 1) != 0);
}

static bool access_covers_key(const struct access_rule *rule, struct slice key)
{
    if (!rule->has_keys)
        return true;
    for (size_t i = 0; i < rule->glob_count; i++)
        if (access_glob_matches(&rule->globs[i], key))
            return true;
    return false;
}

/* Whether the rule meets one kind of the need. */
static bool access_rule_meets(const struct access_rule *rule, const struct access_need *need,
                              unsigned kind)
{
    unsigned grants = ACCESS_ALL | kind | need->types;
    if (need->is_of_all_keys)
        grants |= ACCESS_ADMIN;
    if ((rule->grants & grants) == 0)
        return false;
    if (!need->is_of_no_database && !access_covers_db(rule, need->db))
        return false;
    return need->is_of_all_keys ? !rule->has_keys : access_covers_key(rule, need->key);
}

static const struct access_rule *access_find_rule(const struct access_rules *rules,
                                                  const struct access_need *need, unsigned kind)
{
    for (size_t i = 0; i < rules->count; i++)
        if (access_rule_meets(&rules->rules[i], need, kind))
            return &rules->rules[i];
    return NULL;
}

bool access_meets(const struct access_rules *rules, const struct access_need *need,
                  struct access_reason *reason)
{
    const struct access_rule *found = NULL;
    CHECK(need->kinds != 0 && (need->kinds & ~(unsigned)BOTH) == 0);
    for (unsigned kind = ACCESS_READ; kind <= ACCESS_WRITE; kind <<= 1) {
        if ((need->kinds & kind) == 0)
            continue;
        found = access_find_rule(rules, need, kind);
        if (found != NULL)
            continue;
        if (reason != NULL) {
            reason->missing = *need;
            reason->missing.kinds = kind;
        }
        return false;
    }
    if (reason != NULL)
        reason->rule = found;
    return true;
}

bool access_is_admin(const struct access_rules *rules, struct access_reason *reason)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct access_rule *one = &rules->rules[i];
        bool is_free = !one->has_keys && !one->has_databases;
        if ((one->grants & ACCESS_ADMIN) == 0 && ((one->grants & ACCESS_ALL) == 0 || !is_free))
            continue;
        if (reason != NULL)
            reason->rule = one;
        return true;
    }
    return false;
}

bool access_may_meet(const struct access_rules *rules, const struct access_need *need)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct access_rule *rule = &rules->rules[i];
        if ((rule->grants & (ACCESS_ALL | need->kinds | need->types)) != 0 &&
            (need->is_of_no_database || access_covers_db(rule, need->db)))
            return true;
    }
    return false;
}

static bool access_rule_equal(const struct access_rule *one, const struct access_rule *other)
{
    if (one->grants != other->grants || one->has_keys != other->has_keys ||
        one->has_databases != other->has_databases || one->glob_count != other->glob_count ||
        memcmp(one->databases, other->databases, sizeof one->databases) != 0)
        return false;
    for (size_t i = 0; i < one->glob_count; i++)
        if (!slice_equal(one->globs[i].pattern, other->globs[i].pattern))
            return false;
    return true;
}

/* The first rule from that number on that grants some of it; the count of rules: there is none. */
static size_t access_next_rule(const struct access_rules *rules, size_t from, unsigned grants)
{
    while (from < rules->count && (rules->rules[from].grants & grants) == 0)
        from++;
    return from;
}

bool access_rules_equal(const struct access_rules *one, const struct access_rules *other,
                        unsigned grants)
{
    size_t a = access_next_rule(one, 0, grants), b = access_next_rule(other, 0, grants);
    while (a < one->count && b < other->count) {
        if (!access_rule_equal(&one->rules[a], &other->rules[b]))
            return false;
        a = access_next_rule(one, a + 1, grants);
        b = access_next_rule(other, b + 1, grants);
    }
    return a == one->count && b == other->count;
}

/* ---- shortcuts ---- */

/* Most globs are a key or a prefix, and most of these differ in their first eight bytes, so that a
 * key is compared with them by one comparison of two integers. */
#define HEAD sizeof(uint64_t)

/* The first bytes; those that are missing are zero. */
static inline uint64_t access_head(struct slice text)
{
    uint64_t head = 0;
    if (text.len >= HEAD)
        memcpy(&head, text.data, HEAD);
    else
        for (size_t i = 0; i < text.len; i++)
            ((uint8_t *)&head)[i] = text.data[i];
    return head;
}

static uint64_t access_mask(size_t length)
{
    uint64_t mask = 0;
    memset(&mask, 0xff, length < HEAD ? length : HEAD);
    return mask;
}

/* `glob` NULL: any key. */
static struct access_shortcut access_shortcut_make(const struct access_rule *rule,
                                                   const struct access_glob *glob)
{
    struct access_shortcut made = {.rule = rule,
                                   .glob = glob,
                                   .grants = rule->grants,
                                   .longest = SIZE_MAX,
                                   .is_decided = !rule->has_databases};
    if (glob == NULL)
        return made;
    made.head = access_head(glob->literal) & access_mask(glob->literal.len);
    made.mask = access_mask(glob->literal.len);
    made.shortest = glob->literal.len;
    if (!glob->is_prefix && !glob->is_complex)
        made.longest = glob->literal.len;
    if (glob->is_complex || glob->literal.len > HEAD)
        made.is_decided = false;
    return made;
}

struct access_shortcut *access_shortcuts_make(const struct access_rule *rules, size_t rule_count,
                                              size_t *count)
{
    size_t most = 0;
    for (size_t i = 0; i < rule_count; i++)
        most += rules[i].has_keys ? rules[i].glob_count : 1;
    struct access_shortcut *shortcuts = mem_alloc((most + 1) * sizeof *shortcuts);
    *count = 0;
    for (size_t i = 0; i < rule_count; i++) {
        if (!rules[i].has_keys)
            shortcuts[(*count)++] = access_shortcut_make(&rules[i], NULL);
        for (size_t g = 0; rules[i].has_keys && g < rules[i].glob_count; g++)
            shortcuts[(*count)++] = access_shortcut_make(&rules[i], &rules[i].globs[g]);
    }
    return shortcuts;
}

/* What the shortcut itself does not say. */
static bool __attribute__((noinline))
access_shortcut_covers(const struct access_shortcut *one, uint32_t db, struct slice key)
{
    return access_covers_db(one->rule, db) &&
           (one->glob == NULL || access_glob_matches(one->glob, key));
}

/* True if one of them meets the kinds of a need that is of the key in the database. */
static bool access_shortcuts_meet(const struct access_shortcut *shortcuts, size_t count,
                                  unsigned kinds, unsigned types, uint32_t db, struct slice key)
{
    const uint64_t head = access_head(key);
    const unsigned any = ACCESS_ALL | types;
    for (const struct access_shortcut *one = shortcuts, *end = one + count; one < end; one++) {
        if (((head ^ one->head) & one->mask) != 0)
            continue;
        if ((one->grants & any) == 0 && (kinds & ~one->grants) != 0)
            continue;
        if (key.len < one->shortest || key.len > one->longest)
            continue;
        if (one->is_decided || access_shortcut_covers(one, db, key))
            return true;
    }
    return false;
}

/* ---- operations ---- */

unsigned access_type_of(enum op_kind kind)
{
    static const unsigned types[] = {
        [OP_CATEGORY_STRING] = ACCESS_STRING, [OP_CATEGORY_LIST] = ACCESS_LIST,
        [OP_CATEGORY_KEY] = ACCESS_KEY,       [OP_CATEGORY_TXN] = ACCESS_TXN,
        [OP_CATEGORY_ADMIN] = ACCESS_ADMIN,
    };
    return types[op_info(kind)->category];
}

/* Of an operation's key, and of its other keys or its target. */
struct access_kinds {
    unsigned key, others;
};

static struct access_kinds access_kinds_of(const struct op_info *info)
{
    static const struct access_kinds kinds[] = {
        [OP_NEEDS_READ] = {ACCESS_READ, ACCESS_READ},
        [OP_NEEDS_WRITE] = {ACCESS_WRITE, ACCESS_WRITE},
        [OP_NEEDS_BOTH] = {BOTH, BOTH},
        [OP_NEEDS_COPY] = {ACCESS_READ, ACCESS_WRITE},
        [OP_NEEDS_MOVE] = {BOTH, ACCESS_WRITE},
        [OP_NEEDS_INNER] = {0, 0},
    };
    struct access_kinds of = kinds[info->needs];
    if (info->keys == OP_KEYS_INTO && info->needs == OP_NEEDS_COPY)
        return (struct access_kinds){of.others, of.key};
    return of;
}

unsigned access_kinds_of_key(enum op_kind kind)
{
    return access_kinds_of(op_info(kind)).key;
}

unsigned access_kinds_of_others(enum op_kind kind)
{
    return access_kinds_of(op_info(kind)).others;
}

/* What the fields of a write make it reveal besides. */
static unsigned access_kinds_by_fields(const struct op *op)
{
    bool reveals = op->condition.existence != EXISTENCE_ANY || op->condition.version != 0 ||
                   op->condition.match_value;
    if (op->kind == OP_SET && op->set.return_previous)
        reveals = true;
    return reveals ? ACCESS_READ : 0;
}

struct access_verdict {
    const struct access_rules *rules;
    struct access_reason *reason;
};

static bool access_allows_one(const struct access_verdict *verdict, const struct op *op);

static bool access_allows_all_keys(const struct access_verdict *verdict, const struct op *op,
                                   uint32_t db)
{
    const struct access_need need = {.kinds = access_kinds_of_key(op->kind),
                                     .types = access_type_of(op->kind),
                                     .is_of_all_keys = true,
                                     .db = db};
    return access_meets(verdict->rules, &need, verdict->reason);
}

static bool access_allows_keys(const struct access_verdict *verdict, const struct op *op)
{
    struct access_need need = {
        .kinds = access_kinds_of_others(op->kind), .types = access_type_of(op->kind), .db = op->db};
    for (size_t i = 0; i < op->key_count; i++) {
        need.key = op->keys[i].bytes;
        if (!access_meets(verdict->rules, &need, verdict->reason))
            return false;
    }
    return true;
}

static bool access_allows_target(const struct access_verdict *verdict, const struct op *op)
{
    const struct access_need need = {.kinds = access_kinds_of_others(op->kind),
                                     .types = access_type_of(op->kind),
                                     .db = op->target_db,
                                     .key = op->target.bytes};
    return access_meets(verdict->rules, &need, verdict->reason);
}

static bool access_allows_ops(const struct access_verdict *verdict, const struct op *ops,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!access_allows_one(verdict, &ops[i]))
            return false;
    return true;
}

static bool access_allows_inner(const struct access_verdict *verdict, const struct op *op)
{
    const struct op_txn *txn = op->txn;
    if (!access_allows_ops(verdict, op->ops, op->op_count))
        return false;
    if (txn == NULL)
        return true;
    for (size_t i = 0; i < txn->compare_count; i++) {
        const struct access_need need = {.kinds = ACCESS_READ,
                                         .types = ACCESS_TXN,
                                         .db = txn->compares[i].db,
                                         .key = txn->compares[i].key};
        if (!access_meets(verdict->rules, &need, verdict->reason))
            return false;
    }
    return access_allows_ops(verdict, txn->else_ops, txn->else_count);
}

static bool access_allows_own_key(const struct access_verdict *verdict, const struct op *op)
{
    const struct access_need need = {.kinds =
                                         access_kinds_of_key(op->kind) | access_kinds_by_fields(op),
                                     .types = access_type_of(op->kind),
                                     .db = op->db,
                                     .key = op->key};
    return access_meets(verdict->rules, &need, verdict->reason);
}

static bool access_allows_one(const struct access_verdict *verdict, const struct op *op)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_KEY:
        return access_allows_own_key(verdict, op);
    case OP_KEYS_PAIR:
        return access_allows_own_key(verdict, op) && access_allows_target(verdict, op);
    case OP_KEYS_INTO:
        return access_allows_own_key(verdict, op) && access_allows_keys(verdict, op);
    case OP_KEYS_KEYS:
        return access_allows_keys(verdict, op);
    case OP_KEYS_OPS:
        return access_allows_inner(verdict, op);
    case OP_KEYS_NONE:
    case OP_KEYS_DB:
        return access_allows_all_keys(verdict, op, op->db);
    case OP_KEYS_DBS:
        return access_allows_all_keys(verdict, op, op->db) &&
               access_allows_all_keys(verdict, op, op->target_db);
    }
    return false;
}

/* Most operations are judged by this. False: perhaps the rules allow it all the same. */
static bool access_allows_shortly(const struct access_rules *rules, const struct op *op,
                                  const struct op_info *info)
{
    unsigned kinds = access_kinds_of(info).key;
    if ((kinds & ACCESS_READ) == 0)
        kinds |= access_kinds_by_fields(op);
    return access_shortcuts_meet(rules->shortcuts, rules->shortcut_count, kinds,
                                 access_type_of(op->kind), op->db, op->key);
}

bool access_allows(const struct access_rules *rules, const struct op *op,
                   struct access_reason *reason)
{
    const struct op_info *info = op_info(op->kind);
    if (reason == NULL && info->keys == OP_KEYS_KEY && access_allows_shortly(rules, op, info))
        return true;
    struct access_verdict verdict = {.rules = rules, .reason = reason};
    if (reason != NULL)
        *reason = (struct access_reason){0};
    return access_allows_one(&verdict, op);
}
