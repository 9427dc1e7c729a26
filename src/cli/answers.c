/* Converts answers of the API to replies of Redis. Knows neither commands nor how replies are
 * printed. */
#include "cli/answers.h"

#include "base/check.h"

#include <inttypes.h>
#include <time.h>

static struct reply *answers_new_items(struct arena *arena, size_t count)
{
    return arena_alloc(arena, (count + 1) * sizeof(struct reply));
}

static struct reply answers_error(const char *message)
{
    return (struct reply){.type = REPLY_ERROR, .bytes = keystore_text(message)};
}

static struct reply answers_no_such_key(void)
{
    return answers_error("no such key");
}

/* ---- status ---- */

struct reply answers_ok(const struct request *request, const struct keystore_reply *from,
                        struct arena *arena)
{
    (void)request;
    (void)from;
    (void)arena;
    return format_status("OK");
}

struct reply answers_ok_or_nil(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena)
{
    (void)request;
    (void)arena;
    return from->answer.status.ok ? format_status("OK") : format_nil();
}

struct reply answers_ok_or_no_key(const struct request *request, const struct keystore_reply *from,
                                  struct arena *arena)
{
    (void)request;
    (void)arena;
    return from->answer.status.ok ? format_status("OK") : answers_no_such_key();
}

struct reply answers_bit(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(from->answer.status.ok ? 1 : 0);
}

/* RENAMENX: if the target exists, the answer has its version. */
struct reply answers_bit_or_no_key(const struct request *request, const struct keystore_reply *from,
                                   struct arena *arena)
{
    if (!from->answer.status.ok && from->answer.status.version == 0)
        return answers_no_such_key();
    return answers_bit(request, from, arena);
}

struct reply answers_count(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(from->answer.status.count);
}

static struct reply answers_reply_of_value(const struct keystore_value *value)
{
    return value->found ? format_bytes(value->value) : format_nil();
}

struct reply answers_previous(const struct request *request, const struct keystore_reply *from,
                              struct arena *arena)
{
    (void)request;
    (void)arena;
    return answers_reply_of_value(&from->answer.status.previous);
}

struct reply answers_pong(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena)
{
    (void)request;
    (void)from;
    (void)arena;
    return format_status("PONG");
}

struct reply answers_text(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena)
{
    (void)from;
    (void)arena;
    return format_bytes(request->text);
}

/* ---- values ---- */

struct reply answers_value(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena)
{
    (void)request;
    (void)arena;
    return answers_reply_of_value(&from->answer.value);
}

struct reply answers_part(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_bytes(from->answer.value.value);
}

struct reply answers_values(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena)
{
    (void)request;
    const struct keystore_values *values = &from->answer.values;
    struct reply *items = answers_new_items(arena, values->count);
    for (size_t i = 0; i < values->count; i++)
        items[i] = answers_reply_of_value(&values->values[i]);
    return format_list(items, values->count);
}

static struct reply answers_reply_of_slices(const struct keystore_slice *slices, size_t count,
                                            struct arena *arena)
{
    struct reply *items = answers_new_items(arena, count);
    for (size_t i = 0; i < count; i++)
        items[i] = format_bytes(slices[i]);
    return format_list(items, count);
}

struct reply answers_list(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena)
{
    (void)request;
    return answers_reply_of_slices(from->answer.list.values, from->answer.list.count, arena);
}

struct reply answers_bit_fields(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena)
{
    (void)request;
    const struct keystore_bit_fields *fields = &from->answer.bit_fields;
    struct reply *items = answers_new_items(arena, fields->count);
    for (size_t i = 0; i < fields->count; i++)
        items[i] = fields->items[i].done ? format_integer(fields->items[i].value) : format_nil();
    return format_list(items, fields->count);
}

struct reply answers_lcs(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_bytes(from->answer.lcs.value);
}

struct reply answers_lcs_length(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(from->answer.lcs.length);
}

static struct reply answers_range(int64_t start, int64_t length, struct arena *arena)
{
    struct reply *items = answers_new_items(arena, 2);
    items[0] = format_integer(start);
    items[1] = format_integer(start + length - 1);
    return format_list(items, 2);
}

