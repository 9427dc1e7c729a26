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

/* The row of a setting; 0, which is no setting, if it is unknown. */
size_t options_find(const char *name);

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

/* What the row's setting accepts, with its unit and range. */
#define OPTIONS_ACCEPTS_SIZE 160
void options_accepts(size_t row, char out[static OPTIONS_ACCEPTS_SIZE]);

/* Prints the value as a configuration file has it, the one with that index of a setting that may be
 * repeated. False if there is none. */
#define OPTIONS_VALUE_SIZE CONFIG_MAX_PATH
bool options_print(size_t row, const struct config *config, size_t index,
                   char out[static OPTIONS_VALUE_SIZE]);

/* Whether the setting can be changed while the server runs (runtime.h). */
bool options_is_changeable(size_t row);

/* After all settings are read: fills in those that depend on others. */
void options_settle(struct config *config);

/* The same after one of the settings, which were `before`, has changed. */
void options_settle_again(struct config *config, const struct config *before);

/* "always" and so on. */
const char *options_durability_name(enum journal_durability durability);

#endif
