/* Creates, changes and frees entries. Knows nothing of dictionaries or operations. */
#include "store/data/entry.h"

#include "base/blob.h"
#include "base/check.h"
#include "store/list/list.h"
#include "store/memory/slab.h"

#define MAX_NARROW_VERSION (((uint64_t)1 << 40) - 1)
#define MAX_SHORT_LENGTH   ((size_t)255)
/* In the year 10889. */
#define MAX_NEAR_DEADLINE_MS (((int64_t)1 << 48) - 1)

/* The shape of an entry: enough to know where everything is. */
struct shape {
    unsigned flags;
    size_t key_length;
    size_t value_length; /* of what is inline */
};

static struct shape entry_make_shape(unsigned kind, size_t key_length, size_t value_length,
                                     struct entry_stamp stamp)
{
    DCHECK(key_length < 1u << 17 && stamp.expire_at_ms >= 0);
    struct shape shape = {.flags = kind, .key_length = key_length, .value_length = value_length};
    if (stamp.expire_at_ms != 0)
        shape.flags |= ENTRY_EXPIRES;
    if (stamp.version > MAX_NARROW_VERSION || kind == ENTRY_LISTED)
        shape.flags |= ENTRY_WIDE;
    if (key_length > MAX_SHORT_LENGTH || stamp.expire_at_ms > MAX_NEAR_DEADLINE_MS)
        shape.flags |= ENTRY_LONG_KEY;
    if (value_length > MAX_SHORT_LENGTH)
        shape.flags |= ENTRY_LONG_VALUE;
    return shape;
}

static size_t entry_value_length_of(const struct entry *entry)
{
    unsigned flags = entry_flags(entry);
    size_t length = entry->head[7];
    if (flags & ENTRY_LONG_VALUE)
        length |= (size_t)entry_bytes(entry)[entry_value_length_at(flags)] << 8;
    return length;
}

static struct shape entry_shape_of(const struct entry *entry)
{
    return (struct shape){.flags = entry_flags(entry),
                          .key_length = entry_key_length(entry),
                          .value_length = entry_value_length_of(entry)};
}

static size_t entry_size_of(const struct shape *shape)
{
    return entry_key_at(shape->flags) + shape->key_length + shape->value_length;
}

static uint8_t *entry_bytes_of(struct entry *entry)
{
    return (uint8_t *)entry;
}

/* The low `size` bytes of the number. */
static void entry_store(uint8_t *bytes, uint64_t number, size_t size)
{
    memcpy(bytes, &number, size);
}

static void entry_write_version(struct entry *entry, uint64_t version)
{
    unsigned flags = entry_flags(entry);
    entry_store(entry->head + 1, version, 5);
    if (flags & ENTRY_WIDE)
        entry_store(entry_bytes_of(entry) + entry_version_at(flags), version >> 40, 3);
}

/* Everything before the key. */
static void entry_write_head(struct entry *entry, const struct shape *shape,
                             struct entry_stamp stamp)
{
    uint8_t *bytes = entry_bytes_of(entry);
    bytes[0] = (uint8_t)shape->flags;
    bytes[6] = (uint8_t)shape->key_length;
    bytes[7] = (uint8_t)shape->value_length;
    entry_write_version(entry, stamp.version);
    if (shape->flags & ENTRY_EXPIRES)
        entry_store(bytes + ENTRY_HEAD, (uint64_t)stamp.expire_at_ms, 6);
    if (shape->flags & ENTRY_LONG_KEY)
        entry_store(bytes + entry_key_length_at(shape->flags),
                    shape->key_length >> 8 | (uint64_t)stamp.expire_at_ms >> 48 << ENTRY_KEY_SHIFT,
                    3);
    if (shape->flags & ENTRY_LONG_VALUE)
        entry_store(bytes + entry_value_length_at(shape->flags), shape->value_length >> 8, 1);
    DCHECK(entry_key_length(entry) == shape->key_length);
    DCHECK(entry_value_length_of(entry) == shape->value_length);
    DCHECK(entry_version(entry) == stamp.version);
    DCHECK(entry_expire_at_ms(entry) == stamp.expire_at_ms);
}

static uint8_t *entry_value_at(struct entry *entry, const struct shape *shape)
{
    return entry_bytes_of(entry) + entry_key_at(shape->flags) + shape->key_length;
}

static void entry_write_value(struct entry *entry, const struct shape *shape, const void *value)
{
    if (shape->value_length > 0)
        memcpy(entry_value_at(entry, shape), value, shape->value_length);
}

/* Everything but the value, which the caller writes. */
static struct entry *entry_new(struct slab *slab, struct slice key, const struct shape *shape,
                               struct entry_stamp stamp)
{
    struct entry *entry = slab_alloc(slab, entry_size_of(shape));
    entry_write_head(entry, shape, stamp);
    memcpy(entry_bytes_of(entry) + entry_key_at(shape->flags), key.data, key.len);
    return entry;
}

