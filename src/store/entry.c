/* Making, changing and freeing entries. Knows nothing of dictionaries or operations. */
#include "store/entry.h"

#include "base/blob.h"
#include "store/list.h"
#include "store/slab.h"

#define MAX_NARROW_VERSION (((uint64_t)1 << 40) - 1)
#define MAX_SHORT_LENGTH   ((size_t)255)

/* The outline of an entry: enough to know where everything is. */
struct shape {
    unsigned flags;
    size_t key_length;
    size_t value_length; /* of an inline string, or of the pointer */
};

static struct shape make_shape(unsigned kind, size_t key_length, size_t value_length,
                               struct entry_stamp stamp)
{
    struct shape shape = {.flags = kind, .key_length = key_length, .value_length = value_length};
    if (stamp.expire_at_ms != 0)
        shape.flags |= ENTRY_EXPIRES;
    if (stamp.version > MAX_NARROW_VERSION || kind == ENTRY_LISTED)
        shape.flags |= ENTRY_WIDE;
    if (key_length > MAX_SHORT_LENGTH)
        shape.flags |= ENTRY_LONG_KEY;
    if (value_length > MAX_SHORT_LENGTH)
        shape.flags |= ENTRY_LONG_VALUE;
    return shape;
}

static struct shape shape_of(const struct entry *entry)
{
    unsigned flags = entry_flags(entry);
    size_t value_length = sizeof(void *);
    if ((flags & ENTRY_KIND) == ENTRY_INLINE) {
        value_length = entry->head[7];
        if (flags & ENTRY_LONG_VALUE)
            value_length |= (size_t)entry_bytes(entry)[entry_value_length_at(flags)] << 8;
    }
    return (struct shape){
        .flags = flags, .key_length = entry_key_length(entry), .value_length = value_length};
}

static size_t size_of(const struct shape *shape)
{
    return entry_key_at(shape->flags) + shape->key_length + shape->value_length;
}

static uint8_t *bytes_of(struct entry *entry)
{
    return (uint8_t *)entry;
}

/* The low `size` bytes of the number. */
static void store(uint8_t *bytes, uint64_t number, size_t size)
{
    memcpy(bytes, &number, size);
}

static void write_version(struct entry *entry, uint64_t version)
{
    unsigned flags = entry_flags(entry);
    store(entry->head + 1, version, 5);
    if (flags & ENTRY_WIDE)
        store(bytes_of(entry) + entry_version_at(flags), version >> 40, 3);
}

/* Everything before the key. */
static void write_head(struct entry *entry, const struct shape *shape, struct entry_stamp stamp)
{
    uint8_t *bytes = bytes_of(entry);
    bytes[0] = (uint8_t)shape->flags;
    bytes[6] = (uint8_t)shape->key_length;
    bytes[7] = (uint8_t)shape->value_length;
    write_version(entry, stamp.version);
    if (stamp.expire_at_ms > ENTRY_MAX_EXPIRE_AT_MS)
        stamp.expire_at_ms = ENTRY_MAX_EXPIRE_AT_MS;
    if (shape->flags & ENTRY_EXPIRES)
        store(bytes + ENTRY_HEAD, (uint64_t)stamp.expire_at_ms, 6);
    if (shape->flags & ENTRY_LONG_KEY)
        store(bytes + entry_key_length_at(shape->flags), shape->key_length >> 8, 3);
    if (shape->flags & ENTRY_LONG_VALUE)
        store(bytes + entry_value_length_at(shape->flags), shape->value_length >> 8, 1);
}

static void write_value(struct entry *entry, const struct shape *shape, const void *value)
{
    if (shape->value_length > 0)
        memcpy(bytes_of(entry) + entry_key_at(shape->flags) + shape->key_length, value,
               shape->value_length);
}

static struct entry *new_entry(struct slab *slab, struct slice key, const struct shape *shape,
                               struct entry_stamp stamp, const void *value)
{
    struct entry *entry = slab_alloc(slab, size_of(shape));
    write_head(entry, shape, stamp);
    memcpy(bytes_of(entry) + entry_key_at(shape->flags), key.data, key.len);
    write_value(entry, shape, value);
    return entry;
}

static size_t charge_of(const struct blob *blob)
{
    return sizeof *blob + blob->len;
}

