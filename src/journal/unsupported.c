/* Counts by type and keeps the first names. Knows no file and no store. */
#include "journal/unsupported.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Copies as much as fits, with '?' for what is not printable; returns the bytes. */
static size_t unsupported_copy_text(char *out, struct slice bytes)
{
    size_t len = bytes.len < UNSUPPORTED_BYTES ? bytes.len : UNSUPPORTED_BYTES;
    for (size_t i = 0; i < len; i++)
        out[i] = bytes.data[i] >= ' ' && bytes.data[i] < 127 ? (char)bytes.data[i] : '?';
    out[len] = 0;
    return len;
}

static struct unsupported_type *unsupported_find_type(struct unsupported *unsupported,
                                                      struct slice type)
{
    char text[UNSUPPORTED_BYTES + 1] = {0};
    unsupported_copy_text(text, type);
    for (size_t i = 0; i < unsupported->type_count; i++) {
        if (strcmp(unsupported->types[i].type, text) == 0)
            return &unsupported->types[i];
    }
    if (unsupported->type_count == UNSUPPORTED_TYPES)
        return &unsupported->types[UNSUPPORTED_TYPES - 1];
    if (unsupported->type_count == UNSUPPORTED_TYPES - 1)
        unsupported_copy_text(text, SLICE_LITERAL("others"));
    struct unsupported_type *added = &unsupported->types[unsupported->type_count++];
    memcpy(added->type, text, sizeof text);
    return added;
}

void unsupported_add(struct unsupported *unsupported, struct slice type, struct slice name,
                     const char *why)
{
    struct unsupported_type *kind = unsupported_find_type(unsupported, type);
    unsupported->count++;
    if (unsupported->why == NULL)
        unsupported->why = why;
    kind->count++;
    if (kind->name_count == UNSUPPORTED_NAMES || name.len == 0)
        return;
    char *kept = kind->names[kind->name_count];
    size_t len = unsupported_copy_text(kept, name);
    if (len < name.len)
        memcpy(kept + len, "...", sizeof "...");
    for (size_t i = 0; i < kind->name_count; i++) {
        if (strcmp(kind->names[i], kept) == 0)
            return;
    }
    kind->name_count++;
}

/* Appends what fits at *at. */
static void unsupported_append(char *out, size_t size, size_t *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void unsupported_append(char *out, size_t size, size_t *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(out + *at, size - *at, format, args);
    va_end(args);
    *at += len < 0 ? 0 : (size_t)len;
    if (*at >= size)
        *at = size - 1;
}

void unsupported_print(const struct unsupported *unsupported, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < unsupported->type_count; i++) {
        const struct unsupported_type *kind = &unsupported->types[i];
        unsupported_append(out, size, &at, "%s%s (%" PRIu64, i > 0 ? ", " : "", kind->type,
                           kind->count);
        for (size_t j = 0; j < kind->name_count; j++)
            unsupported_append(out, size, &at, "%s\"%s\"", j > 0 ? ", " : ": ", kind->names[j]);
        bool all = kind->name_count == 0 || kind->count == kind->name_count;
        unsupported_append(out, size, &at, "%s)", all ? "" : " and others");
    }
}
