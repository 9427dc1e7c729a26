/* The receiver of rdb_read() that fills a store. What the bytes mean is known to rdb/read.c. */
#include "journal/load_rdb.h"

#include "base/arena.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "journal/rdb/read.h"
#include "store/data/entry.h"
#include "store/list/list.h"
#include "store/op.h"
#include "store/restore.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>

/* The revision of the keys of a file without revisions: version 0 means no key. */
#define FOREIGN_REVISION 1

/* A key in the file takes at least a type and two lengths. */
#define LEAST_KEY_BYTES 3
/* Strings that are encoded in the file and must be copied while they wait: bytes of one, and of
 * all. */
#define MOST_COPIED     ((size_t)64 * 1024)
#define MOST_ALL_COPIED ((size_t)4 * 1024 * 1024)

struct load {
    struct loading *loading;
    struct slice bytes;
    uint64_t db;
    struct restore_string *waiting; /* strings that were read, to be inserted as one batch */
    size_t count, most;             /* of these */
    struct arena copies;            /* of names and values that are encoded in the file */
    size_t copied;                  /* bytes in there */
    struct list *list;              /* the one being read, or NULL */
    struct restore_key key;         /* its key */
    bool skipped;                   /* the store cannot have it */
    bool has_keys;
};

static bool load_rdb_is_in_file(const struct load *load, struct slice string)
{
    uintptr_t begin = (uintptr_t)load->bytes.data, at = (uintptr_t)string.data;
    return at >= begin && at - begin < load->bytes.len;
}

/* The key's offset, as far as known: a name that is not encoded lies in the file. */
static size_t load_rdb_offset_of(const struct load *load, struct slice name)
{
    return load_rdb_is_in_file(load, name) ? (size_t)(name.data - load->bytes.data) : 0;
}

static bool load_rdb_fail(struct load *load, enum loading_verdict verdict,
                          const struct restore_key *key, const char *why)
{
    int len = (int)(key->name.len < 64 ? key->name.len : 64);
    return loading_fail(load->loading, verdict, load_rdb_offset_of(load, key->name),
                        "key \"%.*s\" of database %" PRIu32 ": %s", len,
                        (const char *)key->name.data, key->db, why);
}

static struct restore_key load_rdb_restored(const struct load *load, const struct rdb_key *key)
{
    return (struct restore_key){.name = key->name,
                                .db = (uint32_t)load->db,
                                .expire_at_ms = key->expire_at_ms,
                                .version = key->version};
}

/* Starts a key; *skip if the store cannot have it. */
static bool load_rdb_begin_key(struct load *load, const struct rdb_key *key, bool *skip)
{
    struct loading *loading = load->loading;
    uint32_t databases = store_databases(loading->store);
    size_t offset = load_rdb_offset_of(load, key->name);
    load->has_keys = true;
    loading->progress.keys++;
    if (load->db >= databases)
        return loading_fail(loading, LOADING_REFUSED, offset,
                            "it has keys in database %" PRIu64
                            ", but there are %u; start with --databases %" PRIu64 " or more",
                            load->db, databases, load->db + 1);
    *skip = key->name.len == 0 || key->name.len > OP_MAX_KEY;
    if (*skip)
        unsupported_add(&loading->unsupported, SLICE_LITERAL("key of no or over 65536 bytes"),
                        key->name, NULL);
    return offset == 0 || loading_reach(loading, offset);
}

static bool load_rdb_end_key(struct load *load, const struct restore_key *key, bool is_new)
{
    return is_new || load_rdb_fail(load, LOADING_DAMAGED, key, "it occurs twice");
}

/* ---- strings are inserted in batches ---- */

static bool load_rdb_put_waiting(struct load *load)
{
    size_t count = load->count;
    size_t failed = restore_strings(load->loading->store, load->waiting, count);
    load->count = 0;
    if (failed < count)
        return load_rdb_end_key(load, &load->waiting[failed].key, false);
    arena_reset(&load->copies);
    load->copied = 0;
    return true;
}

static void load_rdb_keep(struct load *load, struct slice *string)
{
    if (load_rdb_is_in_file(load, *string))
        return;
    *string = arena_copy(&load->copies, *string);
    load->copied += string->len;
}

static bool load_rdb_queue(struct load *load, const struct restore_key *key, struct slice value)
{
    struct restore_string *string = &load->waiting[load->count++];
    string->key = *key;
    string->value = value;
    load_rdb_keep(load, &string->key.name);
    load_rdb_keep(load, &string->value);
    return (load->count < load->most && load->copied < MOST_ALL_COPIED) ||
           load_rdb_put_waiting(load);
}

/* ---- the receiver ---- */

