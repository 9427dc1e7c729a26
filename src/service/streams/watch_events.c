/* Translates changes to events. A change that concerns several keys is an event of each. */
#include "service/streams/watch_events.h"

#include "base/arena.h"
#include "base/check.h"
#include "service/encode_change.h"
#include "service/wire.h"

enum { BATCH_EVENTS = 1, BATCH_VERSION = 2, BATCH_INITIAL_DONE = 3, BATCH_PARTIAL = 4 };
enum { EVENT_TYPE = 1, EVENT_KEY = 2, EVENT_VERSION = 3, EVENT_CHANGE = 4, EVENT_DB = 15 };

struct watch_events {
    const struct op *change;
    uint64_t version;
    void (*on_event)(void *user, const struct watch_event *event);
    void *user;
};

static void watch_events_report(const struct watch_events *self, enum watch_event_type type,
                                uint32_t db, struct slice key, const struct op *change)
{
    self->on_event(
        self->user,
        &(struct watch_event){
            .type = type, .db = db, .key = key, .version = self->version, .change = change});
}

static void watch_events_of_delete(const struct watch_events *self)
{
    static const enum watch_event_type types[] = {[OP_CAUSE_REQUEST] = WATCH_DELETE,
                                                  [OP_CAUSE_EXPIRY] = WATCH_EXPIRE,
                                                  [OP_CAUSE_EVICTION] = WATCH_EVICT};
    const struct op *change = self->change;
    enum watch_event_type type =
        change->kind == OP_DELETE ? types[change->removal.cause] : WATCH_DELETE;
    if (change->key_count == 0)
        watch_events_report(self, type, change->db, change->key, NULL);
    for (size_t i = 0; i < change->key_count; i++)
        watch_events_report(self, type, change->db, change->keys[i].bytes, NULL);
}

/* Of two lists: the first has lost the element that the other one has got. */
static void watch_events_of_move(const struct watch_events *self)
{
    const struct op *change = self->change;
    if (slice_equal(change->key, change->target.bytes)) {
        watch_events_report(self, WATCH_WRITE, change->db, change->key, change);
        return;
    }
    struct op pop = {.kind = change->move.end == OP_HEAD ? OP_L_POP : OP_R_POP,
                     .db = change->db,
                     .key = change->key};
    if (change->move.empties)
        watch_events_report(self, WATCH_DELETE, change->db, change->key, NULL);
    else
        watch_events_report(self, WATCH_WRITE, change->db, change->key, &pop);
    watch_events_report(self, WATCH_WRITE, change->db, change->target.bytes, NULL);
}

/* Only in logs that another server has written. */
static void watch_events_of_many(const struct watch_events *self)
{
    const struct op *change = self->change;
    for (size_t i = 0; i < change->op_count; i++)
        watch_events_report(self, WATCH_WRITE, change->ops[i].db, change->ops[i].key,
                            &change->ops[i]);
}

void watch_events_each(const struct op *change, uint64_t version,
                       void (*on_event)(void *user, const struct watch_event *event), void *user)
{
    struct watch_events self = {
        .change = change, .version = version, .on_event = on_event, .user = user};
    switch ((int)change->kind) {
    case OP_DELETE:
    case OP_DELETE_MANY:
        watch_events_of_delete(&self);
        break;
    case OP_RENAME:
        watch_events_report(&self, WATCH_DELETE, change->db, change->key, NULL);
        watch_events_report(&self, WATCH_WRITE, change->target_db, change->target.bytes, NULL);
        break;
    case OP_COPY:
        watch_events_report(&self, WATCH_WRITE, change->target_db, change->target.bytes, NULL);
        break;
    case OP_L_MOVE:
        watch_events_of_move(&self);
        break;
    case OP_LIST_POP:
        if (change->key_count > 0)
            watch_events_report(&self, WATCH_WRITE, change->db, change->keys[0].bytes, change);
        break;
    case OP_M_SET:
        watch_events_of_many(&self);
        break;
    case OP_FLUSH_DB:
        watch_events_report(&self, WATCH_FLUSH, change->db, SLICE_LITERAL(""), NULL);
        break;
    case OP_SWAP_DB:
        watch_events_report(&self, WATCH_FLUSH, change->db, SLICE_LITERAL(""), NULL);
        watch_events_report(&self, WATCH_FLUSH, change->target_db, SLICE_LITERAL(""), NULL);
        break;
    default:
        watch_events_report(&self, WATCH_WRITE, change->db, change->key, change);
        break;
    }
}

void watch_events_append(struct buf *out, const struct watch_event *event, bool with_change,
                         struct arena *arena)
{
    const Keystore__V1__Op *op = NULL;
    if (with_change && event->change != NULL)
        op = encode_change(event->change, arena);
    size_t change = op != NULL ? protobuf_c_message_get_packed_size(&op->base) : 0;
    size_t size = wire_number_size(event->type) + wire_number_size(event->version) +
                  wire_number_size(event->db) +
                  (event->key.len > 0 ? wire_head_size(event->key.len) + event->key.len : 0) +
                  (op != NULL ? wire_head_size(change) + change : 0);
    uint8_t *at = buf_reserve(out, wire_head_size(size) + size);
    CHECK(at != NULL); /* the buffer has no limit */
    at = wire_write_head(at, BATCH_EVENTS, size);
    at = wire_write_number(at, EVENT_TYPE, event->type);
    if (event->key.len > 0)
        at = wire_write_bytes(at, EVENT_KEY, event->key);
    at = wire_write_number(at, EVENT_VERSION, event->version);
    if (op != NULL) {
        at = wire_write_head(at, EVENT_CHANGE, change);
        at += protobuf_c_message_pack(&op->base, at);
    }
    wire_write_number(at, EVENT_DB, event->db);
    out->len += wire_head_size(size) + size;
}

size_t watch_events_write_tail(uint8_t *out, const struct watch_tail *tail)
{
    uint8_t *at = wire_write_number(out, BATCH_VERSION, tail->version);
    at = wire_write_number(at, BATCH_INITIAL_DONE, tail->initial_done);
    at = wire_write_number(at, BATCH_PARTIAL, tail->partial);
    return (size_t)(at - out);
}
