/* Numbers and sizes as people write them. */
#ifndef KEYSTORE_SERVER_VALUES_H
#define KEYSTORE_SERVER_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only; false, with *number unchanged, unless low <= number <= high. */
bool values_parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *number)
    __attribute__((warn_unused_result));

/*
 * A number of bytes, alone or followed by B, K, KB, KiB, M, MB, MiB, G, GB or GiB in any case, all
 * powers of 1024. False, with *bytes unchanged, unless low <= bytes <= high.
 */
bool values_parse_size(const char *text, uint64_t low, uint64_t high, uint64_t *bytes)
    __attribute__((warn_unused_result));

/* The same with the largest unit that divides it: "64MiB". */
void values_print_size(uint64_t bytes, char *out, size_t size);

#endif
