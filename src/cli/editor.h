/* One line from the terminal, with editing, history, completion and argument hints. */
#ifndef KEYSTORE_CLI_EDITOR_H
#define KEYSTORE_CLI_EDITOR_H

#include "cli/lines.h"

struct editor;

/* Borrows the lines. NULL if the terminal cannot be used. Free with editor_free(). */
struct editor *editor_new(struct lines *lines);
void editor_free(struct editor *editor);

enum editor_result { EDITOR_LINE, EDITOR_INTERRUPTED, EDITOR_END };

/*
 * Shows the prompt and reads a line, which has no newline, belongs to the editor and is valid until
 * the next call. EDITOR_INTERRUPTED: the user dropped the line with Ctrl-C. EDITOR_END: Ctrl-D, or
 * the terminal has hung up.
 */
enum editor_result editor_read(struct editor *editor, const char *prompt, const char **line);

#endif
