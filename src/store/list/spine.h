/*
 * The order of a list's chunks: a tree whose leaves point to chunks and whose every slot holds the
 * weight of what is below it, so that the chunk of an index is found, and a chunk put in or taken
 * out anywhere, in a few steps. It does not read chunks; the caller says what one weighs.
 *
 * Nodes are shared: spine_copy() makes a root of its own and no more, so it takes as long for a
 * long list as for a short one. A node or chunk with more than one holder must not change. Who
 * wants to edit at a path calls spine_own() first, which copies the nodes on the way that others
 * hold too, and chunk_own() for what is at its end. Spines that share may be on several threads.
 *
 * Invariants:
 *  1. All leaves are at one height; a slot's weight is the sum of the weights in the node below.
 *  2. No node is empty; the root has at least two slots unless it is a leaf.
 *  3. A node has room for 2, 4, 8, 16 or SPINE_FANOUT slots, and for more than 2 only if a quarter
 *     of it is in use. So the spine of a short list is small, and growth copies one node at most.
 *  4. A node holds each of its children once, and so does a spine its root, which nobody else has.
 *     What changes a node, or a weight or slot in it, asserts that it has one holder.
 *
 * A node is split when it is full and merged with a neighbour when it is nearly empty. Between two
 * such events it takes and loses at least SPINE_FANOUT / 4 slots, so each level is touched that
 * many times less often than the one below: 8^SPINE_MAX_HEIGHT steps would be needed to grow too
 * high, in whatever order they come.
 */
#ifndef KEYSTORE_STORE_LIST_SPINE_H
#define KEYSTORE_STORE_LIST_SPINE_H

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
    size_t bytes;    /* heap bytes of the nodes, shared ones too */
};

/* The way to a chunk; levels count from the leaf up. Valid until the spine changes, but for
 * spine_set(). */
struct spine_path {
    struct spine_node *node[SPINE_MAX_HEIGHT];
    uint8_t slot[SPINE_MAX_HEIGHT];
};

/* A spine of one chunk, of which it takes the caller's share. */
void spine_init(struct spine *spine, struct chunk *chunk, size_t weight);

/* Frees a spine of one chunk; the share in that passes to the caller. */
void spine_dissolve(struct spine *spine);

/* A spine of the same chunks in the same order. All but the root is shared. */
void spine_copy(struct spine *copy, const struct spine *spine);

/* Gives chunks and nodes up, `steps` of them at most, and frees those that nobody else holds.
 * Returns how many steps it took. Nothing is left once the root is NULL; until then the spine is
 * good for nothing else. Adds the heap bytes of what was given up, as far as it was looked at, to
 * `*bytes`. */
size_t spine_clear(struct spine *spine, size_t steps, size_t *bytes);

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

/* True if nobody else holds a node on the way. */
bool spine_is_own(const struct spine *spine, const struct spine_path *path);

/* Makes it so; other paths that lead through nodes which were shared are not valid any more. */
void spine_own(struct spine *spine, struct spine_path *path);

/* ---- editing: the path is the spine's own ---- */

/* What is at the path is now `chunk` with that weight. */
void spine_set(struct spine *spine, const struct spine_path *path, struct chunk *chunk,
               size_t weight);

/* Puts a chunk, of which the spine takes the caller's share, before or behind the one at the path.
 */
void spine_insert_before(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                         size_t weight);
void spine_insert_after(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                        size_t weight);

/* Takes the chunk at the path out, the share in which passes to the caller; the last one must stay.
 */
void spine_remove(struct spine *spine, struct spine_path *path);

/* Moves the root as heap_move() does, which is the only node of a spine up to SPINE_FANOUT chunks;
 * how many nodes that were. No path may be in use. */
size_t spine_move(struct spine *spine);

/* For tests: true if the invariants and the sums hold. */
bool spine_is_sound(const struct spine *spine);

#endif
