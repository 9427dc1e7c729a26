/*
 * The counted tree over a list's chunks. Knows weights, order and holders, but neither what is in a
 * chunk nor why the list gives its ends no weight.
 */
#include "store/list/spine.h"

#include "base/check.h"
#include "store/list/chunk.h"
#include "store/memory/heap.h"

#include <stdatomic.h>
#include <string.h>

#define FIRST_CAPACITY 2

struct slot {
    union {
        struct spine_node *node; /* above the leaves */
        struct chunk *chunk;     /* in a leaf */
    };
    size_t weight;
};

struct spine_node {
    uint16_t count;
    uint16_t capacity;
    atomic_uint holders; /* nodes and spines that point here; 0 once the last one clears it */
    struct slot slots[];
};

static size_t spine_node_size(size_t capacity)
{
    return sizeof(struct spine_node) + capacity * sizeof(struct slot);
}

static size_t spine_node_bytes(const struct spine_node *node)
{
    return heap_round(spine_node_size(node->capacity));
}

static size_t spine_capacity_for(size_t count)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static struct spine_node *spine_new_node(struct spine *spine, size_t count)
{
    DCHECK(count <= SPINE_FANOUT);
    size_t capacity = spine_capacity_for(count);
    struct spine_node *node = heap_alloc(spine_node_size(capacity));
    node->count = 0;
    node->capacity = (uint16_t)capacity;
    atomic_init(&node->holders, 1);
    spine->bytes += spine_node_bytes(node);
    return node;
}

static bool spine_is_shared(const struct spine_node *node)
{
    return atomic_load_explicit(&node->holders, memory_order_acquire) > 1;
}

static void spine_free_node(struct spine *spine, struct spine_node *node)
{
    DCHECK(!spine_is_shared(node));
    spine->bytes -= spine_node_bytes(node);
    heap_free(node, spine_node_size(node->capacity));
    DCHECK(spine->bytes < SIZE_MAX / 2);
}

void spine_init(struct spine *spine, struct chunk *chunk, size_t weight)
{
    *spine = (struct spine){.height = 1, .chunks = 1};
    spine->root = spine_new_node(spine, 1);
    spine->root->slots[0] = (struct slot){.chunk = chunk, .weight = weight};
    spine->root->count = 1;
}

void spine_dissolve(struct spine *spine)
{
    DCHECK(spine->chunks == 1);
    spine_free_node(spine, spine->root);
    *spine = (struct spine){.root = NULL};
}

/* ---- sharing ---- */

/* A copy of a node at that level with the same children, which are shared. */
static struct spine_node *spine_copy_node(const struct spine_node *node, unsigned level)
{
    size_t size = spine_node_size(node->capacity);
    struct spine_node *copy = heap_alloc(size);
    copy->count = node->count;
    copy->capacity = node->capacity;
    atomic_init(&copy->holders, 1);
    for (size_t i = 0; i < node->count; i++) {
        struct slot slot = node->slots[i];
        if (level == 0)
            slot.chunk = chunk_share(slot.chunk);
        else
            atomic_fetch_add_explicit(&slot.node->holders, 1, memory_order_relaxed);
        copy->slots[i] = slot;
    }
    return copy;
}

/* Drops the caller's reference to the node; true if it was the last one, also when called again for
 * such a node. */
static bool spine_drop_reference(struct spine_node *node)
{
    unsigned holders = atomic_load_explicit(&node->holders, memory_order_acquire);
    if (holders > 1)
        return atomic_fetch_sub_explicit(&node->holders, 1, memory_order_acq_rel) == 1;
    if (holders == 1)
        atomic_store_explicit(&node->holders, 0, memory_order_relaxed);
    return true;
}

