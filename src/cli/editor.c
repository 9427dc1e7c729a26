/*
 * libedit and the terminal. Hints are drawn by the function that reads a character: libedit calls
 * it when the line is drawn, so it writes the hint after the cursor, waits for a key, and erases
 * the hint before libedit continues. libedit is unaware of it. Does not know what commands do.
 */
#include "cli/editor.h"

#include "base/check.h"
#include "base/mem.h"
#include "cli/hint.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Longer lines get no hints, which would not fit anyway. */
#define HINTED_SIZE 2048

struct editor {
    EditLine *edit;
    char *line; /* the last one, without newline */
    char prompt[320];
    bool hints; /* the terminal understands the escapes that draw them */
    bool hint_shown;
    sigset_t waiting_mask; /* of blocked signals while waiting for a key */
};

/* Handlers are installed only while a line is edited: Ctrl-C during a command ends the program. */
static const int handled[] = {SIGINT, SIGWINCH, SIGCONT};
#define HANDLED_COUNT (sizeof handled / sizeof *handled)

/* Signals that arrive while a line is edited; set by handlers, read by editor_read_byte(). */
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t resized;
static volatile sig_atomic_t continued;

static void editor_on_signal(int number)
{
    if (number == SIGINT)
        interrupted = 1;
    else if (number == SIGWINCH)
        resized = 1;
    else
        continued = 1;
}

