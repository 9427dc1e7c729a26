/*
 * Takes keys from the store's snapshot and writes them to a file.
 *
 * The normal path: snapshot_file_write() creates the file under a temporary name;
 * snapshot_file_start() marks the store at a revision, which calls on_begin, and writes the header;
 * snapshot_file_save_all() steps through the store until every key has been saved and writes what
 * gathers; then the file gets its end with the checksum, is synced and renamed, and the folder is
 * synced.
 *
 * Keys come from two sides: the writing thread in its steps, and, under a lock, any thread that is
 * about to change a key that is not saved yet (`early`). The blocks of both may be in any order
 * (block.h), so each is written when it is ready. A long list is not walked under its shard's lock:
 * a copy that shares its chunks is pinned (store/list/list.h), and the thread walks it without a
 * lock. After each step of some 20 us the thread yields its processor: the scheduler's turns take
 * milliseconds, and requests on the same processor would wait as long.
 *
 * Failures: the first error of the disk sets `failed`, after which nothing gathers; `stop` ends the
 * steps. Either way the snapshot is ended and the temporary file is removed.
 */
#include "journal/rdb/snapshot_file.h"

#include "base/account.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/mem.h"
#include "journal/layout.h"
#include "journal/rdb/block.h"
#include "journal/rdb/write.h"
#include "store/data/entry.h"
#include "store/list/list.h"
#include "store/receipts.h"
#include "store/snapshot.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* Bytes that the steps gather before they are written. */
#define WRITE_BYTES ((size_t)256 * 1024)
/* Bytes that threads that change keys may leave to the writing thread; beyond that they write them
 * themselves. */
#define EARLY_BYTES ((size_t)16 * 1024 * 1024)
/* A list with more bytes is pinned. */
#define PIN_FROM ((size_t)4 * 1024)
/* Bytes of lists that threads that change them may pin; beyond that they encode them themselves. */
#define PINNED_BYTES ((size_t)64 * 1024 * 1024)
/* Elements of pinned lists between two yields of the processor: some 80 us. */
#define TURN_ELEMENTS 4096
/* Bytes that are written, and whose sync is started, at a time: with more, the system would hold
 * the processor too long. */
#define TURN_BYTES ((size_t)64 * 1024)
/* Bytes between two syncs, so that the last one does not delay the log's for long. */
#define SYNC_BYTES ((uint64_t)32 * 1024 * 1024)
/* Bytes of memory that an empty chain keeps. */
#define KEPT_BYTES ((size_t)1024 * 1024)

/* Keys on their way to the file. Long strings are not copied. */
struct gathered {
    struct rdb_block block;
    struct chain chain;
    struct blob *blob; /* of the string that is passed to the block, or NULL */
};

/* A list to write, as it was when it was pinned. */
struct pin {
    struct pin *next;
    struct list *list;
    uint32_t db;
    struct rdb_key key; /* its name follows this struct, in the same memory */
};

struct pins {
    struct pin *first;
    size_t bytes; /* of their lists, which are accounted to the journal meanwhile */
};

struct base {
    struct snapshot snapshot; /* first member: its functions find the base by it */
    const struct snapshot_file_options *options;
    struct gathered steps;
    struct pins pins;           /* of the steps */
    size_t elements;            /* of pinned lists that the thread has walked */
    pthread_mutex_t early_lock; /* of the next two; may be held while file_lock is taken */
    struct gathered early;
    struct pins early_pins;
    pthread_mutex_t file_lock; /* of what follows, once the snapshot has started */
    struct fs_file *file;
    struct rdb_write rdb;
    uint64_t synced; /* bytes */
    int error;
    atomic_bool failed; /* there is an error: nothing gathers any more */
};

/* ---- writing ---- */

/* The sink of the RDB file. */
static bool snapshot_file_write_to(void *context, struct slice bytes)
{
    struct base *base = context;
    base->error = fs_write_slice(base->file, bytes);
    return base->error == 0;
}