/* Drops one chunk or one shared node, at the end of what is left, or frees an empty node. */
static void spine_clear_one(struct spine *spine, size_t *bytes)
{
    struct spine_node *parent = NULL, *node = spine->root;
    for (unsigned level = spine->height - 1; level > 0 && node->count > 0; level--) {
        struct spine_node *child = node->slots[node->count - 1].node;
        if (!spine_drop_reference(child)) {
            node->count--;
            return;
        }
        parent = node;
        node = child;
    }
    if (node->count > 0) {
        struct chunk *chunk = node->slots[--node->count].chunk;
        *bytes += chunk_footprint(chunk);
        *bytes += chunk_free(chunk);
        return;
    }
    *bytes += spine_node_bytes(node);
    spine_free_node(spine, node);
    if (parent == NULL)
        spine->root = NULL;
    else
        parent->count--;
}

size_t spine_clear(struct spine *spine, size_t steps, size_t *bytes)
{
    size_t step = 0;
    for (; step < steps && spine->root != NULL; step++)
        spine_clear_one(spine, bytes);
    return step;
}

/* Drops the caller's reference to a node at that level, which usually has other holders. */
static void spine_release_node(struct spine_node *node, unsigned level)
{
    size_t bytes = 0;
    struct spine detached = {.root = node, .height = level + 1};
    if (spine_drop_reference(node))
        spine_clear(&detached, SIZE_MAX, &bytes);
}

/* The child below the slot at that level, unshared from now on. */
static struct spine_node *spine_own_child(struct slot *slot, unsigned level)
{
    struct spine_node *node = slot->node;
    if (!spine_is_shared(node))
        return node;
    slot->node = spine_copy_node(node, level);
    spine_release_node(node, level);
    return slot->node;
}

void spine_copy(struct spine *copy, const struct spine *spine)
{
    *copy = *spine;
    copy->root = spine_copy_node(spine->root, spine->height - 1);
}

static struct slot *spine_slot_at(const struct spine_path *path, unsigned level)
{
    DCHECK(path->slot[level] < path->node[level]->count);
    return &path->node[level]->slots[path->slot[level]];
}

/* Goes down from the slot at level `from` to level `to`, along the first or the last slots. */
static void spine_descend(struct spine_path *path, unsigned from, unsigned to, bool to_last)
{
    for (unsigned level = from; level > to; level--) {
        struct spine_node *node = spine_slot_at(path, level)->node;
        path->node[level - 1] = node;
        path->slot[level - 1] = (uint8_t)(to_last ? node->count - 1 : 0);
    }
}

static struct chunk *spine_descend_from_root(const struct spine *spine, struct spine_path *path,
                                             bool to_last)
{
    unsigned top = spine->height - 1;
    path->node[top] = spine->root;
    path->slot[top] = (uint8_t)(to_last ? spine->root->count - 1 : 0);
    spine_descend(path, top, 0, to_last);
    return spine_slot_at(path, 0)->chunk;
}

struct chunk *spine_first(const struct spine *spine, struct spine_path *path)
{
    return spine_descend_from_root(spine, path, false);
}

struct chunk *spine_last(const struct spine *spine, struct spine_path *path)
{
    return spine_descend_from_root(spine, path, true);
}

struct chunk *spine_find(const struct spine *spine, size_t *index, struct spine_path *path)
{
    struct spine_node *node = spine->root;
    for (unsigned level = spine->height - 1;; level--) {
        size_t i = 0;
        for (; *index >= node->slots[i].weight; i++)
            *index -= node->slots[i].weight;
        DCHECK(i < node->count); /* the index is below the weight of all */
        path->node[level] = node;
        path->slot[level] = (uint8_t)i;
        if (level == 0)
            return node->slots[i].chunk;
        node = node->slots[i].node;
    }
}

/* The height, with a check that a path has space for it. */
static unsigned spine_height_of(const struct spine *spine)
{
    CHECK(spine->height <= SPINE_MAX_HEIGHT);
    return spine->height;
}

/* Steps to the next or previous slot of that level, across parents if need be; false if there is
 * none. */
