/*
 * What tests of the list operations share, on top of keyspace_fixture.h: operations from words.
 * Included after "store/keyspace_fixture.h".
 */
#ifndef KEYSTORE_TESTS_LISTS_FIXTURE_H
#define KEYSTORE_TESTS_LISTS_FIXTURE_H

#include "store/memory/slab.h"

#define MAX_WORDS 16

/* The words of `text`, which blanks separate, as slices; returns how many. */
static inline size_t lists_split(const char *text, struct slice words[MAX_WORDS])
{
    size_t count = 0;
    for (const char *at = text; count < MAX_WORDS; at += words[count - 1].len + 1) {
        words[count++] = slice_make(at, strcspn(at, " "));
        if (at[words[count - 1].len] == '\0')
            break;
    }
    return count;
}

/* Pushes the words with `op`, an OP_L_PUSH or OP_R_PUSH. */
static inline const struct op_result *lists_push_as(struct keyspace_fixture *fixture, struct op op,
                                                    const char *key, const char *text)
{
    struct slice words[MAX_WORDS];
    op.key = slice_from_string(key);
    op.values = words;
    op.value_count = lists_split(text, words);
    return keyspace_apply(fixture, op);
}

/* The key holds just these words, from the head on, with this deadline. */
static inline void lists_make(struct keyspace_fixture *fixture, const char *key, const char *text,
                              int64_t expire_at_ms)
{
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = slice_from_string(key)});
    lists_push_as(fixture, (struct op){.kind = OP_R_PUSH, .expire_at_ms = expire_at_ms}, key, text);
}

/* The result's values are just these words. */
static inline void assert_values_are(const struct op_result *result, const char *text)
{
    char joined[1000] = "";
    for (size_t i = 0; i < result->value_count; i++) {
        size_t len = strlen(joined);
        snprintf(joined + len, sizeof joined - len, "%s%.*s", i > 0 ? " " : "",
                 (int)result->values[i].len, (const char *)result->values[i].data);
    }
    assert_string_equal(joined, text);
}

/* The operation changed the key, whose list is now these words. */
static inline void assert_written(struct keyspace_fixture *fixture, const char *key,
                                  const char *words)
{
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->result.version, fixture->revision);
    assert_int_equal(fixture->result.seen, fixture->revision);
    assert_int_equal(entry_version(keyspace_find(fixture, key)), fixture->revision);
    assert_true(list_is_sound(entry_list(keyspace_find(fixture, key))));
    assert_list_is(fixture, key, words);
}

/* The operation found nothing to do, and took no revision. */
static inline void assert_unwritten(const struct keyspace_fixture *fixture, uint64_t revision)
{
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_false(fixture->result.ok);
    assert_false(fixture->result.value.found);
    assert_int_equal(fixture->revision, revision);
}

/* Kinds of the changes emitted since `first`, such as "LPush Expire". */
static inline void assert_emitted(const struct keyspace_fixture *fixture, size_t first,
                                  const char *kinds)
{
    char emitted[200] = "";
    for (size_t i = first; i < fixture->change_count; i++) {
        size_t len = strlen(emitted);
        snprintf(emitted + len, sizeof emitted - len, "%s%s", len > 0 ? " " : "",
                 op_info(fixture->changes[i].op.kind)->name);
    }
    assert_string_equal(emitted, kinds);
}

/* Bytes in use in the slabs of the whole store, charges included. */
static inline size_t lists_memory(const struct store *store)
{
    size_t used = 0;
    for (size_t i = 0; i < store->shard_count; i++)
        used += slab_used(&store->shards[i].slab);
    return used;
}

#endif
