/* A page is encoded once; a large one is a blob, which the answers to its readers share. */
#include "service/streams/watch_pages.h"

#include "base/blob.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/mem.h"
#include "grpc/message.h"
#include "grpc/stream.h"

#include <stdlib.h>

/* More than any machine has: what is gathered is bounded by pages. */
#define MOST_BYTES (SIZE_MAX / 4)
/* Memory that is kept for the next batch. */
#define KEPT_BYTES ((size_t)1024)

static void watch_pages_append(struct watch_writer *writer, struct watch_page *page)
{
    if (writer->first == NULL)
        writer->first = page;
    else
        writer->newest->next = page;
    writer->newest = page;
    writer->bytes += page->size;
}

void watch_pages_seal(struct watch_writer *writer, struct watch_tail tail, bool always)
{
    uint8_t end[WATCH_TAIL];
    if (writer->out.len == 0 && !always)
        return;
    size_t head = writer->out.len, size = head + watch_events_write_tail(end, &tail);
    bool is_large = size >= BLOB_LEAST;
    struct watch_page *page = mem_alloc(sizeof *page + (is_large ? 0 : size));
    *page = (struct watch_page){.after = writer->after,
                                .is_continued = writer->is_continued,
                                .size = size,
                                .events = writer->events,
                                .blob = is_large ? blob_new(size) : NULL};
    uint8_t *bytes = is_large ? page->blob->data : page->bytes;
    if (head > 0)
        memcpy(bytes, writer->out.data, head);
    memcpy(bytes + head, end, size - head);
    watch_pages_append(writer, page);
    buf_clear(&writer->out, KEPT_BYTES);
    writer->events = 0;
    writer->is_continued = tail.partial;
    writer->after = writer->version;
}

void watch_pages_add(struct watch_writer *writer, const struct watch_event *event, bool with_change,
                     struct arena *arena)
{
    writer->out.limit = MOST_BYTES;
    if (writer->out.len >= WATCH_MOST_PAGE)
        watch_pages_seal(writer,
                         (struct watch_tail){.version = writer->is_silent ? 0 : writer->version,
                                             .partial = true},
                         false);
    watch_events_append(&writer->out, event, with_change, arena);
    writer->events++;
}

void watch_pages_commit(struct watch_writer *writer, uint64_t version)
{
    writer->version = version;
    if (writer->out.len >= WATCH_PAGE)
        watch_pages_seal(writer, (struct watch_tail){.version = writer->is_silent ? 0 : version},
                         false);
    else if (writer->out.len == 0)
        writer->after = version;
}

struct watch_page *watch_pages_take(struct watch_writer *writer)
{
    struct watch_page *page = writer->first;
    if (page == NULL)
        return NULL;
    writer->first = page->next;
    writer->bytes -= page->size;
    page->next = NULL;
    return page;
}

size_t watch_pages_send(const struct watch_page *page, struct grpc_call *call)
{
    struct chain *to = grpc_stream_write(call, page->size);
    if (page->blob != NULL)
        chain_append_blob(to, blob_retain(page->blob), slice_make(page->blob->data, page->size));
    else if (page->size > 0)
        memcpy(chain_append(to, page->size), page->bytes, page->size);
    return GRPC_PREFIX_SIZE + page->size;
}

void watch_pages_free(struct watch_page *page)
{
    if (page == NULL)
        return;
    blob_release(page->blob);
    free(page);
}

void watch_pages_deinit(struct watch_writer *writer)
{
    struct watch_page *page;
    while ((page = watch_pages_take(writer)) != NULL)
        watch_pages_free(page);
    buf_deinit(&writer->out);
}