static bool spine_step(const struct spine *spine, struct spine_path *path, unsigned level,
                       bool forward)
{
    for (unsigned up = level; up < spine_height_of(spine); up++) {
        unsigned slot = path->slot[up];
        if (forward ? slot + 1 < path->node[up]->count : slot > 0) {
            path->slot[up] = (uint8_t)(forward ? slot + 1 : slot - 1);
            spine_descend(path, up, level, !forward);
            return true;
        }
    }
    return false;
}

struct chunk *spine_next(const struct spine *spine, struct spine_path *path)
{
    return spine_step(spine, path, 0, true) ? spine_slot_at(path, 0)->chunk : NULL;
}

struct chunk *spine_previous(const struct spine *spine, struct spine_path *path)
{
    return spine_step(spine, path, 0, false) ? spine_slot_at(path, 0)->chunk : NULL;
}

size_t spine_weight(const struct spine_path *path)
{
    return spine_slot_at(path, 0)->weight;
}

bool spine_is_own(const struct spine *spine, const struct spine_path *path)
{
    for (unsigned level = 0; level < spine_height_of(spine); level++) {
        if (spine_is_shared(path->node[level]))
            return false;
    }
    return true;
}

void spine_own(struct spine *spine, struct spine_path *path)
{
    for (unsigned level = spine_height_of(spine) - 1; level > 0; level--)
        path->node[level - 1] = spine_own_child(spine_slot_at(path, level), level - 1);
}

/* Adds to the weights along the path from `level` up; unsigned arithmetic subtracts as well. */
static void spine_add_weight(const struct spine *spine, const struct spine_path *path,
                             unsigned level, size_t weight)
{
    for (; level < spine->height; level++)
        spine_slot_at(path, level)->weight += weight;
}

void spine_set(struct spine *spine, const struct spine_path *path, struct chunk *chunk,
               size_t weight)
{
    DCHECK(spine_is_own(spine, path));
    struct slot *slot = spine_slot_at(path, 0);
    slot->chunk = chunk;
    spine_add_weight(spine, path, 0, weight - slot->weight);
    DCHECK_SOUND(spine_is_sound(spine), spine->chunks);
}

/* Makes what points to the node at `level` point to `node`. */
static void spine_replace_node(struct spine *spine, struct spine_path *path, unsigned level,
                               struct spine_node *node)
{
    path->node[level] = node;
    if (level + 1 == spine->height)
        spine->root = node;
    else
        spine_slot_at(path, level + 1)->node = node;
}

static void spine_resize_node(struct spine *spine, struct spine_path *path, unsigned level,
                              size_t count)
{
    struct spine_node *node = path->node[level];
    size_t capacity = spine_capacity_for(count);
    DCHECK(!spine_is_shared(node));
    spine->bytes -= spine_node_bytes(node);
    node = heap_realloc(node, spine_node_size(node->capacity), spine_node_size(capacity));
    node->capacity = (uint16_t)capacity;
    spine->bytes += spine_node_bytes(node);
    spine_replace_node(spine, path, level, node);
}

static void spine_put_slot(struct spine_node *node, size_t at, struct slot slot)
{
    CHECK(at <= node->count && node->count < node->capacity);
    DCHECK(!spine_is_shared(node));
    memmove(&node->slots[at + 1], &node->slots[at], (node->count - at) * sizeof slot);
    node->slots[at] = slot;
    node->count++;
}

/* Sum of the weights of slots `first` and up. */
static size_t spine_weight_from(const struct spine_node *node, size_t first)
{
    size_t weight = 0;
    for (size_t i = first; i < node->count; i++)
        weight += node->slots[i].weight;
    return weight;
}

/* Adds a root above the root. */
static void spine_add_root(struct spine *spine, struct spine_path *path)
{
    CHECK(spine->height < SPINE_MAX_HEIGHT);
    struct spine_node *root = spine_new_node(spine, 2);
    root->slots[0] =
        (struct slot){.node = spine->root, .weight = spine_weight_from(spine->root, 0)};
    root->count = 1;
    path->node[spine->height] = root;
    path->slot[spine->height] = 0;
    spine->root = root;
    spine->height++;
}

