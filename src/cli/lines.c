/* libedit's history, saved in a file. Each line is appended immediately, so that several prompts
 * can share the file and none loses its lines in a crash. */
#include "cli/lines.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines in memory; a file with more than twice as many is truncated to these when it is loaded. */
#define KEPT_LINES ((size_t)1000)

static void lines_choose_path(struct lines *lines)
{
    const char *named = getenv("KEYSTORE_CLI_HISTORY");
    const char *home = getenv("HOME");
    lines->path[0] = '\0';
    int len = 0;
    if (named != NULL)
        len = snprintf(lines->path, sizeof lines->path, "%s", named);
    else if (home != NULL && home[0] != '\0')
        len = snprintf(lines->path, sizeof lines->path, "%s/.keystore_cli_history", home);
    if (len < 0 || (size_t)len >= sizeof lines->path)
        lines->path[0] = '\0';
}

static FILE *lines_open_file(const struct lines *lines, int flags)
{
    /* What was typed may be secret, so nobody else may read the file. */
    int fd = open(lines->path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static void lines_report_failure(struct lines *lines)
{
    if (!lines->failure_reported)
        fprintf(stderr,
                "Cannot write the history to %s: %s. Set KEYSTORE_CLI_HISTORY to another file, or "
                "to nothing to keep no history.\n",
                lines->path, strerror(errno));
    lines->failure_reported = true;
}

static void lines_close_file(struct lines *lines, FILE *file)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        lines_report_failure(lines);
}

static void lines_rewrite(struct lines *lines)
{
    FILE *file = lines_open_file(lines, O_TRUNC);
    if (file == NULL) {
        lines_report_failure(lines);
        return;
    }
    HistEvent event;
    for (int at = history(lines->history, &event, H_LAST); at >= 0;
         at = history(lines->history, &event, H_PREV))
        fprintf(file, "%s\n", event.str);
    lines_close_file(lines, file);
}

static void lines_load(struct lines *lines)
{
    FILE *file = fopen(lines->path, "re");
    if (file == NULL)
        return; /* there is none yet; any other failure is reported when writing */
    HistEvent event;
    char *line = NULL;
    size_t size = 0;
    size_t count = 0;
    while (getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            history(lines->history, &event, H_ENTER, line);
        count++;
    }
    free(line);
    fclose(file);
    if (count > 2 * KEPT_LINES)
        lines_rewrite(lines);
}

void lines_init(struct lines *lines)
{
    HistEvent event;
    lines->failure_reported = false;
    lines->history = history_init();
    if (lines->history == NULL)
        check_out_of_memory(0);
    history(lines->history, &event, H_SETSIZE, (int)KEPT_LINES);
    history(lines->history, &event, H_SETUNIQUE, 1);
    lines_choose_path(lines);
    if (lines->path[0] != '\0')
        lines_load(lines);
}

void lines_deinit(struct lines *lines)
{
    history_end(lines->history);
}

void lines_add(struct lines *lines, const char *line)
{
    HistEvent event;
    bool repeats = history(lines->history, &event, H_FIRST) >= 0 && strcmp(event.str, line) == 0;
    if (repeats)
        return;
    history(lines->history, &event, H_ENTER, line);
    if (lines->path[0] == '\0')
        return;
    FILE *file = lines_open_file(lines, O_APPEND);
    if (file == NULL) {
        lines_report_failure(lines);
        return;
    }
    fprintf(file, "%s\n", line);
    lines_close_file(lines, file);
}
