/* Sentences to the caller that hold numbers or names: what was wrong and what would be right. */
#ifndef KEYSTORE_SERVICE_SENTENCE_H
#define KEYSTORE_SERVICE_SENTENCE_H

struct arena;

/* Longest sentence in bytes, with its end; the rest is cut. */
#define SENTENCE_MAX 400

/* The sentence as printf() makes it, in the arena. */
const char *sentence_make(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

#endif
