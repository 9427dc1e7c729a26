/*
 * Reads lists node by node and passes their elements on in batches. Only integers, whose text is
 * made here, and what was compressed are copied.
 */
#include "journal/rdb/lists.h"

#include "journal/rdb/listpack.h"
#include "journal/rdb/ziplist.h"

struct batch {
    struct rdb_input *input;
    struct rdb_scratch *scratch;
    const struct rdb_receiver *receiver;
    const struct rdb_key *key;
    bool started;
    size_t count;
    struct slice elements[RDB_READ_ELEMENTS];
    uint8_t digits[RDB_READ_ELEMENTS][DECIMAL_MAX]; /* of element i, if that is an integer */
};

/* How elements are packed into one string. */
struct packing {
    const char *name;
    bool (*open)(struct packed_cursor *cursor, struct slice bytes);
    enum packed_step (*next)(struct packed_cursor *cursor, struct packed_element *element);
};

static const struct packing listpacks = {"a listpack", listpack_open, listpack_next};
static const struct packing ziplists = {"a ziplist", ziplist_open, ziplist_next};

bool rdb_lists_is_list(uint8_t type)
{
    return type == RDB_LIST || type == RDB_LIST_ZIPLIST || type == RDB_LIST_QUICKLIST ||
           type == RDB_LIST_QUICKLIST_2;
}

/* ---- the batch ---- */

static bool lists_stopped(struct batch *batch)
{
    return rdb_input_fail(batch->input, batch->input->at, "the receiver ended the reading");
}

static bool lists_begin(struct batch *batch)
{
    const struct rdb_receiver *receiver = batch->receiver;
    if (batch->started)
        return true;
    batch->started = true;
    return receiver->on_list_begin == NULL ||
           receiver->on_list_begin(receiver->context, batch->key) || lists_stopped(batch);
}

/* Passes the batch on. */
static bool lists_flush(struct batch *batch)
{
    const struct rdb_receiver *receiver = batch->receiver;
    size_t count = batch->count;
    if (count == 0)
        return true;
    if (!lists_begin(batch))
        return false;
    batch->count = 0;
    return receiver->on_list_elements == NULL ||
           receiver->on_list_elements(receiver->context, batch->elements, count) ||
           lists_stopped(batch);
}

static bool lists_end(struct batch *batch)
{
    const struct rdb_receiver *receiver = batch->receiver;
    if (!lists_flush(batch))
        return false;
    return !batch->started || receiver->on_list_end == NULL ||
           receiver->on_list_end(receiver->context) || lists_stopped(batch);
}

/* The text of the number, which stays until the batch is passed on. */
static inline struct slice lists_print(struct batch *batch, int64_t number)
{
    return decimal_write(number, batch->digits[batch->count]);
}

static inline bool lists_add(struct batch *batch, struct slice element)
{
    batch->elements[batch->count++] = element;
    return batch->count < RDB_READ_ELEMENTS || lists_flush(batch);
}

/* ---- nodes ---- */

static bool lists_is_in_file(const struct batch *batch, struct slice string)
{
    const struct rdb_input *input = batch->input;
    return string.len == 0 || (string.data >= input->begin && string.data < input->end);
}

/* True for the text of an integer, which the next one overwrites. */
static bool lists_is_in_digits(const struct batch *batch, struct slice string)
{
    const uint8_t *digits = batch->scratch->digits;
    return string.data >= digits && string.data < digits + DECIMAL_MAX;
}

/* Reads a string that is an element. */
static bool lists_read_plain(struct batch *batch)
{
    struct slice element;
    if (!rdb_input_string(batch->input, batch->scratch, &element))
        return false;
    bool stays = lists_is_in_file(batch, element);
    if (lists_is_in_digits(batch, element)) {
        element.data = memcpy(batch->digits[batch->count], element.data, element.len);
        stays = true;
    }
    return lists_add(batch, element) && (stays || lists_flush(batch));
}

/* Reads a string with packed elements. */
static bool lists_read_packed(struct batch *batch, const struct packing *packing)
{
    const uint8_t *at = batch->input->at;
    struct slice bytes;
    struct packed_cursor cursor;
    struct packed_element element;
    if (!rdb_input_string(batch->input, batch->scratch, &bytes))
        return false;
    if (!packing->open(&cursor, bytes))
        return rdb_input_fail(batch->input, at, "%s %s", packing->name, cursor.wrong);
    enum packed_step step;
    while ((step = packing->next(&cursor, &element)) == PACKED_ELEMENT) {
        if (!lists_add(batch,
                       element.is_number ? lists_print(batch, element.number) : element.bytes))
            return false;
    }
    if (step == PACKED_BAD)
        return rdb_input_fail(batch->input, at, "%s %s", packing->name, cursor.wrong);
    return lists_is_in_file(batch, bytes) || lists_flush(batch);
}

/* Reads a node that says whether it is packed. */
static bool lists_read_node(struct batch *batch)
{
    const uint8_t *at = batch->input->at;
    uint64_t container;
    if (!rdb_input_length(batch->input, &container))
        return false;
    if (container == RDB_NODE_PACKED)
        return lists_read_packed(batch, &listpacks);
    if (container == RDB_NODE_PLAIN)
        return lists_read_plain(batch);
    return rdb_input_fail(batch->input, at, "unknown kind %llu of a list's node",
                          (unsigned long long)container);
}

static bool lists_read_part(struct batch *batch, uint8_t type)
{
    if (type == RDB_LIST)
        return lists_read_plain(batch);
    return type == RDB_LIST_QUICKLIST_2 ? lists_read_node(batch)
                                        : lists_read_packed(batch, &ziplists);
}

bool rdb_lists_read(struct rdb_input *input, uint8_t type, const struct rdb_key *key,
                    struct rdb_scratch *scratch, const struct rdb_receiver *receiver)
{
    struct batch batch;
    batch.input = input;
    batch.scratch = scratch;
    batch.receiver = receiver;
    batch.key = key;
    batch.started = false;
    batch.count = 0;
    uint64_t parts = 1;
    if (type != RDB_LIST_ZIPLIST && !rdb_input_count(input, 1, &parts))
        return false;
    for (; parts > 0; parts--) {
        if (!lists_read_part(&batch, type))
            return false;
    }
    return lists_end(&batch);
}
