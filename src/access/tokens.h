/*
 * Tokens: secrets that programs send with each call. A token is a prefix, by which scanners of
 * repositories can find one that was published, and 256 random bits; what is stored of it is its
 * SHA-256, from which nobody can guess it.
 */
#ifndef KEYSTORE_ACCESS_TOKENS_H
#define KEYSTORE_ACCESS_TOKENS_H

#include "base/base64.h"

#include <stdbool.h>

#define TOKEN_PREFIX       "kst_"
#define TOKEN_RANDOM_BYTES ((size_t)32)
#define TOKEN_CHARS        (sizeof TOKEN_PREFIX - 1 + BASE64_CHARS(TOKEN_RANDOM_BYTES))
#define TOKEN_HASH_BYTES   ((size_t)32)

/* Draws a token: TOKEN_CHARS letters, digits, '-' and '_', and a terminating zero. Returns `token`.
 */
char *token_new(char token[TOKEN_CHARS + 1]);

/* The SHA-256 of the text, whatever it is. */
void token_hash(struct slice text, uint8_t hash[TOKEN_HASH_BYTES]);

/* Reads the hash from hexadecimal digits; false if they are not those of one. */
bool token_read_hash(struct slice digits, uint8_t hash[TOKEN_HASH_BYTES])
    __attribute__((warn_unused_result));

/* Compares in a time that does not depend on the bytes. */
bool token_hash_equal(const uint8_t one[TOKEN_HASH_BYTES], const uint8_t other[TOKEN_HASH_BYTES]);

/* Times of tokens: UTC to the second, as in 2026-11-30T04:00:00Z. */
#define TOKEN_TIME_CHARS 20
bool token_read_time(struct slice text, int64_t *unix_ms) __attribute__((warn_unused_result));
/* Returns `text`. */
char *token_print_time(int64_t unix_ms, char text[TOKEN_TIME_CHARS + 1]);

#endif