static void spine_insert_slot(struct spine *spine, struct spine_path *path, unsigned level,
                              struct slot slot);

/* Where to cut the full node at `level` to which a slot is added: in the middle; but at the edges
 * of the tree, where a list is filled, the new slot starts a node and the old one stays full. */
static size_t spine_split_point(const struct spine *spine, const struct spine_path *path,
                                unsigned level)
{
    bool first = true, last = true;
    for (unsigned up = level; up < spine->height; up++) {
        /* At `level` the slot is where the new one goes, above it is the one that leads there. */
        first = first && path->slot[up] == 0;
        last = last && path->slot[up] + (up > level) == path->node[up]->count;
    }
    return last ? SPINE_FANOUT : first ? 0 : SPINE_FANOUT / 2;
}

/* Splits the full node at `level`; the path then leads to the half that takes the slot. */
static void spine_split_node(struct spine *spine, struct spine_path *path, unsigned level)
{
    DCHECK(path->node[level]->count == SPINE_FANOUT);
    size_t cut = spine_split_point(spine, path, level);
    size_t at = path->slot[level];
    if (level + 1 == spine->height)
        spine_add_root(spine, path);
    struct spine_node *node = path->node[level];
    struct spine_node *sibling = spine_new_node(spine, SPINE_FANOUT - cut + (cut > 0));
    sibling->count = (uint16_t)(SPINE_FANOUT - cut);
    memcpy(sibling->slots, node->slots + cut, sibling->count * sizeof node->slots[0]);
    node->count = (uint16_t)cut;
    size_t weight = spine_weight_from(sibling, 0);
    spine_add_weight(spine, path, level + 1, -weight);
    path->slot[level + 1]++;
    spine_insert_slot(spine, path, level + 1, (struct slot){.node = sibling, .weight = weight});
    bool in_sibling = at > cut || cut == SPINE_FANOUT;
    if (!in_sibling)
        spine_step(spine, path, level + 1, false);
    path->node[level] = in_sibling ? sibling : node;
    path->slot[level] = (uint8_t)(in_sibling ? at - cut : at);
    if (cut == 0)
        spine_resize_node(spine, path, level, 1);
}

/* Inserts the slot where the path leads at `level`, before what is there. */
static void spine_insert_slot(struct spine *spine, struct spine_path *path, unsigned level,
                              struct slot slot)
{
    size_t count = path->node[level]->count;
    if (count == SPINE_FANOUT)
        spine_split_node(spine, path, level);
    else if (count == path->node[level]->capacity)
        spine_resize_node(spine, path, level, count + 1);
    spine_put_slot(path->node[level], path->slot[level], slot);
    spine_add_weight(spine, path, level + 1, slot.weight);
}

void spine_insert_before(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                         size_t weight)
{
    DCHECK(spine_is_own(spine, path));
    spine_insert_slot(spine, path, 0, (struct slot){.chunk = chunk, .weight = weight});
    spine->chunks++;
    DCHECK_SOUND(spine_is_sound(spine), spine->chunks);
}

void spine_insert_after(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                        size_t weight)
{
    path->slot[0]++;
    spine_insert_before(spine, path, chunk, weight);
}

/* A root with a single node below it is not needed. */
static void spine_drop_roots(struct spine *spine)
{
    while (spine->height > 1 && spine->root->count == 1) {
        struct spine_node *root = spine->root;
        spine->root = root->slots[0].node;
        spine->height--;
        spine_free_node(spine, root);
    }
}

static void spine_remove_slot(struct spine *spine, struct spine_path *path, unsigned level);

/* Moves the slots of the right neighbour of the node at `level` into that node. */
static void spine_absorb_neighbour(struct spine *spine, struct spine_path *path, unsigned level)
{
    struct slot *left = spine_slot_at(path, level + 1), *right = left + 1;
    struct spine_node *emptied = spine_own_child(right, level);
    size_t count = (size_t)left->node->count + emptied->count;
    CHECK(count <= SPINE_FANOUT);
    if (count > left->node->capacity)
        spine_resize_node(spine, path, level, count);
    struct spine_node *node = path->node[level];
    memcpy(node->slots + node->count, emptied->slots, emptied->count * sizeof node->slots[0]);
    node->count = (uint16_t)count;
    left->weight += right->weight;
    right->weight = 0;
    spine_free_node(spine, emptied);
    path->slot[level + 1]++;
    spine_remove_slot(spine, path, level + 1);
}

