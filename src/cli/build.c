/* Parts that the requests of several tables share: keys, conditions, times. */
#include "cli/build.h"

#include <math.h>
#include <stdlib.h>

/* What "forever" is to the server, in milliseconds: a hundred years. */
#define FOREVER_MS INT64_C(3155760000000)

bool build_key(struct args *args, struct request *request)
{
    request->op.request.key = (struct keystore_key){.key = args_take(args), .db = args->db};
    return true;
}

bool build_keys(struct args *args, struct request *request)
{
    struct words keys = args_take_rest(args);
    request->op.request.keys =
        (struct keystore_keys){.keys = keys.items, .count = keys.count, .db = args->db};
    return true;
}

const struct keystore_condition *build_existence(struct args *args,
                                                 enum keystore_existence existence)
{
    struct keystore_condition *condition = arena_alloc(args->arena, sizeof *condition);
    *condition = (struct keystore_condition){.existence = existence};
    return condition;
}

const struct keystore_condition *build_given(const struct keystore_condition *condition)
{
    bool asks =
        condition->existence != KEYSTORE_ANY || condition->version != 0 || condition->match_value;
    return asks ? condition : NULL;
}

bool build_is_condition(const struct args *args)
{
    return args_is_next(args, "IFEQ") || args_is_next(args, "IFVERSION");
}

bool build_condition(struct args *args, struct keystore_condition *condition)
{
    if (!args_match(args, "IFEQ")) {
        (void)args_take(args);
        return args_has_value(args, "IFVERSION") &&
               args_unsigned(args, "version", 1, &condition->version);
    }
    if (!args_has_value(args, "IFEQ"))
        return false;
    condition->match_value = true;
    condition->value = args_take(args);
    return true;
}

bool build_duration(struct args *args, const char *what, int64_t unit_ms, int64_t *ms)
{
    int64_t number;
    if (!args_integer(args, what, 1, INT64_MAX / unit_ms, &number))
        return false;
    *ms = number * unit_ms;
    return true;
}

static const struct time_option {
    const char *name;
    const char *what;
    int64_t unit_ms;
    bool is_point; /* in Unix time */
} time_options[] = {
    {"EX", "number of seconds", 1000, false},
    {"PX", "number of milliseconds", 1, false},
    {"EXAT", "Unix time in seconds", 1000, true},
    {"PXAT", "Unix time in milliseconds", 1, true},
};
#define TIME_OPTION_COUNT (sizeof time_options / sizeof *time_options)

/* The time option that is the next argument; NULL if none is. */
static const struct time_option *build_find_time(const struct args *args)
{
    for (size_t i = 0; i < TIME_OPTION_COUNT; i++)
        if (args_is_next(args, time_options[i].name))
            return &time_options[i];
    return NULL;
}

bool build_is_time(const struct args *args)
{
    return build_find_time(args) != NULL;
}

bool build_time(struct args *args, struct build_time *when)
{
    const struct time_option *option = build_find_time(args);
    (void)args_take(args);
    if (when->ttl_ms != 0 || when->expire_at_ms != 0)
        return args_refuse(args,
                           "%s is a second point in time: %s takes only one of EX, PX, EXAT and "
                           "PXAT",
                           option->name, args->command->name);
    return args_has_value(args, option->name) &&
           build_duration(args, option->what, option->unit_ms,
                          option->is_point ? &when->expire_at_ms : &when->ttl_ms);
}

bool build_wait(struct args *args, int64_t *wait_ms)
{
    const char *text;
    char *end;
    if (!args_text(args, "timeout", &text))
        return false;
    double ms = strtod(text, &end) * 1000;
    if (end == text || *end != '\0' || !(ms >= 0 && ms <= (double)FOREVER_MS))
        return args_refuse(args,
                           "'%.40s' is not a valid timeout: %s takes seconds, 0 or more, such "
                           "as 0.5; 0 waits forever",
                           text, args->command->name);
    *wait_ms = ms > 0 ? (int64_t)ceil(ms) : FOREVER_MS;
    return true;
}
