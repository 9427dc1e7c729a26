/*
 * The keys and values of a run. Keys are numbers with leading zeros; a value starts with the digits
 * of its key, so that an answer can be verified without a record of what was stored, even by a
 * later run. Values can be numbers: then they are a 1, the digits, and zeros up to their size.
 */
#ifndef KEYSTORE_BENCH_PAYLOAD_H
#define KEYSTORE_BENCH_PAYLOAD_H

#include "base/slice.h"

struct payload {
    size_t key_size;
    size_t value_size;
    size_t digits;       /* that differ between keys: the last ones of each key */
    size_t value_digits; /* how many of them, the last ones, are in the value */
    size_t digits_at;    /* their offset in the value: 0, or 1 after the leading 1 */
    uint8_t *filler;     /* value_size bytes; the value around its digits */
};

#define PAYLOAD_MAX_DIGITS 20

/* Decimal digits of the largest key number below `keyspace`, which is at least 1. */
size_t payload_digits(uint64_t keyspace);

/* `key_size` is at least payload_digits(keyspace). */
void payload_init(struct payload *payload, size_t key_size, size_t value_size, uint64_t keyspace);

/* Makes the values decimal numbers without leading zeros. `value_size` must not be 0. */
void payload_use_numbers(struct payload *payload);

void payload_deinit(struct payload *payload);

/* Writes key number 0, `key_size` bytes; other keys differ in the last `digits` of them. Keys of
 * strings and of lists differ in their first bytes, if those fit before the digits. */
void payload_first_key(const struct payload *payload, bool is_list, uint8_t *out);

/* Writes the `digits` digits of a key. */
static inline void payload_put_digits(const struct payload *payload, uint64_t key, uint8_t *out)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313"
                                "23334353637383940414243444546474849505152535455565758596061626364"
                                "65666768697071727374757677787980818283848586878889909192939495969"
                                "79899";
    size_t left = payload->digits;
    while (left >= 2) {
        left -= 2;
        memcpy(out + left, pairs + 2 * (key % 100), 2);
        key /= 100;
    }
    if (left == 1)
        out[0] = (uint8_t)('0' + key % 10);
}

/* The number of a key of strings, or of the key of a value; false if no key has
 * these bytes. The value must have room for all digits. */
bool payload_find_key(const struct payload *payload, struct slice key, uint64_t *number)
    __attribute__((warn_unused_result));
bool payload_find_value(const struct payload *payload, struct slice value, uint64_t *number)
    __attribute__((warn_unused_result));

/* Whether this is the value of that key. */
bool payload_matches(const struct payload *payload, uint64_t key, struct slice value);

#endif
