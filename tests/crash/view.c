/* File contents that are copied when, and only when, a change would be seen by another view. */
#include "crash/view.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256

struct content {
    atomic_size_t holders;
    size_t used; /* what precedes it belongs to some view and never changes while shared */
    size_t capacity;
    uint8_t data[];
};

struct view view_share(struct view view)
{
    if (view.content != NULL)
        atomic_fetch_add(&view.content->holders, 1);
    return view;
}

static void release(struct content *content)
{
    if (content != NULL && atomic_fetch_sub(&content->holders, 1) == 1)
        free(content);
}

void view_release(struct view *view)
{
    release(view->content);
    *view = (struct view){0};
}

struct slice view_bytes(struct view view)
{
    return slice_make(view.content != NULL ? view.content->data : NULL, view.len);
}

void view_release_bytes(struct slice bytes)
{
    if (bytes.data != NULL)
        release((struct content *)(bytes.data - offsetof(struct content, data)));
}

/* Gives the view a content of its own, with space for `len` bytes. */
static void copy(struct view *view, size_t len)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity < len)
        capacity *= 2;
    struct content *own = mem_alloc(sizeof *own + capacity);
    atomic_init(&own->holders, 1);
    own->capacity = capacity;
    own->used = view->len;
    if (view->len > 0)
        memcpy(own->data, view->content->data, view->len);
    release(view->content);
    view->content = own;
}

/* Makes space for `len` bytes, of which those from `offset` on may be changed. */
static void make_space(struct view *view, size_t offset, size_t len)
{
    struct content *content = view->content;
    if (content == NULL || len > content->capacity ||
        (atomic_load(&content->holders) > 1 && offset < content->used))
        copy(view, len);
    if (len > view->content->used)
        view->content->used = len;
}

void view_write(struct view *view, size_t offset, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    view_extend(view, offset);
    size_t end = offset + bytes.len;
    make_space(view, offset, end > view->len ? end : view->len);
    memcpy(view->content->data + offset, bytes.data, bytes.len);
    if (end > view->len)
        view->len = end;
}

void view_extend(struct view *view, size_t len)
{
    if (len <= view->len)
        return;
    make_space(view, view->len, len);
    memset(view->content->data + view->len, 0, len - view->len);
    view->len = len;
}

void view_cut(struct view *view, size_t len)
{
    if (len < view->len)
        view->len = len;
}
