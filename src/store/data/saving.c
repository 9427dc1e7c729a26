/* The keys that a snapshot has saved ahead of its cursor: a dictionary of empty strings. Does not
 * know what is saved, or when. */
#include "store/data/saving.h"

#include "base/check.h"
#include "store/data/dict.h"
#include "store/data/entry.h"
#include "store/memory/slab.h"

void saving_note(struct saving *saving, struct slab *slab, const struct dict_hasher *hasher,
                 struct slice key, uint64_t hash)
{
    struct entry_stamp stamp = {0};
    if (saving->noted == NULL) {
        saving->noted = slab_alloc(slab, sizeof *saving->noted);
        dict_init(saving->noted, slab, hasher);
    }
    dict_put(saving->noted, hash, entry_new_string(slab, key, slice_make(NULL, 0), stamp));
    DCHECK(saving_has_noted(saving, key, hash));
}

bool saving_has_noted(const struct saving *saving, struct slice key, uint64_t hash)
{
    return saving->noted != NULL && dict_find(saving->noted, hash, key) != NULL;
}

void saving_drop_notes(struct saving *saving, struct slab *slab)
{
    if (saving->noted == NULL)
        return;
    dict_deinit(saving->noted);
    slab_free(slab, saving->noted, sizeof *saving->noted);
    saving->noted = NULL;
}