static struct shape entry_shape_of_string(size_t key_length, size_t length,
                                          struct entry_stamp stamp)
{
    if (length < BLOB_LEAST)
        return entry_make_shape(ENTRY_INLINE, key_length, length, stamp);
    return entry_make_shape(ENTRY_BLOB, key_length, ENTRY_BLOB_VALUE, stamp);
}

/* The blob's first `length` bytes are the string; its reference passes to the entry. */
static void entry_write_blob(struct slab *slab, struct entry *entry, const struct shape *shape,
                             struct blob *blob, size_t length)
{
    CHECK(length >= BLOB_LEAST && length <= blob->capacity);
    slab_charge(slab, blob_memory(blob));
    slab->reserve += blob->capacity - length;
    memcpy(entry_value_at(entry, shape), &blob, sizeof blob);
    entry_store(entry_value_at(entry, shape) + sizeof blob, length, ENTRY_BLOB_VALUE - sizeof blob);
    DCHECK(entry_blob(entry) == blob && slab->reserve <= slab_heap(slab));
}

static void entry_write_string(struct slab *slab, struct entry *entry, const struct shape *shape,
                               struct slice value)
{
    if (value.len < BLOB_LEAST)
        entry_write_value(entry, shape, value.data);
    else
        entry_write_blob(slab, entry, shape, blob_copy(value), value.len);
}

struct entry *entry_new_string(struct slab *slab, struct slice key, struct slice value,
                               struct entry_stamp stamp)
{
    struct shape shape = entry_shape_of_string(key.len, value.len, stamp);
    struct entry *entry = entry_new(slab, key, &shape, stamp);
    entry_write_string(slab, entry, &shape, value);
    return entry;
}

struct entry *entry_new_blob(struct slab *slab, struct slice key, struct blob *blob,
                             struct entry_stamp stamp)
{
    size_t length = blob_slice(blob).len;
    struct shape shape = entry_shape_of_string(key.len, length, stamp);
    struct entry *entry = entry_new(slab, key, &shape, stamp);
    entry_write_blob(slab, entry, &shape, blob, length);
    return entry;
}

struct entry *entry_new_list(struct slab *slab, struct slice key, struct list *list,
                             struct entry_stamp stamp)
{
    struct shape shape = entry_make_shape(ENTRY_LISTED, key.len, sizeof list, stamp);
    slab_charge(slab, list_memory(list));
    struct entry *entry = entry_new(slab, key, &shape, stamp);
    entry_write_value(entry, &shape, &list);
    return entry;
}

/* ---- splicing ---- */

/* The largest reserve of a string. */
#define MAX_RESERVE ((size_t)1024 * 1024)

static size_t entry_spliced_length(struct slice string, const struct entry_splice *splice)
{
    size_t end = splice->offset + splice->bytes.len;
    return end > string.len ? end : string.len;
}

/* Writes the new bytes of a string that had `length` bytes. */
static void entry_write_splice(uint8_t *out, size_t length, const struct entry_splice *splice)
{
    if (splice->offset > length)
        memset(out + length, 0, splice->offset - length);
    if (splice->bytes.len > 0)
        memcpy(out + splice->offset, splice->bytes.data, splice->bytes.len);
}

static void entry_write_spliced(uint8_t *out, struct slice string,
                                const struct entry_splice *splice)
{
    if (string.len > 0)
        memcpy(out, string.data, string.len);
    entry_write_splice(out, string.len, splice);
}

/* True if the blob now holds the spliced string. */
static bool entry_splice_in_place(struct blob *blob, struct slice string,
                                  const struct entry_splice *splice)
{
    bool changes = splice->offset < string.len;
    if (changes && (splice->keep || !blob_is_sole(blob)))
        return false;
    if (!blob_extend(blob, string.len, entry_spliced_length(string, splice) - string.len))
        return false;
    entry_write_splice(blob->data, string.len, splice);
    return true;
}

size_t entry_splice_copies(const struct entry *former, const struct entry_splice *splice)
{
    struct slice string = entry_string(former);
    const struct blob *blob = entry_blob(former);
    bool changes = splice->offset < string.len;
    if (blob != NULL && !(changes && (splice->keep || !blob_is_sole(blob))) &&
        entry_spliced_length(string, splice) <= blob->capacity)
        return 0;
    return string.len;
}

/* A string that has grown once will grow again: it gets a reserve of a quarter of its length, so
 * that each byte appended is copied about four times in total, until the string is long; then a
 * MiB, as in Redis. */
