/*
 * The store walks through the keys (store/scan.h); here are the messages. A page takes several
 * steps, between which other calls have their turn, and is shown when all that it reflects is
 * durable.
 */
#include "service/streams/scan.h"

#include "base/chain.h"
#include "base/check.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/encode.h"
#include "service/error_text.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/streams/pages.h"
#include "service/wire.h"
#include "store/scan.h"

enum { PAGE_ENTRIES = 1, PAGE_CURSOR = 2 };
enum { ENTRY_KEY = 1, ENTRY_TYPE = 2, ENTRY_VALUE = 3 };

struct scan_stream {
    struct pages pages; /* first */
    struct arena arena; /* of the page */
    struct scan scan;
    size_t page_bytes;
    uint64_t left; /* keys that may still be visited */
};

static enum err scan_decode_type(Keystore__V1__ValueType message, enum op_type *type,
                                 const char **why)
{
    switch ((int)message) {
    case KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED:
        *type = OP_TYPE_NONE;
        return ERR_NONE;
    case KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING:
        *type = OP_TYPE_STRING;
        return ERR_NONE;
    case KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST:
        *type = OP_TYPE_LIST;
        return ERR_NONE;
    default:
        return field_refuse("type: there is no such value; it is 0 (any), 1 (string) or 2 (list)",
                            why);
    }
}

static enum err scan_decode_pattern(struct slice pattern, struct arena *arena, struct scan *scan,
                                    const char **why)
{
    scan->pattern = pattern;
    if (pattern.len <= SCAN_MAX_PATTERN)
        return ERR_NONE;
    *why = error_text_format(arena, "pattern: it has %zu bytes; it may have %zu", pattern.len,
                             SCAN_MAX_PATTERN);
    return ERR_TOO_LARGE;
}

static enum err scan_decode_cursor(struct slice cursor, struct scan *scan, const char **why)
{
    if (cursor.len > SCAN_CURSOR)
        return field_refuse("cursor: it is too long to be one of this server's; leave it empty to "
                            "scan from the beginning",
                            why);
    slice_write(scan->cursor, cursor);
    scan->cursor_len = cursor.len;
    return ERR_NONE;
}

/* A key, or some key of the database, that the caller may see. */
static struct access_need scan_need(uint32_t db, struct slice key)
{
    return (struct access_need){.kinds = ACCESS_READ, .types = ACCESS_STREAM, .db = db, .key = key};
}

static bool scan_shows(const void *viewer, uint32_t db, struct slice key)
{
    const struct access_need need = scan_need(db, key);
    return access_meets(viewer, &need, NULL);
}

/* Those who can see nothing are told so. */
static enum err scan_permit(struct pages *pages, const char **why)
{
    const struct access_need need = scan_need(pages->task.op.db, (struct slice){0});
    const struct access_rules *rules = identity_rules(grpc_call_principal(pages->call));
    if (rules == NULL || access_may_meet(rules, &need))
        return ERR_NONE;
    return identity_refuse(rules, &need, "Scan", &pages->request, why);
}

