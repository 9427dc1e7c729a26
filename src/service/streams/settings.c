/* One request, one reply, which is made when the request comes and written when there is room. */
#include "service/streams/settings.h"

#include "base/chain.h"
#include "base/glob.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/encode.h"
#include "service/streams/host.h"

#include <stdlib.h>

/* The most settings of a reply; a table of options has less, and there may be some listeners. */
#define SETTINGS_MOST 128

static const char settings_stops[] = "the server is shutting down";

struct settings_call {
    struct stream_host *host;
    struct grpc_call *call;
    struct arena arena;
    struct slice reply;
    bool has_begun;
};

static void settings_free(struct settings_call *settings)
{
    arena_deinit(&settings->arena);
    free(settings);
}

static void settings_end(struct settings_call *settings, enum err err, const char *why)
{
    stream_end(settings->call, err, why);
    settings_free(settings);
}

/* ---- replies ---- */

static Keystore__V1__ConfigReply__Setting *settings_to_wire(struct arena *arena,
                                                            const struct setting_entry *entry)
{
    Keystore__V1__ConfigReply__Setting *wire = arena_alloc(arena, sizeof *wire);
    keystore__v1__config_reply__setting__init(wire);
    wire->name = (char *)(uintptr_t)entry->name;
    wire->value = (char *)(uintptr_t)entry->value;
    wire->origin = (Keystore__V1__ConfigReply__Origin)entry->origin;
    wire->accepts = (char *)(uintptr_t)entry->accepts;
    wire->changeable = entry->is_changeable;
    wire->help = (char *)(uintptr_t)entry->help;
    return wire;
}

static void settings_list(struct settings_call *settings, const char *pattern)
{
    const struct settings_source *source = settings->host->settings;
    struct arena *arena = &settings->arena;
    Keystore__V1__ConfigReply reply = KEYSTORE__V1__CONFIG_REPLY__INIT;
    Keystore__V1__ConfigReply__Setting *found[SETTINGS_MOST];
    struct setting_entry entry;
    reply.settings = found;
    for (size_t i = 0; source->at(source->user, i, arena, &entry); i++)
        if (pattern[0] == '\0' ||
            glob_match(slice_from_string(pattern), slice_from_string(entry.name))) {
            CHECK(reply.n_settings < SETTINGS_MOST);
            found[reply.n_settings++] = settings_to_wire(arena, &entry);
        }
    size_t size = keystore__v1__config_reply__get_packed_size(&reply);
    uint8_t *packed = arena_alloc(arena, size + 1);
    keystore__v1__config_reply__pack(&reply, packed);
    settings->reply = slice_make(packed, size);
}

static enum err settings_answer_list(struct settings_call *settings, struct slice message,
                                     const char **why)
{
    void *decoded;
    enum err err = decode_message(&keystore__v1__config_request__descriptor, message,
                                  &settings->arena, &decoded, why);
    if (err == ERR_NONE)
        settings_list(settings, ((const Keystore__V1__ConfigRequest *)decoded)->pattern);
    return err;
}

static enum err settings_answer_set(struct settings_call *settings, struct slice message,
                                    const char **why)
{
    const struct settings_source *source = settings->host->settings;
    Keystore__V1__Status status = KEYSTORE__V1__STATUS__INIT;
    bool changed = false;
    void *decoded;
    enum err err = decode_message(&keystore__v1__set_config_request__descriptor, message,
                                  &settings->arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__SetConfigRequest *request = decoded;
    err = source->set(source->user, request->name, request->value, &settings->arena, &changed, why);
    if (err != ERR_NONE)
        return err;
    status.ok = changed;
    size_t size = keystore__v1__status__get_packed_size(&status);
    uint8_t *packed = arena_alloc(&settings->arena, size + 1);
    keystore__v1__status__pack(&status, packed);
    settings->reply = slice_make(packed, size);
    return ERR_NONE;
}

/* ---- calls ---- */

static void settings_on_open(void *user, struct grpc_call *call)
{
    struct stream_host *host = stream_host_of(user);
    if (host->settings == NULL) {
        stream_end(call, ERR_NOT_SERVED, "this server does not tell its settings");
        return;
    }
    struct settings_call *settings = mem_alloc_zero(sizeof *settings);
    settings->host = host;
    settings->call = call;
    arena_init(&settings->arena);
    grpc_call_set_user(call, settings);
}

static void settings_take(struct grpc_call *call, struct slice message,
                          enum err (*answer)(struct settings_call *settings, struct slice message,
                                             const char **why))
{
    struct settings_call *settings = grpc_call_user(call);
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = settings->has_begun ? ERR_NOT_SERVED : answer(settings, message, &why);
    if (err != ERR_NONE) {
        settings_end(settings, err, why);
        return;
    }
    settings->has_begun = true;
    grpc_stream_ready(call);
}

static void settings_on_message(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    settings_take(call, message, settings_answer_list);
}

static void settings_on_message_to_set(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    settings_take(call, message, settings_answer_set);
}

static void settings_on_half_close(void *user, struct grpc_call *call)
{
    struct settings_call *settings = grpc_call_user(call);
    (void)user;
    if (!settings->has_begun)
        settings_end(settings, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void settings_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct settings_call *settings = grpc_call_user(call);
    struct slice reply = settings->reply;
    (void)user;
    (void)room;
    if (!settings->has_begun)
        return;
    struct chain *to = grpc_stream_write(call, reply.len);
    if (reply.len > 0)
        slice_write(chain_append(to, reply.len), reply);
    settings_end(settings, ERR_NONE, NULL);
}

static void settings_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    settings_end(grpc_call_user(call), ERR_STOPPING, settings_stops);
}

static void settings_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    settings_free(grpc_call_user(call));
}

const struct grpc_stream_method config_method = {
    .on_open = settings_on_open,
    .on_message = settings_on_message,
    .on_half_close = settings_on_half_close,
    .on_room = settings_on_room,
    .on_drain = settings_on_drain,
    .on_cancel = settings_on_cancel,
};

const struct grpc_stream_method set_config_method = {
    .on_open = settings_on_open,
    .on_message = settings_on_message_to_set,
    .on_half_close = settings_on_half_close,
    .on_room = settings_on_room,
    .on_drain = settings_on_drain,
    .on_cancel = settings_on_cancel,
};
