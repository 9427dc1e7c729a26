/* Keys and values made of numbers. Does not know messages. */
#include "bench/payload.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

#define PREFIX_SIZE ((size_t)4)

size_t payload_digits(uint64_t keyspace)
{
    size_t digits = 1;
    for (uint64_t rest = (keyspace - 1) / 10; rest > 0; rest /= 10)
        digits++;
    return digits;
}

/* Letters that compress badly, the same in every run. */
static void payload_fill_with_letters(uint8_t *out, size_t size)
{
    uint64_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (uint8_t)('a' + (state >> 33) % 26);
    }
}

void payload_init(struct payload *payload, size_t key_size, size_t value_size, uint64_t keyspace)
{
    size_t digits = payload_digits(keyspace);
    *payload = (struct payload){
        .key_size = key_size,
        .value_size = value_size,
        .digits = digits,
        .value_digits = digits < value_size ? digits : value_size,
        .filler = mem_alloc(value_size + 1),
    };
    CHECK(payload->value_digits <= value_size && digits <= PAYLOAD_MAX_DIGITS);
    payload_fill_with_letters(payload->filler, value_size);
}

void payload_use_numbers(struct payload *payload)
{
    CHECK(payload->value_size > 0);
    memset(payload->filler, '0', payload->value_size);
    payload->filler[0] = '1';
    payload->digits_at = 1;
    if (payload->value_digits == payload->value_size)
        payload->value_digits--;
}

void payload_deinit(struct payload *payload)
{
    free(payload->filler);
    payload->filler = NULL;
}

void payload_first_key(const struct payload *payload, bool is_list, uint8_t *out)
{
    memset(out, '0', payload->key_size);
    if (payload->key_size >= payload->digits + PREFIX_SIZE)
        memcpy(out, is_list ? "lst:" : "key:", PREFIX_SIZE);
}

/* The number whose digits these are. */
static bool payload_take_digits(struct slice digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *number = *number * 10 + (digits.data[i] - '0');
    }
    return true;
}

bool payload_find_key(const struct payload *payload, struct slice key, uint64_t *number)
{
    return key.len == payload->key_size &&
           payload_take_digits(slice_skip(key, key.len - payload->digits), number);
}

bool payload_find_value(const struct payload *payload, struct slice value, uint64_t *number)
{
    if (value.len != payload->value_size || payload->value_digits < payload->digits)
        return false;
    struct slice digits = slice_make(value.data + payload->digits_at, payload->digits);
    return payload_take_digits(digits, number);
}

bool payload_matches(const struct payload *payload, uint64_t key, struct slice value)
{
    if (value.len != payload->value_size)
        return false;
    if (value.len == 0)
        return true;
    uint8_t digits[PAYLOAD_MAX_DIGITS];
    payload_put_digits(payload, key, digits);
    size_t at = payload->digits_at;
    size_t count = payload->value_digits;
    size_t end = at + count;
    return memcmp(value.data, payload->filler, at) == 0 &&
           memcmp(value.data + at, digits + payload->digits - count, count) == 0 &&
           memcmp(value.data + end, payload->filler + end, value.len - end) == 0;
}
