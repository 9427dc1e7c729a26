/* FlushDb: putting the parts of a database aside, and freeing them by and by. */
#include "store/flush.h"

#include "base/check.h"
#include "store/apply.h"
#include "store/shard.h"

/* A shard's part of a database that was emptied. */
struct flush_garbage {
    struct flush_garbage *next;
    struct dict *origin; /* where the entries were */
    struct dict dict;
    uint32_t db;
    bool is_unsaved;   /* a snapshot needs what is not below the cursor */
    uint64_t saved_to; /* the cursor */
};

/* Keys removed. */
static size_t flush_shard(struct keyspace *space, struct shard *shard, uint32_t db)
{
    DCHECK(mutex_is_held(&shard->lock));
    struct database *database = &shard->databases[db];
    size_t count = database->dict.count;
    apply_see(space, shard->removed);
    if (count == 0)
        return 0;
    struct flush_garbage *garbage = slab_alloc(&shard->slab, sizeof *garbage);
    *garbage = (struct flush_garbage){
        .next = shard->garbage,
        .origin = &database->dict,
        .db = db,
        .is_unsaved = space->store->snapshot != NULL && !database->saved,
        .saved_to = database->saved_to,
    };
    database->saved = true; /* what comes now is too new */
    dict_take_all(&database->dict, &garbage->dict);
    CHECK(database->dict.count == 0 && garbage->dict.count == count);
    shard->garbage = garbage;
    atomic_store_explicit(&shard->has_garbage, true, memory_order_relaxed);
    shard->removed = apply_revision(space);
    removals_note_all(&shard->removals, shard->removed);
    database->expiring = 0;
    database->expiring_memory = 0;
    return count;
}

void apply_flush_db(struct keyspace *space, const struct op *op, struct op_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < space->store->shard_count; i++)
        count += flush_shard(space, &space->store->shards[i], op->db);
    if (count > 0)
        apply_change(space, &(struct op){.kind = OP_FLUSH_DB, .db = op->db});
    result->ok = count > 0;
    result->count = (int64_t)count;
}

/* The link to the first garbage of that kind; it holds NULL if there is none. */
static struct flush_garbage **find(struct shard *shard, bool is_unsaved)
{
    struct flush_garbage **link = &shard->garbage;
    while (*link != NULL && (*link)->is_unsaved != is_unsaved)
        link = &(*link)->next;
    return link;
}

size_t flush_collect(struct shard *shard, size_t max_entries)
{
    size_t count = 0;
    while (count < max_entries) {
        struct flush_garbage **link = find(shard, false), *garbage = *link;
        if (garbage == NULL)
            break;
        DCHECK(!garbage->is_unsaved);
        count += dict_clear_some(&garbage->dict, max_entries - count);
        if (garbage->dict.count > 0)
            break;
        dict_give_back(garbage->origin, &garbage->dict);
        *link = garbage->next;
        slab_free(&shard->slab, garbage, sizeof *garbage);
    }
    atomic_store_explicit(&shard->has_garbage, shard->garbage != NULL, memory_order_relaxed);
    return count;
}

/* What a scan reports, with what flush_scan_unsaved() adds. */
struct report {
    void (*on_entry)(void *context, uint32_t db, uint64_t cursor, struct entry *entry);
    void *context;
    const struct flush_garbage *garbage;
};

static void pass_on(void *context, struct entry *entry)
{
    const struct report *report = context;
    report->on_entry(report->context, report->garbage->db, report->garbage->saved_to, entry);
}

bool flush_scan_unsaved(struct shard *shard,
                        void (*on_entry)(void *context, uint32_t db, uint64_t cursor,
                                         struct entry *entry),
                        void *context)
{
    struct flush_garbage *garbage = *find(shard, true);
    if (garbage == NULL)
        return false;
    struct report report = {.on_entry = on_entry, .context = context, .garbage = garbage};
    garbage->saved_to = dict_scan(&garbage->dict, garbage->saved_to, pass_on, &report);
    garbage->is_unsaved = garbage->saved_to != 0;
    return true;
}

void flush_forget_unsaved(struct shard *shard)
{
    for (struct flush_garbage *garbage = shard->garbage; garbage != NULL; garbage = garbage->next)
        garbage->is_unsaved = false;
}
