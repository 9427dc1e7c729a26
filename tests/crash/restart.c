/* Loads and compares. */
#include "crash/restart.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash/server.h"
#include "journal/layout.h"
#include "journal/tidy.h"
#include "store/store.h"

/* Nothing is left but the manifest and the files that it names. */
static bool is_tidy(struct fs *fs, const struct manifest *manifest)
{
    struct fs_names names = {0};
    bool tidy = fs_list(fs, LAYOUT_FOLDER, &names) != 0 ||
                names.count == manifest->count + (manifest->count > 0);
    fs_names_deinit(&names);
    return tidy;
}

static const char *judge(const struct recovery *recovery, const struct history *history,
                         const struct store *store, const struct history_promise *promise)
{
    const char *wrong = NULL;
    if (recovery->verdict != LOADING_DONE)
        wrong = "the data cannot be loaded";
    else if (recovery->revision < promise->acknowledged)
        wrong = "what was acknowledged is lost";
    else if (recovery->revision < promise->shown && recovery->reserved < promise->shown)
        wrong = "a version that was shown would be given twice";
    else if (!history_is_at(history, store, recovery->revision))
        wrong = "the data are of no state that there was";
    if (wrong != NULL)
        print_message("revision %" PRIu64 " of %" PRIu64 ", %" PRIu64 " reserved, %" PRIu64
                      " acknowledged, %" PRIu64 " shown %s\n",
                      recovery->revision, history->newest, recovery->reserved,
                      promise->acknowledged, promise->shown, recovery->why);
    return wrong;
}

/* *promise becomes what the next start has to keep. */
static const char *load(struct fs_model *model, const struct history *history,
                        struct history_promise *promise)
{
    struct fs *fs = fs_model_fs(model);
    struct recovery recovery;
    struct recovery_options options = {0};
    struct store *store = store_new(&(struct store_options){.databases = SERVER_DATABASES});
    tidy_load(fs, store, &options, &recovery);
    const char *wrong = judge(&recovery, history, store, promise);
    if (wrong == NULL && !is_tidy(fs, &recovery.manifest))
        wrong = "files are left that are not needed";
    promise->acknowledged = recovery.revision;
    recovery_deinit(&recovery);
    store_free(store);
    return wrong;
}

const char *restart(struct fs_model *model, const struct history *history,
                    const struct history_promise *promise)
{
    struct history_promise first = *promise;
    const char *wrong = load(model, history, &first);
    struct history_promise second = first;
    if (wrong == NULL)
        wrong = load(model, history, &second);
    if (wrong == NULL && second.acknowledged != first.acknowledged)
        wrong = "the second start finds something different from the first";
    return wrong;
}
