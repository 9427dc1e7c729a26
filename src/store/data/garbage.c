/* What FlushDb leaves: put aside immediately and freed incrementally. */
#include "store/data/garbage.h"

#include "base/check.h"
#include "store/data/shard.h"

/* A shard's part of a database that was emptied. */
struct garbage {
    struct garbage *next;
    struct dict *origin; /* where the entries were; by now it may have another database */
    struct dict dict;
    struct saving saving; /* while it is not done, a snapshot needs the entries */
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
        .saving = {.done = true},
    };
    if (store->snapshot != NULL && !database->saving.done) {
        garbage->saving = database->saving;
        database->saving = (struct saving){.done = true}; /* what is written now is too new */
    }
    dict_take_all(&database->dict, &garbage->dict);
    CHECK(database->dict.count == 0 && garbage->dict.count == count);
    shard->garbage = garbage;
    atomic_store_explicit(&shard->has_garbage, true, memory_order_relaxed);
    database->expiring = 0;
    database->expiring_memory = 0;
    return count;
}

/* The link to the first garbage of that kind; it contains NULL if there is none. */
static struct garbage **garbage_find(struct shard *shard, bool is_saved)
{
    struct garbage **link = &shard->garbage;
    while (*link != NULL && (*link)->saving.done != is_saved)
        link = &(*link)->next;
    return link;
}

size_t garbage_collect(struct shard *shard, size_t max_entries)
{
    size_t count = 0;
    while (count < max_entries) {
        struct garbage **link = garbage_find(shard, true), *garbage = *link;
        if (garbage == NULL)
            break;
        DCHECK(garbage->saving.done && garbage->saving.noted == NULL);
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

static void garbage_end_saving(struct shard *shard, struct garbage *garbage)
{
    garbage->saving.done = true;
    saving_drop_notes(&garbage->saving, &shard->slab);
}

/* What a scan reports, with what garbage_scan_unsaved() adds. */
struct report {
    void (*on_entry)(void *context, const struct saving *saving, struct entry *entry);
    void *context;
    const struct saving *saving;
};

static void garbage_report_entry(void *context, struct entry *entry)
{
    const struct report *report = context;
    report->on_entry(report->context, report->saving, entry);
}

bool garbage_scan_unsaved(struct shard *shard,
                          void (*on_entry)(void *context, const struct saving *saving,
                                           struct entry *entry),
                          void *context)
{
    struct garbage *garbage = *garbage_find(shard, false);
    if (garbage == NULL)
        return false;
    struct saving *saving = &garbage->saving;
    struct report report = {.on_entry = on_entry, .context = context, .saving = saving};
    saving->cursor = dict_scan(&garbage->dict, saving->cursor, garbage_report_entry, &report);
    if (saving->cursor == 0)
        garbage_end_saving(shard, garbage);
    return true;
}

void garbage_forget_unsaved(struct shard *shard)
{
    for (struct garbage *garbage = shard->garbage; garbage != NULL; garbage = garbage->next)
        garbage_end_saving(shard, garbage);
}
