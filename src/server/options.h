/* The table of settings: names, help texts and the values allowed. Private to server. */
#ifndef KEYSTORE_SERVER_OPTIONS_H
#define KEYSTORE_SERVER_OPTIONS_H

#include "base/option.h"
#include "server/settings.h"

#define OPTIONS_DEFAULT_LISTEN "127.0.0.1:50051"
/* Of --save without a log. */
#define OPTIONS_DEFAULT_RULES "900 1 300 10"

/* The rows for the command line only, which are no settings; the settings follow. */
enum option_index { OPTION_CONFIG, OPTION_HELP, OPTION_VERSION, OPTION_FIRST_SETTING };

/* All rows: those of enum option_index, then the other settings. Static memory. */
struct option_table options_table(void);
const struct option_row *options_row(size_t row);

/* Sets the default of every setting, except `listen`, which gets no address. */
void options_fill_defaults(struct config *config);

/* As --max-memory-policy names it. Static memory. */
const char *options_policy_name(enum store_policy policy);

/*
 * Sets the row's setting; `value` is NULL for a row without an argument. On a bad value false, with
 * *why an error message that is valid until the next call.
 */
bool options_set(size_t row, struct config *config, const char *value, const char **why)
    __attribute__((warn_unused_result));

/* After all settings are read: fills in those that depend on others. */
void options_settle(struct config *config);

/* "always" and so on. */
const char *options_durability_name(enum journal_durability durability);

#endif