static struct reply answers_lcs_ranges(const struct keystore_lcs_reply *lcs, bool with_lengths,
                                       struct arena *arena)
{
    struct reply *matches = answers_new_items(arena, lcs->count);
    for (size_t i = 0; i < lcs->count; i++) {
        const struct keystore_lcs_match *match = &lcs->matches[i];
        struct reply *items = answers_new_items(arena, 3);
        items[0] = answers_range(match->start, match->length, arena);
        items[1] = answers_range(match->other_start, match->length, arena);
        items[2] = format_integer(match->length);
        matches[i] = format_list(items, with_lengths ? 3 : 2);
    }
    struct reply *items = answers_new_items(arena, 4);
    items[0] = format_bytes(keystore_text("matches"));
    items[1] = format_list(matches, lcs->count);
    items[2] = format_bytes(keystore_text("len"));
    items[3] = format_integer(lcs->length);
    return format_list(items, 4);
}

struct reply answers_lcs_matches(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena)
{
    (void)request;
    return answers_lcs_ranges(&from->answer.lcs, false, arena);
}

struct reply answers_lcs_matches_with_lengths(const struct request *request,
                                              const struct keystore_reply *from,
                                              struct arena *arena)
{
    (void)request;
    return answers_lcs_ranges(&from->answer.lcs, true, arena);
}

struct reply answers_popped(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena)
{
    (void)request;
    const struct keystore_popped *popped = &from->answer.popped;
    return popped->found ? answers_reply_of_slices(popped->values, popped->count, arena)
                         : format_nil();
}

struct reply answers_popped_key(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena)
{
    if (!from->answer.popped.found)
        return format_nil();
    struct reply *items = answers_new_items(arena, 2);
    items[0] = format_bytes(from->answer.popped.key);
    items[1] = answers_popped(request, from, arena);
    return format_list(items, 2);
}

/* BLPOP and BRPOP: the list's key and the element. */
struct reply answers_popped_pair(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena)
{
    (void)request;
    const struct keystore_popped *popped = &from->answer.popped;
    if (!popped->found || popped->count == 0)
        return format_nil();
    struct reply *items = answers_new_items(arena, 2);
    items[0] = format_bytes(popped->key);
    items[1] = format_bytes(popped->values[0]);
    return format_list(items, 2);
}

struct reply answers_positions(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena)
{
    (void)request;
    const struct keystore_positions *positions = &from->answer.positions;
    struct reply *items = answers_new_items(arena, positions->count);
    for (size_t i = 0; i < positions->count; i++)
        items[i] = format_integer(positions->indexes[i]);
    return format_list(items, positions->count);
}

struct reply answers_position(const struct request *request, const struct keystore_reply *from,
                              struct arena *arena)
{
    (void)request;
    (void)arena;
    const struct keystore_positions *positions = &from->answer.positions;
    return positions->count > 0 ? format_integer(positions->indexes[0]) : format_nil();
}

/* ---- numbers ---- */

struct reply answers_integer(const struct request *request, const struct keystore_reply *from,
                             struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(from->answer.number.integer);
}

struct reply answers_decimal(const struct request *request, const struct keystore_reply *from,
                             struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_bytes(from->answer.number.decimal);
}

/* ---- descriptions of keys ---- */

static const char *answers_type_name(enum keystore_type type)
{
    switch (type) {
    case KEYSTORE_TYPE_NONE:
        return "none";
    case KEYSTORE_TYPE_STRING:
        return "string";
    case KEYSTORE_TYPE_LIST:
        return "list";
    }
    return "unknown";
}

struct reply answers_type(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_status(answers_type_name(from->answer.info.type));
}

/* Describe takes keys of any type, but the command does not. */
static struct reply answers_wrong_type(enum keystore_type wanted)
{
    return answers_error(
        wanted == KEYSTORE_TYPE_LIST
            ? "FAILED_PRECONDITION WRONG_TYPE: the key holds a string; this command is for "
              "lists"
            : "FAILED_PRECONDITION WRONG_TYPE: the key holds a list; this command is for "
              "strings");
}

static struct reply answers_length(const struct keystore_key_info *info, enum keystore_type wanted)
{
    if (info->found && info->type != wanted)
        return answers_wrong_type(wanted);
    return format_integer(info->length);
}

struct reply answers_string_length(const struct request *request, const struct keystore_reply *from,
                                   struct arena *arena)
{
    (void)request;
    (void)arena;
    return answers_length(&from->answer.info, KEYSTORE_TYPE_STRING);
}

struct reply answers_list_length(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena)
{
    (void)request;
    (void)arena;
    return answers_length(&from->answer.info, KEYSTORE_TYPE_LIST);
}

