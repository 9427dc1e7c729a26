/* Looks up users; users_file.c makes them. */
#include "access/access.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

struct access *access_retain(struct access *access)
{
    atomic_fetch_add_explicit(&access->holders, 1, memory_order_relaxed);
    return access;
}

static void access_free(struct access *access)
{
    for (size_t i = 0; i < access->user_count; i++) {
        for (size_t r = 0; r < access->users[i].rules.count; r++)
            free(access->users[i].own[r].globs);
        free(access->users[i].own);
        access_usage_release(access->users[i].usage);
    }
    free(access->users);
    free(access->tokens);
    free(access->mappings);
    free(access->text);
    free(access);
}

void access_release(struct access *access)
{
    if (access == NULL)
        return;
    if (atomic_fetch_sub_explicit(&access->holders, 1, memory_order_acq_rel) == 1)
        access_free(access);
}

static int access_compare_names(const void *one, const void *other)
{
    const struct access_user *const *a = one, *const *b = other;
    return strcmp((*a)->rules.user, (*b)->rules.user);
}

/* Pointers to the users, by name; to be freed. */
static const struct access_user **access_sort(const struct access *access)
{
    const struct access_user **sorted = mem_alloc((access->user_count + 1) * sizeof *sorted);
    for (size_t i = 0; i < access->user_count; i++)
        sorted[i] = &access->users[i];
    qsort(sorted, access->user_count, sizeof *sorted, access_compare_names);
    return sorted;
}

void access_inherit(struct access *access, const struct access *former)
{
    const struct access_user **sorted = access_sort(former);
    for (size_t i = 0; i < access->user_count; i++) {
        struct access_user *user = &access->users[i];
        const struct access_user *key = user;
        const struct access_user *const *found =
            bsearch(&key, sorted, former->user_count, sizeof *sorted, access_compare_names);
        if (found == NULL)
            continue;
        access_usage_release(user->usage);
        user->usage = access_usage_retain((*found)->usage);
    }
    free(sorted);
}

const struct access_user *access_find_user(const struct access *access, struct slice name)
{
    for (size_t i = 0; i < access->user_count; i++)
        if (slice_equal(slice_from_string(access->users[i].rules.user), name))
            return &access->users[i];
    return NULL;
}

/* The comparison that finds the place tells at most how the hashes are ordered, which helps nobody
 * to find a token. */
const struct access_token *access_find_token(const struct access *access,
                                             const uint8_t hash[TOKEN_HASH_BYTES])
{
    size_t low = 0, high = access->token_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(access->tokens[middle].hash, hash, TOKEN_HASH_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == access->token_count || !token_hash_equal(access->tokens[low].hash, hash))
        return NULL;
    return &access->tokens[low];
}

static const struct access_user *access_find_mapping(const struct access *access,
                                                     enum access_sign sign, struct slice name,
                                                     unsigned uid)
{
    for (size_t i = 0; i < access->mapping_count; i++) {
        const struct access_mapping *mapping = &access->mappings[i];
        if (mapping->sign == sign && mapping->uid == uid && slice_equal(mapping->name, name))
            return &access->users[mapping->user];
    }
    return NULL;
}

const struct access_user *access_user_by_certificate(const struct access *access,
                                                     const struct access_certificate_name *names,
                                                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        DCHECK(names[i].sign != ACCESS_UNIX);
        const struct access_user *user =
            access_find_mapping(access, names[i].sign, names[i].name, 0);
        if (user != NULL)
            return user;
    }
    return NULL;
}

const struct access_user *access_user_by_uid(const struct access *access, unsigned uid)
{
    return access_find_mapping(access, ACCESS_UNIX, (struct slice){0}, uid);
}
