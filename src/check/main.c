/* keystore-check: reads its options, checks, reports, and then repairs or prints the data. */
#include "base/clock.h"
#include "check/dump.h"
#include "check/load.h"
#include "check/options.h"
#include "check/place.h"
#include "check/repair.h"
#include "check/report.h"
#include "store/store.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* As many as a server may have. */
#define DATABASES 1024

/* What a check needs on its way. */
struct session {
    const struct options *options;
    struct place place;
    struct progress progress;
    FILE *report;
};

static int complain(const char *problem)
{
    fflush(stdout); /* what came before */
    fprintf(stderr, "keystore-check: %s\n", problem);
    return STATE_UNREADABLE;
}

/* Prints the data of what was found to be in that state; the exit code. */
static int dump(const struct session *session, const struct item *items, size_t count,
                enum state state)
{
    char problem[LOAD_PROBLEM_SIZE];
    struct store *store = store_new(&(struct store_options){.databases = DATABASES});
    if (load_items(session->place.fs, items, count, store, problem)) {
        uint64_t keys = dump_store(stdout, store, clock_unix_ms());
        fprintf(stderr, "printed %" PRIu64 " keys%s\n", keys,
                state == STATE_GOOD ? "" : ", of what stands before the first bad record");
    } else {
        complain(problem);
        state = state > STATE_DAMAGED ? state : STATE_DAMAGED;
    }
    store_free(store);
    return (int)state;
}

/* Checks again after a repair. */
static int recheck_directory(struct session *session)
{
    struct directory directory = {0};
    directory_check(session->place.fs, &session->progress, &directory);
    if (directory.state != STATE_GOOD)
        report_items(session->report, &directory);
    report_directory(session->report, &directory);
    int code = (int)directory.state;
    directory_deinit(&directory);
    return code;
}

static int repair_checked(struct session *session, const struct directory *directory)
{
    char problem[REPAIR_PROBLEM_SIZE];
    bool damage = session->options->repair_damage;
    if (repair_directory(session->place.fs, directory, damage, session->report, problem))
        return recheck_directory(session);
    complain(problem);
    return (int)directory->state;
}

static int check_directory(struct session *session)
{
    struct directory directory = {0};
    directory_check(session->place.fs, &session->progress, &directory);
    report_items(session->report, &directory);
    report_directory(session->report, &directory);
    int code = (int)directory.state;
    if (session->options->repair && code != STATE_GOOD)
        code = repair_checked(session, &directory);
    else if (session->options->dump)
        code = dump(session, directory.items, directory.count, directory.state);
    directory_deinit(&directory);
    return code;
}

static void check_item(struct session *session, struct item *item)
{
    directory_check_file(session->place.fs, session->place.file, &session->progress, item);
    report_item(session->report, item);
    report_summary(session->report, item);
}

static int repair_item(struct session *session, struct item *item)
{
    char problem[REPAIR_PROBLEM_SIZE];
    bool damage = session->options->repair_damage;
    if (!repair_file(session->place.fs, item, damage, session->report, problem)) {
        complain(problem);
        return (int)item->inspection.state;
    }
    directory_deinit_item(item);
    check_item(session, item);
    return (int)item->inspection.state;
}

static int check_file(struct session *session)
{
    struct item item;
    check_item(session, &item);
    int code = (int)item.inspection.state;
    if (session->options->repair && code != STATE_GOOD)
        code = repair_item(session, &item);
    else if (session->options->dump)
        code = dump(session, &item, 1, item.inspection.state);
    directory_deinit_item(&item);
    return code;
}

static int run(const struct options *options)
{
    char problem[PLACE_PROBLEM_SIZE];
    struct session session = {.options = options, .report = options->dump ? stderr : stdout};
    if (!place_open(options->path, options->repair, &session.place, problem))
        return complain(problem);
    progress_init(&session.progress, isatty(STDERR_FILENO) ? stderr : NULL);
    int code = session.place.is_file ? check_file(&session) : check_directory(&session);
    place_close(&session.place);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    char problem[OPTIONS_PROBLEM_SIZE];
    int code = 0;
    if (!options_parse(argc, argv, &options, problem)) {
        fprintf(stderr, "keystore-check: %s. Try --help.\n", problem);
        return STATE_UNREADABLE;
    }
    if (options.help)
        options_print_help(stdout);
    else if (options.version)
        puts("keystore-check " KEYSTORE_VERSION);
    else
        code = run(&options);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain("cannot write to standard output");
    return code;
}
