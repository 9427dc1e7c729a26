/* Draws, hashes and compares tokens with OpenSSL's libcrypto. */
#include "access/tokens.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/random.h"

/* OpenSSL 3 calls the functions below deprecated; what it prefers to them looks its own algorithms
 * up for each hash, which takes longer than a Get. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <time.h>

char *token_new(char token[TOKEN_CHARS + 1])
{
    uint8_t random[TOKEN_RANDOM_BYTES];
    random_fill(random, sizeof random);
    memcpy(token, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    char *digits = token + sizeof TOKEN_PREFIX - 1;
    *base64_encode(slice_make(random, sizeof random), (uint8_t *)digits) = '\0';
    for (char *at = digits; *at != '\0'; at++)
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
    OPENSSL_cleanse(random, sizeof random);
    return token;
}

void token_hash(struct slice text, uint8_t hash[TOKEN_HASH_BYTES])
{
    _Static_assert(TOKEN_HASH_BYTES == SHA256_DIGEST_LENGTH, "a hash is a SHA-256");
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, text.data, text.len);
    SHA256_Final(hash, &context);
}

bool token_read_hash(struct slice digits, uint8_t hash[TOKEN_HASH_BYTES])
{
    if (digits.len != 2 * TOKEN_HASH_BYTES)
        return false;
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
        int high = hex_digit(digits.data[2 * i]), low = hex_digit(digits.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool token_hash_equal(const uint8_t one[TOKEN_HASH_BYTES], const uint8_t other[TOKEN_HASH_BYTES])
{
    return CRYPTO_memcmp(one, other, TOKEN_HASH_BYTES) == 0;
}

bool token_read_time(struct slice text, int64_t *unix_ms)
{
    char copy[TOKEN_TIME_CHARS + 1];
    struct tm tm = {0};
    if (text.len != TOKEN_TIME_CHARS)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL || *end != '\0')
        return false;
    char printed[TOKEN_TIME_CHARS + 1];
    *unix_ms = (int64_t)timegm(&tm) * 1000;
    /* Spaces and days that a month does not have are no times. */
    return strcmp(token_print_time(*unix_ms, printed), copy) == 0;
}

char *token_print_time(int64_t unix_ms, char text[TOKEN_TIME_CHARS + 1])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, TOKEN_TIME_CHARS + 1, "%Y-%m-%dT%H:%M:%SZ", &tm);
    CHECK(len <= TOKEN_TIME_CHARS);
    text[len] = '\0';
    return text;
}
