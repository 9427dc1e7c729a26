/*
 * What the dictionary holds: a key with its value, version and deadline, in one object of the slab.
 * A string below BLOB_LEAST bytes is inline; a longer one is a blob, which answers share; a list's
 * entry owns a struct list. Only entry.h and entry.c know the layout.
 *
 * Layout, aligned to 8 bytes as a whole but not within, numbers little-endian:
 *
 *     0  flags           1 byte: kind of value, and which of the parts in brackets are present
 *     1  version         5 bytes, the low ones
 *     6  key length      1 byte, the low one
 *     7  value length    1 byte, the low one; only of an inline string
 *     8 [deadline        6 bytes: Unix ms, the low ones]
 *       [version         3 bytes more; always present in a list, whose version changes in place]
 *       [key length      3 bytes: 9 bits more of it, and the 15 high ones of the deadline]
 *       [value length    1 byte more]
 *        key
 *        value           inline string; pointer to the blob and 4 bytes length; pointer to the list
 *
 * So a key of 16 bytes with a value of 32 takes 56 bytes, and 62 with a deadline.
 *
 * Invariants:
 * 1. A part is present if and only if a number does not fit without it (or as stated above). So a
 *    deadline after the year 10889, which has more than 48 bits, costs 3 bytes, and no other costs
 *    more.
 * 2. A blob's bytes, including its unused capacity, and a list's memory are charged to the slab
 *    that the entry lies in; whatever changes the list changes the charge (edit.h).
 * 3. A blob may hold more bytes than the string is long: another holder's, or a former holder's.
 */
#ifndef KEYSTORE_STORE_DATA_ENTRY_H
#define KEYSTORE_STORE_DATA_ENTRY_H

#include "base/slice.h"

struct blob;
struct list;
struct slab;

enum entry_type { ENTRY_STRING, ENTRY_LIST };

/* Private, see above; always used by pointer. */
struct entry {
    uint8_t head[8];
    uint8_t rest[];
};

/* When an entry was written, and until when it is valid. */
struct entry_stamp {
    uint64_t version;     /* revision of the last write */
    int64_t expire_at_ms; /* Unix time, 0 = never; not negative */
};

/* Longest string in bytes. */
#define ENTRY_MAX_VALUE UINT32_MAX

/* A string entry with copies of both; value.len is at most ENTRY_MAX_VALUE, key.len, here and
 * below, less than 2^17. */
struct entry *entry_new_string(struct slab *slab, struct slice key, struct slice value,
                               struct entry_stamp stamp);

/* The same, but the value is all of this blob, of at least BLOB_LEAST bytes; takes over the
 * caller's reference. */
struct entry *entry_new_blob(struct slab *slab, struct slice key, struct blob *blob,
                             struct entry_stamp stamp);

/* A list entry with a copy of the key; takes ownership of the list and charges its memory. */
struct entry *entry_new_list(struct slab *slab, struct slice key, struct list *list,
                             struct entry_stamp stamp);

/* Bytes to write into a string. */
struct entry_splice {
    size_t offset; /* where; a gap before it is filled with zeros */
    struct slice bytes;
    bool keep; /* the former entry stays as it is; else only entry_free() may be called for it */
    bool is_tight; /* allocate no reserve for further growth */
};

/*
 * A string entry with the key and string of `former`, a string, overwritten by the bytes of the
 * splice from its offset on. A long string is not copied if its blob has enough capacity and allows
 * the change. The new string has at most ENTRY_MAX_VALUE bytes.
 */
struct entry *entry_new_spliced(struct slab *slab, const struct entry *former,
                                const struct entry_splice *splice, struct entry_stamp stamp);

/* Bytes of the former string that this will copy; approximate if others share its blob. */
size_t entry_splice_copies(const struct entry *former, const struct entry_splice *splice);

/* Bytes of its blob that the entry reserves for growth. */
size_t entry_reserve(const struct entry *entry);

/* Frees the reserve if nobody else holds the blob: the string is copied. */
void entry_drop_reserve(struct slab *slab, struct entry *entry);

/* For a rollback: the entry is valid again after a longer string that shared its blob was
 * discarded. Reclaims what that string had taken of the blob's reserve. */
void entry_reclaim_reserve(struct entry *entry);

