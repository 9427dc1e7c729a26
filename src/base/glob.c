/*
 * Everything but '*' matches one byte. So where a '*' is followed by another one, it is enough to
 * find the first place where what is between them matches: if the rest matches after a later one,
 * it does after the first, too. On a mismatch, only the last '*' takes one more byte.
 */
#include "base/glob.h"

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

/* Matches one byte with what is at `at`, which is no '*'; returns where the pattern continues, or 0
 * if it does not match. */
static size_t glob_step(struct slice pattern, size_t at, uint8_t byte)
{
    bool matches;
    switch (pattern.data[at]) {
    case '?':
        return at + 1;
    case '[':
        at = glob_class(pattern, at + 1, byte, &matches);
        if (!matches)
            return 0;
        return at < pattern.len ? at + 1 : at;
    case '\\':
        if (at + 1 < pattern.len)
            at++;
        break;
    default:
        break;
    }
    return pattern.data[at] == byte ? at + 1 : 0;
}

bool glob_match(struct slice pattern, struct slice text)
{
    size_t at = 0;         /* in the pattern */
    size_t after_star = 0; /* in the pattern; 0: there was none yet */
    size_t retry_from = 0; /* in the text: up to there, the last '*' has matched */
    size_t i = 0;
    while (i < text.len) {
        if (at < pattern.len && pattern.data[at] == '*') {
            after_star = ++at;
            retry_from = i;
            if (at == pattern.len)
                return true;
            continue;
        }
        size_t next = at < pattern.len ? glob_step(pattern, at, text.data[i]) : 0;
        if (next != 0) {
            at = next;
            i++;
        } else if (after_star != 0) {
            at = after_star;
            i = ++retry_from;
        } else {
            return false;
        }
    }
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at == pattern.len;
}
