/*
 * CRC64 in two ways. Sixteen bytes at a time ("slicing", Kounavis and Berry 2005): table k holds
 * the effect of a byte on the checksum when k more bytes follow it, so sixteen look-ups need not
 * wait for each other. And, where the processor multiplies polynomials, 64 bytes at a time
 * ("folding", Gopal et al., Intel 2009): bytes are replaced by others further on with the same
 * remainder. Knows nothing of what the bytes mean.
 *
 * In all numbers here the lowest bit stands for the highest power of x.
 */
#include "journal/rdb/crc64.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define POLYNOMIAL 0x95ac9329ac4bc9b5u /* 0xad93d23594c935a9 with its bits in reverse order */
#define SLICES     16

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight bytes are loaded as one number");

static uint64_t tables[SLICES][256];

/* Before main(), so that no update has to check whether the tables are filled. */
__attribute__((constructor)) static void crc64_fill_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int slice = 1; slice < SLICES; slice++) {
            uint64_t crc = tables[slice - 1][byte];
            tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
        }
    }
}

static inline uint64_t crc64_load(const uint8_t *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

/* The effect of eight bytes that `first` more slices follow. */
static inline uint64_t crc64_eight(uint64_t bytes, unsigned first)
{
    uint64_t crc = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++)
        crc ^= tables[first + 7 - i][(bytes >> (8 * i)) & 0xff];
    return crc;
}

static uint64_t crc64_slicing(uint64_t crc, const uint8_t *at, size_t left)
{
    for (; left >= 16; left -= 16, at += 16)
        crc = crc64_eight(crc64_load(at) ^ crc, 8) ^ crc64_eight(crc64_load(at + 8), 0);
    for (; left > 0; left--, at++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
    return crc;
}

#ifdef __x86_64__

/* Below this, setting up and finishing costs more than folding saves. */
#define FOLD_LEAST ((size_t)128)

/* Two factors that move sixteen bytes 16 or 64 bytes further on; 0 without the instruction. */
static uint64_t factors_16[2], factors_64[2];

/* x to that power, modulo the polynomial. */
static uint64_t crc64_power(unsigned exponent)
{
    uint64_t product = (uint64_t)1 << 63;
    for (; exponent > 0; exponent--)
        product = (product >> 1) ^ ((product & 1) != 0 ? POLYNOMIAL : 0);
    return product;
}

/*
 * The first eight of sixteen bytes stand for powers 64 higher than the others. The product of two
 * numbers of 64 bits has 127: as 128 bits it is x times too high, so the factor is x too low.
 */
__attribute__((constructor)) static void crc64_fill_factors(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("pclmul"))
        return;
    factors_16[0] = crc64_power(128 + 64 - 1);
    factors_16[1] = crc64_power(128 - 1);
    factors_64[0] = crc64_power(512 + 64 - 1);
    factors_64[1] = crc64_power(512 - 1);
}

#define FOLDING __attribute__((target("pclmul")))

FOLDING static inline __m128i crc64_load_16(const void *bytes)
{
    return _mm_loadu_si128(bytes);
}

/* Folds the remainder of `bytes` into `further`. */
FOLDING static inline __m128i crc64_fold(__m128i bytes, __m128i factors, __m128i further)
{
    __m128i first = _mm_clmulepi64_si128(bytes, factors, 0x00);
    __m128i second = _mm_clmulepi64_si128(bytes, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), further);
}

/* `blocks` times 64 bytes, at least one. */
FOLDING static uint64_t crc64_folding(uint64_t crc, const uint8_t *at, size_t blocks)
{
    __m128i factors = crc64_load_16(factors_64), lanes[4];
    for (size_t i = 0; i < 4; i++)
        lanes[i] = crc64_load_16(at + 16 * i);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi64_si128((long long)crc));
    for (at += 64; blocks > 1; blocks--, at += 64) {
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            lanes[i] = crc64_fold(lanes[i], factors, crc64_load_16(at + 16 * i));
    }
    factors = crc64_load_16(factors_16);
    for (size_t i = 0; i < 3; i++)
        lanes[i + 1] = crc64_fold(lanes[i], factors, lanes[i + 1]);
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, lanes[3]);
    return crc64_slicing(0, rest, sizeof rest);
}

uint64_t crc64_update(uint64_t crc, struct slice bytes)
{
    size_t folded = 0;
    if (bytes.len >= FOLD_LEAST && factors_64[0] != 0) {
        folded = bytes.len / 64 * 64;
        crc = crc64_folding(crc, bytes.data, folded / 64);
    }
    return crc64_slicing(crc, bytes.data + folded, bytes.len - folded);
}

#else

uint64_t crc64_update(uint64_t crc, struct slice bytes)
{
    return crc64_slicing(crc, bytes.data, bytes.len);
}

#endif