/* An entry with a copy of the key and the value of `source`, which may lie in another slab. A blob
 * is shared, a list is copied. */
struct entry *entry_new_copy(struct slab *slab, struct slice key, const struct entry *source,
                             struct entry_stamp stamp);

/* Frees the entry and what it owns. NULL is allowed. */
void entry_free(struct slab *slab, struct entry *entry);

/*
 * The three functions below change an entry, whatever it held, and return it: in place, without an
 * allocation, if the new one takes as much memory; else as a new entry, and the former is freed.
 * Then the dictionary must be updated with dict_replace().
 */

/* Stores this string, which lies elsewhere, and the stamp. */
struct entry *entry_replace_string(struct slab *slab, struct entry *entry, struct slice value,
                                   struct entry_stamp stamp) __attribute__((warn_unused_result));

/* Stores this blob as the string, as in entry_new_blob(), and the stamp. */
struct entry *entry_replace_blob(struct slab *slab, struct entry *entry, struct blob *blob,
                                 struct entry_stamp stamp) __attribute__((warn_unused_result));

/* Keeps the value and stores the stamp. */
struct entry *entry_restamp(struct slab *slab, struct entry *entry, struct entry_stamp stamp)
    __attribute__((warn_unused_result));

/* Moves the entry and parts of its list out of sparse pages, like slab_move() and list_move(). Adds
 * how many objects moved to `*moved`; returns the entry's address: if it has changed, the
 * dictionary must be updated with dict_replace(). */
struct entry *entry_move(struct slab *slab, struct entry *entry, size_t *moved)
    __attribute__((warn_unused_result));

/* Passes the list of an ENTRY_LIST to the caller and no longer charges its memory; after that only
 * entry_free() may be called for the entry. */
struct list *entry_take_list(struct slab *slab, struct entry *entry);

/* Reverses that: the list passes to the entry. */
void entry_give_list(struct slab *slab, struct entry *entry, struct list *list);

/* Bytes that the entry takes with its value; a blob counts in full, however many share it, and a
 * list that was taken from the entry does not. */
size_t entry_memory(const struct entry *entry);

/* ---- the layout: for the inline functions below and entry.c ---- */

#define ENTRY_HEAD       ((size_t)8)
#define ENTRY_KIND       0x03u /* one of the next three */
#define ENTRY_INLINE     0x00u
#define ENTRY_BLOB       0x01u
#define ENTRY_LISTED     0x02u
#define ENTRY_EXPIRES    0x04u /* the parts in brackets, in their order */
#define ENTRY_WIDE       0x08u
#define ENTRY_LONG_KEY   0x10u
#define ENTRY_LONG_VALUE 0x20u
#define ENTRY_MARKS      0xc0u        /* independent of the layout: one of the marks below */
#define ENTRY_BLOB_VALUE ((size_t)12) /* bytes of a value that is a blob */
#define ENTRY_KEY_SHIFT  9            /* bits of the key's length in the part for long ones */
#define ENTRY_KEY_BITS   ((1u << ENTRY_KEY_SHIFT) - 1)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from the front");

/* The number in `size` bytes, at most 7, loaded in parts that fit a register: if it were
 * assembled in memory, the load would stall until the parts were stored, which costs more than
 * all the rest. */
static inline uint64_t entry_load(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    size_t at = 0;
    if (size & 4) {
        uint32_t part;
        memcpy(&part, bytes, sizeof part);
        number = part;
        at = sizeof part;
    }
    if (size & 2) {
        uint16_t part;
        memcpy(&part, bytes + at, sizeof part);
        number |= (uint64_t)part << 8 * at;
        at += sizeof part;
    }
    if (size & 1)
        number |= (uint64_t)bytes[at] << 8 * at;
    return number;
}

static inline unsigned entry_flags(const struct entry *entry)
{
    return entry->head[0];
}

/* Where each part starts, or would start. */
static inline size_t entry_version_at(unsigned flags)
{
    return ENTRY_HEAD + (flags & ENTRY_EXPIRES ? 6 : 0);
}

static inline size_t entry_key_length_at(unsigned flags)
{
    return entry_version_at(flags) + (flags & ENTRY_WIDE ? 3 : 0);
}

