/* keystore-check: reads its options, checks, reports, and then repairs or prints the data. */
#include "base/clock.h"
#include "base/standard.h"
#include "check/dump.h"
#include "check/options.h"
#include "check/place.h"
#include "check/repair.h"
#include "check/report.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

/* What a check needs. */
struct session {
    const struct options *options;
    struct place place;
    struct progress progress;
    FILE *report;
};

static int check_report_error(const char *problem)
{
    standard_push(); /* what was printed before */
    fprintf(stderr, "keystore-check: %s\n", problem);
    return STATE_UNREADABLE;
}

/* Prints what precedes the damage, if there is any; returns the exit code. */
static int check_dump(const struct session *session, struct directory *directory)
{
    directory_load_good(session->place.fs, directory);
    uint64_t keys = dump_store(stdout, directory->store, clock_unix_ms());
    fprintf(stderr, "printed %" PRIu64 " keys%s\n", keys,
            directory->state == STATE_GOOD ? "" : ", those before the first bad record");
    return (int)directory->state;
}

static void check_judge(struct session *session, struct directory *directory)
{
    const struct place *place = &session->place;
    if (place->is_file)
        directory_check_file(place->fs, place->file, &session->progress, directory);
    else
        directory_check(place->fs, &session->progress, directory);
}

static void check_report(const struct session *session, const struct directory *directory)
{
    report_items(session->report, directory);
    if (session->place.is_file)
        report_summary(session->report, &directory->items[0]);
    else
        report_directory(session->report, directory);
}

/* Repairs what was found, and checks again. */
static int check_repair(struct session *session, struct directory *directory)
{
    char problem[REPAIR_PROBLEM_SIZE];
    struct fs *fs = session->place.fs;
    bool damage = session->options->repair_damage;
    bool repaired = session->place.is_file
                        ? repair_file(fs, &directory->items[0], damage, session->report, problem)
                        : repair_directory(fs, directory, damage, session->report, problem);
    if (!repaired) {
        check_report_error(problem);
        return (int)directory->state;
    }
    directory_deinit(directory);
    check_judge(session, directory);
    check_report(session, directory);
    return (int)directory->state;
}

static int check_place(struct session *session)
{
    struct directory directory = {0};
    check_judge(session, &directory);
    check_report(session, &directory);
    int code = (int)directory.state;
    if (session->options->repair && code != STATE_GOOD)
        code = check_repair(session, &directory);
    else if (session->options->dump)
        code = check_dump(session, &directory);
    directory_deinit(&directory);
    return code;
}

static int check_run(const struct options *options)
{
    char problem[PLACE_PROBLEM_SIZE];
    struct session session = {.options = options, .report = options->dump ? stderr : stdout};
    if (!place_open(options->path, options->repair, &session.place, problem))
        return check_report_error(problem);
    progress_init(&session.progress, isatty(STDERR_FILENO) ? stderr : NULL);
    int code = check_place(&session);
    place_close(&session.place);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    char problem[OPTIONS_PROBLEM_SIZE];
    int code = 0;
    if (!standard_open())
        return STATE_UNREADABLE;
    signal(SIGXFSZ, SIG_IGN); /* a copy that exceeds the limit is an error like those of the disk */
    if (!options_parse(argc, argv, &options, problem)) {
        fprintf(stderr, "keystore-check: %s. Try --help.\n", problem);
        return STATE_UNREADABLE;
    }
    if (options.help)
        options_print_help(stdout);
    else if (options.version)
        puts("keystore-check " KEYSTORE_VERSION);
    else
        code = check_run(&options);
    return standard_flush("keystore-check") ? code : STATE_UNREADABLE;
}
