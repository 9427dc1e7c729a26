/* A list as a ring of pointers to elements; the ring's size is a power of two and doubles. */
#include "store/list.h"

#include "base/blob.h"
#include "base/mem.h"
#include "store/entry.h"

#include <stdlib.h>

#define FIRST_CAPACITY 4

/* A short element has its bytes inline, a long one is a blob. */
struct element {
    uint32_t len;
    uint8_t bytes[]; /* or a struct blob * */
};

static bool is_inline(size_t len)
{
    return len < ENTRY_MIN_BLOB;
}

static struct blob *blob_of(const struct element *element)
{
    struct blob *blob;
    memcpy(&blob, element->bytes, sizeof blob);
    return blob;
}

static struct element *new_element(struct slice value)
{
    size_t size = is_inline(value.len) ? value.len : sizeof(struct blob *);
    struct element *element = mem_alloc(sizeof *element + size);
    element->len = (uint32_t)value.len;
    if (is_inline(value.len)) {
        if (value.len > 0)
            memcpy(element->bytes, value.data, value.len);
    } else {
        struct blob *blob = blob_copy(value);
        memcpy(element->bytes, &blob, sizeof blob);
    }
    return element;
}

static void free_element(struct element *element)
{
    if (!is_inline(element->len))
        blob_release(blob_of(element));
    free(element);
}

struct list {
    struct element **ring;
    size_t capacity; /* a power of two */
    size_t head;     /* slot of element 0 */
    size_t length;
};

struct list *list_new(void)
{
    struct list *list = mem_alloc(sizeof *list);
    *list = (struct list){.ring = mem_alloc(FIRST_CAPACITY * sizeof(struct element *)),
                          .capacity = FIRST_CAPACITY};
    return list;
}

static size_t slot_of(const struct list *list, size_t index)
{
    return (list->head + index) & (list->capacity - 1);
}

void list_free(struct list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->length; i++)
        free_element(list->ring[slot_of(list, i)]);
    free(list->ring);
    free(list);
}

size_t list_length(const struct list *list)
{
    return list->length;
}

/* Moves the elements to a ring of another size, the head to slot 0. */
static void resize(struct list *list, size_t capacity)
{
    struct element **ring = mem_alloc(capacity * sizeof(struct element *));
    for (size_t i = 0; i < list->length; i++)
        ring[i] = list->ring[slot_of(list, i)];
    free(list->ring);
    list->ring = ring;
    list->capacity = capacity;
    list->head = 0;
}

void list_push_head(struct list *list, struct slice value)
{
    if (list->length == list->capacity)
        resize(list, list->capacity * 2);
    list->head = (list->head - 1) & (list->capacity - 1);
    list->ring[list->head] = new_element(value);
    list->length++;
}

struct slice list_at(const struct list *list, size_t index)
{
    const struct element *element = list->ring[slot_of(list, index)];
    if (!is_inline(element->len))
        return blob_slice(blob_of(element));
    return slice_make(element->bytes, element->len);
}

struct blob *list_blob_at(const struct list *list, size_t index)
{
    const struct element *element = list->ring[slot_of(list, index)];
    return is_inline(element->len) ? NULL : blob_of(element);
}

/* A quarter full is small enough that the next pushes do not grow it again at once. */
static void shrink_if_sparse(struct list *list)
{
    if (list->capacity > FIRST_CAPACITY && list->length <= list->capacity / 4)
        resize(list, list->capacity / 2);
}

void list_drop_head(struct list *list)
{
    free_element(list->ring[list->head]);
    list->head = (list->head + 1) & (list->capacity - 1);
    list->length--;
    shrink_if_sparse(list);
}

void list_drop_tail(struct list *list)
{
    free_element(list->ring[slot_of(list, list->length - 1)]);
    list->length--;
    shrink_if_sparse(list);
}