static inline size_t entry_value_length_at(unsigned flags)
{
    return entry_key_length_at(flags) + (flags & ENTRY_LONG_KEY ? 3 : 0);
}

static inline size_t entry_key_at(unsigned flags)
{
    return entry_value_length_at(flags) + (flags & ENTRY_LONG_VALUE ? 1 : 0);
}

static inline const uint8_t *entry_bytes(const struct entry *entry)
{
    return (const uint8_t *)entry;
}

/* More of the key's length and of the deadline; only with ENTRY_LONG_KEY. */
static inline uint64_t entry_long_part(const struct entry *entry)
{
    return entry_load(entry_bytes(entry) + entry_key_length_at(entry_flags(entry)), 3);
}

static inline size_t entry_key_length(const struct entry *entry)
{
    unsigned flags = entry_flags(entry);
    size_t length = entry->head[6];
    if (flags & ENTRY_LONG_KEY)
        length |= (size_t)(entry_long_part(entry) & ENTRY_KEY_BITS) << 8;
    return length;
}

static inline const uint8_t *entry_value(const struct entry *entry)
{
    return entry_bytes(entry) + entry_key_at(entry_flags(entry)) + entry_key_length(entry);
}

/* ---- reading an entry ---- */

static inline enum entry_type entry_type(const struct entry *entry)
{
    return (entry_flags(entry) & ENTRY_KIND) == ENTRY_LISTED ? ENTRY_LIST : ENTRY_STRING;
}

static inline struct slice entry_key(const struct entry *entry)
{
    return slice_make(entry_bytes(entry) + entry_key_at(entry_flags(entry)),
                      entry_key_length(entry));
}

static inline uint64_t entry_version(const struct entry *entry)
{
    unsigned flags = entry_flags(entry);
    uint64_t version = entry_load(entry->head + 1, 5);
    if (flags & ENTRY_WIDE)
        version |= entry_load(entry_bytes(entry) + entry_version_at(flags), 3) << 40;
    return version;
}

/* The deadline in Unix milliseconds, 0 = never. */
static inline int64_t entry_expire_at_ms(const struct entry *entry)
{
    unsigned flags = entry_flags(entry);
    if (!(flags & ENTRY_EXPIRES))
        return 0;
    uint64_t deadline_ms = entry_load(entry->rest, 6);
    if (flags & ENTRY_LONG_KEY)
        deadline_ms |= entry_long_part(entry) >> ENTRY_KEY_SHIFT << 48;
    return (int64_t)deadline_ms;
}

/* True if the entry has expired at that time. */
static inline bool entry_is_due(const struct entry *entry, int64_t now_ms)
{
    int64_t expire_at_ms = entry_expire_at_ms(entry);
    return expire_at_ms != 0 && expire_at_ms <= now_ms;
}

/* The string of an ENTRY_STRING, borrowed. */
struct slice entry_string(const struct entry *entry);

/* The blob that starts with the string, borrowed; NULL if there is none. */
static inline struct blob *entry_blob(const struct entry *entry)
{
    struct blob *blob = NULL;
    if ((entry_flags(entry) & ENTRY_KIND) == ENTRY_BLOB)
        memcpy(&blob, entry_value(entry), sizeof blob);
    return blob;
}

/* The list of an ENTRY_LIST, borrowed. */
static inline struct list *entry_list(const struct entry *entry)
{
    struct list *list;
    memcpy(&list, entry_value(entry), sizeof list);
    return list;
}

/* ---- the mark that eviction uses (evict.h): a new entry has the first, a changed or restamped one
 * keeps its own ---- */

#define ENTRY_NEW      0x00u
#define ENTRY_VISITED  0x40u
#define ENTRY_PROVEN   0x80u
#define ENTRY_RECALLED 0xc0u

static inline unsigned entry_mark(const struct entry *entry)
{
    return entry_flags(entry) & ENTRY_MARKS;
}

/* Does not write if nothing changes, so the entry's cache line stays clean. */
static inline void entry_set_mark(struct entry *entry, unsigned mark)
{
    if (entry_mark(entry) != mark)
        entry->head[0] = (uint8_t)((entry_flags(entry) & ~ENTRY_MARKS) | mark);
}

/* Offset of the last byte to prefetch; most entries are not longer. */
#define ENTRY_PREFETCH ((size_t)63)

#endif
