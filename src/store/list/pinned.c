/* Counts the lists that are pinned. Does not know who reads them. */
#include "store/list/pinned.h"

#include "base/account.h"
#include "base/check.h"
#include "store/list/list.h"

#include <stdatomic.h>

static atomic_size_t total;

bool pinned_take(struct pinned *pinned, const struct list *list)
{
    DCHECK(pinned->list == NULL);
    size_t bytes = list_memory(list), limit = account_limit(), before = atomic_load(&total);
    do {
        if (before > 0 && (bytes > limit || before > limit - bytes))
            return false;
    } while (!atomic_compare_exchange_weak(&total, &before, before + bytes));
    *pinned = (struct pinned){.list = list_copy(list), .bytes = bytes};
    return true;
}

void pinned_release(struct pinned *pinned)
{
    list_free(pinned->list);
    atomic_fetch_sub(&total, pinned->bytes);
    *pinned = (struct pinned){0};
}

size_t pinned_bytes(void)
{
    return atomic_load(&total);
}