static bool snapshot_file_sync_if_due(struct base *base)
{
    DCHECK(base->synced <= base->rdb.size);
    if (base->rdb.size - base->synced < SYNC_BYTES)
        return true;
    base->synced = base->rdb.size;
    base->error = fs_sync_data(base->file);
    return base->error == 0;
}

static void snapshot_file_write_piece(struct base *base, struct slice piece)
{
    while (piece.len > 0 && !base->failed) {
        size_t len = piece.len < TURN_BYTES ? piece.len : TURN_BYTES;
        if (!rdb_write_bytes(&base->rdb, slice_make(piece.data, len)) ||
            !snapshot_file_sync_if_due(base))
            base->failed = true;
        fs_start_sync(base->file);
        sched_yield();
        piece = slice_skip(piece, len);
    }
}

/* Writes the chain and empties it; the file is locked. */
static void snapshot_file_write_chain(struct base *base, struct chain *chain)
{
    struct iovec pieces[16];
    struct chain_cursor cursor = {0};
    size_t count;
    while (!base->failed && (count = chain_pieces(chain, cursor, pieces, 16)) > 0) {
        for (size_t i = 0; i < count && !base->failed; i++) {
            struct slice piece = slice_make(pieces[i].iov_base, pieces[i].iov_len);
            snapshot_file_write_piece(base, piece);
            chain_skip(chain, &cursor, piece.len);
        }
    }
    atomic_store(&base->options->progress->bytes, base->rdb.size);
    chain_clear(chain, KEPT_BYTES);
}

static void snapshot_file_write_gathered(struct base *base, struct gathered *gathered)
{
    pthread_mutex_lock(&base->file_lock);
    snapshot_file_write_chain(base, &gathered->chain);
    pthread_mutex_unlock(&base->file_lock);
}

static bool snapshot_file_is_stopped(const struct base *base)
{
    return base->options->stop != NULL && atomic_load(base->options->stop);
}

/* ---- gathering ---- */

/* The sink of a block: bytes of a string's blob are shared, others copied. */
static bool snapshot_file_gather(void *context, struct slice bytes)
{
    struct gathered *gathered = context;
    struct blob *blob = gathered->blob;
    if (blob != NULL && bytes.data >= blob->data && bytes.data < blob->data + blob->capacity)
        chain_append_blob(&gathered->chain, blob_retain(blob), bytes);
    else if (bytes.len > 0)
        memcpy(chain_append(&gathered->chain, bytes.len), bytes.data, bytes.len);
    return true;
}

/* A list as block.h iterates over it. */
struct walk {
    const struct list *list;
    struct list_cursor cursor;
    bool at_start;
    size_t *elements; /* since the thread last yielded; NULL: a lock is held */
};

static void snapshot_file_restart(void *context)
{
    ((struct walk *)context)->at_start = true;
}

static bool snapshot_file_next_element(void *context, struct slice *element)
{
    struct walk *walk = context;
    bool found =
        walk->at_start ? list_seek(walk->list, &walk->cursor, 0) : list_next(&walk->cursor);
    walk->at_start = false;
    if (walk->elements != NULL && ++*walk->elements % TURN_ELEMENTS == 0)
        sched_yield();
    if (found)
        *element = list_cursor_value(&walk->cursor);
    return found;
}

static void snapshot_file_put_list(struct gathered *gathered, uint32_t db,
                                   const struct rdb_key *key, struct walk *walk)
{
    struct rdb_elements elements = {
        .next = snapshot_file_next_element, .restart = snapshot_file_restart, .context = walk};
    rdb_block_list(&gathered->block, db, key, &elements);
}

static struct rdb_key snapshot_file_key_of(const struct snapshot_entry *saved)
{
    return (struct rdb_key){.name = entry_key(saved->entry),
                            .expire_at_ms = entry_expire_at_ms(saved->entry),
                            .version = saved->version};
}

