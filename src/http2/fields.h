/* A growing list of header fields that owns copies of their bytes; private to http2. */
#ifndef KEYSTORE_HTTP2_FIELDS_H
#define KEYSTORE_HTTP2_FIELDS_H

#include "http2/http2.h"

/* All zero is an empty list. */
struct fields {
    struct http2_field *items; /* slices into `bytes`, valid until the next fields_add() */
    size_t count;
    size_t capacity;
    struct buf bytes;
};

void fields_deinit(struct fields *fields);

/* Empties the list and keeps its memory. */
void fields_clear(struct fields *fields);

/* Appends copies of both. */
void fields_add(struct fields *fields, struct slice name, struct slice value);

#endif
