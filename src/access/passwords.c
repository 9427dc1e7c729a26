/* Makes and verifies hashes with libargon2, after a look of our own at what they ask for. */
#include "access/passwords.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"

#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of salts and hashes that are accepted. */
#define LEAST_SALT 8
#define LEAST_HASH 16
#define MOST_PART  64

char *password_hash(struct slice password)
{
    uint8_t salt[PASSWORD_SALT_BYTES];
    CHECK(password.len <= PASSWORD_MOST);
    random_fill(salt, sizeof salt);
    size_t size = argon2_encodedlen(PASSWORD_PASSES, PASSWORD_KIB, PASSWORD_LANES, sizeof salt,
                                    PASSWORD_HASH_BYTES, Argon2_id);
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    int result =
        argon2id_hash_encoded(PASSWORD_PASSES, PASSWORD_KIB, PASSWORD_LANES, password.data,
                              password.len, salt, sizeof salt, PASSWORD_HASH_BYTES, text, size);
    if (result == ARGON2_OK)
        return text;
    CHECK(result == ARGON2_MEMORY_ALLOCATION_ERROR);
    free(text);
    return NULL;
}

/* ---- the text ---- */

/* Takes the prefix off the text; false if it has another one. */
static bool password_skip(const char **text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(*text, prefix, len) != 0)
        return false;
    *text += len;
    return true;
}

/* Takes NAME and a number off the text, of at most eight digits and without a leading zero. */
static bool password_take_number(const char **text, const char *name, uint32_t *number)
{
    if (!password_skip(text, name) || **text == '0')
        return false;
    *number = 0;
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 8)
        return false;
    for (size_t i = 0; i < digits; i++)
        *number = *number * 10 + (uint32_t)((*text)[i] - '0');
    *text += digits;
    return true;
}

/* Takes unpadded base64 of that many bytes off the text. */
static bool password_take_base64(const char **text, size_t least)
{
    uint8_t bytes[MOST_PART];
    size_t chars = strcspn(*text, "$");
    struct slice part = slice_make(*text, chars);
    if (BASE64_BYTES(chars) < least || BASE64_BYTES(chars) > sizeof bytes ||
        BASE64_CHARS(BASE64_BYTES(chars)) != chars || !base64_decode(part, bytes))
        return false;
    *text += chars;
    return true;
}

const char *password_hash_fault(const char *text)
{
    uint32_t kib, passes, lanes;
    if (strlen(text) > PASSWORD_MOST_TEXT)
        return "is too long";
    if (!password_skip(&text, "$argon2id$v=19$"))
        return "does not begin with $argon2id$v=19$";
    if (!password_take_number(&text, "m=", &kib) || !password_take_number(&text, ",t=", &passes) ||
        !password_take_number(&text, ",p=", &lanes) || !password_skip(&text, "$"))
        return "has no parameters as in m=19456,t=2,p=1";
    if (kib > PASSWORD_MOST_KIB || passes > PASSWORD_MOST_PASSES || lanes > PASSWORD_MOST_LANES)
        return "would cost too much: at most m=262144 (256 MiB), t=16 and p=8 are accepted";
    if (kib < 8 * lanes)
        return "has too little memory: m is at least 8 times p";
    if (!password_take_base64(&text, LEAST_SALT) || !password_skip(&text, "$"))
        return "has no salt of 8 to 64 bytes in base64";
    if (!password_take_base64(&text, LEAST_HASH) || *text != '\0')
        return "has no hash of 16 to 64 bytes in base64 at its end";
    return NULL;
}

/* ---- verifying ---- */

enum password_verdict password_verify(const char *hash, struct slice password)
{
    DCHECK(password_hash_fault(hash) == NULL);
    switch (argon2id_verify(hash, password.data, password.len)) {
    case ARGON2_OK:
        return PASSWORD_RIGHT;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
    case ARGON2_THREAD_FAIL:
        return PASSWORD_NO_MEMORY;
    default:
        return PASSWORD_WRONG;
    }
}

const char *password_decoy(void)
{
    return "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}
