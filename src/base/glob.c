/*
 * A pattern is a row of segments between its '*'s, of tokens that match one byte each. The first
 * segment has to match at the start of the text and the last one at its end. For each one between,
 * it is enough to find the first place where it matches: if the rest matches after a later one, it
 * does after the first, too. A long search runs with a bit per token (Shift-And: Baeza-Yates and
 * Gonnet, 1992), which does not depend on how often a segment nearly matches.
 */
#include "base/glob.h"

/* Steps up to which a search tries the places one after the other. */
#define FEW_STEPS ((size_t)16 * 1024)
/* Tokens of a segment for which there are bits; a longer one is searched for in the slow way. */
#define MAX_WORDS  ((size_t)16)
#define MAX_TOKENS (64 * MAX_WORDS)

/* The tokens up to a '*' or the end of the pattern. */
struct segment {
    size_t begin, end; /* in the pattern */
    size_t count;
};

/* Where the class that starts at `at`, after its '[', ends: at its ']' or with the pattern.
 * *matches says if the byte matches. */
static size_t glob_class(struct slice pattern, size_t at, uint8_t byte, bool *matches)
{
    const uint8_t *in = pattern.data;
    bool negated = at < pattern.len && in[at] == '^';
    bool found = false;
    for (at += negated; at < pattern.len && in[at] != ']'; at++) {
        size_t left = pattern.len - at;
        uint8_t first = in[at], last = in[at];
        if (left >= 2 && first == '\\') {
            at++;
            first = last = in[at];
        } else if (left >= 3 && in[at + 1] == '-') {
            at += 2;
            last = in[at];
        }
        found |= first <= last ? first <= byte && byte <= last : last <= byte && byte <= first;
    }
    *matches = found != negated;
    return at;
}

/* Where the token at `at` ends; *matches says if the byte matches. */
static size_t glob_token(struct slice pattern, size_t at, uint8_t byte, bool *matches)
{
    switch (pattern.data[at]) {
    case '?':
        *matches = true;
        return at + 1;
    case '[':
        at = glob_class(pattern, at + 1, byte, matches);
        return at < pattern.len ? at + 1 : at;
    case '\\':
        if (at + 1 < pattern.len)
            at++;
        break;
    default:
        break;
    }
    *matches = pattern.data[at] == byte;
    return at + 1;
}

static struct segment glob_segment(struct slice pattern, size_t at)
{
    struct segment segment = {.begin = at};
    bool ignored;
    for (; at < pattern.len && pattern.data[at] != '*'; segment.count++)
        at = glob_token(pattern, at, 0, &ignored);
    segment.end = at;
    return segment;
}

/* True if the segment matches the bytes at `text`, which has enough. */
static bool glob_fits(struct slice pattern, struct segment segment, const uint8_t *text)
{
    bool matches = true;
    for (size_t at = segment.begin; at < segment.end && matches; text++)
        at = glob_token(pattern, at, *text, &matches);
    return matches;
}

static void glob_make_bits(struct slice pattern, struct segment segment,
                           uint64_t bits[256][MAX_WORDS])
{
    memset(bits, 0, 256 * sizeof bits[0]);
    for (size_t at = segment.begin, token = 0, next; at < segment.end; at = next, token++) {
        for (size_t byte = 0; byte < 256; byte++) {
            bool matches;
            next = glob_token(pattern, at, (uint8_t)byte, &matches);
            bits[byte][token / 64] |= (uint64_t)matches << token % 64;
        }
    }
}

/* Bit t of the state is set if the tokens up to t match what ends with the present byte. */
static bool glob_search_bits(struct slice pattern, struct segment segment, struct slice text,
                             size_t *end)
{
    uint64_t bits[256][MAX_WORDS], state[MAX_WORDS] = {0};
    size_t words = (segment.count + 63) / 64, last = segment.count - 1;
    glob_make_bits(pattern, segment, bits);
    for (size_t i = 0; i < text.len; i++) {
        uint64_t carry = 1;
        for (size_t word = 0; word < words; word++) {
            uint64_t former = state[word];
            state[word] = (former << 1 | carry) & bits[text.data[i]][word];
            carry = former >> 63;
        }
        if (state[last / 64] >> last % 64 & 1) {
            *end = i + 1;
            return true;
        }
    }
    return false;
}

/* Finds the first place where the segment, of a token or more, matches; *end is where that ends. */
static bool glob_search(struct slice pattern, struct segment segment, struct slice text,
                        size_t *end)
{
    size_t places = text.len - segment.count + 1;
    if (segment.count <= MAX_TOKENS && places > FEW_STEPS / segment.count)
        return glob_search_bits(pattern, segment, text, end);
    for (size_t i = 0; i < places; i++) {
        if (glob_fits(pattern, segment, text.data + i)) {
            *end = i + segment.count;
            return true;
        }
    }
    return false;
}

bool glob_match(struct slice pattern, struct slice text)
{
    struct segment segment = glob_segment(pattern, 0);
    if (segment.count > text.len || !glob_fits(pattern, segment, text.data))
        return false;
    if (segment.end == pattern.len)
        return segment.count == text.len;
    text = slice_skip(text, segment.count);
    while (true) {
        size_t at = segment.end, end;
        while (at < pattern.len && pattern.data[at] == '*')
            at++;
        if (at == pattern.len)
            return true;
        segment = glob_segment(pattern, at);
        if (segment.count > text.len)
            return false;
        if (segment.end == pattern.len)
            return glob_fits(pattern, segment, text.data + text.len - segment.count);
        if (!glob_search(pattern, segment, text, &end))
            return false;
        text = slice_skip(text, end);
    }
}