static void snapshot_file_put(struct gathered *gathered, const struct snapshot_entry *saved)
{
    const struct entry *entry = saved->entry;
    struct rdb_key key = snapshot_file_key_of(saved);
    if (entry_type(entry) == ENTRY_STRING) {
        DCHECK(gathered->blob == NULL);
        gathered->blob = entry_blob(entry);
        rdb_block_string(&gathered->block, saved->db, &key, entry_string(entry));
        gathered->blob = NULL;
    } else {
        struct walk walk = {.list = entry_list(entry)};
        snapshot_file_put_list(gathered, saved->db, &key, &walk);
    }
}

/* ---- long lists ---- */

static bool snapshot_file_is_long(const struct entry *entry)
{
    return entry_type(entry) == ENTRY_LIST && list_memory(entry_list(entry)) > PIN_FROM;
}

static void snapshot_file_pin(struct pins *pins, const struct snapshot_entry *saved)
{
    struct slice name = entry_key(saved->entry);
    struct pin *pin = mem_alloc(sizeof *pin + name.len);
    *pin = (struct pin){.next = pins->first,
                        .list = list_copy(entry_list(saved->entry)),
                        .db = saved->db,
                        .key = snapshot_file_key_of(saved)};
    pin->key.name = slice_make(pin + 1, name.len);
    slice_write((uint8_t *)(pin + 1), name);
    pins->first = pin;
    pins->bytes += list_memory(pin->list);
    account_count(ACCOUNT_JOURNAL, (ptrdiff_t)list_memory(pin->list));
}

/* Gathers the pinned lists, unless the snapshot has failed or is stopped, and frees them. */
static void snapshot_file_write_pins(struct base *base, struct pins pins)
{
    for (struct pin *pin = pins.first, *next; pin != NULL; pin = next) {
        struct walk walk = {.list = pin->list, .elements = &base->elements};
        if (!base->failed && !snapshot_file_is_stopped(base))
            snapshot_file_put_list(&base->steps, pin->db, &pin->key, &walk);
        account_count(ACCOUNT_JOURNAL, -(ptrdiff_t)list_memory(pin->list));
        list_free(pin->list);
        next = pin->next;
        free(pin);
    }
}

static struct pins snapshot_file_take_early_pins(struct base *base)
{
    pthread_mutex_lock(&base->early_lock);
    struct pins pins = base->early_pins;
    base->early_pins = (struct pins){.first = NULL};
    pthread_mutex_unlock(&base->early_lock);
    return pins;
}

static void snapshot_file_write_all_pins(struct base *base)
{
    snapshot_file_write_pins(base, base->pins);
    base->pins = (struct pins){.first = NULL};
    snapshot_file_write_pins(base, snapshot_file_take_early_pins(base));
}

/* ---- saving ---- */

static void snapshot_file_save_early(struct base *base, const struct snapshot_entry *saved)
{
    pthread_mutex_lock(&base->early_lock);
    if (snapshot_file_is_long(saved->entry) && base->early_pins.bytes < PINNED_BYTES)
        snapshot_file_pin(&base->early_pins, saved);
    else
        snapshot_file_put(&base->early, saved);
    if (chain_length(&base->early.chain) > EARLY_BYTES)
        snapshot_file_write_gathered(base, &base->early);
    pthread_mutex_unlock(&base->early_lock);
}

static void snapshot_file_save(struct snapshot *snapshot, const struct snapshot_entry *saved,
                               bool early)
{
    struct base *base = (struct base *)snapshot;
    if (base->failed)
        return;
    if (early)
        snapshot_file_save_early(base, saved);
    else if (snapshot_file_is_long(saved->entry))
        snapshot_file_pin(&base->pins, saved);
    else
        snapshot_file_put(&base->steps, saved);
    atomic_fetch_add_explicit(&base->options->progress->keys, 1, memory_order_relaxed);
}