static size_t entry_capacity_for(size_t length, bool has_grown)
{
    size_t reserve = length / 4 < MAX_RESERVE ? length / 4 : MAX_RESERVE;
    size_t capacity = has_grown ? length + reserve : length;
    return capacity < ENTRY_MAX_VALUE ? capacity : ENTRY_MAX_VALUE;
}

/* A reference to a blob that starts with the spliced string. */
static struct blob *entry_splice_blob(struct blob *blob, struct slice string,
                                      const struct entry_splice *splice)
{
    if (blob != NULL && entry_splice_in_place(blob, string, splice))
        return blob_retain(blob);
    size_t length = entry_spliced_length(string, splice);
    bool has_grown = blob != NULL && length > string.len && !splice->is_tight;
    struct blob *copy = blob_new_with_capacity(length, entry_capacity_for(length, has_grown));
    entry_write_spliced(copy->data, string, splice);
    return copy;
}

struct entry *entry_new_spliced(struct slab *slab, const struct entry *former,
                                const struct entry_splice *splice, struct entry_stamp stamp)
{
    struct slice key = entry_key(former), string = entry_string(former);
    size_t length = entry_spliced_length(string, splice);
    CHECK(entry_type(former) == ENTRY_STRING && length <= ENTRY_MAX_VALUE);
    struct shape shape = entry_shape_of_string(key.len, length, stamp);
    struct entry *entry = entry_new(slab, key, &shape, stamp);
    if (length < BLOB_LEAST)
        entry_write_spliced(entry_value_at(entry, &shape), string, splice);
    else
        entry_write_blob(slab, entry, &shape, entry_splice_blob(entry_blob(former), string, splice),
                         length);
    return entry;
}

size_t entry_reserve(const struct entry *entry)
{
    const struct blob *blob = entry_blob(entry);
    return blob != NULL ? blob->capacity - entry_string(entry).len : 0;
}

/* Frees what the entry owns elsewhere. */
static void entry_release_value(struct slab *slab, struct entry *entry);

void entry_drop_reserve(struct slab *slab, struct entry *entry)
{
    if (entry_reserve(entry) == 0 || !blob_is_sole(entry_blob(entry)))
        return;
    struct shape shape = entry_shape_of(entry);
    struct slice string = entry_string(entry);
    struct blob *copy = blob_copy(string);
    entry_release_value(slab, entry);
    entry_write_blob(slab, entry, &shape, copy, string.len);
}

void entry_reclaim_reserve(struct entry *entry)
{
    struct blob *blob = entry_blob(entry);
    if (blob != NULL && blob_is_sole(blob))
        atomic_store_explicit(&blob->len, entry_string(entry).len, memory_order_relaxed);
}

/* ---- freeing and changing ---- */

struct entry *entry_new_copy(struct slab *slab, struct slice key, const struct entry *source,
                             struct entry_stamp stamp)
{
    if (entry_type(source) == ENTRY_LIST)
        return entry_new_list(slab, key, list_copy(entry_list(source)), stamp);
    struct blob *blob = entry_blob(source);
    if (blob == NULL)
        return entry_new_string(slab, key, entry_string(source), stamp);
    size_t len = entry_string(source).len;
    struct shape shape = entry_shape_of_string(key.len, len, stamp);
    struct entry *entry = entry_new(slab, key, &shape, stamp);
    entry_write_blob(slab, entry, &shape, blob_retain(blob), len);
    return entry;
}

static void entry_release_value(struct slab *slab, struct entry *entry)
{
    struct blob *blob = entry_blob(entry);
    if (blob != NULL) {
        DCHECK(slab->reserve >= entry_reserve(entry));
        slab->reserve -= entry_reserve(entry);
        slab_refund(slab, blob_memory(blob));
        blob_release(blob);
    } else if (entry_type(entry) == ENTRY_LIST && entry_list(entry) != NULL) {
        slab_refund(slab, list_memory(entry_list(entry)));
        list_free(entry_list(entry));
    }
}

void entry_free(struct slab *slab, struct entry *entry)
{
    if (entry == NULL)
        return;
    entry_release_value(slab, entry);
    struct shape shape = entry_shape_of(entry);
    slab_free(slab, entry, entry_size_of(&shape));
}

static struct entry *entry_move_parts(struct slab *slab, struct entry *entry,
                                      const struct shape *former, const struct shape *shape,
                                      size_t kept)
{
    size_t from = entry_key_at(former->flags), to = entry_key_at(shape->flags);
    size_t old_size = entry_size_of(former), new_size = entry_size_of(shape);
    if (slab_round(old_size) != slab_round(new_size)) {
        struct entry *moved = slab_alloc(slab, new_size);
        memcpy(entry_bytes_of(moved) + to, entry_bytes_of(entry) + from, kept);
        slab_free(slab, entry, old_size);
        return moved;
    }
    /* Bytes are moved while both the old and the new ones may be accessed. */
    if (new_size > old_size)
        slab_resize(entry, old_size, new_size);
    if (from != to)
        memmove(entry_bytes_of(entry) + to, entry_bytes_of(entry) + from, kept);
    if (new_size < old_size)
        slab_resize(entry, old_size, new_size);
    return entry;
}

