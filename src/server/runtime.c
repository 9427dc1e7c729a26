/* Lists settings by the table of options, and applies those that change. */
#include "server/runtime.h"

#include "base/account.h"
#include "base/nearest.h"
#include "net/admission.h"
#include "server/data.h"
#include "server/options.h"
#include "service/error_text.h"

#include <string.h>

static const char *runtime_copy(struct arena *arena, const char *text)
{
    return (const char *)arena_copy(arena, slice_make(text, strlen(text) + 1)).data;
}

/* ---- Config ---- */

static enum setting_origin runtime_origin(const struct runtime *runtime, size_t row)
{
    uint64_t bit = UINT64_C(1) << row;
    if ((runtime->changed & bit) != 0)
        return SETTING_CHANGED;
    if ((runtime->config.on_command_line & bit) != 0)
        return SETTING_COMMAND_LINE;
    return (runtime->config.given & bit) != 0 ? SETTING_FILE : SETTING_DEFAULT;
}

static void runtime_describe(const struct runtime *runtime, size_t row, const char *value,
                             struct arena *arena, struct setting_entry *entry)
{
    char accepts[OPTIONS_ACCEPTS_SIZE];
    options_accepts(row, accepts);
    *entry = (struct setting_entry){
        .name = options_row(row)->name,
        .value = runtime_copy(arena, value),
        .origin = runtime_origin(runtime, row),
        .accepts = runtime_copy(arena, accepts),
        .is_changeable = options_is_changeable(row),
        .help = options_row(row)->help,
    };
}

/* Settings that may be repeated have several numbers. */
static bool runtime_at(void *user, size_t index, struct arena *arena, struct setting_entry *entry)
{
    struct runtime *runtime = user;
    char value[OPTIONS_VALUE_SIZE];
    bool found = false;
    pthread_mutex_lock(&runtime->lock);
    for (size_t row = OPTION_FIRST_SETTING; row < options_table().count && !found; row++)
        for (size_t i = 0; !found && options_print(row, &runtime->config, i, value); i++) {
            found = index-- == 0;
            if (found)
                runtime_describe(runtime, row, value, arena, entry);
        }
    pthread_mutex_unlock(&runtime->lock);
    return found;
}

/* ---- SetConfig ---- */

/* Names that users of Redis try. */
static const struct {
    const char *theirs;
    const char *ours;
} redis_names[] = {
    {"maxmemory", "max-memory"},
    {"maxmemory-policy", "max-memory-policy"},
    {"maxclients", "max-connections"},
    {"loglevel", "log-level"},
    {"timeout", "idle-timeout"},
    {"appendfsync", "durability"},
    {"auto-aof-rewrite-percentage", "log-rewrite-percent"},
    {"auto-aof-rewrite-min-size", "log-rewrite-min-size"},
};

static const char *runtime_refuse_unknown(const char *name, struct arena *arena)
{
    struct nearest meant;
    for (size_t i = 0; i < sizeof redis_names / sizeof redis_names[0]; i++)
        if (strcmp(name, redis_names[i].theirs) == 0)
            return error_text_format(arena, "Redis' %s is %s here", name, redis_names[i].ours);
    nearest_begin(&meant, name, strlen(name));
    for (size_t row = OPTION_FIRST_SETTING; row < options_table().count; row++)
        nearest_offer(&meant, options_row(row)->name);
    return meant.name != NULL
               ? error_text_format(arena, "there is no setting '%.100s': did you mean %s?", name,
                                   meant.name)
               : error_text_format(arena, "there is no setting '%.100s': Config lists all", name);
}

/* Applies what is not taken over by the workers. The lock is held. */
static void runtime_apply(struct runtime *runtime)
{
    const struct config *config = &runtime->config;
    log_set_level(config->log_level);
    account_set_limit(config->max_client_memory);
    net_admission_set_max(runtime->admission, config->max_connections);
    data_set_schedule(runtime->data, &config->journal);
    store_set_limit(runtime->store, (struct store_limit){.max_memory = config->store.max_memory,
                                                         .policy = config->store.policy});
    atomic_fetch_add(&runtime->generation, 1);
}

/* The lock is held. */
static bool runtime_change(struct runtime *runtime, size_t row, const char *value, bool *changed,
                           const char **why)
{
    char before[OPTIONS_VALUE_SIZE], after[OPTIONS_VALUE_SIZE];
    struct config config = runtime->config;
    if (!options_set(row, &config, value, why))
        return false;
    options_settle_again(&config, &runtime->config);
    *changed = options_print(row, &runtime->config, 0, before) &&
               options_print(row, &config, 0, after) && strcmp(before, after) != 0;
    runtime->config = config;
    runtime->changed |= UINT64_C(1) << row;
    runtime_apply(runtime);
    log_info("%s was set to `%s` by an administrator", options_row(row)->name, value);
    return true;
}

static enum err runtime_set(void *user, const char *name, const char *value, struct arena *arena,
                            bool *changed, const char **why)
{
    struct runtime *runtime = user;
    size_t row = options_find(name);
    if (row == 0) {
        *why = runtime_refuse_unknown(name, arena);
        return ERR_BAD_ARGUMENT;
    }
    if (!options_is_changeable(row)) {
        *why = error_text_format(
            arena, "%s cannot be changed while the server runs; it needs a restart", name);
        return ERR_BAD_ARGUMENT;
    }
    const char *problem;
    pthread_mutex_lock(&runtime->lock);
    bool good = runtime_change(runtime, row, value, changed, &problem);
    pthread_mutex_unlock(&runtime->lock);
    if (!good)
        *why = error_text_format(arena, "bad value `%.100s` for %s: %s", value, name, problem);
    return good ? ERR_NONE : ERR_BAD_ARGUMENT;
}

void runtime_init(struct runtime *runtime, const struct config *config,
                  struct net_admission *admission, struct data *data, struct store *store)
{
    *runtime =
        (struct runtime){.admission = admission, .data = data, .store = store, .config = *config};
    runtime->source =
        (struct settings_source){.user = runtime, .at = runtime_at, .set = runtime_set};
    pthread_mutex_init(&runtime->lock, NULL);
}

void runtime_deinit(struct runtime *runtime)
{
    pthread_mutex_destroy(&runtime->lock);
}

bool runtime_take(struct runtime *runtime, unsigned *generation, struct config *config)
{
    if (atomic_load_explicit(&runtime->generation, memory_order_relaxed) == *generation)
        return false;
    pthread_mutex_lock(&runtime->lock);
    *generation = atomic_load(&runtime->generation);
    *config = runtime->config;
    pthread_mutex_unlock(&runtime->lock);
    return true;
}

int64_t runtime_drain_timeout_ms(struct runtime *runtime)
{
    pthread_mutex_lock(&runtime->lock);
    int64_t timeout_ms = runtime->config.net.drain_timeout_ms;
    pthread_mutex_unlock(&runtime->lock);
    return timeout_ms;
}
