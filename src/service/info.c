/* From InfoRequest to sections, and from their fields to InfoReply. Knows no section. */
#include "service/info.h"

#include "base/check.h"
#include "base/utf8.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/error_text.h"
#include "service/service_options.h"
#include "service/wire.h"

#include <mini_redis.pb-c.h>
#include <stdarg.h>
#include <stdio.h>

/* Bytes of a name that an error message repeats. */
#define MAX_SHOWN ((size_t)100)

enum { INFO_FIELDS = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

/* A field; the list is in the order of writing. */
struct field {
    struct field *next;
    struct slice name;
    struct slice value;
};

struct info_writer {
    struct arena *arena;
    struct field *first;
    struct field **end;
};

static struct slice info_copy(struct arena *arena, const char *text)
{
    return arena_copy(arena, slice_from_string(text));
}

void info_put(struct info_writer *writer, const char *name, const char *format, ...)
{
    char value[INFO_MAX_VALUE];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    struct field *field = arena_alloc(writer->arena, sizeof *field);
    *field = (struct field){.name = info_copy(writer->arena, name),
                            .value = info_copy(writer->arena, value)};
    *writer->end = field;
    writer->end = &field->next;
}

static const struct info_section *info_find(const struct info_source *source, const char *name)
{
    for (size_t i = 0; i < source->count; i++) {
        if (strcmp(source->sections[i].name, name) == 0)
            return &source->sections[i];
    }
    return NULL;
}

/* "server, clients, ..." */
static const char *info_list_sections(const struct info_source *source, struct arena *arena)
{
    const char *list = "";
    for (size_t i = 0; i < source->count; i++)
        list =
            error_text_format(arena, "%s%s%s", list, i > 0 ? ", " : "", source->sections[i].name);
    return list;
}

static bool info_is_wanted(const Keystore__V1__InfoRequest *request, const char *section)
{
    for (size_t i = 0; i < request->n_sections; i++) {
        if (strcmp(request->sections[i], section) == 0)
            return true;
    }
    return request->n_sections == 0;
}

/* Bytes of a caller's text that an error message shows: whole characters, of UTF-8. */
static int info_shown_size(const char *text)
{
    struct slice rest = slice_from_string(text);
    while (rest.len > 0 && utf8_size(rest) > 0 &&
           (size_t)((const char *)rest.data - text) + utf8_size(rest) <= MAX_SHOWN)
        rest = slice_skip(rest, utf8_size(rest));
    return (int)((const char *)rest.data - text);
}

static enum err info_check_sections(const struct info_source *source,
                                    const Keystore__V1__InfoRequest *request, struct arena *arena,
                                    const char **why)
{
    for (size_t i = 0; i < request->n_sections; i++) {
        if (info_find(source, request->sections[i]) == NULL) {
            *why = error_text_format(arena, "sections[%zu]: there is no \"%.*s\"; there are: %s", i,
                                     info_shown_size(request->sections[i]), request->sections[i],
                                     info_list_sections(source, arena));
            return ERR_BAD_ARGUMENT;
        }
    }
    return ERR_NONE;
}

static size_t info_entry_size(const struct field *field)
{
    return wire_head_size(field->name.len) + field->name.len + wire_head_size(field->value.len) +
           field->value.len;
}

static void info_put_reply(const struct field *first, struct chain *reply)
{
    size_t size = 0;
    for (const struct field *field = first; field != NULL; field = field->next)
        size += wire_head_size(info_entry_size(field)) + info_entry_size(field);
    grpc_reply_begin(reply, size);
    uint8_t *out = chain_append(reply, size);
    const uint8_t *end = out + size;
    for (const struct field *field = first; field != NULL; field = field->next) {
        out = wire_write_head(out, INFO_FIELDS, info_entry_size(field));
        out = wire_write_bytes(out, ENTRY_KEY, field->name);
        out = wire_write_bytes(out, ENTRY_VALUE, field->value);
    }
    CHECK(out == end);
}

enum err info_answer(const struct info_source *source, struct slice message, struct arena *arena,
                     struct chain *reply, const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__info_request__descriptor, message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__InfoRequest *request = decoded;
    err = info_check_sections(source, request, arena, why);
    if (err != ERR_NONE)
        return err;
    struct info_writer writer = {.arena = arena};
    writer.end = &writer.first;
    for (size_t i = 0; i < source->count; i++) {
        if (info_is_wanted(request, source->sections[i].name))
            source->sections[i].write(source->user, &writer);
    }
    info_put_reply(writer.first, reply);
    return ERR_NONE;
}

enum err info_report(const struct service_options *options, struct slice message,
                     struct arena *arena, struct chain *reply, const char **why)
{
    return info_answer(options->info, message, arena, reply, why);
}
