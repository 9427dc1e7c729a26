/* Texts of errors that hold numbers or names: what was wrong and what would be right. */
#ifndef KEYSTORE_SERVICE_ERROR_TEXT_H
#define KEYSTORE_SERVICE_ERROR_TEXT_H

struct arena;

/* Bytes of the longest text, with its terminating zero; longer ones are truncated. */
#define ERROR_TEXT_MAX 400

/* The text as printf() formats it, in the arena. */
const char *error_text_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

#endif
