/* Lists of header fields whose bytes share one buffer. */
#include "http2/fields.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

#define FIRST_CAPACITY 16

void fields_deinit(struct fields *fields)
{
    free(fields->items);
    buf_deinit(&fields->bytes);
    *fields = (struct fields){0};
}

void fields_clear(struct fields *fields)
{
    fields->count = 0;
    fields->bytes.len = 0;
}

/* Recomputes the slices of all fields after the buffer has moved. */
static void fields_rebase(struct fields *fields)
{
    const uint8_t *at = fields->bytes.data;
    for (size_t i = 0; i < fields->count; i++) {
        fields->items[i].name.data = at;
        at += fields->items[i].name.len;
        fields->items[i].value.data = at;
        at += fields->items[i].value.len;
    }
}

void fields_add(struct fields *fields, struct slice name, struct slice value)
{
    if (fields->count == fields->capacity) {
        fields->capacity = fields->capacity > 0 ? fields->capacity * 2 : FIRST_CAPACITY;
        fields->items = mem_realloc(fields->items, fields->capacity * sizeof *fields->items);
    }
    fields->bytes.limit = SIZE_MAX; /* the callers bound the total */
    const uint8_t *before = fields->bytes.data;
    bool fits = buf_append(&fields->bytes, name) && buf_append(&fields->bytes, value);
    CHECK(fits);
    const uint8_t *end = fields->bytes.data + fields->bytes.len;
    fields->items[fields->count++] =
        (struct http2_field){.name = slice_make(end - value.len - name.len, name.len),
                             .value = slice_make(end - value.len, value.len)};
    if (fields->bytes.data != before)
        fields_rebase(fields);
}
