/* Decodes and compares selectors. How many watchers are found by an event is watch_feed.c's. */
#include "service/streams/watch_select.h"

#include "base/arena.h"
#include "base/field_path.h"
#include "base/glob.h"
#include "base/mem.h"
#include "service/check.h"
#include "service/error_text.h"
#include "service/field.h"
#include "service/identity.h"

#include <stdlib.h>

static const char *const watch_select_names[] = {
    [WATCH_KEY] = "key", [WATCH_PREFIX] = "prefix", [WATCH_PATTERN] = "pattern"};

static enum err watch_select_fill(const Keystore__V1__WatchRequest__Selector *message,
                                  struct arena *arena, struct watch_selector *selector,
                                  const char **why)
{
    selector->db = message->db;
    switch ((int)message->selector_case) {
    case KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_KEY:
        selector->kind = WATCH_KEY;
        selector->text = field_slice(message->key);
        if (selector->text.len == 0)
            return field_refuse("key: it is empty; a prefix that is empty selects all", why);
        break;
    case KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX:
        selector->kind = WATCH_PREFIX;
        selector->text = field_slice(message->prefix);
        break;
    case KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PATTERN:
        selector->kind = WATCH_PATTERN;
        selector->text = field_slice(message->pattern);
        break;
    default:
        *why = "it has neither key nor prefix nor pattern; set one";
        return ERR_BAD_ARGUMENT;
    }
    size_t most = selector->kind == WATCH_PATTERN ? WATCH_MAX_PATTERN : OP_MAX_KEY;
    if (selector->text.len <= most)
        return ERR_NONE;
    *why = error_text_format(arena, "%s: it has %zu bytes; it may have %zu",
                             watch_select_names[selector->kind], selector->text.len, most);
    return ERR_TOO_LARGE;
}

static enum err watch_select_add(const Keystore__V1__WatchRequest__Selector *message,
                                 const struct check_limits *limits, struct arena *arena,
                                 struct watch_select *select, const char **why)
{
    struct watch_selector *selector = &select->selectors[select->count++];
    enum err err = watch_select_fill(message, arena, selector, why);
    if (err != ERR_NONE)
        return err;
    uint32_t databases = limits->databases < 32 ? limits->databases : 32;
    if (selector->db >= databases) {
        *why = error_text_format(arena, "db: database %u cannot be watched; 0 to %u can",
                                 selector->db, databases - 1);
        return ERR_BAD_ARGUMENT;
    }
    select->databases |= (uint32_t)1 << selector->db;
    return ERR_NONE;
}

static enum err watch_select_decode_types(const Keystore__V1__WatchRequest *request,
                                          struct watch_select *select, const char **why)
{
    select->types = request->n_types == 0 ? WATCH_ALL_TYPES : 0;
    for (size_t i = 0; i < request->n_types; i++) {
        int type = (int)request->types[i];
        if (type < WATCH_WRITE || type > WATCH_FLUSH)
            return field_refuse("types: there is no such value; they are 1 (write) to 5 (flush)",
                                why);
        select->types |= 1u << type;
    }
    return ERR_NONE;
}

enum err watch_select_decode(const Keystore__V1__WatchRequest *request,
                             const struct check_limits *limits, struct arena *arena,
                             struct watch_select *select, const char **why)
{
    *select = (struct watch_select){.with_changes = request->with_changes};
    if (request->n_selectors == 0)
        return field_refuse("selectors: it is empty; an empty prefix selects all keys", why);
    if (request->n_selectors > WATCH_MAX_SELECTORS) {
        *why = error_text_format(arena, "selectors: there are %zu; there may be %zu",
                                 request->n_selectors, WATCH_MAX_SELECTORS);
        return ERR_TOO_LARGE;
    }
    select->selectors = arena_unfold(arena, request->n_selectors * sizeof *select->selectors);
    if (select->selectors == NULL)
        return field_refuse_memory(arena, why);
    for (size_t i = 0; i < request->n_selectors; i++) {
        enum err err = watch_select_add(request->selectors[i], limits, arena, select, why);
        if (err != ERR_NONE) {
            *why = field_path_within(arena, *why, "selectors[%zu]", i);
            return err;
        }
    }
    return watch_select_decode_types(request, select, why);
}

