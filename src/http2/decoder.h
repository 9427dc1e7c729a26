/*
 * Reading the header blocks of requests (HPACK, RFC 7541); private to http2. The inflater is
 * nghttp2's. A client that repeats itself soon sends blocks that change no table: indexes, and
 * perhaps literals that stay out of it. Such a block that was seen before, with no change of the
 * dynamic table since, means the same fields: it is remembered when it comes the second time, and
 * costs one comparison from then on.
 */
#ifndef KEYSTORE_HTTP2_DECODER_H
#define KEYSTORE_HTTP2_DECODER_H

#include "http2/fields.h"

#include <nghttp2/nghttp2.h>

/* Different requests that are remembered per connection, and the longest block of one. */
#define DECODER_MEMOS      4
#define DECODER_MEMO_BYTES 64
/* Blocks seen once: as many as are told apart. */
#define DECODER_SEEN 8

struct decoder_memo {
    uint8_t block[DECODER_MEMO_BYTES];
    uint8_t len;
    uint32_t id; /* 0 = unused */
    uint64_t table_version;
    int64_t content_length;
    struct fields fields;
};

struct decoder {
    nghttp2_hd_inflater *inflater;
    size_t max_inflated;    /* bytes of fields in a block that are decoded for the table's sake */
    uint64_t table_version; /* counts the blocks that may have changed the dynamic table */
    uint32_t last_id;
    struct decoder_memo memos[DECODER_MEMOS];
    uint32_t seen[DECODER_SEEN]; /* hashes of blocks that came once */
};

struct decoder_block {
    const struct http2_field *fields;
    size_t count;
    uint32_t id;            /* of the memo; 0 = none */
    bool bomb;              /* it says far more than its size and the table's can explain */
    int64_t content_length; /* as the field says; -1 if it does not */
};

enum decoder_verdict {
    DECODER_GOOD,
    DECODER_MALFORMED, /* breaks the rules for requests: reset the stream */
    DECODER_TOO_LARGE, /* more than `max_bytes` of fields: refuse the request. Those are there that
                          fit */
    DECODER_ENDLESS,   /* more than max_inflated: the table is lost, and nothing else is wrong */
    DECODER_BROKEN,    /* the table is lost: COMPRESSION_ERROR of the connection */
    DECODER_STARVED,   /* the table is lost, for there was no memory for it */
};

/* Without max_inflated. */
void decoder_init(struct decoder *decoder);
void decoder_deinit(struct decoder *decoder);

/*
 * Reads a whole block. `scratch` holds the fields of a block that is not remembered; *block is
 * valid until the next call with the same decoder or scratch. But for DECODER_BROKEN and
 * DECODER_ENDLESS the table stays right. Blanks at the ends of values are left out, but for those
 * of pseudo-header fields.
 */
enum decoder_verdict decoder_read(struct decoder *decoder, struct slice bytes, bool trailers,
                                  size_t max_bytes, struct fields *scratch,
                                  struct decoder_block *block) __attribute__((warn_unused_result));

#endif
