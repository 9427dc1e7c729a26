/* What FlushDb leaves: put aside immediately and freed incrementally. */
#include "store/data/garbage.h"

#include "base/check.h"
#include "store/data/shard.h"

/* A shard's part of a database that was emptied. */
struct garbage {
    struct garbage *next;
    struct dict *origin; /* where the entries were */
    struct dict dict;
    uint32_t db;
    bool is_unsaved;   /* a snapshot needs what is not below the cursor */
    uint64_t saved_to; /* the cursor */
};

size_t garbage_take(struct store *store, struct shard *shard, uint32_t db)
{
    DCHECK(mutex_is_held(&shard->lock));
    struct database *database = &shard->databases[db];
    size_t count = database->dict.count;
    if (count == 0)
        return 0;
    struct garbage *garbage = slab_alloc(&shard->slab, sizeof *garbage);
    *garbage = (struct garbage){
        .next = shard->garbage,
        .origin = &database->dict,
        .db = db,
        .is_unsaved = store->snapshot != NULL && !database->saved,
        .saved_to = database->saved_to,
    };
    database->saved = true; /* what is written now is too new */
    dict_take_all(&database->dict, &garbage->dict);
    CHECK(database->dict.count == 0 && garbage->dict.count == count);
    shard->garbage = garbage;
    atomic_store_explicit(&shard->has_garbage, true, memory_order_relaxed);
    database->expiring = 0;
    database->expiring_memory = 0;
    return count;
}

/* The link to the first garbage of that kind; it contains NULL if there is none. */
static struct garbage **garbage_find(struct shard *shard, bool is_unsaved)
{
    struct garbage **link = &shard->garbage;
    while (*link != NULL && (*link)->is_unsaved != is_unsaved)
        link = &(*link)->next;
    return link;
}

size_t garbage_collect(struct shard *shard, size_t max_entries)
{
    size_t count = 0;
    while (count < max_entries) {
        struct garbage **link = garbage_find(shard, false), *garbage = *link;
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

/* What a scan reports, with what garbage_scan_unsaved() adds. */
struct report {
    void (*on_entry)(void *context, uint32_t db, uint64_t cursor, struct entry *entry);
    void *context;
    const struct garbage *garbage;
};

static void garbage_report_entry(void *context, struct entry *entry)
{
    const struct report *report = context;
    report->on_entry(report->context, report->garbage->db, report->garbage->saved_to, entry);
}

bool garbage_scan_unsaved(struct shard *shard,
                          void (*on_entry)(void *context, uint32_t db, uint64_t cursor,
                                           struct entry *entry),
                          void *context)
{
    struct garbage *garbage = *garbage_find(shard, true);
    if (garbage == NULL)
        return false;
    struct report report = {.on_entry = on_entry, .context = context, .garbage = garbage};
    garbage->saved_to = dict_scan(&garbage->dict, garbage->saved_to, garbage_report_entry, &report);
    garbage->is_unsaved = garbage->saved_to != 0;
    return true;
}

void garbage_forget_unsaved(struct shard *shard)
{
    for (struct garbage *garbage = shard->garbage; garbage != NULL; garbage = garbage->next)
        garbage->is_unsaved = false;
}