static void snapshot_file_gathered_init(struct gathered *gathered, uint64_t revision)
{
    *gathered = (struct gathered){0};
    chain_init_for(&gathered->chain, ACCOUNT_JOURNAL);
    rdb_block_init(&gathered->block, revision, false,
                   (struct rdb_sink){.write = snapshot_file_gather, .context = gathered});
}

static void snapshot_file_gathered_deinit(struct gathered *gathered)
{
    rdb_block_deinit(&gathered->block);
    chain_deinit(&gathered->chain);
}

/* ---- from start to end ---- */

struct size {
    size_t keys;
    size_t expiring;
};

static void snapshot_file_on_begin(struct snapshot *snapshot)
{
    struct base *base = (struct base *)snapshot;
    snapshot_file_gathered_init(&base->steps, snapshot->revision);
    snapshot_file_gathered_init(&base->early, snapshot->revision);
    if (base->options->on_begin != NULL)
        base->options->on_begin(base->options->user, snapshot->revision);
}

/* No lock of the store may be taken here: its holder may wait for this. */
static void snapshot_file_write_header(struct base *base, const struct size *sizes)
{
    rdb_write_init(&base->rdb, (struct rdb_sink){.write = snapshot_file_write_to, .context = base});
    rdb_write_header(&base->rdb, base->snapshot.revision);
    rdb_write_aux(&base->rdb, SLICE_LITERAL("aof-base"), SLICE_LITERAL("1"));
    for (uint32_t db = 0; db < store_databases(base->options->store); db++) {
        if (sizes[db].keys > 0)
            rdb_write_sizes(&base->rdb, db, sizes[db].keys, sizes[db].expiring);
    }
    base->failed = base->rdb.failed;
}

/* The sizes of the databases; approximate, as they are read before the snapshot starts. */
static struct size *snapshot_file_take_sizes(struct store *store,
                                             struct snapshot_file_progress *progress)
{
    uint32_t databases = store_databases(store);
    struct size *sizes = mem_alloc(databases * sizeof *sizes);
    uint64_t total = 0;
    for (uint32_t db = 0; db < databases; db++) {
        sizes[db] = (struct size){store_count(store, db), store_expiring(store, db)};
        total += sizes[db].keys;
    }
    atomic_store(&progress->keys, 0);
    atomic_store(&progress->bytes, 0);
    atomic_store(&progress->total, total);
    return sizes;
}

/* A thread that saves early and has much to write waits for the header. */
static void snapshot_file_start(struct base *base)
{
    struct size *sizes = snapshot_file_take_sizes(base->options->store, base->options->progress);
    pthread_mutex_lock(&base->file_lock);
    store_snapshot_begin(base->options->store, &base->snapshot);
    snapshot_file_write_header(base, sizes);
    pthread_mutex_unlock(&base->file_lock);
    free(sizes);
}

/* Writes what other threads have gathered, without blocking them meanwhile. */
static void snapshot_file_write_early(struct base *base)
{
    struct chain chain = {0};
    pthread_mutex_lock(&base->early_lock);
    if (chain_length(&base->early.chain) >= WRITE_BYTES) {
        chain = base->early.chain;
        chain_init_for(&base->early.chain, ACCOUNT_JOURNAL);
    }
    pthread_mutex_unlock(&base->early_lock);
    if (chain_length(&chain) == 0)
        return;
    pthread_mutex_lock(&base->file_lock);
    snapshot_file_write_chain(base, &chain);
    pthread_mutex_unlock(&base->file_lock);
    chain_deinit(&chain);
}

