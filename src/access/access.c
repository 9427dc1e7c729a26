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
        free(access->users[i].shortcuts);
        access_usage_release(access->users[i].usage);
    }
    free(access->users);
    free(access->by_name);
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

static int access_compare_slices(struct slice one, struct slice other)
{
    size_t len = one.len < other.len ? one.len : other.len;
    int order = len > 0 ? memcmp(one.data, other.data, len) : 0;
    return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

static int access_compare_name(const void *name, const void *user)
{
    const struct access_user *one = *(const struct access_user *const *)user;
    return access_compare_slices(*(const struct slice *)name, slice_from_string(one->rules.user));
}

void access_inherit(struct access *access, const struct access *former)
{
    for (size_t i = 0; i < access->user_count; i++) {
        struct access_user *user = &access->users[i];
        const struct access_user *found =
            access_find_user(former, slice_from_string(user->rules.user));
        if (found == NULL)
            continue;
        access_usage_release(user->usage);
        user->usage = access_usage_retain(found->usage);
    }
}

const struct access_user *access_find_user(const struct access *access, struct slice name)
{
    if (access->user_count == 0)
        return NULL;
    const struct access_user *const *found = bsearch(&name, access->by_name, access->user_count,
                                                     sizeof *access->by_name, access_compare_name);
    return found != NULL ? *found : NULL;
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

int access_compare_mappings(const struct access_mapping *one, const struct access_mapping *other)
{
    if (one->sign != other->sign)
        return one->sign < other->sign ? -1 : 1;
    if (one->uid != other->uid)
        return one->uid < other->uid ? -1 : 1;
    return access_compare_slices(one->name, other->name);
}

static int access_compare_mapping(const void *one, const void *other)
{
    return access_compare_mappings(one, other);
}

static const struct access_user *access_find_mapping(const struct access *access,
                                                     enum access_sign sign, struct slice name,
                                                     unsigned uid)
{
    const struct access_mapping wanted = {.sign = sign, .name = name, .uid = uid};
    if (access->mapping_count == 0)
        return NULL;
    const struct access_mapping *found = bsearch(&wanted, access->mappings, access->mapping_count,
                                                 sizeof wanted, access_compare_mapping);
    return found != NULL ? &access->users[found->user] : NULL;
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