static bool load_rdb_on_aux(void *context, struct slice name, struct slice value)
{
    struct load *load = context;
    int64_t revision;
    if (!load->has_keys && slice_equal(name, SLICE_LITERAL(RDB_AUX_REVISION)) &&
        decimal_parse(value, &revision) && revision >= 0)
        restore_revision(load->loading->store, (uint64_t)revision);
    if (slice_equal(name, SLICE_LITERAL(RDB_AUX_RECEIPT)))
        loading_note(load->loading, value, restore_newest(load->loading->store));
    return true;
}

static bool load_rdb_on_db(void *context, uint64_t db)
{
    ((struct load *)context)->db = db;
    return true;
}

static bool load_rdb_on_sizes(void *context, uint64_t keys, uint64_t expiring)
{
    const struct load *load = context;
    struct store *store = load->loading->store;
    uint64_t most = load->bytes.len / LEAST_KEY_BYTES;
    (void)expiring;
    if (load->db < store_databases(store))
        restore_reserve(store, (uint32_t)load->db, keys < most ? keys : most);
    return true;
}

static bool load_rdb_on_string(void *context, const struct rdb_key *key, struct slice value)
{
    struct load *load = context;
    bool skip = false;
    if (!load_rdb_begin_key(load, key, &skip))
        return false;
    if (skip)
        return true;
    struct restore_key to = load_rdb_restored(load, key);
    if (value.len > ENTRY_MAX_VALUE)
        return load_rdb_fail(load, LOADING_REFUSED, &to, "its string has more than 4 GiB");
    if (value.len > MOST_COPIED && !load_rdb_is_in_file(load, value))
        return load_rdb_end_key(load, &to, restore_string(load->loading->store, &to, value));
    return load_rdb_queue(load, &to, value);
}

static bool load_rdb_on_list_begin(void *context, const struct rdb_key *key)
{
    struct load *load = context;
    if (!load_rdb_begin_key(load, key, &load->skipped))
        return false;
    load->key = load_rdb_restored(load, key);
    load->list = list_new();
    return true;
}

static bool load_rdb_on_list_elements(void *context, const struct slice *elements, size_t count)
{
    struct load *load = context;
    for (size_t i = 0; i < count; i++) {
        if (elements[i].len > UINT32_MAX)
            return load_rdb_fail(load, LOADING_REFUSED, &load->key,
                                 "an element has more than 4 GiB");
        list_push(load->list, LIST_TAIL, elements[i]);
    }
    return true;
}

static bool load_rdb_on_list_end(void *context)
{
    struct load *load = context;
    if (!load->skipped) {
        if (!restore_list(load->loading->store, &load->key, load->list))
            return load_rdb_end_key(load, &load->key, false);
        load->list = NULL;
    }
    list_free(load->list);
    load->list = NULL;
    return true;
}

static bool load_rdb_on_unsupported(void *context, const struct rdb_key *key, const char *type)
{
    struct load *load = context;
    struct slice name = key != NULL ? key->name : slice_make(NULL, 0);
    unsupported_add(&load->loading->unsupported, slice_from_string(type), name, NULL);
    if (key != NULL && load->db <= UINT32_MAX)
        left_out_add(&load->loading->left_out, (uint32_t)load->db, name);
    return key == NULL || load_rdb_offset_of(load, name) == 0 ||
           loading_reach(load->loading, load_rdb_offset_of(load, name));
}

static void load_rdb_init(struct load *load, struct loading *loading, struct slice bytes)
{
    size_t most = bytes.len / LEAST_KEY_BYTES + 1;
    *load = (struct load){.loading = loading, .bytes = bytes};
    load->most = most < RESTORE_STRINGS ? most : RESTORE_STRINGS;
    load->waiting = mem_alloc(load->most * sizeof *load->waiting);
    arena_init_for(&load->copies, ACCOUNT_JOURNAL);
}

static void load_rdb_deinit(struct load *load)
{
    list_free(load->list);
    free(load->waiting);
    arena_deinit(&load->copies);
}

bool load_rdb(struct loading *loading, struct slice bytes, size_t *size)
{
    struct rdb_error error;
    struct load load;
    struct rdb_receiver receiver = {.on_aux = load_rdb_on_aux,
                                    .on_db = load_rdb_on_db,
                                    .on_sizes = load_rdb_on_sizes,
                                    .on_string = load_rdb_on_string,
                                    .on_list_begin = load_rdb_on_list_begin,
                                    .on_list_elements = load_rdb_on_list_elements,
                                    .on_list_end = load_rdb_on_list_end,
                                    .on_unsupported = load_rdb_on_unsupported,
                                    .context = &load};
    load_rdb_init(&load, loading, bytes);
    restore_revision(loading->store, FOREIGN_REVISION);
    bool good = rdb_read(bytes, &receiver, size, &error)
                    ? load_rdb_put_waiting(&load)
                    : loading_fail(loading, error.unknown ? LOADING_REFUSED : LOADING_DAMAGED,
                                   error.offset, "%s", error.reason);
    load_rdb_deinit(&load);
    return good;
}
