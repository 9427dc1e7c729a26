/* Making and freeing entries. Knows nothing of dictionaries or operations. */
#include "store/entry.h"

#include "base/blob.h"
#include "base/mem.h"
#include "store/list.h"

#include <stdlib.h>

static struct entry *new_entry(enum entry_type type, struct slice key, size_t extra)
{
    struct entry *entry = mem_alloc(sizeof *entry + key.len + extra);
    *entry = (struct entry){.type = type, .key_len = (uint32_t)key.len};
    memcpy(entry->bytes, key.data, key.len);
    return entry;
}

struct entry *entry_new_string(struct slice key, struct slice value)
{
    bool is_inline = value.len < ENTRY_MIN_BLOB;
    struct entry *entry = new_entry(ENTRY_STRING, key, is_inline ? value.len : 0);
    entry->value_len = (uint32_t)value.len;
    if (!is_inline)
        entry->blob = blob_copy(value);
    else if (value.len > 0)
        memcpy(entry->bytes + key.len, value.data, value.len);
    return entry;
}

struct entry *entry_new_list(struct slice key)
{
    struct entry *entry = new_entry(ENTRY_LIST, key, 0);
    entry->list = list_new();
    return entry;
}

void entry_free(struct entry *entry)
{
    if (entry == NULL)
        return;
    if (entry->type == ENTRY_LIST)
        list_free(entry->list);
    else
        blob_release(entry->blob);
    free(entry);
}

struct slice entry_string(const struct entry *entry)
{
    if (entry->blob != NULL)
        return blob_slice(entry->blob);
    return slice_make(entry->bytes + entry->key_len, entry->value_len);
}
