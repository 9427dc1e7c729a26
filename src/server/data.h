/* The server's data directory: opens, loads and closes it, and reports on it. */
#ifndef KEYSTORE_SERVER_DATA_H
#define KEYSTORE_SERVER_DATA_H

#include "server/config.h"

struct activity;
struct engine;
struct info_writer;
struct journal_options;

/* Initially all zero. It must not move. */
struct data {
    const struct config *config;
    struct engine *engine;
    struct journal *journal;
    atomic_bool serving; /* loaded, and writes go to disk */
    atomic_uint_fast64_t loaded_bytes, total_bytes;
    bool (*is_stopped)(void); /* called during loading: true ends it */
    int64_t logged_ms;        /* monotonic time of the newest line about the progress */
};

/* Opens and locks the directory of the configuration. All is borrowed; the activity is of those who
 * submit to the engine. False after an error message on standard error. */
bool data_open(struct data *data, const struct config *config, struct engine *engine,
               struct activity *activity);

enum data_loaded { DATA_LOADED, DATA_STOPPED, DATA_BAD };

/*
 * Loads the directory into the engine, which refuses tasks meanwhile, and then lets the engine
 * serve; from then on writes go to disk. DATA_BAD after an error message on standard error.
 */
enum data_loaded data_load(struct data *data, bool (*is_stopped)(void));

/* As journal_set_schedule(). Without effect before data_open(). */
void data_set_schedule(struct data *data, const struct journal_options *options);

/* Makes everything durable. The engine must not be in use any more. False if writes were lost. */
bool data_stop(struct data *data);

/* Closes the directory; after data_stop(). */
void data_close(struct data *data);

/* The monotonic time since which a write or sync of the log has been in progress, 0 = none is; and
 * how many took a second or longer. From any thread, after data_open(), until data_stop(). */
void data_disk(struct data *data, int64_t *waits_since_us, uint64_t *slow_waits);

/* Writes the fields of Info's section. From any thread, after data_open(). */
void data_write_info(struct data *data, struct info_writer *writer);

#endif