/* A blob with a copy of a long string; NULL for a short one. */
static struct blob *copy_long(struct slab *slab, struct slice value)
{
    if (value.len < ENTRY_MIN_BLOB)
        return NULL;
    struct blob *blob = blob_copy(value);
    slab_charge(slab, charge_of(blob));
    return blob;
}

static struct shape shape_of_string(size_t key_length, struct slice value, struct entry_stamp stamp)
{
    if (value.len < ENTRY_MIN_BLOB)
        return make_shape(ENTRY_INLINE, key_length, value.len, stamp);
    return make_shape(ENTRY_BLOB, key_length, sizeof(struct blob *), stamp);
}

struct entry *entry_new_string(struct slab *slab, struct slice key, struct slice value,
                               struct entry_stamp stamp)
{
    struct blob *blob = copy_long(slab, value);
    struct shape shape = shape_of_string(key.len, value, stamp);
    return new_entry(slab, key, &shape, stamp, blob != NULL ? (void *)&blob : value.data);
}

struct entry *entry_new_list(struct slab *slab, struct slice key, struct list *list,
                             struct entry_stamp stamp)
{
    struct shape shape = make_shape(ENTRY_LISTED, key.len, sizeof list, stamp);
    return new_entry(slab, key, &shape, stamp, &list);
}

/* Frees what the entry owns elsewhere. */
static void release_value(struct slab *slab, struct entry *entry)
{
    struct blob *blob = entry_blob(entry);
    if (blob != NULL) {
        slab_refund(slab, charge_of(blob));
        blob_release(blob);
    } else if (entry_type(entry) == ENTRY_LIST) {
        list_free(entry_list(entry));
    }
}

void entry_free(struct slab *slab, struct entry *entry)
{
    if (entry == NULL)
        return;
    release_value(slab, entry);
    struct shape shape = shape_of(entry);
    slab_free(slab, entry, size_of(&shape));
}

/* Makes room for another shape; the first `kept` bytes from the key on are in their new place, what
 * comes before them is to be written. */
static struct entry *reshape(struct slab *slab, struct entry *entry, const struct shape *shape,
                             size_t kept)
{
    struct shape former = shape_of(entry);
    size_t from = entry_key_at(former.flags), to = entry_key_at(shape->flags);
    size_t old_size = size_of(&former), new_size = size_of(shape);
    if (slab_round(old_size) != slab_round(new_size)) {
        struct entry *moved = slab_alloc(slab, new_size);
        memcpy(bytes_of(moved) + to, bytes_of(entry) + from, kept);
        slab_free(slab, entry, old_size);
        return moved;
    }
    /* Bytes are moved while both the old and the new ones may be touched. */
    if (new_size > old_size)
        slab_resize(entry, old_size, new_size);
    if (from != to)
        memmove(bytes_of(entry) + to, bytes_of(entry) + from, kept);
    if (new_size < old_size)
        slab_resize(entry, old_size, new_size);
    return entry;
}

struct entry *entry_replace_string(struct slab *slab, struct entry *entry, struct slice value,
                                   struct entry_stamp stamp)
{
    struct blob *blob = copy_long(slab, value);
    struct shape shape = shape_of_string(entry_key_length(entry), value, stamp);
    release_value(slab, entry);
    entry = reshape(slab, entry, &shape, shape.key_length);
    write_head(entry, &shape, stamp);
    write_value(entry, &shape, blob != NULL ? (void *)&blob : value.data);
    return entry;
}

struct entry *entry_restamp(struct slab *slab, struct entry *entry, struct entry_stamp stamp)
{
    struct shape former = shape_of(entry);
    struct shape shape =
        make_shape(former.flags & ENTRY_KIND, former.key_length, former.value_length, stamp);
    entry = reshape(slab, entry, &shape, shape.key_length + shape.value_length);
    write_head(entry, &shape, stamp);
    return entry;
}

void entry_set_version(struct entry *entry, uint64_t version)
{
    write_version(entry, version);
}

struct list *entry_take_list(struct entry *entry)
{
    struct shape shape = shape_of(entry);
    struct list *list = entry_list(entry), *none = NULL;
    write_value(entry, &shape, &none);
    return list;
}

struct slice entry_string(const struct entry *entry)
{
    const struct blob *blob = entry_blob(entry);
    if (blob != NULL)
        return blob_slice(blob);
    struct shape shape = shape_of(entry);
    return slice_make(entry_value(entry), shape.value_length);
}
