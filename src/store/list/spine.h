/*
 * The order of a list's chunks: a tree whose leaves point to chunks and in which each slot holds
 * the weight of what is below it, so that the chunk of an index is found, and a chunk inserted or
 * removed anywhere, in a few steps. It does not read chunks; the caller passes their weights.
 *
 * Nodes are shared (copy on write): spine_copy() copies the root only, so it takes as long for a
 * long list as for a short one. A node or chunk with more than one holder must not change. To edit
 * at a path, call spine_own() first, which copies the shared nodes on it, and chunk_own() for the
 * chunk at its end. Spines that share nodes may be on several threads.
 *
 * Invariants:
 *  1. All leaves are at one height; a slot's weight is the sum of the weights in the node below.
 *  2. No node is empty; the root has at least two slots unless it is a leaf.
 *  3. A node has a capacity of 2, 4, 8, 16 or SPINE_FANOUT slots, and of more than 2 only if a
 *     quarter of it is in use. So the spine of a short list is small, and growth copies at most one
 *     node.
 *  4. A node holds one reference to each of its children, and a spine one to its root, which is
 *     never shared. Whatever changes a node, or a weight or slot in it, asserts that it has one
 *     holder.
 *
 * A node is split when it is full and merged with a neighbour when it is nearly empty. Between two
 * such events it gains or loses at least SPINE_FANOUT / 4 slots, so each level changes that many
 * times less often than the one below: it would take 8^SPINE_MAX_HEIGHT steps, in whatever order,
 * to grow too high.
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
    uint32_t chunks; /* at least 1; more would be terabytes */
    size_t bytes;    /* heap bytes of the nodes, shared ones included */
};

/* The path to a chunk; levels count from the leaf up. Valid until the spine changes, except by
 * spine_set(). */
struct spine_path {
    struct spine_node *node[SPINE_MAX_HEIGHT];
    uint8_t slot[SPINE_MAX_HEIGHT];
};

/* A spine of one chunk; takes over the caller's reference to it. */
void spine_init(struct spine *spine, struct chunk *chunk, size_t weight);

/* Frees a spine of one chunk; the reference to that passes to the caller. */
void spine_dissolve(struct spine *spine);

/* A spine of the same chunks in the same order. All nodes but the root are shared. */
void spine_copy(struct spine *copy, const struct spine *spine);

/* Drops references to chunks and nodes, in at most `steps` steps, and frees those that have no
 * other holder. Returns the number of steps taken. The spine is gone once the root is NULL; until
 * then it must not be used for anything else. Adds the heap bytes of what was dropped, as far as it
 * was visited, to `*bytes`. */
size_t spine_clear(struct spine *spine, size_t steps, size_t *bytes);

/* The first or last chunk and the path to it. */
struct chunk *spine_first(const struct spine *spine, struct spine_path *path);
struct chunk *spine_last(const struct spine *spine, struct spine_path *path);

/* The chunk that contains `*index`, which counts in units of weight and is below the total;
 * `*index` becomes the offset within the chunk. */
struct chunk *spine_find(const struct spine *spine, size_t *index, struct spine_path *path);

/* Its neighbours; if there is none, returns NULL and the path stays as it is. */
struct chunk *spine_next(const struct spine *spine, struct spine_path *path);
struct chunk *spine_previous(const struct spine *spine, struct spine_path *path);

/* The weight of the chunk at the path. */
size_t spine_weight(const struct spine_path *path);

/* True if no node on the path is shared. */
bool spine_is_own(const struct spine *spine, const struct spine_path *path);

/* Copies the shared nodes on the path; other paths through these are no longer valid. */
void spine_own(struct spine *spine, struct spine_path *path);

/* ---- editing: no node on the path is shared ---- */

/* Puts `chunk` with that weight in the place of the chunk at the path. */
void spine_set(struct spine *spine, const struct spine_path *path, struct chunk *chunk,
               size_t weight);

/* Inserts a chunk before or after the one at the path and takes over the caller's reference to
 * it. */
void spine_insert_before(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                         size_t weight);
void spine_insert_after(struct spine *spine, struct spine_path *path, struct chunk *chunk,
                        size_t weight);

/* Removes the chunk at the path; the reference to it passes to the caller. The last one must
 * stay. */
void spine_remove(struct spine *spine, struct spine_path *path);

/* Moves the root like heap_move(); that is the only node of a spine of up to SPINE_FANOUT chunks.
 * Returns how many nodes moved. No path may be in use. */
size_t spine_move(struct spine *spine);

/* For tests: true if the invariants and the sums hold. */
bool spine_is_sound(const struct spine *spine);

#endif
