/*
 * A real redis-server for tests that is fed with any commands, and compared with a store. Included
 * after "journal/folder.h" and "store/keyspace_fixture.h".
 */
#ifndef KEYSTORE_TESTS_JOURNAL_REDIS_PEER_H
#define KEYSTORE_TESTS_JOURNAL_REDIS_PEER_H

#include "journal/redis_process.h"

#define PEER_LIMIT ((size_t)64 * 1024 * 1024)

struct peer {
    struct redis_process process;
    struct buf in;
    size_t used; /* bytes of `in` that are read */
};

struct peer_reply {
    char type; /* '+', '-', ':', '$' or '*' */
    int64_t number;
    struct slice bytes; /* valid until the next reply */
};

static inline void peer_start(struct peer *peer, const struct folder *folder)
{
    *peer = (struct peer){0};
    buf_init(&peer->in, PEER_LIMIT);
    redis_start(&peer->process, folder->path, NULL, NULL);
}

static inline void peer_stop(struct peer *peer)
{
    redis_stop(&peer->process);
    buf_deinit(&peer->in);
}

static inline void peer_send(struct peer *peer, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(peer->process.socket, bytes.data, bytes.len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes = slice_skip(bytes, (size_t)sent);
    }
}

static inline void peer_receive(struct peer *peer)
{
    uint8_t *end = buf_reserve(&peer->in, 65536);
    assert_non_null(end);
    ssize_t got = recv(peer->process.socket, end, 65536, 0);
    assert_true(got > 0);
    peer->in.len += (size_t)got;
}

/* The next line, without its end. */
static inline struct slice peer_line(struct peer *peer)
{
    for (;;) {
        struct slice rest = slice_skip(buf_slice(&peer->in), peer->used);
        const uint8_t *end = rest.len > 0 ? memmem(rest.data, rest.len, "\r\n", 2) : NULL;
        if (end != NULL) {
            peer->used += (size_t)(end - rest.data) + 2;
            return slice_make(rest.data, (size_t)(end - rest.data));
        }
        peer_receive(peer);
    }
}

/* The next reply; of an array only how many replies follow. */
static inline struct peer_reply peer_reply(struct peer *peer)
{
    buf_consume(&peer->in, peer->used);
    peer->used = 0;
    struct slice line = peer_line(peer);
    struct peer_reply reply = {.type = (char)line.data[0], .bytes = slice_skip(line, 1)};
    if (reply.type == '+' || reply.type == '-')
        return reply;
    reply.number = strtoll((const char *)line.data + 1, NULL, 10);
    if (reply.type != '$' || reply.number < 0)
        return reply;
    size_t size = (size_t)reply.number;
    while (peer->in.len < peer->used + size + 2)
        peer_receive(peer);
    reply.bytes = slice_make(peer->in.data + peer->used, size);
    peer->used += size + 2;
    return reply;
}

static inline void peer_send_args(struct peer *peer, const struct slice *args, size_t count)
{
    struct buf out;
    buf_init(&out, PEER_LIMIT);
    assert_true(resp_append(&out, args, count));
    peer_send(peer, buf_slice(&out));
    buf_deinit(&out);
}

/* Sends a command of words without spaces. */
static inline void peer_send_words(struct peer *peer, const char *words)
{
    struct buf out;
    buf_init(&out, PEER_LIMIT);
    words_append(&out, words);
    peer_send(peer, buf_slice(&out));
    buf_deinit(&out);
}

/* Reads a whole reply, whatever is in it; false if it is an error. */
static inline bool peer_skip_reply(struct peer *peer)
{
    struct peer_reply reply = peer_reply(peer);
    if (reply.type == '-')
        print_message("redis: %.*s\n", (int)reply.bytes.len, (const char *)reply.bytes.data);
    bool good = reply.type != '-';
    for (int64_t i = 0; reply.type == '*' && i < reply.number; i++)
        good = peer_skip_reply(peer) && good;
    return good;
}

/* A command that Redis must accept. */
static inline void peer_do(struct peer *peer, const char *words)
{
    peer_send_words(peer, words);
    if (!peer_skip_reply(peer))
        fail_msg("redis refuses: %s", words);
}

static inline struct peer_reply peer_ask(struct peer *peer, const char *name, struct slice key)
{
    struct slice args[] = {slice_from_string(name), key};
    peer_send_args(peer, args, 2);
    return peer_reply(peer);
}

/* ---- comparing ---- */

static inline void peer_compare_list(struct peer *peer, const struct entry *entry)
{
    struct slice args[] = {SLICE_LITERAL("LRANGE"), entry_key(entry), SLICE_LITERAL("0"),
                           SLICE_LITERAL("-1")};
    peer_send_args(peer, args, 4);
    assert_int_equal(peer_reply(peer).number, list_length(entry_list(entry)));
    struct list_cursor cursor;
    for (bool on = list_seek(entry_list(entry), &cursor, 0); on; on = list_next(&cursor))
        assert_true(slice_equal(peer_reply(peer).bytes, list_cursor_value(&cursor)));
}

static inline void peer_compare_entry(void *context, struct entry *entry)
{
    struct peer *peer = context;
    int64_t expire_at_ms = entry_expire_at_ms(entry);
    assert_int_equal(peer_ask(peer, "PEXPIRETIME", entry_key(entry)).number,
                     expire_at_ms != 0 ? expire_at_ms : -1);
    if (entry_type(entry) == ENTRY_LIST)
        peer_compare_list(peer, entry);
    else
        assert_true(
            slice_equal(peer_ask(peer, "GET", entry_key(entry)).bytes, entry_string(entry)));
}

/* Both hold the same keys, values and deadlines. */
static inline void peer_compare(struct peer *peer, struct store *store)
{
    for (uint32_t db = 0; db < KEYSPACE_DATABASES; db++) {
        char words[32];
        snprintf(words, sizeof words, "SELECT %u", db);
        peer_do(peer, words);
        peer_send_words(peer, "DBSIZE");
        assert_int_equal(peer_reply(peer).number, store_count(store, db));
        for (size_t i = 0; i < store->shard_count; i++) {
            uint64_t cursor = 0;
            do
                cursor = dict_scan(&store->shards[i].databases[db].dict, cursor, peer_compare_entry,
                                   peer);
            while (cursor != 0);
        }
    }
}

#endif
