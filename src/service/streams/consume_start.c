/* Reads and checks the first message of a Consume. */
#include "service/streams/consume_start.h"

#include "base/arena.h"
#include "base/field_path.h"
#include "base/mem.h"
#include "service/field.h"

#include <string.h>

/* What a stream keeps is limited: bytes of all keys, and how many there are. */
#define MOST_KEYS      1000
#define MOST_KEY_BYTES OP_MAX_KEY

static const char suffix[] = ":pending";

static enum err consume_start_check(const Keystore__V1__ConsumeRequest__Start *message,
                                    const char **why)
{
    if (message->n_keys == 0)
        return field_refuse("keys: it is empty; name at least one list", why);
    size_t bytes = 0;
    for (size_t i = 0; i < message->n_keys; i++)
        bytes += message->keys[i].len;
    if (message->n_keys > MOST_KEYS || (message->n_keys > 1 && bytes > MOST_KEY_BYTES))
        return field_refuse("keys: there are too many; 1000, of 64 KiB in all, may be named", why);
    if (message->max_in_flight > CONSUME_MAX_IN_FLIGHT)
        return field_refuse("max_in_flight: it is too large; at most 10000 elements may be in "
                            "flight",
                            why);
    if (message->lease_ms < 0)
        return field_refuse("lease_ms: it is negative; it is a number of milliseconds, 0 = an "
                            "element never returns by itself",
                            why);
    if (message->auto_ack && (message->pending.len > 0 || message->lease_ms != 0))
        return field_refuse("auto_ack: it keeps no elements; leave pending and lease_ms unset",
                            why);
    int end = (int)message->end;
    if (end != KEYSTORE__V1__LIST_END__LIST_END_UNSPECIFIED &&
        end != KEYSTORE__V1__LIST_END__LIST_END_HEAD &&
        end != KEYSTORE__V1__LIST_END__LIST_END_TAIL)
        return field_refuse("end: there is no such value; it is 0 or 1 (head), or 2 (tail)", why);
    return ERR_NONE;
}

/* The pending list: as named, or the first key with the suffix. */
static struct slice consume_start_pending(const Keystore__V1__ConsumeRequest__Start *message,
                                          struct arena *arena)
{
    struct slice named = field_slice(message->pending), first = field_slice(message->keys[0]);
    if (named.len > 0)
        return named;
    uint8_t *bytes = arena_alloc(arena, first.len + sizeof suffix - 1);
    slice_write(slice_write(bytes, first), slice_make((const uint8_t *)suffix, sizeof suffix - 1));
    return slice_make(bytes, first.len + sizeof suffix - 1);
}

/* The keys, and the pending list unless its name is empty. */
static enum err consume_start_check_keys(const Keystore__V1__ConsumeRequest__Start *message,
                                         const struct check_limits *limits, struct slice pending,
                                         struct arena *arena, const char **why)
{
    struct op op = {.kind = OP_LIST_POP, .db = message->db};
    enum err err = field_keys(message->keys, message->n_keys, arena, &op, why);
    if (err == ERR_NONE)
        err = check_op(limits, &op, arena, why);
    if (err != ERR_NONE || message->auto_ack)
        return err;
    for (size_t i = 0; i < message->n_keys; i++)
        if (slice_equal(pending, field_slice(message->keys[i])))
            return field_refuse("pending: it is one of keys; the elements in flight need a "
                                "list of their own",
                                why);
    return check_key("pending", pending, arena, why);
}

static uint8_t *consume_start_copy(struct slice *to, struct slice from, uint8_t *out)
{
    *to = slice_make(out, from.len);
    return slice_write(out, from);
}

static enum err consume_start_check_all(const Keystore__V1__ConsumeRequest__Start *message,
                                        const struct check_limits *limits, struct arena *arena,
                                        struct slice *pending, const char **why)
{
    enum err err = consume_start_check(message, why);
    if (err != ERR_NONE)
        return err;
    *pending = message->auto_ack ? slice_make(NULL, 0) : consume_start_pending(message, arena);
    return consume_start_check_keys(message, limits, *pending, arena, why);
}

enum err consume_start_read(const Keystore__V1__ConsumeRequest__Start *message,
                            const struct check_limits *limits, struct arena *arena,
                            struct consume_start **start, const char **why)
{
    struct slice pending;
    enum err err = consume_start_check_all(message, limits, arena, &pending, why);
    if (err != ERR_NONE) {
        *why = field_path_within(arena, *why, "start");
        return err;
    }
    size_t bytes = pending.len;
    for (size_t i = 0; i < message->n_keys; i++)
        bytes += message->keys[i].len;
    struct consume_start *read =
        mem_alloc(sizeof *read + message->n_keys * sizeof *read->keys + bytes);
    *read = (struct consume_start){
        .db = message->db,
        .end = message->end == KEYSTORE__V1__LIST_END__LIST_END_TAIL ? OP_TAIL : OP_HEAD,
        .max_in_flight = message->max_in_flight > 0 ? message->max_in_flight : 1,
        .lease_ms = message->lease_ms,
        .auto_ack = message->auto_ack,
        .key_count = message->n_keys,
    };
    uint8_t *out = (uint8_t *)(read->keys + message->n_keys);
    out = consume_start_copy(&read->pending, pending, out);
    for (size_t i = 0; i < message->n_keys; i++)
        out = consume_start_copy(&read->keys[i], field_slice(message->keys[i]), out);
    *start = read;
    return ERR_NONE;
}
