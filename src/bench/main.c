/* keystore-bench: parses its options, fills, measures, reports. */
#include "bench/report.h"

#include "base/mem.h"
#include "base/standard.h"
#include "bench/now.h"
#include "bench/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

static int bench_print_error(const char *problem)
{
    fprintf(stderr, "keystore-bench: %s\n", problem);
    return EXIT_FAILED;
}

static struct progress bench_start_progress(const struct options *options, const char *what)
{
    struct progress progress;
    bool terminal = isatty(STDERR_FILENO) != 0;
    bool wanted = options->progress || (terminal && !options->quiet);
    progress_init(&progress, wanted ? stderr : NULL, terminal, what, now_ns());
    return progress;
}

/* The exit code after a run; prints its error message, if it has one. */
static int bench_exit_code(const struct run_result *result)
{
    if (result->problem[0] != '\0')
        return bench_print_error(result->problem);
    return tally_errors(&result->tally) > 0 ? EXIT_FAILED : 0;
}

static int bench_fill(const struct options *options, const struct target *target)
{
    struct plan plan;
    struct run_result *result = mem_alloc(sizeof *result);
    plan_init_fill(&plan, options, target);
    struct progress progress = bench_start_progress(options, "fill");
    FILE *out = options->csv ? stderr : stdout;
    if (run_plan(&plan, &progress, result)) {
        report_fill(out, options, result);
        report_errors(out, result);
    }
    int code = bench_exit_code(result);
    if (code == 0 && !report_is_filled(result))
        code = bench_print_error("not all keys were stored");
    plan_deinit(&plan);
    free(result);
    return code;
}

static void bench_report(const struct options *options, const struct run_result *result)
{
    if (options->csv)
        report_csv(stdout, options, result);
    else if (options->quiet)
        report_line(stdout, options, result);
    else
        report_table(stdout, options, result);
    standard_push(); /* before anything goes to standard error */
    if (options->csv || options->quiet)
        report_errors(stderr, result);
    report_warnings(stderr, options, result);
}

static int bench_measure(const struct options *options, const struct target *target)
{
    struct plan plan;
    struct run_result *result = mem_alloc(sizeof *result);
    plan_init_measure(&plan, options, target);
    struct progress progress = bench_start_progress(options, "bench");
    if (run_plan(&plan, &progress, result))
        bench_report(options, result);
    int code = bench_exit_code(result);
    plan_deinit(&plan);
    free(result);
    return code;
}

static int bench_run(const struct options *options)
{
    struct target target;
    char problem[TARGET_PROBLEM_SIZE];
    if (!target_find(&target, options->host, options->port, options->unix_path, options->timeout_ns,
                     problem))
        return bench_print_error(problem);
    struct tls *tls = options_want_tls(options) ? tls_new(options, problem) : NULL;
    if (options_want_tls(options) && tls == NULL)
        return bench_print_error(problem);
    target.tls = tls;
    int code = options->fill ? bench_fill(options, &target) : 0;
    if (code == 0 && options->requests > 0)
        code = bench_measure(options, &target);
    tls_free(tls);
    return code;
}

/* The token of the environment, where `ps` does not show it; false, after an error message, if it
 * is none. */
static bool bench_find_token(struct options *options)
{
    const char *token = getenv("KEYSTORE_TOKEN");
    if (token == NULL)
        return true;
    int len = snprintf(options->authorization, sizeof options->authorization, "Bearer %s", token);
    if (len < (int)sizeof options->authorization)
        return true;
    bench_print_error("KEYSTORE_TOKEN is too long for a token");
    return false;
}

int main(int argc, char **argv)
{
    struct options options;
    struct cpu_time time;
    char problem[OPTIONS_PROBLEM_SIZE];
    int code = 0;
    if (!standard_open())
        return EXIT_FAILED;
    if (!options_parse(argc, argv, &options, problem)) {
        fprintf(stderr, "keystore-bench: %s. Try --help.\n", problem);
        return EXIT_USAGE;
    }
    if (options.help) {
        options_print_help(stdout);
    } else if (options.version) {
        puts("keystore-bench " KEYSTORE_VERSION);
    } else if (options.server_pid != 0 && !cpu_of_process(options.server_pid, &time)) {
        fprintf(stderr, "keystore-bench: --server-pid takes a running process, not %" PRId64 ".\n",
                options.server_pid);
        return EXIT_USAGE;
    } else {
        code = bench_find_token(&options) ? bench_run(&options) : EXIT_USAGE;
    }
    return standard_flush("keystore-bench") ? code : EXIT_FAILED;
}