struct reply answers_no_elements(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena)
{
    (void)request;
    (void)arena;
    const struct keystore_key_info *info = &from->answer.info;
    if (!info->found)
        return format_nil();
    return info->type == KEYSTORE_TYPE_LIST ? format_list(NULL, 0)
                                            : answers_wrong_type(KEYSTORE_TYPE_LIST);
}

static int64_t answers_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Redis' numbers for no key and no deadline. */
enum { NO_KEY = -2, NO_DEADLINE = -1 };

static int64_t answers_deadline_ms(const struct keystore_key_info *info)
{
    if (!info->found)
        return NO_KEY;
    return info->expire_at_ms != 0 ? info->expire_at_ms : NO_DEADLINE;
}

static int64_t answers_ttl_left_ms(const struct keystore_key_info *info)
{
    int64_t at = answers_deadline_ms(info);
    if (at < 0)
        return at;
    int64_t left = at - answers_now_ms();
    return left > 0 ? left : 0;
}

/* Rounded as in Redis; NO_KEY and NO_DEADLINE are kept. */
static int64_t answers_in_seconds(int64_t ms)
{
    return ms < 0 ? ms : ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
}

struct reply answers_ttl(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(answers_in_seconds(answers_ttl_left_ms(&from->answer.info)));
}

struct reply answers_ttl_ms(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(answers_ttl_left_ms(&from->answer.info));
}

struct reply answers_expire_at(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(answers_in_seconds(answers_deadline_ms(&from->answer.info)));
}

struct reply answers_expire_at_ms(const struct request *request, const struct keystore_reply *from,
                                  struct arena *arena)
{
    (void)request;
    (void)arena;
    return format_integer(answers_deadline_ms(&from->answer.info));
}

struct reply answers_memory(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena)
{
    (void)request;
    (void)arena;
    const struct keystore_key_info *info = &from->answer.info;
    return info->found ? format_integer(info->memory_bytes) : format_nil();
}

/* As text, since IFVERSION takes an unsigned number. */
static struct reply answers_reply_of_version(uint64_t version, struct arena *arena)
{
    char *text = arena_alloc(arena, 24);
    snprintf(text, 24, "%" PRIu64, version);
    return format_bytes(keystore_text(text));
}

struct reply answers_description(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena)
{
    (void)request;
    const struct keystore_key_info *info = &from->answer.info;
    if (!info->found)
        return format_nil();
    const struct {
        const char *name;
        struct reply value;
    } parts[] = {
        {"type", format_bytes(keystore_text(answers_type_name(info->type)))},
        {"length", format_integer(info->length)},
        {"ttl-ms", format_integer(answers_ttl_left_ms(info))},
        {"version", answers_reply_of_version(info->version, arena)},
        {"memory-bytes", format_integer(info->memory_bytes)},
    };
    size_t count = 2 * (sizeof parts / sizeof *parts);
    struct reply *items = answers_new_items(arena, count);
    for (size_t i = 0; i < count; i++)
        items[i] = i % 2 == 0 ? format_bytes(keystore_text(parts[i / 2].name)) : parts[i / 2].value;
    return format_list(items, count);
}

/* ---- INFO ---- */

struct reply answers_info(const struct keystore_info_reply *from, struct arena *arena)
{
    size_t size = 1;
    for (size_t i = 0; i < from->count; i++)
        size += strlen(from->fields[i].name) + strlen(from->fields[i].value) + strlen(":\n");
    char *text = arena_alloc(arena, size);
    size_t len = 0;
    for (size_t i = 0; i < from->count; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%s:%s", i > 0 ? "\n" : "",
                                from->fields[i].name, from->fields[i].value);
    CHECK(len < size);
    return (struct reply){.type = REPLY_TEXT, .bytes = {.data = text, .len = len}};
}

/* The field "db3" is "keys=17,expires=2,..."; a database without keys has none. */
struct reply answers_db_size(const struct keystore_info_reply *from, uint32_t db)
{
    char name[16];
    snprintf(name, sizeof name, "db%" PRIu32, db);
    for (size_t i = 0; i < from->count; i++) {
        long long keys;
        if (strcmp(from->fields[i].name, name) == 0 &&
            sscanf(from->fields[i].value, "keys=%lld", &keys) == 1)
            return format_integer(keys);
    }
    return format_integer(0);
}
