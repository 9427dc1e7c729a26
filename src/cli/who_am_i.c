/* Who the caller is, as lines like those of the users file. */
#include "cli/who_am_i.h"

#include "access/tokens.h"

#include <stdio.h>
#include <string.h>

/* Lines besides those of rules. */
#define OTHER_LINES 4

static struct reply who_am_i_line(struct arena *arena, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(" = ") + strlen(value) + 1;
    char *text = arena_alloc(arena, size);
    snprintf(text, size, "%s = %s", name, value);
    return format_bytes(keystore_text(text));
}

static struct reply who_am_i_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return format_bytes(keystore_text(memcpy(arena_alloc(arena, size), text, size)));
}

static const char *who_am_i_means(enum keystore_means means)
{
    switch (means) {
    case KEYSTORE_MEANS_NONE:
        break;
    case KEYSTORE_MEANS_TOKEN:
        return "a token of the users file";
    case KEYSTORE_MEANS_SESSION:
        return "a password";
    case KEYSTORE_MEANS_CERTIFICATE:
        return "the certificate of the connection";
    case KEYSTORE_MEANS_UNIX:
        return "the user of the system";
    }
    return "nothing: the server has no users, so everybody may do everything";
}

struct reply who_am_i_reply(const struct request *request, const struct keystore_identity *identity,
                            struct arena *arena)
{
    bool is_nobody = identity->means == KEYSTORE_MEANS_NONE;
    char time[TOKEN_TIME_CHARS + 1];
    size_t count = 0;
    if (request->only_name) /* as Redis calls the user of those who have not authenticated */
        return who_am_i_text(arena, is_nobody ? "default" : identity->user);
    struct reply *lines = arena_alloc(arena, (identity->count + OTHER_LINES) * sizeof *lines);
    if (!is_nobody)
        lines[count++] = who_am_i_line(arena, "user", identity->user);
    lines[count++] = who_am_i_line(arena, "known by", who_am_i_means(identity->means));
    if (identity->id[0] != '\0')
        lines[count++] = who_am_i_line(arena, "id", identity->id);
    if (identity->expires_at_ms != 0)
        lines[count++] =
            who_am_i_line(arena, "expires", token_print_time(identity->expires_at_ms, time));
    for (size_t i = 0; i < identity->count; i++)
        lines[count++] = who_am_i_line(arena, "allow", identity->rules[i]);
    return format_list(lines, count);
}

enum keystore_code who_am_i_send(struct keystore_client *client, const struct request *request,
                                 struct arena *arena, struct reply *reply)
{
    struct keystore_identity identity;
    enum keystore_code code =
        keystore_who_am_i(client, &(struct keystore_who_am_i_request){0}, &identity);
    if (code == KEYSTORE_OK)
        *reply = who_am_i_reply(request, &identity, arena);
    return code;
}
