/* Base64 (RFC 4648, 4), without padding. */
#ifndef KEYSTORE_BASE_BASE64_H
#define KEYSTORE_BASE_BASE64_H

#include "base/slice.h"

/* Characters of that many bytes, and bytes of that many characters. */
#define BASE64_CHARS(bytes) (((bytes)*4 + 2) / 3)
#define BASE64_BYTES(chars) ((chars)*3 / 4)

/* Writes BASE64_CHARS(bytes.len) characters to `out` and returns their end. */
uint8_t *base64_encode(struct slice bytes, uint8_t *out);

/* Writes BASE64_BYTES(text.len) bytes to `out`. False if the text is malformed; then `out` holds
 * anything. Bits that belong to no byte are ignored. */
bool base64_decode(struct slice text, uint8_t *out) __attribute__((warn_unused_result));

#endif
