/* The server's data directory from its opening to its end, and what is said about it. */
#ifndef KEYSTORE_SERVER_DATA_H
#define KEYSTORE_SERVER_DATA_H

#include "server/config.h"

struct activity;
struct engine;
struct info_writer;

/* All zero to begin with. It must not move. */
struct data {
    const struct config *config;
    struct engine *engine;
    struct journal *journal;
    atomic_bool serving; /* loaded, and writes are kept */
    atomic_uint_fast64_t loaded_bytes, total_bytes;
    bool (*is_stopped)(void); /* asked while it is loading: true ends that */
    int64_t told_ms;          /* monotonic */
};

/* Opens and locks the directory of the configuration. All is borrowed; the activity is of those who
 * submit to the engine. False after an error message on standard error. */
bool data_open(struct data *data, const struct config *config, struct engine *engine,
               struct activity *activity);

enum data_loaded { DATA_LOADED, DATA_STOPPED, DATA_BAD };

/*
 * Loads the directory into the engine, which refuses tasks as long as it is loading, and then lets
 * it serve, with all writes kept from then on. DATA_BAD after a sentence on standard error.
 */
enum data_loaded data_load(struct data *data, bool (*is_stopped)(void));

/* Nobody works in the engine any more: makes everything durable. False if writes were lost. */
bool data_stop(struct data *data);

/* Gives up the directory; after data_stop(). */
void data_close(struct data *data);

/* Since when the disk has been at work on one write or sync, monotonic, 0 = it is not; and how many
 * took a second or longer. From any thread, after data_open(), until data_stop(). */
void data_disk(struct data *data, int64_t *waits_since_us, uint64_t *slow_waits);

/* The fields of the section of Info. From any thread, after data_open(). */
void data_write_info(struct data *data, struct info_writer *writer);

#endif
