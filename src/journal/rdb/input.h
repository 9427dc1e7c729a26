/*
 * The bytes of an RDB file that are still to be read, and its smaller parts: numbers, lengths,
 * strings. Whatever the bytes are, nothing is read beyond them, and no memory is taken for a length
 * that they cannot make good. Layout: rdb_format.h.
 */
#ifndef KEYSTORE_JOURNAL_RDB_INPUT_H
#define KEYSTORE_JOURNAL_RDB_INPUT_H

#include "base/buf.h"
#include "base/decimal.h"

/* What was wrong, and where. */
struct rdb_error {
    size_t offset;    /* bytes from the beginning of the file */
    char reason[160]; /* one line without a full stop, zero-terminated */
    bool unknown;     /* nothing is damaged: it is of a kind that is not read */
};

struct rdb_input {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    struct rdb_error *error;
};

/* Where a string goes that does not stand in the file as it is. */
struct rdb_scratch {
    uint8_t digits[DECIMAL_MAX];
    struct buf unpacked;
};

/* The functions below that return bool return false after rdb_input_fail(). */

/* Says what is wrong at `where`; returns false. */
bool rdb_input_fail(struct rdb_input *input, const uint8_t *where, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same for what may be sound, but is of a kind that is not read. */
bool rdb_input_unknown(struct rdb_input *input, const uint8_t *where, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Passes `count` bytes, which `what` needs; `bytes` may be NULL. */
bool rdb_input_take(struct rdb_input *input, uint64_t count, const char *what,
                    const uint8_t **bytes);

static inline size_t rdb_input_left(const struct rdb_input *input)
{
    return (size_t)(input->end - input->at);
}

static inline size_t rdb_input_offset(const struct rdb_input *input)
{
    return (size_t)(input->at - input->begin);
}

/* A byte. */
bool rdb_input_byte(struct rdb_input *input, uint8_t *byte);

/* A length that is one, not the encoding of a string. */
bool rdb_input_length(struct rdb_input *input, uint64_t *length);

/* A length that counts things of at least `least` bytes each, at least 1: no more than are left. */
bool rdb_input_count(struct rdb_input *input, size_t least, uint64_t *count);

/* A string: borrowed from the file, or from the scratch until it is used again. */
bool rdb_input_string(struct rdb_input *input, struct rdb_scratch *scratch, struct slice *string);

/* Passes a string. */
bool rdb_input_skip_string(struct rdb_input *input);

void rdb_input_scratch_init(struct rdb_scratch *scratch);
void rdb_input_scratch_deinit(struct rdb_scratch *scratch);

#endif