/* Merges the node with a neighbour if both fit into three quarters of one. */
static void spine_merge_if_sparse(struct spine *spine, struct spine_path *path, unsigned level)
{
    struct spine_node *parent = path->node[level + 1], *node = path->node[level];
    size_t at = path->slot[level + 1], most = SPINE_FANOUT * 3 / 4;
    if (node->count > SPINE_FANOUT / 4)
        return;
    if (at + 1u < parent->count && node->count + parent->slots[at + 1].node->count <= most) {
        spine_absorb_neighbour(spine, path, level);
    } else if (at > 0 && node->count + parent->slots[at - 1].node->count <= most) {
        path->slot[level + 1]--;
        path->node[level] = spine_own_child(&parent->slots[at - 1], level);
        spine_absorb_neighbour(spine, path, level);
    }
}

/* Removes the slot where the path leads at `level`; the path is invalid afterwards. */
static void spine_remove_slot(struct spine *spine, struct spine_path *path, unsigned level)
{
    struct spine_node *node = path->node[level];
    size_t at = path->slot[level];
    CHECK(at < node->count);
    DCHECK(!spine_is_shared(node));
    spine_add_weight(spine, path, level + 1, -node->slots[at].weight);
    node->count--;
    memmove(&node->slots[at], &node->slots[at + 1], (node->count - at) * sizeof node->slots[0]);
    bool is_root = level + 1 == spine->height;
    if (node->count == 0 && !is_root) {
        spine_free_node(spine, node);
        spine_remove_slot(spine, path, level + 1);
        return;
    }
    if (node->capacity > FIRST_CAPACITY && node->count <= node->capacity / 4)
        spine_resize_node(spine, path, level, (size_t)node->count * 2);
    if (is_root)
        spine_drop_roots(spine);
    else
        spine_merge_if_sparse(spine, path, level);
}

void spine_remove(struct spine *spine, struct spine_path *path)
{
    CHECK(spine->chunks > 1);
    DCHECK(spine_is_own(spine, path));
    spine_remove_slot(spine, path, 0);
    spine->chunks--;
    DCHECK_SOUND(spine_is_sound(spine), spine->chunks);
}

size_t spine_move(struct spine *spine)
{
    struct spine_node *root = heap_move(spine->root, spine_node_size(spine->root->capacity));
    if (root == NULL)
        return 0;
    spine->root = root;
    return 1;
}

/* What spine_is_sound_below() has seen. */
struct census {
    size_t chunks;
    size_t bytes;
};

static bool spine_is_sound_below(const struct spine_node *node, unsigned level,
                                 struct census *census)
{
    if (node->count == 0 || node->count > node->capacity || node->capacity > SPINE_FANOUT ||
        (node->capacity > FIRST_CAPACITY && node->count < node->capacity / 4))
        return false;
    census->bytes += spine_node_bytes(node);
    census->chunks += level == 0 ? node->count : 0;
    for (size_t i = 0; level > 0 && i < node->count; i++) {
        const struct spine_node *child = node->slots[i].node;
        if (!spine_is_sound_below(child, level - 1, census) ||
            spine_weight_from(child, 0) != node->slots[i].weight)
            return false;
    }
    return true;
}

bool spine_is_sound(const struct spine *spine)
{
    struct census census = {0};
    return spine_is_sound_below(spine->root, spine->height - 1, &census) &&
           (spine->height == 1 || spine->root->count > 1) && spine->height <= SPINE_MAX_HEIGHT &&
           census.chunks == spine->chunks && census.bytes == spine->bytes;
}