struct watch_select *watch_select_copy(const struct watch_select *select)
{
    size_t size = sizeof *select + select->count * sizeof *select->selectors;
    for (size_t i = 0; i < select->count; i++)
        size += select->selectors[i].text.len;
    struct watch_select *copy = mem_alloc(size);
    *copy = *select;
    if (copy->access != NULL)
        access_retain(copy->access);
    copy->selectors = (struct watch_selector *)(void *)(copy + 1);
    uint8_t *text = (uint8_t *)(copy->selectors + select->count);
    for (size_t i = 0; i < select->count; i++) {
        struct watch_selector *selector = &copy->selectors[i];
        *selector = select->selectors[i];
        slice_write(text, select->selectors[i].text);
        selector->text.data = text;
        text += selector->text.len;
    }
    return copy;
}

void watch_select_free(struct watch_select *select)
{
    if (select == NULL)
        return;
    access_release(select->access);
    free(select);
}

static struct access_need watch_select_need(uint32_t db, struct slice key)
{
    return (struct access_need){.kinds = ACCESS_READ, .types = ACCESS_WATCH, .db = db, .key = key};
}

enum err watch_select_permit(struct watch_select *select, const struct grpc_principal *principal,
                             struct arena *arena, const char **why)
{
    const struct access_rules *rules = identity_rules(principal);
    if (rules == NULL)
        return ERR_NONE;
    select->access = ((const struct identity *)principal)->access;
    select->rules = rules;
    for (size_t i = 0; i < select->count; i++) {
        const struct watch_selector *selector = &select->selectors[i];
        const struct access_need need = watch_select_need(selector->db, selector->text);
        bool may = selector->kind == WATCH_KEY ? access_meets(rules, &need, NULL)
                                               : access_may_meet(rules, &need);
        if (!may)
            return identity_refuse(rules, &need, "Watch", arena, why);
    }
    return ERR_NONE;
}

bool watch_select_shows(const struct watch_select *select, uint32_t db, struct slice key)
{
    const struct access_need need = watch_select_need(db, key);
    return select->rules == NULL || access_meets(select->rules, &need, NULL);
}

bool watch_select_shows_as(const struct watch_select *select, const struct access_rules *rules)
{
    return access_rules_equal(select->rules, rules, ACCESS_READ | ACCESS_WATCH | ACCESS_ALL);
}

bool watch_select_equal(const struct watch_select *one, const struct watch_select *other)
{
    if (one->count != other->count || one->types != other->types ||
        one->with_changes != other->with_changes || one->rules != other->rules)
        return false;
    for (size_t i = 0; i < one->count; i++) {
        const struct watch_selector *a = &one->selectors[i], *b = &other->selectors[i];
        if (a->kind != b->kind || a->db != b->db || !slice_equal(a->text, b->text))
            return false;
    }
    return true;
}

struct slice watch_select_literal(const struct watch_selector *selector)
{
    struct slice text = selector->text;
    size_t length = 0;
    if (selector->kind != WATCH_PATTERN)
        return text;
    while (length < text.len && strchr("*?[\\", text.data[length]) == NULL)
        length++;
    return slice_make(text.data, length);
}

bool watch_select_matches(const struct watch_selector *selector, uint32_t db, struct slice key)
{
    if (selector->db != db)
        return false;
    switch (selector->kind) {
    case WATCH_KEY:
        return slice_equal(selector->text, key);
    case WATCH_PREFIX:
        return slice_starts_with(key, selector->text);
    case WATCH_PATTERN:
        return glob_match(selector->text, key);
    }
    return false;
}

bool watch_select_wants_key(const struct watch_select *select, uint32_t db, struct slice key)
{
    for (size_t i = 0; i < select->count; i++)
        if (watch_select_matches(&select->selectors[i], db, key))
            return watch_select_shows(select, db, key);
    return false;
}

bool watch_select_wants(const struct watch_select *select, const struct watch_event *event)
{
    return watch_select_wants_type(select, event) &&
           (event->type == WATCH_FLUSH || watch_select_wants_key(select, event->db, event->key));
}
