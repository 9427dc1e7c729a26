/* The rule of versions. Knows no operation. */
#include "versions.h"

static struct version *find(struct versions *versions, uint32_t db, struct keystore_slice key)
{
    return &versions->keys[db][universe_number(key)];
}

static void become(struct version *version, uint64_t now)
{
    if (version->known && version->now != 0 && version->now != now)
        version->stale = version->now;
    if (version->stale == now) /* a transaction that removes a key may write it again */
        version->stale = 0;
    version->known = true;
    version->now = now;
}

const char *versions_kept(struct versions *versions, uint32_t db, struct keystore_slice key,
                          uint64_t version)
{
    struct version *known = find(versions, db, key);
    if (known->known && known->now != version)
        return "the version is another, and nobody wrote the key";
    if (version != 0 && version == known->stale)
        return "the version is one that the key had before";
    become(known, version);
    return NULL;
}

const char *versions_wrote(struct versions *versions, uint32_t db, struct keystore_slice key,
                           uint64_t version)
{
    struct version *known = find(versions, db, key);
    if (version == 0)
        return "the version says that there is no key, and it was just written";
    if (versions->unit != 0 && version != versions->unit)
        return "the version is not that of the transaction which wrote the key";
    if (versions->unit == 0 && known->known && version == known->now)
        return "the version is the same although the key was written";
    if (versions->unit == 0 && version == known->stale)
        return "the version is one that the key had before";
    become(known, version);
    return NULL;
}

const char *versions_either(struct versions *versions, uint32_t db, struct keystore_slice key,
                            uint64_t version)
{
    struct version *known = find(versions, db, key);
    /* A transaction may have written the key before, removed it, and written it again. */
    if (version != 0 && version == known->stale && version != versions->unit)
        return "the version is one that the key had before";
    become(known, version);
    return NULL;
}

void versions_gone(struct versions *versions, uint32_t db, struct keystore_slice key)
{
    become(find(versions, db, key), 0);
}

void versions_swapped(struct versions *versions, uint32_t db, struct keystore_slice key)
{
    struct version *version = find(versions, db, key);
    if (version->known && version->now != 0)
        version->stale = version->now;
    version->known = false;
}

void versions_forget(struct versions *versions, uint32_t db, struct keystore_slice key)
{
    find(versions, db, key)->known = false;
}
