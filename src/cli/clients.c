/* One line per connection, in Redis' form, and with its names where the meaning is the same. */
#include "cli/clients.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

static void clients_print(FILE *out, const struct keystore_client_info *client)
{
    fprintf(out,
            "id=%" PRIu64 " addr=%s laddr=%s age=%" PRId64 " idle=%" PRId64 " calls=%" PRIu32
            " streams=%" PRIu32 " tot-cmds=%" PRIu64 " tot-net-in=%" PRIu64 " tot-net-out=%" PRIu64
            " omem=%" PRIu64 " user-agent=%s\n",
            client->id, client->address, client->listener, client->age_ms / 1000,
            client->idle_ms / 1000, client->calls, client->streams, client->calls_so_far,
            client->bytes_in, client->bytes_out, client->queued_bytes, client->user_agent);
}

bool clients_read(struct keystore_stream *stream, bool only_id, struct arena *arena,
                  struct reply *reply)
{
    struct keystore_clients_page page;
    enum keystore_next next;
    char *text;
    size_t len;
    FILE *lines = open_memstream(&text, &len);
    CHECK(lines != NULL);
    *reply = format_nil();
    while ((next = keystore_clients_next(stream, KEYSTORE_FOREVER, &page)) == KEYSTORE_ITEM) {
        for (size_t i = 0; i < page.count; i++) {
            *reply = format_integer((int64_t)page.clients[i].id);
            clients_print(lines, &page.clients[i]);
        }
    }
    fclose(lines);
    if (!only_id) {
        struct slice copy = arena_copy(arena, slice_make(text, len > 0 ? len - 1 : 0));
        *reply = (struct reply){.type = REPLY_TEXT, .bytes = {copy.data, copy.len}};
    }
    free(text);
    return next != KEYSTORE_FAILED;
}
