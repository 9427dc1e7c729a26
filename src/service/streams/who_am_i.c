/* The request has nothing to say; the reply is made from the call's principal when there is
 * room. */
#include "service/streams/who_am_i.h"

#include "access/rules_text.h"
#include "base/chain.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/encode.h"
#include "service/identity.h"
#include "service/streams/host.h"

#include <stdlib.h>

static const char who_am_i_stops[] = "the server is shutting down";

/* The call's user pointer once it has its message. */
static char has_message;

static char *who_am_i_copy(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* What everybody may do on a server without users is as with this rule. */
static void who_am_i_say_nobody(Keystore__V1__Identity *reply, struct arena *arena)
{
    reply->n_rules = 1;
    reply->rules = arena_alloc(arena, sizeof *reply->rules);
    reply->rules[0] = who_am_i_copy(arena, "all", 3);
}

static void who_am_i_say_means(Keystore__V1__Identity *reply, const struct identity *identity)
{
    static const Keystore__V1__Identity__Means means[] = {
        [IDENTITY_TOKEN] = KEYSTORE__V1__IDENTITY__MEANS__MEANS_TOKEN,
        [IDENTITY_SESSION] = KEYSTORE__V1__IDENTITY__MEANS__MEANS_SESSION,
        [IDENTITY_CERTIFICATE] = KEYSTORE__V1__IDENTITY__MEANS__MEANS_CERTIFICATE,
        [IDENTITY_UNIX] = KEYSTORE__V1__IDENTITY__MEANS__MEANS_UNIX,
    };
    reply->user = (char *)(uintptr_t)identity->user->rules.user;
    reply->means = means[identity->means];
    if (identity->means == IDENTITY_TOKEN)
        reply->id = (char *)(uintptr_t)identity->token->id;
    else if (identity->means == IDENTITY_SESSION)
        reply->id = (char *)(uintptr_t)identity->session.id;
    reply->expires_at_ms = identity->expires_ms == INT64_MAX ? 0 : identity->expires_ms;
}

/* False if there is no memory. */
static bool who_am_i_say_rules(Keystore__V1__Identity *reply, const struct access_rules *rules,
                               struct arena *arena)
{
    reply->rules = arena_alloc(arena, (rules->count + 1) * sizeof *reply->rules);
    for (size_t i = 0; i < rules->count; i++) {
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        if (out == NULL)
            return false;
        rules_text_write(&rules->rules[i], out);
        bool is_written = fclose(out) == 0;
        if (is_written)
            reply->rules[reply->n_rules++] = who_am_i_copy(arena, text, len);
        free(text);
        if (!is_written)
            return false;
    }
    return true;
}

static bool who_am_i_make(Keystore__V1__Identity *reply, const struct grpc_principal *principal,
                          struct arena *arena)
{
    if (principal == NULL) {
        who_am_i_say_nobody(reply, arena);
        return true;
    }
    who_am_i_say_means(reply, (const struct identity *)principal);
    return who_am_i_say_rules(reply, identity_rules(principal), arena);
}

static void who_am_i_on_open(void *user, struct grpc_call *call)
{
    (void)user;
    grpc_call_set_user(call, NULL);
}

static void who_am_i_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct arena arena;
    void *decoded;
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = ERR_NOT_SERVED;
    (void)user;
    arena_init(&arena);
    if (grpc_call_user(call) == NULL)
        err = decode_message(&keystore__v1__who_am_irequest__descriptor, message, &arena, &decoded,
                             &why);
    if (err != ERR_NONE) {
        stream_end(call, err, why);
    } else {
        grpc_call_set_user(call, &has_message);
        grpc_stream_ready(call);
    }
    arena_deinit(&arena);
}

static void who_am_i_on_half_close(void *user, struct grpc_call *call)
{
    (void)user;
    if (grpc_call_user(call) == NULL)
        stream_end(call, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void who_am_i_on_room(void *user, struct grpc_call *call, size_t room)
{
    Keystore__V1__Identity reply = KEYSTORE__V1__IDENTITY__INIT;
    struct arena arena;
    (void)user;
    (void)room;
    if (grpc_call_user(call) == NULL)
        return;
    arena_init(&arena);
    bool is_made = who_am_i_make(&reply, grpc_call_principal(call), &arena);
    if (is_made) {
        size_t size = keystore__v1__identity__get_packed_size(&reply);
        struct chain *to = grpc_stream_write(call, size);
        keystore__v1__identity__pack(&reply, chain_append(to, size));
    }
    arena_deinit(&arena);
    stream_end(call, is_made ? ERR_NONE : ERR_NO_CLIENT_MEMORY, "there is no memory for the reply");
}

static void who_am_i_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    stream_end(call, ERR_STOPPING, who_am_i_stops);
}

static void who_am_i_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    (void)call;
}

const struct grpc_stream_method who_am_i_method = {
    .on_open = who_am_i_on_open,
    .on_message = who_am_i_on_message,
    .on_half_close = who_am_i_on_half_close,
    .on_room = who_am_i_on_room,
    .on_drain = who_am_i_on_drain,
    .on_cancel = who_am_i_on_cancel,
};
