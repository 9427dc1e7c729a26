/*
 * Encoding the header blocks of responses (HPACK, RFC 7541); private to http2. Fields that repeat
 * are added to the peer's dynamic table once and cost one byte afterwards; other fields are
 * literals without indexing. A repeated field is recognised by its address, so nothing is compared
 * or hashed.
 */
#ifndef KEYSTORE_HTTP2_ENCODER_H
#define KEYSTORE_HTTP2_ENCODER_H

#include "http2/http2.h"

/* The most fields kept in the dynamic table. */
#define ENCODER_MAX_KEPT 4
/* Sets of fields whose blocks are memoised: the headers and the trailers of a response. */
#define ENCODER_MEMOS 2
/* The default SETTINGS_HEADER_TABLE_SIZE, and the largest table that is used. */
#define ENCODER_TABLE_SIZE 4096

/* The block of a set of lasting fields that are all indexed: one byte for each. */
struct encoder_memo {
    const struct http2_field *fields; /* NULL = unused */
    uint8_t count;
    uint8_t block[ENCODER_MAX_KEPT];
};

struct encoder {
    const struct http2_field *kept[ENCODER_MAX_KEPT]; /* in the order of insertion */
    struct encoder_memo memos[ENCODER_MEMOS];         /* valid until the table changes */
    uint32_t kept_count;
    uint32_t kept_bytes; /* their size in the table (RFC 7541, 4.1) */
    uint32_t table_size; /* in use: at most what the peer allows */
    uint32_t smallest;   /* maximum that the peer has set since the last block */
    uint32_t allowed;    /* the peer's current SETTINGS_HEADER_TABLE_SIZE */
    uint8_t next_memo;   /* the next to be replaced, modulo ENCODER_MEMOS */
    bool settled;        /* the peer's SETTINGS have arrived: its table may be used */
};

void encoder_init(struct encoder *encoder);

/* Applies the peer's SETTINGS_HEADER_TABLE_SIZE. */
void encoder_set_allowed(struct encoder *encoder, uint32_t size);

/*
 * The memoised block of lasting fields, equal to what encoder_write() would write: ENCODER_MAX_KEPT
 * readable bytes, of which the first `count` are the block. NULL if there is none.
 */
static inline const uint8_t *encoder_recall(const struct encoder *encoder,
                                            const struct http2_field *fields, size_t count)
{
    for (size_t i = 0; i < ENCODER_MEMOS; i++) {
        const struct encoder_memo *memo = &encoder->memos[i];
        if (count > 0 && memo->fields == fields && memo->count == count)
            return memo->block;
    }
    return NULL;
}

/* The most bytes that encoder_write() may need for these fields. */
size_t encoder_bound(const struct http2_field *fields, size_t count);

/*
 * Writes the header block of the fields to `out` and returns its end. `lasting` fields must stay at
 * their addresses, unchanged, for the life of the encoder. Blocks must be sent in the order of the
 * calls.
 */
uint8_t *encoder_write(struct encoder *encoder, const struct http2_field *fields, size_t count,
                       bool lasting, uint8_t *out);

#endif
