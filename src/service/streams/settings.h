/* Config and SetConfig: the settings, which the server (server/runtime.h) knows. */
#ifndef KEYSTORE_SERVICE_STREAMS_SETTINGS_H
#define KEYSTORE_SERVICE_STREAMS_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "grpc/stream.h"

#include <stddef.h>

/* As in enum Origin of ConfigReply. */
enum setting_origin {
    SETTING_DEFAULT,
    SETTING_FILE,
    SETTING_COMMAND_LINE,
    SETTING_CHANGED,
};

/* A setting; all texts are in the arena or static. */
struct setting_entry {
    const char *name;
    const char *value;
    enum setting_origin origin;
    const char *accepts;
    bool is_changeable;
    const char *help;
};

/* Any worker asks. */
struct settings_source {
    void *user;
    /* The setting with that number, from 0; false: there are no more. */
    bool (*at)(void *user, size_t index, struct arena *arena, struct setting_entry *entry);
    /* Changes a setting; *changed: it had another value. On error *why is a message, static or in
     * the arena. */
    enum err (*set)(void *user, const char *name, const char *value, struct arena *arena,
                    bool *changed, const char **why);
};

extern const struct grpc_stream_method config_method;
extern const struct grpc_stream_method set_config_method;

#endif