static void snapshot_file_save_all(struct base *base)
{
    struct store *store = base->options->store;
    snapshot_file_start(base);
    while (!base->failed && !snapshot_file_is_stopped(base) &&
           store_snapshot_step(store, &base->snapshot)) {
        sched_yield();
        snapshot_file_write_all_pins(base);
        snapshot_file_write_early(base);
        if (chain_length(&base->steps.chain) < WRITE_BYTES)
            continue;
        snapshot_file_write_gathered(base, &base->steps);
        if (base->options->on_progress != NULL)
            base->options->on_progress(base->options->user);
    }
    store_snapshot_end(store);
    snapshot_file_write_all_pins(base);
}

static bool snapshot_file_write_receipt(void *user, struct slice record)
{
    struct base *base = user;
    struct rdb_write gather;
    rdb_write_init(&gather,
                   (struct rdb_sink){.write = snapshot_file_gather, .context = &base->steps});
    rdb_write_aux(&gather, SLICE_LITERAL(RDB_AUX_RECEIPT), record);
    if (chain_length(&base->steps.chain) >= WRITE_BYTES)
        snapshot_file_write_chain(base, &base->steps.chain);
    return !base->failed;
}

/* At the end of the file, when no thread waits for it any longer. Those of later commits are in the
 * log that follows the base. */
static void snapshot_file_write_receipts(struct base *base)
{
    if (base->options->receipts != NULL)
        receipts_save(base->options->receipts, base->snapshot.revision, snapshot_file_write_receipt,
                      base);
    snapshot_file_write_chain(base, &base->steps.chain);
}

static void snapshot_file_write_rest(struct base *base)
{
    rdb_block_flush(&base->steps.block);
    rdb_block_flush(&base->early.block);
    snapshot_file_write_chain(base, &base->steps.chain);
    snapshot_file_write_chain(base, &base->early.chain);
    snapshot_file_write_receipts(base);
    rdb_write_end(&base->rdb);
}

/* Writes the file's contents, under its temporary name. */
static int snapshot_file_write_content(struct base *base, struct snapshot_file_result *result)
{
    snapshot_file_save_all(base);
    bool stopped = snapshot_file_is_stopped(base);
    if (!stopped && !base->failed)
        snapshot_file_write_rest(base);
    *result = (struct snapshot_file_result){.revision = base->snapshot.revision,
                                            .keys = atomic_load(&base->options->progress->keys),
                                            .bytes = base->rdb.size};
    snapshot_file_gathered_deinit(&base->steps);
    snapshot_file_gathered_deinit(&base->early);
    if (base->error != 0)
        return base->error;
    return stopped ? -ECANCELED : fs_sync(base->file);
}

static int snapshot_file_write_file(struct base *base, const char *path,
                                    struct snapshot_file_result *result)
{
    const struct snapshot_file_options *options = base->options;
    int error = fs_unlink(options->fs, path); /* left by a failed one that could not be removed */
    if (error != 0 && error != -ENOENT)
        return error;
    error = fs_open(options->fs, path, FS_CREATE, &base->file);
    if (error != 0)
        return error;
    pthread_mutex_init(&base->early_lock, NULL);
    pthread_mutex_init(&base->file_lock, NULL);
    error = snapshot_file_write_content(base, result);
    pthread_mutex_destroy(&base->file_lock);
    pthread_mutex_destroy(&base->early_lock);
    int closed = fs_close(base->file);
    return error != 0 ? error : closed;
}

int snapshot_file_write(const struct snapshot_file_options *options,
                        struct snapshot_file_result *result)
{
    struct base base = {
        .snapshot = {.save = snapshot_file_save, .on_begin = snapshot_file_on_begin},
        .options = options};
    char name[LAYOUT_NAME], temporary[LAYOUT_PATH], path[LAYOUT_PATH];
    layout_temporary_name(name, options->name);
    layout_path(temporary, name);
    layout_path(path, options->name);
    int error = snapshot_file_write_file(&base, temporary, result);
    if (error == 0)
        error = fs_rename(options->fs, temporary, path);
    if (error != 0) {
        fs_unlink(options->fs, temporary);
        return error;
    }
    return fs_sync_directory(options->fs, LAYOUT_FOLDER);
}
