/* Writes, reads and finds the lines that precede batches. Does not parse payloads. */
#include "journal/log/batch.h"

#include "base/check.h"
#include "base/reserve.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#define HASH_DIGITS 16

static uint64_t batch_payload_hash(const struct iovec *payload, size_t count)
{
    if (count == 1)
        return XXH3_64bits(payload->iov_base, payload->iov_len);
    unsigned seen = 0;
    XXH3_state_t *state = XXH3_createState();
    while (state == NULL && reserve_break(&seen))
        state = XXH3_createState();
    if (state == NULL)
        check_out_of_memory(0);
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < count; i++)
        XXH3_64bits_update(state, payload[i].iov_base, payload[i].iov_len);
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

/* The hash of a line without its 16 digits at `digits_at`. */
static uint64_t batch_line_hash(struct slice line, size_t digits_at, uint64_t offset)
{
    DCHECK(line.len <= BATCH_MOST_LINE && digits_at + HASH_DIGITS <= line.len);
    uint8_t text[BATCH_MOST_LINE];
    size_t after = digits_at + HASH_DIGITS;
    memcpy(text, line.data, digits_at);
    memcpy(text + digits_at, line.data + after, line.len - after);
    return XXH3_64bits_withSeed(text, line.len - HASH_DIGITS, offset);
}

static void batch_write_hex(uint64_t number, uint8_t out[HASH_DIGITS])
{
    for (size_t i = HASH_DIGITS; i > 0; i--, number >>= 4)
        out[i - 1] = (uint8_t) "0123456789abcdef"[number & 15];
}

size_t batch_format(struct batch *batch, uint64_t offset, const struct iovec *payload, size_t count,
                    uint8_t out[BATCH_MOST_LINE])
{
    char text[BATCH_MOST_LINE + 1];
    batch->len = 0;
    for (size_t i = 0; i < count; i++)
        batch->len += payload[i].iov_len;
    batch->payload_hash = batch_payload_hash(payload, count);
    size_t digits_at = (size_t)snprintf(text, sizeof text,
                                        BATCH_MARK "seq=%" PRIu64 " ops=%" PRIu64 " len=%" PRIu64
                                                   " xxh3=%016" PRIx64,
                                        batch->seq, batch->ops, batch->len, batch->payload_hash);
    size_t size = digits_at;
    size += (size_t)snprintf(text + size, sizeof text - size, "%016d synced=%" PRIu64 "\n", 0,
                             batch->synced);
    CHECK(size <= BATCH_MOST_LINE && text[size - 1] == '\n');
    memcpy(out, text, size);
    batch_write_hex(batch_line_hash(slice_make(out, size), digits_at, offset), out + digits_at);
    batch->line_size = size;
    return size;
}

static bool batch_read_word(struct slice line, size_t *at, const char *word)
{
    struct slice wanted = slice_from_string(word);
    if (!slice_starts_with(slice_skip(line, *at), wanted))
        return false;
    *at += wanted.len;
    return true;
}

static bool batch_read_number(struct slice line, size_t *at, uint64_t *number)
{
    size_t first = *at;
    *number = 0;
    for (; *at < line.len && line.data[*at] >= '0' && line.data[*at] <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(line.data[*at] - '0');
        if (__builtin_mul_overflow(*number, (uint64_t)10, number) ||
            __builtin_add_overflow(*number, digit, number))
            return false;
    }
    return *at > first;
}

static bool batch_read_hex(struct slice line, size_t *at, uint64_t *number)
{
    *number = 0;
    if (line.len - *at < HASH_DIGITS)
        return false;
    for (size_t end = *at + HASH_DIGITS; *at < end; ++*at) {
        uint8_t digit = line.data[*at];
        if (digit >= '0' && digit <= '9')
            *number = *number << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *number = *number << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* The bytes from `offset` on that may be a line: up to the newline, if there is one. */
static bool batch_find_line(struct slice log, size_t offset, struct slice *line)
{
    struct slice rest = slice_skip(log, offset);
    size_t most = rest.len < BATCH_MOST_LINE ? rest.len : BATCH_MOST_LINE;
    const uint8_t *end = most > 0 ? memchr(rest.data, '\n', most) : NULL;
    if (end == NULL)
        return false;
    *line = slice_make(rest.data, (size_t)(end - rest.data) + 1);
    return true;
}

static bool batch_read_line(struct slice line, struct batch *batch, size_t *digits_at,
                            uint64_t *hash)
{
    size_t at = 0;
    if (!batch_read_word(line, &at, BATCH_MARK "seq=") ||
        !batch_read_number(line, &at, &batch->seq) || !batch_read_word(line, &at, " ops=") ||
        !batch_read_number(line, &at, &batch->ops) || !batch_read_word(line, &at, " len=") ||
        !batch_read_number(line, &at, &batch->len) || !batch_read_word(line, &at, " xxh3=") ||
        !batch_read_hex(line, &at, &batch->payload_hash))
        return false;
    *digits_at = at;
    return batch_read_hex(line, &at, hash) && batch_read_word(line, &at, " synced=") &&
           batch_read_number(line, &at, &batch->synced) && batch_read_word(line, &at, "\n");
}

/* Invariants of every line that is written; only by chance could the hash of another one match. */
static bool batch_makes_sense(const struct batch *batch)
{
    return batch->seq > batch->synced && batch->ops <= UINT64_MAX - batch->seq &&
           (batch->ops == 0) == (batch->len == 0);
}

bool batch_parse(struct slice log, size_t offset, struct batch *batch)
{
    struct slice line;
    size_t digits_at;
    uint64_t hash;
    if (!batch_find_line(log, offset, &line) || !batch_read_line(line, batch, &digits_at, &hash) ||
        hash != batch_line_hash(line, digits_at, offset) || !batch_makes_sense(batch))
        return false;
    batch->line_size = line.len;
    return true;
}

bool batch_check(struct slice log, size_t offset, const struct batch *batch)
{
    struct slice rest = slice_skip(log, offset + batch->line_size);
    return batch->len <= rest.len &&
           XXH3_64bits(rest.data, (size_t)batch->len) == batch->payload_hash;
}

bool batch_find(struct slice log, size_t *offset, struct batch *batch)
{
    while (*offset < log.len) {
        struct slice rest = slice_skip(log, *offset);
        const uint8_t *mark = memmem(rest.data, rest.len, BATCH_MARK, sizeof BATCH_MARK - 1);
        if (mark == NULL)
            break;
        *offset = (size_t)(mark - log.data);
        if (batch_parse(log, *offset, batch))
            return true;
        ++*offset;
    }
    return false;
}
