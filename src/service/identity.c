/* Verdicts for calls, with their error messages. How callers are found is admit.c's. */
#include "service/identity.h"

#include "service/error_text.h"

#include <stdio.h>

enum err identity_refuse(const struct access_rules *rules, const struct access_need *missing,
                         const char *what, struct arena *arena, const char **why)
{
    char where[48] = "the channel";
    if (missing->is_of_all_keys)
        snprintf(where, sizeof where, "all keys of database %u", missing->db);
    else if (!missing->is_of_no_database)
        snprintf(where, sizeof where, "a key in database %u", missing->db);
    unsigned type = missing->types & ~(missing->types - 1);
    *why = error_text_format(
        arena, "%s needs `%s` or `%s` on %s, which no rule of the user %s allows", what,
        access_grant_name(missing->kinds), access_grant_name(type), where, rules->user);
    return ERR_FORBIDDEN;
}

enum err identity_judge(const struct access_rules *rules, const struct op *op, struct arena *arena,
                        const char **why)
{
    struct access_reason reason;
    if (access_allows(rules, op, NULL))
        return ERR_NONE;
    (void)access_allows(rules, op, &reason);
    return identity_refuse(rules, &reason.missing, op_info(op->kind)->name, arena, why);
}

enum err identity_judge_need(const struct access_rules *rules, const struct access_need *need,
                             const char *what, struct arena *arena, const char **why)
{
    struct access_reason reason;
    if (access_meets(rules, need, &reason))
        return ERR_NONE;
    return identity_refuse(rules, &reason.missing, what, arena, why);
}