/* Gives the entry another shape with the same key. The first `kept` bytes from the key on are moved
 * to their new place; the caller writes what precedes them. */
static struct entry *entry_reshape(struct slab *slab, struct entry *entry,
                                   const struct shape *shape, size_t kept)
{
    struct shape former = entry_shape_of(entry);
    if (former.flags == shape->flags && former.value_length == shape->value_length)
        return entry;
    return entry_move_parts(slab, entry, &former, shape, kept);
}

/* Makes it the entry of a string of that length, which the caller writes. */
static struct entry *entry_clear(struct slab *slab, struct entry *entry, size_t length,
                                 struct entry_stamp stamp, struct shape *shape)
{
    *shape = entry_shape_of_string(entry_key_length(entry), length, stamp);
    shape->flags |= entry_mark(entry);
    entry_release_value(slab, entry);
    entry = entry_reshape(slab, entry, shape, shape->key_length);
    entry_write_head(entry, shape, stamp);
    return entry;
}

struct entry *entry_replace_string(struct slab *slab, struct entry *entry, struct slice value,
                                   struct entry_stamp stamp)
{
    struct shape shape;
    entry = entry_clear(slab, entry, value.len, stamp, &shape);
    entry_write_string(slab, entry, &shape, value);
    return entry;
}

struct entry *entry_replace_blob(struct slab *slab, struct entry *entry, struct blob *blob,
                                 struct entry_stamp stamp)
{
    struct shape shape;
    size_t length = blob_slice(blob).len;
    entry = entry_clear(slab, entry, length, stamp, &shape);
    entry_write_blob(slab, entry, &shape, blob, length);
    return entry;
}

struct entry *entry_move(struct slab *slab, struct entry *entry, size_t *moved)
{
    struct shape shape = entry_shape_of(entry);
    if (entry_type(entry) == ENTRY_LIST) {
        struct list *list = list_move(entry_list(entry), moved);
        entry_write_value(entry, &shape, &list);
    }
    struct entry *elsewhere = slab_move(slab, entry, entry_size_of(&shape));
    if (elsewhere == NULL)
        return entry;
    ++*moved;
    return elsewhere;
}

struct entry *entry_restamp(struct slab *slab, struct entry *entry, struct entry_stamp stamp)
{
    struct shape former = entry_shape_of(entry);
    struct shape shape =
        entry_make_shape(former.flags & ENTRY_KIND, former.key_length, former.value_length, stamp);
    shape.flags |= entry_mark(entry);
    entry = entry_reshape(slab, entry, &shape, shape.key_length + shape.value_length);
    DCHECK(shape.value_length == former.value_length);
    entry_write_head(entry, &shape, stamp);
    return entry;
}

struct list *entry_take_list(struct slab *slab, struct entry *entry)
{
    struct shape shape = entry_shape_of(entry);
    struct list *list = entry_list(entry), *none = NULL;
    CHECK(entry_type(entry) == ENTRY_LIST && list != NULL);
    slab_refund(slab, list_memory(list));
    entry_write_value(entry, &shape, &none);
    return list;
}

void entry_give_list(struct slab *slab, struct entry *entry, struct list *list)
{
    struct shape shape = entry_shape_of(entry);
    CHECK(entry_type(entry) == ENTRY_LIST && entry_list(entry) == NULL);
    slab_charge(slab, list_memory(list));
    entry_write_value(entry, &shape, &list);
}

/* ---- reading ---- */

size_t entry_memory(const struct entry *entry)
{
    struct shape shape = entry_shape_of(entry);
    size_t size = slab_round(entry_size_of(&shape));
    const struct blob *blob = entry_blob(entry);
    if (blob != NULL)
        size += blob_memory(blob);
    if (entry_type(entry) == ENTRY_LIST && entry_list(entry) != NULL)
        size += list_memory(entry_list(entry));
    return size;
}

struct slice entry_string(const struct entry *entry)
{
    DCHECK(entry_type(entry) == ENTRY_STRING);
    const uint8_t *value = entry_value(entry);
    const struct blob *blob = entry_blob(entry);
    if (blob == NULL)
        return slice_make(value, entry_value_length_of(entry));
    return slice_make(blob->data, entry_load(value + sizeof blob, ENTRY_BLOB_VALUE - sizeof blob));
}
