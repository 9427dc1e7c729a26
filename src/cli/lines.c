/* libedit's history, kept in a file. Each line is appended at once, so that several prompts share
 * one file and none loses its lines to a crash. */
#include "cli/lines.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines in memory; a file with more than twice as many is shortened to these when it is read. */
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
    /* What was typed may be secret: nobody else reads the file. */
    int fd = open(lines->path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static void lines_complain(struct lines *lines)
{
    if (!lines->complained)
        fprintf(
            stderr,
            "The history cannot be written to %s: %s. Set KEYSTORE_CLI_HISTORY to another file, "
            "or to nothing for none.\n",
            lines->path, strerror(errno));
    lines->complained = true;
}

static void lines_close_file(struct lines *lines, FILE *file)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        lines_complain(lines);
}

static void lines_rewrite(struct lines *lines)
{
    FILE *file = lines_open_file(lines, O_TRUNC);
    if (file == NULL) {
        lines_complain(lines);
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
        return; /* the first time there is none; another cause shows when writing */
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
    lines->complained = false;
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
        lines_complain(lines);
        return;
    }
    fprintf(file, "%s\n", line);
    lines_close_file(lines, file);
}
