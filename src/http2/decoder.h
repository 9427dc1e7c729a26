/*
 * Decoding the header blocks of requests (HPACK, RFC 7541); private to http2. The inflater is
 * nghttp2's. A client that repeats its requests soon sends blocks that leave the dynamic table
 * alone: indexed fields, and perhaps literals without indexing. As long as the table does not
 * change, such a block always decodes to the same fields: at its second occurrence it is memoised,
 * and from then on it costs one comparison.
 */
#ifndef KEYSTORE_HTTP2_DECODER_H
#define KEYSTORE_HTTP2_DECODER_H

#include "http2/fields.h"

#include <nghttp2/nghttp2.h>

/* Blocks memoised per connection, and the length in bytes of the longest: that of a call with a
 * token, which many clients never index. */
#define DECODER_MEMOS      4
#define DECODER_MEMO_BYTES 128
/* Slots for the hashes of blocks seen once. */
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
    size_t max_inflated;    /* bytes of fields in a block, overhead included; beyond that it is
                               DECODER_ENDLESS */
    uint64_t table_version; /* counts the blocks that may have changed the dynamic table */
    uint32_t last_id;
    struct decoder_memo memos[DECODER_MEMOS];
    uint32_t seen[DECODER_SEEN]; /* hashes of blocks that were seen once */
};

struct decoder_block {
    const struct http2_field *fields;
    size_t count;
    uint32_t id;            /* of the memo; 0 = none */
    bool bomb;              /* an HPACK bomb: it decodes to far more than its size and the table's
                               explain */
    int64_t content_length; /* -1 if there is no such field */
};

enum decoder_verdict {
    DECODER_GOOD,
    DECODER_MALFORMED, /* violates RFC 9113, 8: reset the stream */
    DECODER_TOO_LARGE, /* more than `max_bytes` of fields: refuse the request. The fields that fit
                          are returned */
    DECODER_ENDLESS,   /* more than max_inflated: the dynamic table is lost, though the block may be
                          valid */
    DECODER_BROKEN,    /* the dynamic table is lost: connection error COMPRESSION_ERROR */
    DECODER_NO_MEMORY, /* the dynamic table is lost, because memory ran out */
};

/* max_inflated is unlimited until it is set. */
void decoder_init(struct decoder *decoder);
void decoder_deinit(struct decoder *decoder);

/*
 * Decodes a complete block. `scratch` holds the fields of a block that is not memoised; *block is
 * valid until the next call with the same decoder or scratch. The dynamic table stays valid except
 * after DECODER_ENDLESS, DECODER_BROKEN and DECODER_NO_MEMORY. Leading and trailing whitespace of
 * values is stripped, except in pseudo-header fields.
 */
enum decoder_verdict decoder_read(struct decoder *decoder, struct slice bytes, bool trailers,
                                  size_t max_bytes, struct fields *scratch,
                                  struct decoder_block *block) __attribute__((warn_unused_result));

#endif