static enum err scan_begin(struct pages *pages, struct slice message, const char **why)
{
    struct scan_stream *stream = (struct scan_stream *)pages;
    struct scan *scan = &stream->scan;
    void *decoded;
    arena_init(&stream->arena);
    if (pages->host->engine->scan == NULL) {
        *why = "this server cannot list its keys";
        return ERR_NOT_SERVED;
    }
    enum err err = decode_message(&keystore__v1__scan_request__descriptor, message, &pages->request,
                                  &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__ScanRequest *request = decoded;
    scan->db = pages->task.op.db = request->db;
    scan->with_values = request->with_values;
    scan->arena = &stream->arena;
    stream->left = request->max_visited != 0 ? request->max_visited : UINT64_MAX;
    if (!pages_size(request->page_bytes, &stream->page_bytes, why))
        return ERR_BAD_ARGUMENT;
    pages->task.op.kind = OP_RANDOM_KEY; /* has a database and no key, as a scan */
    err = check_op(&pages->host->limits, &pages->task.op, &pages->request, why);
    if (err == ERR_NONE)
        err = scan_permit(pages, why);
    if (err == ERR_NONE)
        err = scan_decode_type(request->type, &scan->type, why);
    if (err == ERR_NONE)
        err = scan_decode_pattern(field_slice(request->pattern), &pages->request, scan, why);
    return err != ERR_NONE ? err : scan_decode_cursor(field_slice(request->cursor), scan, why);
}

static enum pages_answer scan_fill(struct pages *pages)
{
    struct scan_stream *stream = (struct scan_stream *)pages;
    struct scan *scan = &stream->scan;
    struct engine *engine = pages->host->engine;
    scan->viewer = identity_rules(grpc_call_principal(pages->call));
    scan->shows = scan->viewer != NULL ? scan_shows : NULL;
    scan->now_ms = pages->host->now_ms;
    scan->room = stream->page_bytes;
    scan->max_visited = stream->left;
    if (engine_scan(engine, &pages->task, scan) == ENGINE_HELD)
        return PAGES_HELD;
    if (pages->task.result.err != ERR_NONE)
        return PAGES_READY;
    if (!scan->is_full)
        return PAGES_MORE;
    return engine_settle(engine, &pages->task) == ENGINE_PENDING ? PAGES_PENDING : PAGES_READY;
}

/* ---- replies ---- */

/* The bytes of an Entry, without those of its tag and length. */
static size_t scan_entry_size(const struct scan_entry *entry)
{
    size_t size = wire_head_size(entry->key.len) + entry->key.len + wire_number_size(entry->type);
    if (entry->value != NULL) {
        size_t value = encode_value_size(entry->value);
        size += wire_head_size(value) + value;
    }
    return size;
}

static size_t scan_page_size(const struct scan *scan)
{
    size_t size = scan->cursor_len > 0 ? wire_head_size(scan->cursor_len) + scan->cursor_len : 0;
    for (size_t i = 0; i < scan->count; i++) {
        size_t entry = scan_entry_size(&scan->entries[i]);
        size += wire_head_size(entry) + entry;
    }
    return size;
}

/* Appends an Entry of that size. */
static void scan_write_entry(const struct scan_entry *entry, size_t size, struct chain *to)
{
    size_t value = entry->value != NULL ? encode_value_size(entry->value) : 0;
    size_t copied = wire_head_size(size) + size - value;
    uint8_t *out = chain_append(to, copied);
    out = wire_write_head(out, PAGE_ENTRIES, size);
    out = wire_write_bytes(out, ENTRY_KEY, entry->key);
    out = wire_write_number(out, ENTRY_TYPE, entry->type);
    if (entry->value != NULL) {
        wire_write_head(out, ENTRY_VALUE, value);
        encode_write_value(entry->value, to);
    }
}

static bool scan_write(struct pages *pages)
{
    struct scan_stream *stream = (struct scan_stream *)pages;
    struct scan *scan = &stream->scan;
    struct chain *to = grpc_stream_write(pages->call, scan_page_size(scan));
    for (size_t i = 0; i < scan->count; i++)
        scan_write_entry(&scan->entries[i], scan_entry_size(&scan->entries[i]), to);
    if (scan->cursor_len > 0)
        wire_write_bytes(chain_append(to, wire_head_size(scan->cursor_len) + scan->cursor_len),
                         PAGE_CURSOR, slice_make(scan->cursor, scan->cursor_len));
    stream->left -= scan->visited < stream->left ? scan->visited : stream->left;
    scan_release(scan);
    scan->visited = 0;
    scan->is_full = false;
    arena_reset(&stream->arena);
    pages->task.result = (struct op_result){0};
    return scan->cursor_len == 0 || stream->left == 0;
}

static void scan_release_stream(struct pages *pages)
{
    struct scan_stream *stream = (struct scan_stream *)pages;
    scan_release(&stream->scan);
    arena_deinit(&stream->arena);
}

static const struct pages_method scan_pages = {
    .size = sizeof(struct scan_stream),
    .begin = scan_begin,
    .fill = scan_fill,
    .write = scan_write,
    .release = scan_release_stream,
};

static void scan_on_open(void *user, struct grpc_call *call)
{
    pages_open(user, call, &scan_pages);
}

static bool scan_may_go_on(void *user, struct grpc_call *call)
{
    struct pages *pages = grpc_call_user(call);
    const char *why;
    (void)user;
    return !pages->has_begun || scan_permit(pages, &why) == ERR_NONE;
}

const struct grpc_stream_method scan_method = {
    .on_open = scan_on_open,
    .may_go_on = scan_may_go_on,
    .on_message = pages_on_message,
    .on_half_close = pages_on_half_close,
    .on_room = pages_on_room,
    .on_drain = pages_on_drain,
    .on_cancel = pages_on_cancel,
};
