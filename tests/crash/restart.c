/* Loads and compares. */
#include "crash/restart.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash/server.h"
#include "journal/layout.h"
#include "store/store.h"

/* Nothing is left but the manifest and what it names. */
static bool is_tidy(struct fs *fs, const struct manifest *manifest)
{
    struct fs_names names = {0};
    bool tidy = fs_list(fs, LAYOUT_FOLDER, &names) != 0 ||
                names.count == manifest->count + (manifest->count > 0);
    fs_names_deinit(&names);
    return tidy;
}

static const char *judge(const struct recovery *recovery, const struct history *history,
                         const struct store *store, uint64_t acknowledged)
{
    const char *wrong = NULL;
    if (recovery->verdict != LOADING_DONE)
        wrong = "the data cannot be loaded";
    else if (recovery->revision < acknowledged)
        wrong = "what was acknowledged is lost";
    else if (!history_is_at(history, store, recovery->revision))
        wrong = "the data are not what they ever were";
    if (wrong != NULL)
        print_message("revision %" PRIu64 " of %" PRIu64 ", %" PRIu64 " acknowledged %s\n",
                      recovery->revision, history->newest, acknowledged, recovery->why);
    return wrong;
}

static const char *load(struct fs_model *model, const struct history *history,
                        uint64_t acknowledged, uint64_t *revision)
{
    struct fs *fs = fs_model_fs(model);
    struct recovery recovery;
    struct recovery_options options = {0};
    struct store *store = store_new(&(struct store_options){.databases = SERVER_DATABASES});
    recovery_load(fs, store, &options, &recovery);
    const char *wrong = judge(&recovery, history, store, acknowledged);
    if (wrong == NULL && !is_tidy(fs, &recovery.manifest))
        wrong = "files are left that nobody needs";
    *revision = recovery.revision;
    recovery_deinit(&recovery);
    store_free(store);
    return wrong;
}

const char *restart(struct fs_model *model, const struct history *history, uint64_t acknowledged,
                    uint64_t *revision)
{
    uint64_t again = 0;
    const char *wrong = load(model, history, acknowledged, revision);
    if (wrong == NULL)
        wrong = load(model, history, *revision, &again);
    if (wrong == NULL && again != *revision)
        wrong = "the second start finds something else than the first";
    return wrong;
}
