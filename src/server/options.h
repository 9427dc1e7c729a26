/* The table of settings: names, help, and what each value must be. Private to server. */
#ifndef KEYSTORE_SERVER_OPTIONS_H
#define KEYSTORE_SERVER_OPTIONS_H

#include "base/option.h"
#include "server/settings.h"

#define OPTIONS_DEFAULT_LISTEN "127.0.0.1:50051"
/* Of --save, when there is no log. */
#define OPTIONS_DEFAULT_RULES "900 1 300 10"

/* The rows that are no settings, but of the command line only; settings follow them. */
enum option_index { OPTION_CONFIG, OPTION_HELP, OPTION_VERSION, OPTION_FIRST_SETTING };

/* All rows, OPTION_CONFIG and so on first. Static memory. */
struct option_table options_table(void);
const struct option_row *options_row(size_t row);

/* What every setting is unless it is set, but for `listen`, which has none then. */
void options_fill_defaults(struct config *config);

/* As --max-memory-policy names it. Static memory. */
const char *options_policy_name(enum store_policy policy);

/*
 * Sets the row's setting; `value` is NULL for a row without an argument. On a bad value false,
 * with *why a sentence that is valid until the next call.
 */
bool options_set(size_t row, struct config *config, const char *value, const char **why)
    __attribute__((warn_unused_result));

/* When all is set: fills in what depends on other settings. */
void options_settle(struct config *config);

/* "always" and so on. */
const char *options_durability_name(enum journal_durability durability);

#endif
