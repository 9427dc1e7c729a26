/*
 * Encodes HPACK header blocks (RFC 7541) for a client that repeats the same few fields. Strings are
 * sent without Huffman coding, since each is sent once per connection.
 */
#ifndef KEYSTORE_BENCH_HPACK_H
#define KEYSTORE_BENCH_HPACK_H

#include "base/buf.h"

#define HPACK_MAX_ENTRIES  16
#define HPACK_DEFAULT_SIZE 4096 /* bytes of a peer's dynamic table by default */

/* The part of the peer's dynamic table that we filled. All zero is the table of a new
 * connection. */
struct hpack {
    struct {
        struct slice name;
        struct slice value;
    } entries[HPACK_MAX_ENTRIES]; /* the oldest first; borrowed bytes */
    size_t count;
    size_t size; /* as RFC 7541 counts it: name + value + 32 each */
};

/*
 * Appends the field: an index if the peer knows it, else a literal that the peer adds to its table.
 * The bytes are borrowed for the table's life. At most HPACK_MAX_ENTRIES; the caller ensures that
 * `size` stays below the peer's table size, so that nothing is ever evicted.
 */
void hpack_put(struct hpack *table, struct buf *out, struct slice name, struct slice value);

/* Appends the field in a way that needs no dynamic table. */
void hpack_put_stateless(struct buf *out, struct slice name, struct slice value);

/* Appends a dynamic table size update, which is allowed only at the start of a block. */
void hpack_put_table_size(struct buf *out, uint32_t size);

#endif
