/*
 * Coding the header blocks of answers (HPACK, RFC 7541); private to http2. Fields that repeat are
 * put into the peer's dynamic table once and cost a byte afterwards; other fields are literals that
 * leave the table alone. Which field repeats is told by its address, so nothing is compared or
 * hashed.
 */
#ifndef KEYSTORE_HTTP2_ENCODER_H
#define KEYSTORE_HTTP2_ENCODER_H

#include "http2/http2.h"

/* Repeating fields that are kept in the table. */
#define ENCODER_MAX_KEPT 4
/* Sets of fields whose blocks are remembered: those at the beginning and at the end of an answer.
 */
#define ENCODER_MEMOS 2
/* The size of a peer's table until it says otherwise, and the largest that we use. */
#define ENCODER_TABLE_SIZE 4096

/* The block of a lasting set of fields that is nothing but indexes: a byte for each. */
struct encoder_memo {
    const struct http2_field *fields; /* NULL = unused */
    uint8_t count;
    uint8_t block[ENCODER_MAX_KEPT];
};

struct encoder {
    const struct http2_field *kept[ENCODER_MAX_KEPT]; /* in the order of insertion */
    struct encoder_memo memos[ENCODER_MEMOS];         /* until the table changes */
    uint32_t kept_count;
    uint32_t kept_bytes; /* of the table (RFC 7541, 4.1) */
    uint32_t table_size; /* that we use: at most what the peer allows */
    uint32_t smallest;   /* that the peer allowed since the last block */
    uint32_t allowed;    /* by the peer now */
    uint8_t next_memo;   /* to be replaced, modulo their number */
    bool settled;        /* the peer's SETTINGS came: its table may be used */
};

void encoder_init(struct encoder *encoder);

/* The peer's SETTINGS_HEADER_TABLE_SIZE. */
void encoder_set_allowed(struct encoder *encoder, uint32_t size);

/*
 * The block of lasting fields, ENCODER_MAX_KEPT bytes of which the first `count` count: what
 * encoder_write() would write. NULL if it is not remembered.
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
 * Writes the header block of the fields to `out` and returns its end. `lasting` fields lie where
 * they are for as long as the encoder is used. Blocks must be sent in the order of the calls.
 */
uint8_t *encoder_write(struct encoder *encoder, const struct http2_field *fields, size_t count,
                       bool lasting, uint8_t *out);

#endif
