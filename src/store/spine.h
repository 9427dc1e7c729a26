/*
 * The order of a list's chunks: a tree whose leaves point to chunks and whose every slot holds the
 * weight of what is below it, so that the chunk of an index is found, and a chunk put in or taken
 * out anywhere, in a few steps. It neither owns nor reads chunks; the caller says what one weighs.
 *
 * Invariants:
 *  1. All leaves are at one height; a slot's weight is the sum of the weights in the node below.
 *  2. No node is empty; the root has at least two slots unless it is a leaf.
 *  3. A node has room for 2, 4, 8, 16 or SPINE_FANOUT slots, and for more than 2 only if a quarter
 *     of it is in use. So the spine of a short list is small, and growth copies one node at most.
 *
 * A node is split when it is full and merged with a neighbour when it is nearly empty. Between two
 * such events it takes and loses at least SPINE_FANOUT / 4 slots, so each level is touched that
 * many times less often than the one below: 8^SPINE_MAX_HEIGHT steps would be needed to grow too
 * high, in whatever order they come.
 */
#ifndef KEYSTORE_STORE_SPINE_H
#define KEYSTORE_STORE_SPINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk;
struct spine_node;

#define SPINE_FANOUT     32
#define SPINE_MAX_HEIGHT 14

struct spine {
    struct spine_node *root;
    unsigned height; /* levels of nodes, at least 1 */
    uint32_t chunks; /* at least 1; more of them would be terabytes */
    size_t bytes;    /* heap bytes of the nodes */
};

/* The way to a chunk; levels count from the leaf up. Valid until the spine changes, but for
 * spine_set(). */
struct spine_path {
    struct spine_node *node[SPINE_MAX_HEIGHT];
    uint8_t slot[SPINE_MAX_HEIGHT];
};

/* A spine of one chunk. */
void spine_init(struct spine *spine, struct chunk *chunk, size_t weight);

/* Frees the nodes, not the chunks. */
void spine_deinit(struct spine *spine);

/* The chunk at that place and the way to it. */
struct chunk *spine_first(const struct spine *spine, struct spine_path *path);
struct chunk *spine_last(const struct spine *spine, struct spine_path *path);

/* The chunk that holds unit `*index` of the weight of all, which is above it; `*index` becomes the
 * unit within the chunk. */
struct chunk *spine_find(const struct spine *spine, size_t *index, struct spine_path *path);

/* Its neighbours; NULL if there is none: then the path stays as it is. */
struct chunk *spine_next(const struct spine *spine, struct spine_path *path);
struct chunk *spine_previous(const struct spine *spine, struct spine_path *path);

/* What the chunk at the path weighs. */
size_t spine_weight(const struct spine_path *path);

/* What is at the path is now `chunk` with that weight. */
void spine_set(struct spine *spine, const struct spine_path *path, struct chunk *chunk,
               size_t weight);

/* Puts a chunk before or behind the one at the path. */
void spine_insert_before(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                         size_t weight);
void spine_insert_after(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                        size_t weight);

/* Takes the chunk at the path out; the last one must stay. */
void spine_remove(struct spine *spine, struct spine_path *path);

/* Moves the root as heap_move() does, which is the only node of a spine up to SPINE_FANOUT chunks;
 * how many nodes that were. No path may be in use. */
size_t spine_move(struct spine *spine);

/* For tests: true if the invariants and the sums hold. */
bool spine_is_sound(const struct spine *spine);

#endif
