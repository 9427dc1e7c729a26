/*
 * The unread bytes of an RDB file, and its smaller parts: numbers, lengths, strings. Whatever the
 * bytes are, nothing is read past their end, and no memory is allocated for a length that exceeds
 * what they can hold. Layout: format.h.
 */
#ifndef KEYSTORE_JOURNAL_RDB_INPUT_H
#define KEYSTORE_JOURNAL_RDB_INPUT_H

#include "base/buf.h"
#include "base/decimal.h"

/* What was wrong, and where. */
struct rdb_error {
    size_t offset;    /* bytes from the start of the file */
    char reason[160]; /* one line without a full stop, zero-terminated */
    bool unknown;     /* nothing is damaged: it is of a kind that is not read */
};

struct rdb_input {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    struct rdb_error *error;
};

/* Holds a string that is encoded in the file. */
struct rdb_scratch {
    uint8_t digits[DECIMAL_MAX];
    struct buf unpacked;
};

/* The functions below that return bool return false after rdb_input_fail(). */

/* Sets the error at `where`; returns false. */
bool rdb_input_fail(struct rdb_input *input, const uint8_t *where, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same for what may be intact, but is of a kind that is not read. */
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

/* Reads a byte. */
bool rdb_input_byte(struct rdb_input *input, uint8_t *byte);

/* Reads a length, not the encoding of a string. */
bool rdb_input_length(struct rdb_input *input, uint64_t *length);

/* Reads a length that counts items of at least `least` bytes each, at least 1: no more than the
 * bytes left can hold. */
bool rdb_input_count(struct rdb_input *input, size_t least, uint64_t *count);

/* Reads a string: borrowed from the file, or from the scratch until its next use. */
bool rdb_input_string(struct rdb_input *input, struct rdb_scratch *scratch, struct slice *string);

/* Passes a string. */
bool rdb_input_skip_string(struct rdb_input *input);

void rdb_input_scratch_init(struct rdb_scratch *scratch);
void rdb_input_scratch_deinit(struct rdb_scratch *scratch);

#endif
