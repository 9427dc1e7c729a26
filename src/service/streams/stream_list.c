/*
 * An LRange pins the list instead of copying its elements (store/list/pinned.h), and each page is
 * encoded straight from the chunks, without any lock: first its size is determined, then its
 * elements are written.
 */
#include "service/streams/stream_list.h"

#include "base/chain.h"
#include "base/check.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/encode.h"
#include "service/identity.h"
#include "service/streams/pages.h"
#include "service/wire.h"
#include "store/list/list.h"
#include "store/list/pinned.h"

#include <mini_redis.pb-c.h>

/* Elements of a page: more would take longer than a millisecond. */
#define MAX_ELEMENTS ((size_t)50000)

/* Work after which others have their turn, about a quarter of a millisecond: bytes, and as many for
 * each element. */
#define TURN_WORK        ((size_t)512 * 1024)
#define WORK_PER_ELEMENT ((size_t)16)

enum { LIST_VALUES = 1 };

struct list_stream {
    struct pages pages; /* first */
    struct pinned pinned;
    size_t page_bytes;
    bool is_pinned;            /* the task is answered */
    size_t work;               /* of this turn */
    size_t left;               /* elements to send, from there: */
    struct list_cursor cursor; /* if there are some */
};

static enum err stream_list_permit(struct pages *pages, const char **why)
{
    const struct access_need need = {.kinds = ACCESS_READ,
                                     .types = ACCESS_LIST | ACCESS_STREAM,
                                     .db = pages->task.op.db,
                                     .key = pages->task.op.key};
    return identity_permit_need(grpc_call_principal(pages->call), &need, "StreamList",
                                &pages->request, why);
}

static enum err stream_list_begin(struct pages *pages, struct slice message, const char **why)
{
    struct list_stream *stream = (struct list_stream *)pages;
    struct op *op = &pages->task.op;
    void *decoded;
    enum err err = decode_message(&keystore__v1__list_range__descriptor, message, &pages->request,
                                  &decoded, why);
    if (err != ERR_NONE)
        return err;
    Keystore__V1__ListRange *request = decoded;
    if (!pages_size(request->page_bytes, &stream->page_bytes, why))
        return ERR_BAD_ARGUMENT;
    request->page_bytes = 0; /* which LRange would refuse */
    *op = (struct op){.kind = OP_L_RANGE};
    err = decode_list_range(request, &pages->request, op, why);
    op->range.pin = &stream->pinned;
    if (err == ERR_NONE)
        err = check_op(&pages->host->limits, op, &pages->request, why);
    return err != ERR_NONE ? err : stream_list_permit(pages, why);
}

/* The list is pinned, or there is none. */
static void stream_list_start(struct list_stream *stream)
{
    const struct op_result *result = &stream->pages.task.result;
    stream->is_pinned = true;
    stream->left = (size_t)result->count;
    if (stream->left > 0) {
        bool found = list_seek(stream->pinned.list, &stream->cursor, (size_t)result->offset);
        CHECK(found);
    }
}

static enum pages_answer stream_list_fill(struct pages *pages)
{
    struct list_stream *stream = (struct list_stream *)pages;
    if (stream->work >= TURN_WORK) {
        stream->work = 0;
        return PAGES_MORE;
    }
    if (stream->is_pinned)
        return PAGES_READY;
    pages->task.op.now_ms = pages->host->now_ms;
    switch (stream_submit(pages->host, &pages->task)) {
    case ENGINE_PENDING:
        return PAGES_PENDING;
    case ENGINE_HELD:
        return PAGES_HELD;
    case ENGINE_DONE:
    case ENGINE_COSTLY:  /* does not happen: pinning takes some microseconds, */
    case ENGINE_WAITING: /* and waits for no list */
        break;
    }
    return PAGES_READY;
}

/* ---- replies ---- */

/* Elements from the cursor on that make up the next page, at least one, and their bytes in it. */
struct part {
    size_t count, bytes;
};

static size_t stream_list_element_size(const struct list_cursor *cursor)
{
    size_t len = list_cursor_length(cursor);
    return wire_head_size(len) + len;
}

static struct part stream_list_measure(const struct list_stream *stream)
{
    struct part part = {0};
    size_t most = stream->left < MAX_ELEMENTS ? stream->left : MAX_ELEMENTS;
    struct list_cursor cursor = stream->cursor;
    for (bool on = most > 0; on; on = part.count < most && list_next(&cursor)) {
        size_t size = stream_list_element_size(&cursor);
        if (part.count > 0 && part.bytes + size > stream->page_bytes)
            break;
        part.bytes += size;
        part.count++;
    }
    return part;
}

/* Elements without blobs lie in one piece. */
static void stream_list_write_part(struct list_cursor *cursor, struct part part, struct chain *to)
{
    for (size_t i = 0; i < part.count; i++) {
        struct slice value = list_cursor_value(cursor);
        size_t head = wire_head_size(value.len);
        if (cursor->blob != NULL) {
            wire_write_head(chain_append(to, head), LIST_VALUES, value.len);
            chain_append_blob(to, blob_retain(cursor->blob), value);
        } else {
            wire_write_bytes(chain_append(to, head + value.len), LIST_VALUES, value);
        }
        list_next(cursor);
    }
}

static bool stream_list_write(struct pages *pages)
{
    struct list_stream *stream = (struct list_stream *)pages;
    if (!stream->is_pinned)
        stream_list_start(stream);
    struct op_result *result = &pages->task.result;
    struct part part = stream_list_measure(stream);
    size_t numbers = encode_list_values.size(result);
    struct chain *to = grpc_stream_write(pages->call, part.bytes + numbers);
    stream_list_write_part(&stream->cursor, part, to);
    encode_list_values.write(result, to); /* the result has no elements of its own */
    stream->left -= part.count;
    stream->work += part.bytes + part.count * WORK_PER_ELEMENT;
    result->offset += (int64_t)part.count;
    return stream->left == 0;
}

static void stream_list_release(struct pages *pages)
{
    pinned_release(&((struct list_stream *)pages)->pinned);
}

static const struct pages_method stream_list_pages = {
    .size = sizeof(struct list_stream),
    .begin = stream_list_begin,
    .fill = stream_list_fill,
    .write = stream_list_write,
    .release = stream_list_release,
};

static void stream_list_on_open(void *user, struct grpc_call *call)
{
    pages_open(user, call, &stream_list_pages);
}

static bool stream_list_may_go_on(void *user, struct grpc_call *call)
{
    struct pages *pages = grpc_call_user(call);
    const char *why;
    (void)user;
    return !pages->has_begun || stream_list_permit(pages, &why) == ERR_NONE;
}

const struct grpc_stream_method stream_list_method = {
    .on_open = stream_list_on_open,
    .may_go_on = stream_list_may_go_on,
    .on_message = pages_on_message,
    .on_half_close = pages_on_half_close,
    .on_room = pages_on_room,
    .on_drain = pages_on_drain,
    .on_cancel = pages_on_cancel,
};