static struct editor *editor_of(EditLine *edit)
{
    struct editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static char *editor_show_prompt(EditLine *edit)
{
    return editor_of(edit)->prompt;
}

/* The part of the line before the cursor as a string; false if it is too long. */
static bool editor_text_before_cursor(EditLine *edit, char text[static HINTED_SIZE])
{
    const LineInfo *info = el_line(edit);
    size_t len = (size_t)(info->cursor - info->buffer);
    if (len >= HINTED_SIZE)
        return false;
    memcpy(text, info->buffer, len);
    text[len] = '\0';
    return true;
}

/* Columns from the left edge to the cursor; -1 if the cursor is not at the end of the line, or if
 * the line has characters that libedit draws in its own way. */
static int editor_columns_used(struct editor *editor)
{
    const LineInfoW *info = el_wline(editor->edit);
    if (info->cursor != info->lastchar)
        return -1;
    DCHECK(info->cursor >= info->buffer);
    int columns = (int)strlen(editor->prompt);
    for (const wchar_t *at = info->buffer; at < info->cursor; at++) {
        int width = wcwidth(*at);
        if (width < 0)
            return -1;
        columns += width;
    }
    return columns;
}

/* Columns that are free after the cursor in its row. */
static int editor_columns_left(struct editor *editor)
{
    struct winsize size;
    int used = editor_columns_used(editor);
    if (used < 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 0;
    /* The last column stays free: writing there makes some terminals scroll. */
    return size.ws_col - used % size.ws_col - 1;
}

static void editor_show_hint(struct editor *editor)
{
    char text[HINTED_SIZE];
    char hint[HINT_SIZE];
    int columns = editor_columns_left(editor);
    if (!editor->hints || columns < 2 || !editor_text_before_cursor(editor->edit, text))
        return;
    hint_arguments(text, hint);
    if (hint[0] == '\0')
        return;
    /* Save the cursor, grey, text, plain, restore the cursor. */
    printf("\0337\033[90m%.*s\033[0m\0338", columns, hint);
    fflush(stdout);
    editor->hint_shown = true;
}

static void editor_erase_hint(struct editor *editor)
{
    if (editor->hint_shown)
        fputs("\033[K", stdout);
    fflush(stdout);
    editor->hint_shown = false;
}

/* Sets libedit's mode, in which each key is delivered immediately, but with a read() that does not
 * block: editor_read_byte() waits, where signals can interrupt it. */
static void editor_prepare_terminal(struct editor *editor)
{
    struct termios mode;
    el_set(editor->edit, EL_PREP_TERM, 1);
    if (tcgetattr(STDIN_FILENO, &mode) != 0)
        return;
    mode.c_cc[VMIN] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

/* Redraws the line after the terminal has changed its size or mode. */
static void editor_redraw(struct editor *editor)
{
    editor_erase_hint(editor);
    if (resized)
        el_resize(editor->edit);
    if (continued) {
        /* The shell has changed the mode without libedit's knowledge. */
        el_set(editor->edit, EL_PREP_TERM, 0);
        editor_prepare_terminal(editor);
    }
    resized = 0;
    continued = 0;
    /* libedit draws from the cursor as if the row were empty. */
    fputs("\r\033[J", stdout);
    el_set(editor->edit, EL_REFRESH);
    editor_show_hint(editor);
}

/* Runs the handlers of signals that are pending. */
static void editor_take_signals(const struct editor *editor)
{
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, &editor->waiting_mask, &blocked);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Reads one byte; -1 on Ctrl-C, 0 at the end of the input. */
static ssize_t editor_read_byte(struct editor *editor, char *byte)
{
    for (;;) {
        struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
        int ready = ppoll(&entry, 1, NULL, &editor->waiting_mask);
        if (ready < 0 && errno != EINTR)
            return -1;
        editor_take_signals(editor);
        if (interrupted)
            return -1;
        if (resized || continued)
            editor_redraw(editor);
        ssize_t got = ready > 0 ? read(STDIN_FILENO, byte, 1) : 0;
        /* Nothing to read and no hang-up: a signal has flushed what was typed before it. */
        if (got != 0 || (entry.revents & (POLLHUP | POLLERR)) != 0)
            return got;
    }
}

/* Reads one character in the encoding of the locale; invalid bytes are dropped. */
static int editor_read_wide(struct editor *editor, wchar_t *out)
{
    mbstate_t state = {0};
    for (;;) {
        char byte;
        ssize_t got = editor_read_byte(editor, &byte);
        if (got <= 0)
            return (int)got;
        size_t len = mbrtowc(out, &byte, 1, &state);
        if (len == 0 || len == 1)
            return 1;
        if (len == (size_t)-1)
            state = (mbstate_t){0};
    }
}

static int editor_read_char(EditLine *edit, wchar_t *out)
{
    struct editor *editor = editor_of(edit);
    editor_show_hint(editor);
    int got = editor_read_wide(editor, out);
    int cause = errno;
    editor_erase_hint(editor);
    errno = cause;
    return got;
}

/* Columns of the terminal; 80 if unknown. */
static size_t editor_terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Prints rows of equal columns, as wide as the longest name and two spaces. */
static void editor_list_matches(const struct hint_matches *matches)
{
    size_t width = 0;
    for (size_t i = 0; i < matches->count; i++)
        if (strlen(matches->names[i]) > width)
            width = strlen(matches->names[i]);
    size_t per_row =
        (editor_terminal_columns() + 1) / (width + 2); /* the last one needs no spaces */
    if (per_row == 0)
        per_row = 1;
    for (size_t i = 0; i < matches->count; i++) {
        bool ends_row = (i + 1) % per_row == 0 || i + 1 == matches->count;
        printf("%s%-*s%s", i == 0 ? "\n" : "", ends_row ? 0 : (int)width, matches->names[i],
               ends_row ? "\n" : "  ");
    }
    fflush(stdout);
}

/* Replaces the unfinished word by the first `len` letters of a command. */
static void editor_replace_word(EditLine *edit, const struct hint_matches *matches, size_t len,
                                const char *ending)
{
    CHECK(len <= strlen(matches->names[0]));
    char text[64];
    snprintf(text, sizeof text, "%.*s%s", (int)len, matches->names[0], ending);
    el_deletestr(edit, (int)matches->word_len);
    el_insertstr(edit, text);
}

static unsigned char editor_on_tab(EditLine *edit, int key)
{
    (void)key;
    char text[HINTED_SIZE];
    struct hint_matches matches;
    if (!editor_text_before_cursor(edit, text))
        return CC_ERROR;
    hint_commands(text, &matches);
    if (matches.count == 0)
        return CC_ERROR;
    if (matches.count == 1) {
        editor_replace_word(edit, &matches, matches.common_len, " ");
        return CC_REFRESH;
    }
    if (matches.common_len > matches.word_len) {
        editor_replace_word(edit, &matches, matches.common_len, "");
        return CC_REFRESH;
    }
    editor_list_matches(&matches);
    return CC_REDISPLAY;
}

static void editor_set_up(struct editor *editor, struct lines *lines)
{
    EditLine *edit = editor->edit;
    el_set(edit, EL_CLIENTDATA, editor);
    el_set(edit, EL_PROMPT, editor_show_prompt);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_SIGNAL, 0);
    el_set(edit, EL_HIST, history, lines->history);
    /* The wide form: the narrow one leaks its copies of the names. */
    el_wset(edit, EL_ADDFN, L"keystore-complete", L"Complete a command", editor_on_tab);
    el_set(edit, EL_BIND, "^I", "keystore-complete", NULL);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_wset(edit, EL_GETCFN, editor_read_char);
    el_source(edit, NULL); /* the user's ~/.editrc has the last word */
}

struct editor *editor_new(struct lines *lines)
{
    /* Text needs a locale in which bytes above 127 are characters. */
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
    EditLine *edit = el_init("keystore-cli", stdin, stdout, stderr);
    if (edit == NULL)
        return NULL;
    struct editor *editor = mem_alloc_zero(sizeof *editor);
    editor->edit = edit;
    const char *terminal = getenv("TERM");
    editor->hints = terminal != NULL && terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
    editor_set_up(editor, lines);
    return editor;
}

void editor_free(struct editor *editor)
{
    if (editor == NULL)
        return;
    el_end(editor->edit);
    free(editor->line);
    free(editor);
}

/* Blocks the signals except while editor_read_byte() waits, so that none can arrive between
 * checking its flag and waiting. */
static void editor_catch_signals(struct editor *editor,
                                 struct sigaction before[static HANDLED_COUNT])
{
    struct sigaction action = {.sa_handler = editor_on_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    interrupted = 0;
    for (size_t i = 0; i < HANDLED_COUNT; i++) {
        sigaction(handled[i], &action, &before[i]);
        sigaddset(&blocked, handled[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &editor->waiting_mask);
}

static void editor_release_signals(struct editor *editor,
                                   const struct sigaction before[static HANDLED_COUNT])
{
    sigprocmask(SIG_SETMASK, &editor->waiting_mask, NULL);
    for (size_t i = 0; i < HANDLED_COUNT; i++)
        sigaction(handled[i], &before[i], NULL);
}

enum editor_result editor_read(struct editor *editor, const char *prompt, const char **line)
{
    struct sigaction before[HANDLED_COUNT];
    int len = 0;
    snprintf(editor->prompt, sizeof editor->prompt, "%s", prompt);
    editor_catch_signals(editor, before);
    /* libedit would show the prompt first and lose what is typed in between. */
    editor_prepare_terminal(editor);
    const char *text = el_gets(editor->edit, &len);
    editor_release_signals(editor, before);
    if (interrupted) {
        el_reset(editor->edit);
        puts("^C");
        return EDITOR_INTERRUPTED;
    }
    if (text == NULL || len <= 0)
        return EDITOR_END;
    size_t keep = (size_t)len - (text[len - 1] == '\n' ? 1 : 0);
    editor->line = mem_realloc(editor->line, keep + 1);
    memcpy(editor->line, text, keep);
    editor->line[keep] = '\0';
    *line = editor->line;
    return EDITOR_LINE;
}
