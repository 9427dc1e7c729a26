/*
 * Elements to draw from in random tests of lists: numbers, text, binary, empty, of all lengths at
 * which a list keeps them in another way. No two are equal, so that a model of a list may hold
 * their indexes. Included after "store/keyspace_fixture.h" and "store/seeded.h".
 */
#ifndef KEYSTORE_TESTS_LISTS_POOL_H
#define KEYSTORE_TESTS_LISTS_POOL_H

#define POOL_SIZE   48
#define POOL_USUAL  36 /* those before are short */
#define POOL_COMMON 6  /* those before are drawn most often, so that there is something to find */

/* The texts and lengths, in the order of the pool. */
static const char *const pool_texts[] = {
    "0",     "1",    "-1",         "",      "a",      "127",    "128", "-64",    "255",
    "-128",  "4095", "4096",       "32767", "-32768", "007",    "-0",  "+1",     "1 ",
    "65536", "1.0",  "2147483647", "ab",    "b",      "abcdef", "-",   "8388608"};
static const char *const pool_wide[] = {"9223372036854775807", "-9223372036854775808",
                                        "9223372036854775808", "4294967296"};
static const size_t pool_lengths[] = {2,
                                      30,
                                      63,
                                      64,
                                      127,
                                      128,
                                      500,
                                      2000,
                                      4076,
                                      4077,
                                      4079,
                                      4080,
                                      8000,
                                      BLOB_LEAST - 1,
                                      BLOB_LEAST,
                                      BLOB_LEAST + 1,
                                      2 * BLOB_LEAST,
                                      BLOB_LEAST + 300};

#define POOL_COUNT(array) (sizeof(array) / sizeof(array)[0])

_Static_assert(POOL_COUNT(pool_texts) + POOL_COUNT(pool_wide) + POOL_COUNT(pool_lengths) ==
                   POOL_SIZE,
               "each element has its place");

/* Bytes of the long ones: what is longer than two of them differ in their length. */
static inline struct slice pool_at(size_t item)
{
    static uint8_t bytes[2 * BLOB_LEAST];
    if (item < POOL_COUNT(pool_texts))
        return slice_from_string(pool_texts[item]);
    item -= POOL_COUNT(pool_texts);
    if (item < POOL_COUNT(pool_wide))
        return slice_from_string(pool_wide[item]);
    item -= POOL_COUNT(pool_wide);
    for (size_t i = 0; bytes[1] == 0 && i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 % 251);
    return slice_make(bytes, pool_lengths[item]);
}

/* Draws one: often a common one, seldom a long one. */
static inline uint8_t pool_draw(uint64_t *random)
{
    uint32_t which = seeded_below(random, 100);
    if (which < 40)
        return (uint8_t)seeded_below(random, POOL_COMMON);
    return (uint8_t)seeded_below(random, which < 98 ? POOL_USUAL : POOL_SIZE);
}

#endif
