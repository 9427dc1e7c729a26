/* Looks at pairs of settings. Does not change any. */
#include "server/hints.h"

#include "server/options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct hints {
    const struct config *config;
    hints_function *say;
    void *user;
};

static void hints_say(const struct hints *hints, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void hints_say(const struct hints *hints, const char *format, ...)
{
    char text[HINTS_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    hints->say(hints->user, text);
}

static bool hints_is_given(const struct hints *hints, const char *name)
{
    for (size_t i = 0; i < options_table().count; i++)
        if (strcmp(options_row(i)->name, name) == 0)
            return (hints->config->given >> i & 1) != 0;
    return false;
}

static void hints_check_memory(const struct hints *hints)
{
    const struct config *config = hints->config;
    size_t limit = config->store.max_memory;
    if (limit == 0 && config->store.policy != STORE_NOEVICTION)
        hints_say(
            hints,
            "--max-memory-policy %s has no effect without --max-memory: nothing is ever evicted",
            options_policy_name(config->store.policy));
    if (limit != 0 && hints_is_given(hints, "max-value") && config->max_value > limit)
        hints_say(
            hints,
            "--max-value has no effect beyond --max-memory: values of more than %zu bytes never "
            "fit",
            limit);
}

static void hints_check_durability(const struct hints *hints)
{
    static const char *const of_log[] = {"log-rewrite-percent", "log-rewrite-min-size"};
    const struct journal_options *journal = &hints->config->journal;
    const char *name = options_durability_name(journal->durability);
    if (journal->durability == JOURNAL_NONE) {
        for (size_t i = 0; i < sizeof of_log / sizeof *of_log; i++)
            if (hints_is_given(hints, of_log[i]))
                hints_say(hints, "--%s has no effect with --durability none: there is no log",
                          of_log[i]);
        return;
    }
    if (journal->rule_count > 0)
        hints_say(hints,
                  "--save has no effect on what survives with --durability %s, because the log has "
                  "all writes: it only costs more snapshots",
                  name);
    if (journal->rewrite_percent == 0 && hints_is_given(hints, "log-rewrite-min-size"))
        hints_say(hints,
                  "--log-rewrite-min-size has no effect with --log-rewrite-percent 0: the log may "
                  "grow to any size");
}

static bool hints_has_ip_address(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (!net_address_is_unix(&config->listen[i]))
            return true;
    return false;
}

static void hints_check_connections(const struct hints *hints)
{
    const struct config *config = hints->config;
    if (config->max_per_address == 0)
        return;
    if (!hints_has_ip_address(config))
        hints_say(hints,
                  "--max-connections-per-address has no effect: every --listen is a unix socket, "
                  "whose clients have no address");
    else if (config->max_per_address >= config->max_connections)
        hints_say(hints,
                  "--max-connections-per-address %" PRIu32
                  " has no effect: --max-connections allows "
                  "only %" PRIu32 " from all addresses together",
                  config->max_per_address, config->max_connections);
}

static void hints_check_users(const struct hints *hints)
{
    const struct config *config = hints->config;
    for (enum quota_limit limit = QUOTA_USER_CALLS; limit < QUOTA_LIMITS; limit++)
        if (config->quota.most[limit] != 0 && config->users_file[0] == '\0')
            hints_say(hints, "--%s has no effect without --users-file: there are no users",
                      quota_name(limit));
}

static void hints_check_tls(const struct hints *hints)
{
    const struct config *config = hints->config;
    for (size_t i = 0; i < config->listen_count; i++)
        if (config->listen[i].is_tls)
            return;
    if (config->tls_cert[0] != '\0' || config->tls_key[0] != '\0' ||
        config->tls_client_ca[0] != '\0')
        hints_say(hints,
                  "the certificates and keys for TLS have no effect without --tls-listen: no "
                  "address speaks TLS");
}

void hints_give(const struct config *config, hints_function *say, void *user)
{
    struct hints hints = {.config = config, .say = say, .user = user};
    hints_check_memory(&hints);
    hints_check_durability(&hints);
    hints_check_connections(&hints);
    hints_check_users(&hints);
    hints_check_tls(&hints);
}
